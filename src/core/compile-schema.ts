/** From a JSON Schema to something that judges values, or to a clear account of what is wrong with the schema. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ErrorObject } from 'ajv/dist/2020.js';
import { fullFormats } from 'ajv-formats/dist/formats.js';
import { isJsonArray, isJsonObject } from './json.ts';
import type { Json, JsonObject } from './json.ts';
import { pointerStep } from './json-path.ts';
import { linearPattern } from './linear-pattern.ts';
import { resolveLocal, subschemas } from './subschemas.ts';

/** A schema that is ready to judge values. Made by {@link compileSchema} only. */
export interface CompiledSchema {
  readonly jsonSchema: JsonObject;
  /** Ajv's errors of a value; empty where it is valid. */
  readonly errorsOf: (value: Json) => readonly ErrorObject[];
  /** Ajv's errors of a value against a part of `jsonSchema`, which must be one of its own objects. */
  readonly errorsAgainst: (subschema: Json, value: Json) => readonly ErrorObject[];
  /** The schema that a reference leads to, as far as it is local; else the schema itself. */
  readonly resolve: (schema: Json | undefined) => Json | undefined;
}

/** One thing wrong with a schema. */
export interface SchemaProblem {
  /** Where, as a JSON Pointer: `#/properties/age/type`. */
  readonly path: string;
  readonly message: string;
}

/** Thrown where a schema is itself wrong, or not one that is taken from outside. */
export class InvalidSchemaError extends Error {
  override readonly name = 'InvalidSchemaError';
  readonly problems: readonly SchemaProblem[];

  constructor(problems: readonly SchemaProblem[]) {
    super(`Invalid JSON Schema: ${problems.map(({ path, message }) => `${path} ${message}`).join('; ')}`);
    this.problems = problems;
  }
}

/** A schema goes into each request, so that one of this size costs more than any document. */
const MAX_SCHEMA_LENGTH = 256 * 1024;
const MAX_SCHEMA_DEPTH = 100;
const MAX_PROBLEMS = 10;
/** Compiled schemas that are kept. One takes about 100 KB, and some 10 ms to make. */
const CACHE_SIZE = 100;

/**
 * The formats of JSON Schema 2020-12 that are enforced. Others are annotations, as the specification has it. Their
 * checks (ajv-formats, "full") are anchored and without nested repetition; its `url`, which is not, is left out.
 */
