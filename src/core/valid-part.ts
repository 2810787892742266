/** What is valid of a record. Pure, and without a schema: the problems say where it is not. */
import type { Problem } from './contract.ts';
import type { Json } from './json.ts';
import { withoutFields } from './record-fields.ts';

/** A record without the fields that have a problem; null where the problem is not one of fields. */
export function validPart(record: Json, problem: Problem): Json | null {
  if (problem.type === 'incomplete' || problem.type === 'truncated') return record;
  return withoutFields(
    record,
    problem.details.map(({ path }) => path),
  );
}
