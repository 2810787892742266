/**
 * What strict structured outputs take. The rules are those of OpenAI's guide "Structured outputs", section "Supported schemas"
 * (platform.openai.com/docs/guides/structured-outputs). A schema that breaks one is answered with status 400, so what
 * the guide does not list counts as unsupported.
 */
import { isJsonArray, isJsonObject } from './json.ts';
import type { Json, JsonObject } from './json.ts';
import { resolveLocal } from './subschemas.ts';

const MAX_PROPERTIES = 5_000;
const MAX_NESTING = 10;
const MAX_ENUM_VALUES = 1_000;
const MAX_STRING_LENGTH = 120_000;
/** An enum with more strings than this has a limit of characters of its own. */
const LONG_ENUM = 250;
const MAX_LONG_ENUM_LENGTH = 15_000;

const SUPPORTED_FORMATS: ReadonlySet<string> = new Set([
  'date-time',
  'time',
  'date',
  'duration',
  'email',
  'hostname',
  'ipv4',
  'ipv6',
  'uuid',
]);

const SUPPORTED_KEYWORDS: ReadonlySet<string> = new Set(
  [
    '$schema $ref $defs definitions title description',
    'type properties required additionalProperties items enum const anyOf',
    'pattern format minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minItems maxItems',
  ].flatMap((line) => line.split(' ')),
);

/** The decoder's automaton has no lookaround and no backreference. */
const LOOKAROUND = /\(\?(?:[=!]|<[=!])|\\[1-9]/;

/** Whether strict mode holds strings to this format. */
export function isStrictFormat(format: string): boolean {
  return SUPPORTED_FORMATS.has(format);
}

/** Whether strict mode takes this pattern. */
export function isStrictPattern(pattern: string): boolean {
  return !LOOKAROUND.test(pattern);
}

/** Whether a reference leads to the whole schema, or to one of its definitions. */
export function isStrictReference(root: JsonObject, reference: string): boolean {
  if (reference === '#') return true;
  return /^#\/(?:\$defs|definitions)\/[^/]+$/.test(reference) && resolveLocal(root, reference) !== undefined;
}

/** Why strict structured outputs would refuse a schema, each with its place. Empty where they take it. */
export function strictModeObstacles(jsonSchema: JsonObject): readonly string[] {
  const obstacles: string[] = [];
  if (jsonSchema['type'] !== 'object') obstacles.push('the root must be of type "object"');
  if (jsonSchema['anyOf'] !== undefined) obstacles.push('the root must be no union ("anyOf")');
  const totals = { properties: 0, enumValues: 0, stringLength: 0 };

  const pending: Place[] = [{ schema: jsonSchema, at: '#', nesting: 0 }];
  for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
    const { schema, at } = place;
    if (!isJsonObject(schema)) {
      obstacles.push(`${at} must be an object, not ${JSON.stringify(schema)}`);
      continue;
    }
    obstacles.push(...obstaclesAt(schema, place), ...referenceObstacles(schema, jsonSchema, at));
    addTo(totals, schema);
    pending.push(...subschemas(schema, place).toReversed());
  }
  return [...obstacles, ...exceeded(totals)];
}

interface Place {
  readonly schema: Json;
  readonly at: string;
  /** Objects and arrays around it. */
  readonly nesting: number;
}

interface Totals {
  properties: number;
  enumValues: number;
  stringLength: number;
}

function obstaclesAt(schema: JsonObject, { at, nesting }: Place): readonly string[] {
  const unsupported = Object.keys(schema).filter((keyword) => !SUPPORTED_KEYWORDS.has(keyword));
  const { format, pattern } = schema;
  const isLonely = schema['$ref'] === undefined || Object.keys(schema).length === 1;
  return [
    ...(isLonely ? [] : [`${at} has keywords beside "$ref", which is not supported`]),
    ...unsupported.map((keyword) => `${at} uses "${keyword}", which is not supported`),
    ...(isObjectSchema(schema) ? objectObstacles(schema, at) : []),
    ...(isTyped(schema) ? [] : [`${at} must have a type`]),
    ...(isArraySchema(schema) && schema['items'] === undefined
      ? [`${at} must say what its "items" are`]
      : []),
    ...(isLongEnum(schema)
      ? [`${at} has more than ${LONG_ENUM} values of together more than ${MAX_LONG_ENUM_LENGTH} characters`]
      : []),
    ...(typeof format === 'string' && !isStrictFormat(format)
      ? [`${at} uses format "${format}", which is not supported`]
      : []),
    ...(typeof pattern === 'string' && !isStrictPattern(pattern)
      ? [`${at} uses a pattern with lookaround or backreference, which is not supported`]
      : []),
    ...(nesting > MAX_NESTING ? [`${at} is nested more than ${MAX_NESTING} levels deep`] : []),
  ];
}

