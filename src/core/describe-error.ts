/** One error of Ajv, in words that a model can follow. */
import type { ErrorObject } from 'ajv/dist/2020.js';
import type { CompiledSchema } from './compile-schema.ts';
import type { ProblemDetail } from './contract.ts';
import { describeFormat, describeSchema, describeValues, either } from './describe-schema.ts';
import { isJsonArray, isJsonObject } from './json.ts';
import type { Json, JsonObject } from './json.ts';
import { formatPath } from './json-path.ts';
import type { PathStep } from './json-path.ts';
import { nearestField } from './nearest-field.ts';
import { jsonExcerpt, shortenJson } from './shorten-json.ts';
import { subschemas } from './subschemas.ts';

/** The problem that an error of Ajv stands for. `steps` lead to the value it is about. */
export function describeError(
  compiled: CompiledSchema,
  error: ErrorObject,
  steps: readonly PathStep[],
): ProblemDetail {
  const { params } = error;
  const missing: unknown = params['missingProperty'];
  if (typeof missing === 'string') return missingField(compiled, error, [...steps, missing]);

  const unknown: unknown = params['additionalProperty'] ?? params['unevaluatedProperty'];
  if (typeof unknown === 'string') return unknownField(compiled, error, [...steps, unknown], unknown);

  const misnamed: unknown = params['propertyName'];
  if (typeof misnamed === 'string') return misnamedField(compiled, error, [...steps, misnamed], misnamed);

  const value = dataOf(error);
  const received = value === undefined ? {} : { received: shortenJson(value) };
  const path = formatPath(steps);
  const kind = isWrongType(error) ? 'wrong_type' : 'constraint';
  if (error.keyword === 'false schema' && steps.length > 0) {
    return { path, kind: 'unknown_field', message: 'this field must not be given', ...received };
  }
  return { path, kind, message: constraintMessage(compiled, error), ...received };
}

/** The value an error is about; undefined where it has none. */
export function dataOf(error: ErrorObject): Json | undefined {
  // Ajv types it as unknown; what was validated is JSON, and so is each part of it.
  const data: unknown = error.data;
  return isJson(data) ? data : undefined;
}

/** The keyword's value in the schema, which is JSON as the whole schema is. */
export function keywordValue(error: ErrorObject): Json | undefined {
  const schema: unknown = error.schema;
  return isJson(schema) ? schema : undefined;
}

function isJson(value: unknown): value is Json {
  return value !== undefined;
}

function missingField(
  compiled: CompiledSchema,
  error: ErrorObject,
  steps: readonly PathStep[],
): ProblemDetail {
  const name = String(steps.at(-1));
  const expected = describeSchema(compiled, propertySchema(error, name));
  const message =
    expected === 'a value' ? 'required field is missing' : `required field is missing (expected ${expected})`;
  return { path: formatPath(steps), kind: 'missing', message };
}

function unknownField(
  compiled: CompiledSchema,
  error: ErrorObject,
  steps: readonly PathStep[],
  name: string,
): ProblemDetail {
  const value = dataOf(error);
  const given = isJsonObject(value) ? value : {};
  const known = knownFields(compiled, parentOf(error));
  const nearest = nearestField(
    name,
    known.filter((field) => !Object.hasOwn(given, field)),
  );
  const hint = nearest === undefined ? '' : ` (did you mean '${nearest}'?)`;
  const received = Object.hasOwn(given, name) ? { received: shortenJson(given[name] ?? null) } : {};
  return { path: formatPath(steps), kind: 'unknown_field', message: `unknown field${hint}`, ...received };
}

function misnamedField(
  compiled: CompiledSchema,
  error: ErrorObject,
  steps: readonly PathStep[],
  name: string,
): ProblemDetail {
  const expected = describeSchema(compiled, keywordValue(error));
  const message = `the name of this field is not allowed (expected ${expected})`;
  return { path: formatPath(steps), kind: 'unknown_field', message, received: shortenJson(name) };
}

/** What a message is made of: the keyword's value, also as text, and Ajv's parameters. */
interface Facts {
  readonly compiled: CompiledSchema;
  readonly value: Json;
  readonly text: string;
  readonly limit: number;
  readonly params: Readonly<Record<string, unknown>>;
}

