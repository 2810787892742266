/**
 * Single fields of a record: which ones can be asked for again by themselves, the schema of an answer that has only them, and
 * how they join the record. What was valid is never touched, so that it stays identical to the letter.
 */
import type { CompiledSchema } from './compile-schema.ts';
import type { ProblemDetail } from './contract.ts';
import { isJsonArray, isJsonObject } from './json.ts';
import type { Json, JsonObject } from './json.ts';
import { parsePath } from './json-path.ts';
import { child } from './record-fields.ts';
import type { PathStep } from './json-path.ts';

/** In a smaller record the whole is as quickly given again. */
const LEAST_LEAVES = 6;
/** Where more than a third of a record is wrong, the whole is asked for again. */
const LEAVES_FOR_EACH_WRONG_FIELD = 3;
/** References to these do not survive that a part of the schema is taken out of it. */
const REFERENCE_INTO_THE_REST = /"\$ref":"#(?!\/(?:\$defs|definitions)\/)/;

/**
 * The fields that are to be given again, by path, where the record is large and the problems are few; undefined where the whole
 * is to be asked for. Unknown fields are not among them: they are removed, since another field's name was meant.
 */
export function fieldsToRepair(
  schema: CompiledSchema,
  record: Json,
  problems: readonly ProblemDetail[],
): readonly string[] | undefined {
  const wrong = outermost(problems.filter(({ kind }) => kind !== 'unknown_field').map(({ path }) => path));
  const leaves = countLeaves(record);
  if (!isJsonObject(record) || wrong.length === 0 || leaves < LEAST_LEAVES) return undefined;
  if (wrong.length * LEAVES_FOR_EACH_WRONG_FIELD > leaves) return undefined;
  const isPossible =
    problems.every(({ path }) => parsePath(path) !== undefined) &&
    wrong.every((path) => path !== '' && leadsIntoRecord(record, path)) &&
    fieldsSchema(schema, wrong) !== undefined;
  return isPossible ? wrong : undefined;
}

/**
 * The schema of an answer that has exactly these fields, each under its path: `{"items[0].price": 12.5}`. Undefined where one of
 * them cannot stand alone (a branch of a union, a recursive schema).
 */
export function fieldsSchema(schema: CompiledSchema, paths: readonly string[]): JsonObject | undefined {
  const { jsonSchema } = schema;
  const fields: [string, Json][] = [];
  for (const path of paths) {
    const found = schemaAt(schema, path);
    if (found === undefined || REFERENCE_INTO_THE_REST.test(JSON.stringify(found))) return undefined;
    fields.push([path, found]);
  }
  const properties = Object.fromEntries(fields);
  const shared: Record<string, Json> = {};
  for (const keyword of ['$defs', 'definitions']) {
    const definitions = jsonSchema[keyword];
    if (definitions !== undefined) shared[keyword] = definitions;
  }
  return { type: 'object', properties, required: [...paths], additionalProperties: false, ...shared };
}

/** Whether the schema takes null at a path. False where the path leads nowhere that can be told. */
export function takesNull(schema: CompiledSchema, path: string): boolean {
  const found = schemaAt(schema, path);
  return found !== undefined && acceptsNull(schema, found);
}

/** Whether the record may do without the field at a path. */
export function isOptional(schema: CompiledSchema, path: string): boolean {
  const steps = parsePath(path) ?? [];
  const last = steps.at(-1);
  const around = soleBranch(schema, schema.resolve(schemaAtSteps(schema, steps.slice(0, -1))));
  if (typeof last !== 'string' || !isJsonObject(around)) return false;
  const { required } = around;
  return !isJsonArray(required) || !required.includes(last);
}

/** The names of a record's fields, in `of` groups of about the same size, the `number`-th of them (from 1). */
export function partOfRecord(
  { jsonSchema }: CompiledSchema,
  { number, of }: { readonly number: number; readonly of: number },
): readonly string[] {
  const names = fieldNames(jsonSchema);
  return names.filter((_, index) => Math.floor((index * of) / names.length) === number - 1);
}

