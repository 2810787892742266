/** Two schemas that both apply, as one: what `allOf` means, as far as one schema can say it. */
import { isJsonArray, isJsonObject } from './json.ts';
import type { Json, JsonObject } from './json.ts';

/** A schema that takes what both take, and perhaps more: then by the keywords of `left`. */
export interface MergedSchemas {
  readonly schema: JsonObject;
  /** Keywords of the second schema that found no place beside those of the first. */
  readonly left: readonly string[];
  /** Why no value can satisfy both, where that is plain. */
  readonly contradiction?: string;
}

const HIGHER: ReadonlySet<string> = new Set(
  'minimum exclusiveMinimum minItems minLength minProperties minContains'.split(' '),
);
const LOWER: ReadonlySet<string> = new Set(
  'maximum exclusiveMaximum maxItems maxLength maxProperties maxContains'.split(' '),
);

/** Merges two schemas without references. Where both describe something, the first's words are kept. */
export function mergeSchemas(one: JsonObject, other: JsonObject): MergedSchemas {
  const left: string[] = [];
  const merged: Record<string, Json> = { ...withEnum(one) };
  let contradiction: string | undefined;
  for (const [keyword, value] of Object.entries(withEnum(other))) {
    const there = merged[keyword];
    if (there === undefined) {
      merged[keyword] = value;
      continue;
    }
    const both = mergedKeyword(keyword, there, value);
    if (both === undefined) left.push(keyword);
    else merged[keyword] = both;
    if ((keyword === 'type' || keyword === 'enum') && isJsonArray(both) && both.length === 0) {
      contradiction = `its ${keyword} contradicts another in the same allOf`;
    }
  }
  const { properties } = merged;
  if (isJsonObject(properties)) merged['properties'] = openToBoth(properties, one, other);
  return { schema: merged, left, ...(contradiction === undefined ? {} : { contradiction }) };
}

function withEnum(schema: JsonObject): JsonObject {
  const { const: only, ...rest } = schema;
  return only === undefined || rest['enum'] !== undefined ? schema : { ...rest, enum: [only] };
}

function mergedKeyword(keyword: string, one: Json, other: Json): Json | undefined {
  if (JSON.stringify(one) === JSON.stringify(other)) return one;
  if (HIGHER.has(keyword)) return Math.max(Number(one), Number(other));
  if (LOWER.has(keyword)) return Math.min(Number(one), Number(other));
  switch (keyword) {
    case 'title':
    case 'description':
      return one;
    case 'type':
      return commonTypes(listed(one), listed(other));
    case 'enum':
      return listed(one).filter((value) => listed(other).includes(value));
    case 'required':
      return [...new Set([...listed(one), ...listed(other)])];
    case 'properties':
      return isJsonObject(one) && isJsonObject(other) ? mergedProperties(one, other) : undefined;
    case 'items':
      return { allOf: [one, other] };
    case 'additionalProperties':
      return one === false || other === false ? false : undefined;
    default:
      return undefined;
  }
}

function commonTypes(one: readonly Json[], other: readonly Json[]): Json {
  const common = one.flatMap((type) => {
    if (other.includes(type)) return [type];
    if (type === 'integer' && other.includes('number')) return [type];
    return type === 'number' && other.includes('integer') ? ['integer'] : [];
  });
  const [only, ...others] = common;
  return only !== undefined && others.length === 0 ? only : common;
}

function mergedProperties(one: JsonObject, other: JsonObject): JsonObject {
  const joined = Object.entries(one).map(([key, value]): [string, Json] => {
    const second = Object.hasOwn(other, key) ? other[key] : undefined;
    return [key, second === undefined ? value : { allOf: [value, second] }];
  });
  const added = Object.entries(other).filter(([key]) => !Object.hasOwn(one, key));
  return Object.fromEntries([...joined, ...added]);
}

/** A closed schema takes none of the other's properties. */
function openToBoth(properties: JsonObject, one: JsonObject, other: JsonObject): JsonObject {
  const closed = [one, other].filter((schema) => schema['additionalProperties'] === false);
  const isTaken = (key: string): boolean =>
    closed.every((schema) => {
      const own = schema['properties'];
      return isJsonObject(own) && Object.hasOwn(own, key);
    });
  return Object.fromEntries(Object.entries(properties).filter(([key]) => isTaken(key)));
}

function listed(value: Json): readonly Json[] {
  return isJsonArray(value) ? value : [value];
}
