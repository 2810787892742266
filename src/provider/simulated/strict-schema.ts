import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';

/** Refused anywhere. Written down here once more, and not taken from our own rules, so that a mistake in those comes to light. */
const NOT_PERMITTED = [
  'allOf oneOf not if then else dependentRequired dependentSchemas default nullable',
  'minLength maxLength uniqueItems contains minContains maxContains prefixItems unevaluatedItems',
  'patternProperties propertyNames minProperties maxProperties unevaluatedProperties',
].flatMap((line) => line.split(' '));

const FORMATS = 'date-time time date duration email hostname ipv4 ipv6 uuid'.split(' ');
const LOOKAROUND = /\(\?<?[=!]/;

/** A request's schema, as OpenAI counts it. */
interface Size {
  properties: number;
  enumValues: number;
  characters: number;
}

/**
 * What keeps a schema from OpenAI's strict mode, in OpenAI's words as far as they are known; null where nothing does. Keywords that
 * nobody has heard of are let pass, as OpenAI's own are not all documented.
 * @see https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
 */
export function strictSchemaComplaint(schema: JsonObject): string | null {
  if (schema['type'] !== 'object' || schema['anyOf'] !== undefined) {
    return `schema must be a JSON Schema of 'type: "object"', got 'type: ${JSON.stringify(schema['type'] ?? 'None')}'.`;
  }
  const size: Size = { properties: 0, enumValues: 0, characters: 0 };
  return complaintAt(schema, { context: [], depth: 0, root: schema, size }) ?? sizeComplaint(size);
}

interface Place {
  readonly context: readonly string[];
  /** Objects and lists around it. */
  readonly depth: number;
  readonly root: JsonObject;
  readonly size: Size;
}

function complaintAt(schema: Json | undefined, place: Place): string | null {
  const at = `In context=(${place.context.map((step) => `'${step}'`).join(', ')})`;
  if (!isJsonObject(schema)) return `${at}, schema must be an object, got ${JSON.stringify(schema)}.`;
  count(schema, place.size);
  const wrong =
    keywordComplaint(schema) ??
    referenceComplaint(schema, place.root) ??
    objectComplaint(schema) ??
    valueComplaint(schema) ??
    (place.depth > 10 ? 'there are more than 10 levels of nesting.' : null);
  return wrong === null ? complaintBelow(schema, place) : `${at}, ${wrong}`;
}

function keywordComplaint(schema: JsonObject): string | null {
  const keyword = NOT_PERMITTED.find((it) => schema[it] !== undefined);
  return keyword === undefined ? null : `'${keyword}' is not permitted.`;
}

function referenceComplaint(schema: JsonObject, root: JsonObject): string | null {
  const { $ref: reference, ...beside } = schema;
  if (typeof reference !== 'string') return null;
  const keywords = Object.keys(beside);
  if (keywords.length > 0) {
    return `$ref cannot have keywords {${keywords.map((it) => `'${it}'`).join(', ')}}.`;
  }
  const [, group = '', name = '', ...deeper] = reference.split('/');
  const definitions = root[decodeURIComponent(group)];
  const key = decodeURIComponent(name.replaceAll('~1', '/').replaceAll('~0', '~'));
  const isThere = isJsonObject(definitions) && Object.hasOwn(definitions, key) && deeper.length === 0;
  return reference === '#' || isThere ? null : `reference to component '${reference}' not found.`;
}

function objectComplaint(schema: JsonObject): string | null {
  const { properties, type } = schema;
  const isObject = type === 'object' || (Array.isArray(type) && type.includes('object'));
  if (!isObject && properties === undefined) return null;
  if (schema['additionalProperties'] !== false) {
    return "'additionalProperties' is required to be supplied and to be false.";
  }
  const required = Array.isArray(schema['required']) ? (schema['required'] as readonly Json[]) : [];
  const keys = isJsonObject(properties) ? Object.keys(properties) : [];
  const left = keys.find((key) => !required.includes(key));
  if (left !== undefined) {
    return `'required' is required to be supplied and to be an array including every key in properties. Missing '${left}'.`;
  }
  const extra = required.find((key): key is string => typeof key === 'string' && !keys.includes(key));
  return extra === undefined ? null : `'required' is given an extra key '${extra}'.`;
}

function valueComplaint(schema: JsonObject): string | null {
  const { type, format, pattern, enum: allowed } = schema;
  const isTyped = ['type', 'enum', 'const', 'anyOf', '$ref'].some((keyword) => schema[keyword] !== undefined);
  if (!isTyped) return "schema must have a 'type' key.";
  const isArray = type === 'array' || (Array.isArray(type) && type.includes('array'));
  if (isArray && schema['items'] === undefined) return 'array schema missing items.';
  if (typeof format === 'string' && !FORMATS.includes(format)) return `'${format}' is not a valid format.`;
  if (typeof pattern === 'string' && LOOKAROUND.test(pattern))
    return 'lookaround is not supported in pattern.';
  if (Array.isArray(allowed) && allowed.length > 250 && textsOf(allowed as readonly Json[]) > 15_000) {
    return 'the enum has more than 250 values of more than 15000 characters together.';
  }
  return null;
}

function complaintBelow(schema: JsonObject, place: Place): string | null {
  for (const group of ['properties', '$defs', 'definitions']) {
    const members = schema[group];
    if (!isJsonObject(members)) continue;
    const depth = place.depth + (group === 'properties' ? 1 : 0);
    for (const [key, member] of Object.entries(members)) {
      const complaint = complaintAt(member, { ...place, depth, context: [...place.context, group, key] });
      if (complaint !== null) return complaint;
    }
  }
  const variants = Array.isArray(schema['anyOf']) ? (schema['anyOf'] as readonly Json[]) : [];
  for (const [index, variant] of variants.entries()) {
    const complaint = complaintAt(variant, {
      ...place,
      context: [...place.context, 'anyOf', String(index)],
    });
    if (complaint !== null) return complaint;
  }
  const { items } = schema;
  if (items === undefined) return null;
  return complaintAt(items, { ...place, depth: place.depth + 1, context: [...place.context, 'items'] });
}

function count(schema: JsonObject, size: Size): void {
  const keys = isJsonObject(schema['properties']) ? Object.keys(schema['properties']) : [];
  const allowed = Array.isArray(schema['enum']) ? (schema['enum'] as readonly Json[]) : [];
  size.properties += keys.length;
  size.enumValues += allowed.length;
  size.characters += textsOf([...keys, ...allowed]);
}

function sizeComplaint({ properties, enumValues, characters }: Size): string | null {
  if (properties > 5_000) return `schema has ${properties} properties, at most 5000 are allowed.`;
  if (enumValues > 1_000) return `schema has ${enumValues} enum values, at most 1000 are allowed.`;
  return characters > 120_000 ? `schema has ${characters} characters of names and values, too many.` : null;
}

function textsOf(values: readonly Json[]): number {
  return values.reduce<number>((sum, value) => sum + (typeof value === 'string' ? value.length : 0), 0);
}