/** Into how many parts a record can be taken at most. */
export function countParts({ jsonSchema }: CompiledSchema): number {
  return fieldNames(jsonSchema).length;
}

/** The paths of unknown fields among some problems. */
export function unknownFields(problems: readonly ProblemDetail[]): readonly string[] {
  return problems.filter(({ kind }) => kind === 'unknown_field').map(({ path }) => path);
}

/** Of the root object; none where the root is something else. */
export function fieldNames(jsonSchema: JsonObject): readonly string[] {
  const { properties } = jsonSchema;
  return isJsonObject(properties) ? Object.keys(properties) : [];
}

function schemaAt(schema: CompiledSchema, path: string): Json | undefined {
  const steps = parsePath(path);
  return steps === undefined ? undefined : schemaAtSteps(schema, steps);
}

function schemaAtSteps(schema: CompiledSchema, steps: readonly PathStep[]): Json | undefined {
  let at: Json | undefined = schema.jsonSchema;
  for (const step of steps) at = inside(schema, at, step);
  return at;
}

function inside(schema: CompiledSchema, at: Json | undefined, step: PathStep): Json | undefined {
  const found = soleBranch(schema, schema.resolve(at));
  if (!isJsonObject(found)) return undefined;
  const { properties, prefixItems, items } = found;
  if (typeof step === 'string') {
    return isJsonObject(properties) && Object.hasOwn(properties, step) ? properties[step] : undefined;
  }
  if (isJsonArray(prefixItems) && step < prefixItems.length) return prefixItems[step];
  return items;
}

/** Of `anyOf: [X, null]`, X; undefined where several branches can be meant. */
function soleBranch(schema: CompiledSchema, found: Json | undefined): Json | undefined {
  if (!isJsonObject(found)) return found;
  const branches = found['anyOf'] ?? found['oneOf'];
  if (!isJsonArray(branches)) return found;
  const [only, ...others] = branches.filter((branch) => !isNullSchema(schema.resolve(branch)));
  return others.length > 0 || only === undefined ? undefined : soleBranch(schema, schema.resolve(only));
}

function isNullSchema(schema: Json | undefined): boolean {
  return isJsonObject(schema) && (schema['type'] === 'null' || schema['const'] === null);
}

function acceptsNull(schema: CompiledSchema, found: Json): boolean {
  const resolved = schema.resolve(found);
  if (!isJsonObject(resolved)) return false;
  const { type, enum: values } = resolved;
  const branches = resolved['anyOf'] ?? resolved['oneOf'];
  if (isJsonArray(values)) return values.includes(null);
  if (isJsonArray(type)) return type.includes('null');
  if (isJsonArray(branches)) return branches.some((branch) => acceptsNull(schema, branch));
  return isNullSchema(resolved);
}

/** Every field whose path is not inside another one's. */
function outermost(paths: readonly string[]): readonly string[] {
  const distinct = [...new Set(paths)];
  return distinct.filter((path) => !distinct.some((other) => other !== path && isInside(path, other)));
}

function isInside(path: string, other: string): boolean {
  return other === '' || (path.startsWith(other) && /^[.[]/.test(path.slice(other.length)));
}

function countLeaves(value: Json): number {
  if (isJsonArray(value)) return value.reduce<number>((sum, item) => sum + countLeaves(item), 0);
  if (isJsonObject(value)) {
    return Object.values(value).reduce<number>((sum, item) => sum + countLeaves(item), 0);
  }
  return 1;
}

function leadsIntoRecord(record: Json, path: string): boolean {
  const steps = parsePath(path) ?? [];
  let at: Json | undefined = record;
  for (const step of steps.slice(0, -1)) at = child(at, step);
  const last = steps.at(-1);
  return typeof last === 'number' ? isJsonArray(at) && last < at.length : isJsonObject(at);
}
