/** Whether a schema takes null: decided by the schema alone, since so few keywords say anything about null. */
import { isJsonArray, isJsonObject } from './json.ts';
import type { Json, JsonObject } from './json.ts';
import { resolveLocal } from './subschemas.ts';

/** References that are followed before one that leads in a circle is given up. */
const MOST_REFERENCES = 100;

/** Whether null is valid against a part of a schema. References are followed in `root`; one that leads nowhere takes anything. */
export function takesNull(root: JsonObject, schema: Json | undefined, followed = 0): boolean {
  if (!isJsonObject(schema)) return schema !== false;
  if (followed > MOST_REFERENCES) return false;
  const { type, enum: values, const: only, allOf, anyOf, oneOf, not, $ref: reference } = schema;
  const takes = (inner: Json | undefined): boolean => takesNull(root, inner, followed + 1);
  const isTypeRight =
    type === undefined ||
    type === 'null' ||
    schema['nullable'] === true ||
    (isJsonArray(type) && type.includes('null'));
  return (
    isTypeRight &&
    (!isJsonArray(values) || values.includes(null)) &&
    (only === undefined || only === null) &&
    (typeof reference !== 'string' || takes(resolveLocal(root, reference))) &&
    (!isJsonArray(allOf) || allOf.every(takes)) &&
    (!isJsonArray(anyOf) || anyOf.some(takes)) &&
    (!isJsonArray(oneOf) || oneOf.filter(takes).length === 1) &&
    (not === undefined || !takes(not)) &&
    takesByCondition(schema, takes)
  );
}

function takesByCondition(
  { if: condition, then, else: otherwise }: JsonObject,
  takes: (inner: Json | undefined) => boolean,
): boolean {
  if (condition === undefined) return true;
  return takes(takes(condition) ? then : otherwise);
}
