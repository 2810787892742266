/** The schemas inside a schema. */
import { isJsonArray, isJsonObject } from './json.ts';
import type { Json, JsonObject } from './json.ts';

/** A schema inside another, and the keywords, keys and indexes that lead to it. */
export interface Subschema {
  readonly steps: readonly string[];
  readonly schema: Json;
  /** Whether it applies to the same value as the schema it is in, rather than to a part of it. */
  readonly inPlace: boolean;
}

const IN_PLACE: ReadonlySet<string> = new Set(
  'allOf anyOf oneOf not if then else dependentSchemas'.split(' '),
);
const SINGLE =
  'additionalProperties items contains not if then else propertyNames unevaluatedItems unevaluatedProperties'.split(
    ' ',
  );
const LISTS = 'allOf anyOf oneOf prefixItems'.split(' ');
const MAPS = 'properties patternProperties $defs definitions dependentSchemas'.split(' ');

/** The subschemas of a schema, one level down. What `enum`, `const`, `default` and `examples` hold are values. */
export function subschemas(schema: JsonObject): readonly Subschema[] {
  return [
    ...SINGLE.flatMap((keyword) => {
      const value = schema[keyword];
      return value === undefined ? [] : [subschema([keyword], value)];
    }),
    ...LISTS.flatMap((keyword) => {
      const value = schema[keyword];
      return isJsonArray(value)
        ? value.map((branch, index) => subschema([keyword, String(index)], branch))
        : [];
    }),
    ...MAPS.flatMap((keyword) => {
      const value = schema[keyword];
      return isJsonObject(value)
        ? Object.entries(value).map(([key, entry]) => subschema([keyword, key], entry))
        : [];
    }),
  ];
}

/** The part of a document that a local reference (`#`, `#/$defs/item`) names; undefined where it names none. */
export function resolveLocal(root: JsonObject, reference: string): Json | undefined {
  if (reference !== '#' && !reference.startsWith('#/')) return undefined;
  let found: Json | undefined = root;
  for (const step of reference.split('/').slice(1)) {
    const key = unescapeStep(step);
    if (isJsonArray(found)) found = found[Number(key)];
    else found = isJsonObject(found) && Object.hasOwn(found, key) ? found[key] : undefined;
  }
  return found;
}

/** One step of a reference, as the key it stands for. */
export function unescapeStep(step: string): string {
  const unescaped = step.replaceAll('~1', '/').replaceAll('~0', '~');
  try {
    return decodeURIComponent(unescaped);
  } catch {
    // A stray percent sign: it stands for itself.
    return unescaped;
  }
}

function subschema(steps: readonly [string, ...string[]], schema: Json): Subschema {
  return { steps, schema, inPlace: IN_PLACE.has(steps[0]) };
}
