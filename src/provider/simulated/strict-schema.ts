import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';

/**
 * What keeps a schema from OpenAI's strict mode, in OpenAI's words; null where nothing does.
 * Only the rules that are certain: the root is an object and no union, every object is closed and
 * requires all of its properties.
 * @see https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
 */
export function strictSchemaComplaint(schema: JsonObject): string | null {
  if (schema['type'] !== 'object' || schema['anyOf'] !== undefined) {
    return `schema must be a JSON Schema of 'type: "object"', got 'type: ${JSON.stringify(schema['type'] ?? 'None')}'.`;
  }
  return complaintAt(schema, []);
}

function complaintAt(schema: Json | undefined, context: readonly string[]): string | null {
  if (!isJsonObject(schema)) return null;
  return objectComplaint(schema, context) ?? complaintBelow(schema, context);
}

function objectComplaint(schema: JsonObject, context: readonly string[]): string | null {
  const properties = schema['properties'];
  if (schema['type'] !== 'object' && properties === undefined) return null;
  const at = `In context=(${context.map((step) => `'${step}'`).join(', ')})`;
  if (schema['additionalProperties'] !== false) {
    return `${at}, 'additionalProperties' is required to be supplied and to be false.`;
  }
  const required = Array.isArray(schema['required']) ? (schema['required'] as readonly Json[]) : [];
  const left = isJsonObject(properties)
    ? Object.keys(properties).find((key) => !required.includes(key))
    : undefined;
  if (left === undefined) return null;
  return `${at}, 'required' is required to be supplied and to be an array including every key in properties. Missing '${left}'.`;
}

function complaintBelow(schema: JsonObject, context: readonly string[]): string | null {
  for (const group of ['properties', '$defs', 'definitions']) {
    const members = schema[group];
    if (!isJsonObject(members)) continue;
    for (const [key, member] of Object.entries(members)) {
      const complaint = complaintAt(member, [...context, group, key]);
      if (complaint !== null) return complaint;
    }
  }
  const variants = Array.isArray(schema['anyOf']) ? (schema['anyOf'] as readonly Json[]) : [];
  for (const [index, variant] of variants.entries()) {
    const complaint = complaintAt(variant, [...context, 'anyOf', String(index)]);
    if (complaint !== null) return complaint;
  }
  return complaintAt(schema['items'], [...context, 'items']);
}
