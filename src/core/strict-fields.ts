/** Single fields of a record in strict mode. Not among the other functions for fields, which workflows use: those compile nothing. */
import type { CompiledSchema } from './compile-schema.ts';
import { compileStrict } from './compile-strict.ts';
import { fieldsSchema, isOptional } from './fields.ts';
import type { JsonObject } from './json.ts';

/**
 * The schema of an answer that has exactly these fields, for strict mode, in which every field is given: one that the record may
 * do without is not required, so that it can be said to be absent. Undefined where one of them cannot stand alone, and where there
 * is no strict schema of them.
 */
export function strictFieldsSchema(schema: CompiledSchema, paths: readonly string[]): JsonObject | undefined {
  const whole = fieldsSchema(schema, paths);
  if (whole === undefined) return undefined;
  const strict = { ...whole, required: paths.filter((path) => !isOptional(schema, path)) };
  return compileStrict(strict).status === 'compiled' ? strict : undefined;
}
