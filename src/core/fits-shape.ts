/** Which branch of a union an answer took: by what a strict decoder holds it to, and nothing else. */
import { isJsonArray, isJsonObject } from './json.ts';
import type { Json, JsonObject } from './json.ts';
import { resolveLocal } from './subschemas.ts';

/** Whether a value has the types, keys and allowed values of a strict schema; `root` is the whole of it. */
export function fitsShape(root: JsonObject, schema: Json | undefined, value: Json): boolean {
  if (!isJsonObject(schema)) return false;
  const { $ref: reference, anyOf, type, enum: values, items } = schema;
  if (typeof reference === 'string') return fitsShape(root, resolveLocal(root, reference), value);
  if (isJsonArray(anyOf)) return anyOf.some((branch) => fitsShape(root, branch, value));
  if (type !== undefined && !(isJsonArray(type) ? type : [type]).some((name) => isOfType(value, name))) {
    return false;
  }
  if (isJsonArray(values) && !values.includes(value)) return false;
  if (isJsonArray(value)) return value.every((item) => fitsShape(root, items, item));
  return !isJsonObject(value) || hasKeys(root, schema, value);
}

function hasKeys(root: JsonObject, { properties }: JsonObject, value: JsonObject): boolean {
  const fields = Object.entries(isJsonObject(properties) ? properties : {});
  return (
    Object.keys(value).length === fields.length &&
    fields.every(([key, field]) => Object.hasOwn(value, key) && fitsShape(root, field, value[key] ?? null))
  );
}

function isOfType(value: Json, type: Json): boolean {
  if (type === 'array') return isJsonArray(value);
  if (type === 'object') return isJsonObject(value);
  if (type === 'null') return value === null;
  if (type === 'integer') return Number.isInteger(value);
  return typeof value === type;
}
