import { z } from 'zod';

/** The tutorial's UserInfo: who somebody is and how to reach them. Fits OpenAI's strict mode. */
export const user = z.strictObject({
  name: z.string().min(1).describe('Full name of the person, first name first, without titles'),
  age: z.int().min(0).max(150).nullable().describe('Age in years; null if it is not stated'),
  email: z.email().nullable().describe('E-mail address; null if there is none'),
  phone: z.string().nullable().describe('Telephone number as it is written; null if there is none'),
  city: z.string().nullable().describe('The city the person lives in; null if it is not stated'),
});

/** A user, as extracted. */
export type User = z.infer<typeof user>;