/** The guide shows references to the root and to definitions only. */
function referenceObstacles(schema: JsonObject, root: JsonObject, at: string): readonly string[] {
  const { $ref: reference } = schema;
  if (typeof reference !== 'string' || isStrictReference(root, reference)) return [];
  return [`${at} refers to "${reference}", which is neither "#" nor a definition under $defs`];
}

function objectObstacles(schema: JsonObject, at: string): readonly string[] {
  const { required } = schema;
  const listed = new Set(isJsonArray(required) ? required : []);
  const optional = Object.keys(schemaMap(schema['properties'])).filter((key) => !listed.has(key));
  return [
    ...(schema['additionalProperties'] === false ? [] : [`${at} must have "additionalProperties": false`]),
    ...optional.map((key) => `${at} must list "${key}" in "required"`),
  ];
}

function subschemas(schema: JsonObject, { at, nesting }: Place): readonly Place[] {
  const listed = (keyword: string, deeper: number): readonly Place[] =>
    Object.entries(schemaMap(schema[keyword])).map(([key, value]) => ({
      schema: value,
      at: `${at}/${keyword}/${key}`,
      nesting: nesting + deeper,
    }));
  const { items, anyOf } = schema;
  return [
    ...listed('properties', 1),
    ...(items === undefined ? [] : [{ schema: items, at: `${at}/items`, nesting: nesting + 1 }]),
    ...(isJsonArray(anyOf)
      ? anyOf.map((branch, index) => ({
          schema: branch,
          at: `${at}/anyOf/${index}`,
          nesting,
        }))
      : []),
    ...listed('$defs', 0),
    ...listed('definitions', 0),
  ];
}

function addTo(totals: Totals, schema: JsonObject): void {
  const { enum: allowed } = schema;
  const keys = [
    ...Object.keys(schemaMap(schema['properties'])),
    ...Object.keys(schemaMap(schema['$defs'])),
    ...Object.keys(schemaMap(schema['definitions'])),
  ];
  const values = isJsonArray(allowed) ? allowed : [];
  totals.properties += Object.keys(schemaMap(schema['properties'])).length;
  totals.enumValues += values.length;
  for (const text of [...keys, ...values, schema['const']]) {
    if (typeof text === 'string') totals.stringLength += text.length;
  }
}

function exceeded({ properties, enumValues, stringLength }: Totals): readonly string[] {
  return [
    ...(properties > MAX_PROPERTIES ? [`it has ${properties} properties, at most ${MAX_PROPERTIES}`] : []),
    ...(enumValues > MAX_ENUM_VALUES ? [`it has ${enumValues} enum values, at most ${MAX_ENUM_VALUES}`] : []),
    ...(stringLength > MAX_STRING_LENGTH
      ? [`its names and enum values have ${stringLength} characters, at most ${MAX_STRING_LENGTH}`]
      : []),
  ];
}

function isObjectSchema({ type, properties }: JsonObject): boolean {
  return type === 'object' || (isJsonArray(type) && type.includes('object')) || properties !== undefined;
}

function isArraySchema({ type }: JsonObject): boolean {
  return type === 'array' || (isJsonArray(type) && type.includes('array'));
}

function isLongEnum({ enum: allowed }: JsonObject): boolean {
  if (!isJsonArray(allowed) || allowed.length <= LONG_ENUM) return false;
  return allowed.filter((it) => typeof it === 'string').join('').length > MAX_LONG_ENUM_LENGTH;
}

function isTyped(schema: JsonObject): boolean {
  return ['type', 'enum', 'const', 'anyOf', '$ref'].some((keyword) => schema[keyword] !== undefined);
}

function schemaMap(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}