const EXPECTATIONS: ReadonlyMap<string, (facts: Facts) => string> = new Map([
  ['type', ({ value, text }: Facts) => (isJsonArray(value) ? either(value.map(String)) : text)],
  ['enum', ({ value }) => describeValues(isJsonArray(value) ? value : [])],
  ['const', ({ value }) => jsonExcerpt(value)],
  ['format', ({ text }) => describeFormat(text)],
  ['pattern', ({ text }) => `a string matching ${text}`],
  ['minimum', ({ limit }) => `at least ${limit}`],
  ['maximum', ({ limit }) => `at most ${limit}`],
  ['exclusiveMinimum', ({ limit }) => `more than ${limit}`],
  ['exclusiveMaximum', ({ limit }) => `less than ${limit}`],
  ['multipleOf', ({ text }) => `a multiple of ${text}`],
  ['minLength', ({ limit }) => `at least ${counted(limit, 'character')}`],
  ['maxLength', ({ limit }) => `at most ${counted(limit, 'character')}`],
  ['minItems', ({ limit }) => `at least ${counted(limit, 'item')}`],
  ['maxItems', ({ limit }) => `at most ${counted(limit, 'item')}`],
  ['items', ({ limit }) => `at most ${counted(limit, 'item')}`],
  ['unevaluatedItems', ({ limit }) => `at most ${counted(limit, 'item')}`],
  ['minProperties', ({ limit }) => `at least ${counted(limit, 'field')}`],
  ['maxProperties', ({ limit }) => `at most ${counted(limit, 'field')}`],
  ['uniqueItems', () => 'items that all differ'],
  [
    'contains',
    ({ compiled, value, params }) => `${amount(params)} of this kind: ${describeSchema(compiled, value)}`,
  ],
  ['not', ({ compiled, value }) => `anything but ${describeSchema(compiled, value)}`],
  ['false schema', () => 'nothing here'],
]);

function constraintMessage(compiled: CompiledSchema, error: ErrorObject): string {
  const { keyword, params, message = `does not satisfy ${keyword}` } = error;
  const value = keywordValue(error) ?? null;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const expectation = EXPECTATIONS.get(keyword);
  if (expectation === undefined) return message;
  return `expected ${expectation({ compiled, value, text, limit: Number(params['limit']), params })}`;
}

/** Whether a value is not even of the type that is expected; `enum` and `const` imply the types of their values. */
export function isWrongType(error: ErrorObject): boolean {
  if (error.keyword === 'type') return true;
  const type = typeOf(dataOf(error) ?? null);
  return allowedValues(error)?.every((it) => typeOf(it) !== type) ?? false;
}

/** The values that `enum` or `const` allows; undefined for other keywords. */
export function allowedValues(error: ErrorObject): readonly Json[] | undefined {
  const value = keywordValue(error);
  if (error.keyword === 'enum') return isJsonArray(value) ? value : [];
  return error.keyword === 'const' ? [value ?? null] : undefined;
}

function typeOf(value: Json): string {
  if (value === null) return 'null';
  return isJsonArray(value) ? 'array' : typeof value;
}

function amount(params: Readonly<Record<string, unknown>>): string {
  const least = `at least ${counted(Number(params['minContains']), 'item')}`;
  const most = params['maxContains'];
  return typeof most === 'number' ? `${least} and at most ${most}` : least;
}

function counted(limit: number, noun: string): string {
  return `${limit} ${noun}${limit === 1 ? '' : 's'}`;
}

function propertySchema(error: ErrorObject, name: string): Json | undefined {
  const properties = parentOf(error)?.['properties'];
  return isJsonObject(properties) && Object.hasOwn(properties, name) ? properties[name] : undefined;
}

/** The fields a schema knows, those of the schemas it is combined from included. */
function knownFields(compiled: CompiledSchema, schema: JsonObject | undefined): readonly string[] {
  const fields = new Set<string>();
  const seen = new Set<Json>();
  const pending: (Json | undefined)[] = [schema];
  while (pending.length > 0) {
    const next = pending.pop();
    if (!isJsonObject(next) || seen.has(next)) continue;
    seen.add(next);
    const { properties } = next;
    if (isJsonObject(properties)) for (const key of Object.keys(properties)) fields.add(key);
    if (next['$ref'] !== undefined) pending.push(compiled.resolve(next));
    pending.push(...subschemas(next).flatMap((inner) => (inner.inPlace ? [inner.schema] : [])));
  }
  return [...fields];
}

function parentOf(error: ErrorObject): JsonObject | undefined {
  const parent: unknown = error.parentSchema;
  return isJsonObject(parent) ? parent : undefined;
}
