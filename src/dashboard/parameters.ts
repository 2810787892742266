/** Reading what a view or an action is given: it comes from outside. */
import { InvalidInputError } from '../client/invalid-input-error.ts';
import type { JsonObject } from '../core/json.ts';

/** A parameter of a view. @throws {InvalidInputError} where it is missing or empty. */
export function requireParameter(parameters: URLSearchParams, name: string): string {
  const value = parameters.get(name);
  if (value) return value;
  throw new InvalidInputError(`${name}: expected a value in the address, got none.`);
}

/** A text in an action's input. @throws {InvalidInputError} */
export function requireText(input: JsonObject, name: string): string {
  const value = input[name];
  if (typeof value === 'string' && value.trim() !== '') return value;
  throw new InvalidInputError(`${name}: expected a text, got ${JSON.stringify(value ?? null)}.`);
}

/** A number in an action's input, where there is one. @throws {InvalidInputError} */
export function optionalNumber(input: JsonObject, name: string): number | undefined {
  const value = input[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number') return value;
  throw new InvalidInputError(`${name}: expected a number, got ${JSON.stringify(value)}.`);
}
