/** The tutorial's four schemas, under the names they are registered with. */
import type { z } from 'zod';
import { order } from './order.ts';
import { person } from './person.ts';
import { review } from './review.ts';
import { user } from './user.ts';

export { address, person, type Person } from './person.ts';
export { order, orderItem, type Order } from './order.ts';
export { review, type Review } from './review.ts';
export { user, type User } from './user.ts';

/** Schemas by the names that `--schema` and the contract's `schema.name` take. */
export const exampleSchemas: Record<string, z.ZodType> = { user, review, order, person };