const ENFORCED_FORMATS = [
  ...(['date', 'time', 'date-time', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uuid'] as const),
  ...(['uri', 'uri-reference', 'uri-template', 'json-pointer', 'relative-json-pointer', 'regex'] as const),
];

/** Whether values are held to a format. */
export function isEnforcedFormat(name: string): boolean {
  return ENFORCED_FORMATS.some((format) => format === name);
}

const ROOT = 'schema.json';
const KNOWN_DIALECT = /^https?:\/\/json-schema\.org\//;

/** Judges schemas themselves: the meta-schema is compiled once. */
const metaValidator = new Ajv2020({ strict: false, allErrors: true, logger: false, validateFormats: false });

/** By JSON text, the least recently used first. */
const cache = new Map<string, CompiledSchema>();

/**
 * Compiles a JSON Schema (2020-12; earlier drafts as far as they mean the same). Local references are followed, remote
 * ones are never fetched. Patterns run in linear time. The last 100 schemas are kept, by their text, so that a batch
 * compiles its schema once.
 *
 * @throws {InvalidSchemaError} with all that is wrong, as far as it can be told at once.
 */
export function compileSchema(jsonSchema: JsonObject): CompiledSchema {
  const text = sourceOf(jsonSchema);
  // A copy, so that a caller who changes the object later does not change what the text stands for.
  const compiled = cache.get(text) ?? compile(parsed(text));
  cache.delete(text);
  cache.set(text, compiled);
  for (const oldest of cache.keys()) {
    if (cache.size <= CACHE_SIZE) break;
    cache.delete(oldest);
  }
  return compiled;
}

function sourceOf(jsonSchema: JsonObject): string {
  let text: string;
  try {
    text = JSON.stringify(jsonSchema);
  } catch (error) {
    throw new InvalidSchemaError([{ path: '#', message: `is not plain JSON: ${messageOf(error)}` }]);
  }
  if (text.length <= MAX_SCHEMA_LENGTH) return text;
  const message = `has ${text.length} characters; at most ${MAX_SCHEMA_LENGTH} are taken`;
  throw new InvalidSchemaError([{ path: '#', message }]);
}

function parsed(text: string): JsonObject {
  const jsonSchema: Json = JSON.parse(text);
  if (isJsonObject(jsonSchema)) return jsonSchema;
  throw new InvalidSchemaError([{ path: '#', message: 'must be an object' }]);
}

function compile(jsonSchema: JsonObject): CompiledSchema {
  const { $schema: dialect, ...root } = jsonSchema;
  const { pointers, problems } = survey(root);
  if (dialect !== undefined && !(typeof dialect === 'string' && KNOWN_DIALECT.test(dialect))) {
    problems.push({ path: '#/$schema', message: 'names an unknown dialect; use JSON Schema 2020-12' });
  }
  refuse([...problems, ...metaSchemaProblems(root)]);
  refuse(endlessReferences(root, pointers));

  const validators = validatorsOf(root);
  return {
    jsonSchema,
    errorsOf: (value) => validators.errors('', value),
    errorsAgainst: (subschema, value) =>
      isJsonObject(subschema)
        ? validators.errors(pointers.get(subschema) ?? '', value)
        : validators.errorsOfBoolean(subschema === true, value),
    resolve: (schema) => followReferences(root, schema),
  };
}

function refuse(problems: readonly SchemaProblem[]): void {
  if (problems.length > 0) throw new InvalidSchemaError(problems.slice(0, MAX_PROBLEMS));
}

interface Survey {
  /** Each schema object's JSON Pointer, encoded as a URI fragment. */
  readonly pointers: Map<JsonObject, string>;
  readonly problems: SchemaProblem[];
}

/** Walks through all subschemas once: Ajv's errors name objects, and what is refused must be found before it compiles. */
function survey(root: JsonObject): Survey {
  const pointers = new Map<JsonObject, string>();
  const problems: SchemaProblem[] = [];
  const pending: { schema: Json; pointer: string; depth: number }[] = [
    { schema: root, pointer: '', depth: 0 },
  ];
  for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
    const { schema, pointer, depth } = place;
    if (!isJsonObject(schema)) continue;
    if (depth > MAX_SCHEMA_DEPTH) {
      problems.push({
        path: shown(pointer),
        message: `is nested deeper than ${MAX_SCHEMA_DEPTH} subschemas`,
      });
      continue;
    }
    pointers.set(schema, pointer);
    problems.push(...problemsAt(schema, pointer));
    for (const { steps, schema: inner } of subschemas(schema)) {
      const innerPointer = steps.reduce(
        (path, step) => `${path}/${encodeURIComponent(pointerStep(step))}`,
        pointer,
      );
      pending.push({ schema: inner, pointer: innerPointer, depth: depth + 1 });
    }
  }
  return { pointers, problems };
}

function problemsAt(schema: JsonObject, pointer: string): readonly SchemaProblem[] {
  const { pattern, patternProperties } = schema;
  const patterns = [
    ...(typeof pattern === 'string' ? [{ at: 'pattern', source: pattern }] : []),
    ...(isJsonObject(patternProperties)
      ? Object.keys(patternProperties).map((source) => ({ at: 'patternProperties', source }))
      : []),
  ];
  const unusable = patterns.flatMap(({ at, source }) => {
    const reason = unusablePattern(source);
    return reason === undefined ? [] : [{ path: `${shown(pointer)}/${at}`, message: reason }];
  });
  // Ajv's own keyword: it would make validation asynchronous.
  const isAsync = schema['$async'] !== undefined;
  return isAsync
    ? [...unusable, { path: `${shown(pointer)}/$async`, message: 'is not supported; remove it' }]
    : unusable;
}

function unusablePattern(source: string): string | undefined {
  try {
    linearPattern(source);
    return undefined;
  } catch (error) {
    return (
      `'${source}' cannot be used, since patterns run in linear time (${messageOf(error)}): write it without ` +
      'lookaround and backreferences, as RE2 takes it, or leave it out and check the value afterwards'
    );
  }
}

function metaSchemaProblems(root: JsonObject): readonly SchemaProblem[] {
  if (metaValidator.validateSchema(root) === true) return [];
  const byPath = new Map<string, SchemaProblem>();
  for (const { instancePath, keyword, message = 'is not valid', params } of metaValidator.errors ?? []) {
    // The first error of a place is the most precise one; unions above it only repeat that something is wrong.
    if (byPath.has(instancePath) || keyword === 'anyOf') continue;
    const allowed: unknown = params['allowedValues'];
    const detail = Array.isArray(allowed) ? `: ${allowed.join(', ')}` : '';
    byPath.set(instancePath, { path: `#${instancePath}`, message: message + detail });
  }
  return byPath.size > 0 ? [...byPath.values()] : [{ path: '#', message: 'is not a JSON Schema' }];
}

/** References that lead back to where they are without going into the value, so that validation would never end. */
function endlessReferences(
  root: JsonObject,
  pointers: ReadonlyMap<JsonObject, string>,
): readonly SchemaProblem[] {
  const done = new Set<JsonObject>();
  const onTheWay = new Set<JsonObject>();
  const isEndless = (schema: Json | undefined): boolean => {
    if (!isJsonObject(schema) || done.has(schema)) return false;
    if (onTheWay.has(schema)) return true;
    onTheWay.add(schema);
    const { $ref: reference } = schema;
    const endless =
      (typeof reference === 'string' && isEndless(resolveLocal(root, reference))) ||
      subschemas(schema).some((inner) => inner.inPlace && isEndless(inner.schema));
    onTheWay.delete(schema);
    if (!endless) done.add(schema);
    return endless;
  };
  for (const [schema, pointer] of pointers) {
    if (isEndless(schema)) return [{ path: shown(pointer), message: 'refers to itself without end' }];
  }
  return [];
}

interface Validators {
  readonly errors: (pointer: string, value: Json) => readonly ErrorObject[];
  readonly errorsOfBoolean: (schema: boolean, value: Json) => readonly ErrorObject[];
}

/** One Ajv for each schema: an instance keeps all it has compiled, and an `$id` may be taken only once. */
function validatorsOf(root: JsonObject): Validators {
  const ajv = new Ajv2020({
    strict: false,
    allErrors: true,
    // Errors then carry the schema and the value, from which messages are made.
    verbose: true,
    // A field named `constructor` is missing where the value does not have its own.
    ownProperties: true,
    validateSchema: false,
    meta: false,
    logger: false,
    code: { regExp: Object.assign(linearPattern, { code: 'linearPattern' }) },
  });
  for (const name of ENFORCED_FORMATS) ajv.addFormat(name, fullFormats[name]);
  // Ajv's own compares each item with each other one.
  ajv.removeKeyword('uniqueItems');
  ajv.addKeyword({ keyword: 'uniqueItems', type: 'array', schemaType: 'boolean', validate: hasUniqueItems });
  const errors = (pointer: string, value: Json): readonly ErrorObject[] => {
    const validate = ajv.getSchema(pointer === '' ? ROOT : `${ROOT}#${pointer}`);
    if (validate === undefined) throw new Error(`No schema at #${pointer}`);
    return validate(value) === true ? [] : (validate.errors ?? []);
  };
  const booleans = new Map([true, false].map((schema) => [schema, ajv.compile(schema)]));
  try {
    ajv.addSchema(root, ROOT);
    ajv.getSchema(ROOT);
  } catch (error) {
    throw new InvalidSchemaError([{ path: '#', message: explained(error) }]);
  }
  return {
    errors,
    errorsOfBoolean: (schema, value) => {
      const validate = booleans.get(schema);
      return validate === undefined || validate(value) ? [] : (validate.errors ?? []);
    },
  };
}

function hasUniqueItems(isWanted: boolean, items: readonly Json[]): boolean {
  return !isWanted || new Set(items.map(canonicalText)).size === items.length;
}

/** The same text for equal values, whatever the order of their keys. */
function canonicalText(value: Json): string {
  return JSON.stringify(value, (_key, inner: Json) =>
    isJsonObject(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

function explained(error: unknown): string {
  if (!(error instanceof Ajv2020.MissingRefError)) return `cannot be compiled: ${messageOf(error)}`;
  const reference = error.missingRef;
  return `refers to '${reference.replace(ROOT, '')}', which is not in the schema: remote schemas are not fetched, put it under $defs`;
}

function followReferences(root: JsonObject, schema: Json | undefined): Json | undefined {
  const seen = new Set<Json>();
  let found = schema;
  while (isJsonObject(found) && typeof found['$ref'] === 'string' && !seen.has(found)) {
    seen.add(found);
    found = resolveLocal(root, found['$ref']) ?? true;
  }
  return isJsonArray(found) ? undefined : found;
}

function shown(pointer: string): string {
  return `#${decodeURIComponent(pointer)}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
