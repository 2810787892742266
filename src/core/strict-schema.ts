/**
 * Which mode a schema allows. The rules are those of OpenAI's guide "Structured outputs", section "Supported schemas"
 * (platform.openai.com/docs/guides/structured-outputs). A schema that breaks one is answered with status 400, so what
 * the guide does not list counts as unsupported.
 */
import type { Mode, ResolvedMode } from './contract.ts';
import { isJsonArray, isJsonObject } from './json.ts';
import type { Json, JsonObject } from './json.ts';

const MAX_PROPERTIES = 5_000;
const MAX_NESTING = 10;
const MAX_ENUM_VALUES = 1_000;
const MAX_STRING_LENGTH = 120_000;

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

/** Thrown where a mode was asked for that the schema does not allow. */
export class ModeNotPossibleError extends Error {
  override readonly name = 'ModeNotPossibleError';
  readonly mode: Mode;
  readonly obstacles: readonly string[];

  constructor(mode: Mode, obstacles: readonly string[], advice: string) {
    super(`Mode '${mode}' is not possible with this schema: ${obstacles.join('; ')}. ${advice}`);
    this.mode = mode;
    this.obstacles = obstacles;
  }
}

/**
 * The mode that is used. `auto` takes `json_schema` where strict structured outputs take the schema, else `tool` where
 * its root is an object, else `prompt`.
 *
 * @throws {ModeNotPossibleError} where an explicit mode does not fit the schema.
 */
export function resolveMode(mode: Mode, jsonSchema: JsonObject): ResolvedMode {
  const objectRoot = jsonSchema['type'] === 'object';
  if (mode === 'auto') {
    if (strictModeObstacles(jsonSchema).length === 0) return 'json_schema';
    return objectRoot ? 'tool' : 'prompt';
  }
  if (!objectRoot) {
    const obstacle = `the root's type must be "object", not ${JSON.stringify(jsonSchema['type'] ?? null)}`;
    throw new ModeNotPossibleError(mode, [obstacle], "Wrap the value in an object, or use mode 'auto'.");
  }
  const obstacles = mode === 'json_schema' ? strictModeObstacles(jsonSchema) : [];
  if (obstacles.length === 0) return mode;
  throw new ModeNotPossibleError(mode, obstacles, "Change the schema, or use mode 'tool' or 'auto'.");
}

/** Why strict structured outputs would refuse a schema, each with its place. Empty where they take it. */
export function strictModeObstacles(jsonSchema: JsonObject): readonly string[] {
  const obstacles: string[] = [];
  if (jsonSchema['type'] !== 'object') obstacles.push('the root must be of type "object"');
  const totals = { properties: 0, enumValues: 0, stringLength: 0 };

  const pending: Place[] = [{ schema: jsonSchema, at: '#', nesting: 0 }];
  for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
    const { schema, at } = place;
    if (!isJsonObject(schema)) {
      obstacles.push(`${at} must be an object, not ${JSON.stringify(schema)}`);
      continue;
    }
    obstacles.push(...obstaclesAt(schema, place));
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
    ...(typeof format === 'string' && !SUPPORTED_FORMATS.has(format)
      ? [`${at} uses format "${format}", which is not supported`]
      : []),
    ...(typeof pattern === 'string' && LOOKAROUND.test(pattern)
      ? [`${at} uses a pattern with lookaround or backreference, which is not supported`]
      : []),
    ...(nesting > MAX_NESTING ? [`${at} is nested more than ${MAX_NESTING} levels deep`] : []),
  ];
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

function isTyped(schema: JsonObject): boolean {
  return ['type', 'enum', 'const', 'anyOf', '$ref'].some((keyword) => schema[keyword] !== undefined);
}

function schemaMap(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}
