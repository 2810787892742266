import { RE2JS } from 're2js';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { conceptOf, wordsOf, type Concept } from './concept.ts';
import { hashText } from './draw.ts';

/** A schema as the simulated model understands it: a tree of fields to fill. */
export interface Field {
  /** The property's name; for the members of an array the array's, for the root the empty string. */
  readonly name: string;
  readonly words: readonly string[];
  /** Names of the objects around it, outermost first. */
  readonly parents: readonly string[];
  readonly description: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'array' | 'object' | 'null' | 'any';
  readonly concept: Concept | null;
  readonly nullable: boolean;
  readonly required: boolean;
  /** The members of an enum; empty where there is none. */
  readonly options: readonly Json[];
  readonly format: string | null;
  /** Null where there is none, or none that a linear-time engine takes. */
  readonly pattern: RE2JS | null;
  readonly minimum: number | null;
  readonly maximum: number | null;
  readonly minLength: number;
  readonly maxLength: number;
  readonly minItems: number;
  readonly maxItems: number;
  readonly properties: readonly Field[];
  /** Whether other properties than those are not allowed. */
  readonly closed: boolean;
  /** The members of an array. */
  readonly items: Field | null;
}

/** A schema read once, and the number that tells it from others. */
export interface SchemaReading {
  readonly root: Field;
  readonly hash: number;
}

const readings = new Map<string, SchemaReading>();
const MOST_READINGS = 500;
const DEEPEST = 8;

/** Reads a JSON Schema. The same schema is read once. */
export function readSchema(schema: JsonObject): SchemaReading {
  const text = JSON.stringify(schema);
  const remembered = readings.get(text);
  if (remembered !== undefined) return remembered;
  const root = readField(schema, { root: schema, name: '', parents: [], required: true, depth: 0 });
  const reading = { root, hash: hashText(text) };
  if (readings.size >= MOST_READINGS) readings.clear();
  readings.set(text, reading);
  return reading;
}

interface Place {
  readonly root: JsonObject;
  readonly name: string;
  readonly parents: readonly string[];
  readonly required: boolean;
  readonly depth: number;
}

function readField(raw: Json | undefined, place: Place): Field {
  const { schema, nullable } = flatten(raw, place.root, 0);
  const type = typeOf(schema);
  const description = textOf(schema['description']) ?? textOf(schema['title']) ?? '';
  const words = wordsOf(place.name);
  const format = textOf(schema['format']);
  const deeper = place.depth < DEEPEST;
  const items =
    type === 'array' && deeper
      ? readField(itemSchema(schema), { ...place, required: true, depth: place.depth + 1 })
      : null;
  const bare = {
    name: place.name,
    words,
    parents: place.parents,
    description,
    type,
    nullable: nullable || type === 'null',
    required: place.required,
    options: optionsOf(schema),
    format,
    pattern: format === null ? patternOf(schema) : null,
    minimum: bound(schema['minimum']) ?? next(bound(schema['exclusiveMinimum']), type, 1),
    maximum: bound(schema['maximum']) ?? next(bound(schema['exclusiveMaximum']), type, -1),
    minLength: bound(schema['minLength']) ?? lengthIn(description, 'least') ?? 0,
    maxLength: bound(schema['maxLength']) ?? lengthIn(description, 'most') ?? Number.POSITIVE_INFINITY,
    minItems: bound(schema['minItems']) ?? 0,
    maxItems: bound(schema['maxItems']) ?? Number.POSITIVE_INFINITY,
    properties: type === 'object' && deeper ? readProperties(schema, place) : [],
    closed: schema['additionalProperties'] === false,
    items,
  };
  return { ...bare, concept: conceptOf(bare) };
}

function readProperties(schema: JsonObject, place: Place): readonly Field[] {
  const properties = isJsonObject(schema['properties']) ? schema['properties'] : {};
  const required = Array.isArray(schema['required']) ? (schema['required'] as readonly Json[]) : [];
  const parents = place.name === '' ? place.parents : [...place.parents, place.name];
  return Object.entries(properties).map(([name, property]) =>
    readField(property, {
      root: place.root,
      name,
      parents,
      required: required.includes(name),
      depth: place.depth + 1,
    }),
  );
}

function itemSchema(schema: JsonObject): Json | undefined {
  if (isJsonObject(schema['items'])) return schema['items'];
  const prefix = schema['prefixItems'];
  return Array.isArray(prefix) ? (prefix as readonly Json[])[0] : undefined;
}

interface Flat {
  readonly schema: JsonObject;
  readonly nullable: boolean;
}

/** Follows references and puts unions and intersections together into one plain schema. */
function flatten(raw: Json | undefined, root: JsonObject, depth: number): Flat {
  if (!isJsonObject(raw) || depth > DEEPEST) return { schema: {}, nullable: false };
  if (typeof raw['$ref'] === 'string') {
    const { $ref, ...rest } = raw;
    const target = flatten(resolve($ref, root), root, depth + 1);
    return { schema: { ...target.schema, ...rest }, nullable: target.nullable };
  }
  const union = raw['anyOf'] ?? raw['oneOf'];
  if (Array.isArray(union)) return flattenUnion(raw, union as readonly Json[], root, depth);
  if (Array.isArray(raw['allOf'])) {
    const { allOf, ...rest } = raw;
    const parts = (allOf as readonly Json[]).map((part) => flatten(part, root, depth + 1));
    return {
      schema: intersect([...parts.map(({ schema }) => schema), rest]),
      nullable: parts.some((part) => part.nullable),
    };
  }
  return { schema: raw, nullable: allowsNull(raw) };
}

function flattenUnion(raw: JsonObject, union: readonly Json[], root: JsonObject, depth: number): Flat {
  const { anyOf: _anyOf, oneOf: _oneOf, ...rest } = raw;
  const variants = union.map((variant) => flatten(variant, root, depth + 1));
  const real = variants.filter(({ schema }) => schema['type'] !== 'null');
  const constants = real.flatMap(({ schema }) => ('const' in schema ? [schema['const']] : []));
  const chosen =
    constants.length === real.length && real.length > 1
      ? { enum: constants }
      : (real[0]?.schema ?? { type: 'null' });
  return {
    schema: { ...chosen, ...rest },
    nullable: variants.some(({ schema, nullable }) => nullable || schema['type'] === 'null'),
  };
}

function intersect(parts: readonly JsonObject[]): JsonObject {
  const properties = Object.fromEntries(
    parts.flatMap((part) => Object.entries(asObject(part['properties']))),
  );
  const required = parts.flatMap((part) => asArray(part['required']));
  const whole = Object.fromEntries(parts.flatMap((part) => Object.entries(part)));
  return Object.keys(properties).length > 0 ? { ...whole, properties, required } : whole;
}

function resolve(reference: string, root: JsonObject): Json | undefined {
  if (!reference.startsWith('#')) return undefined;
  const steps = reference.slice(1).split('/').slice(1);
  let at: Json | undefined = root;
  for (const step of steps) {
    const key = safeDecode(step).replaceAll('~1', '/').replaceAll('~0', '~');
    if (!isJsonObject(at) || !Object.hasOwn(at, key)) return undefined;
    at = at[key];
  }
  return at;
}

function safeDecode(step: string): string {
  try {
    return decodeURIComponent(step);
  } catch {
    return step; // not percent-encoded after all
  }
}

const TYPES = ['string', 'integer', 'number', 'boolean', 'array', 'object', 'null'] as const;

function typeOf(schema: JsonObject): Field['type'] {
  const declared = schema['type'];
  const named = Array.isArray(declared)
    ? (declared as readonly Json[]).find((type) => type !== 'null')
    : declared;
  const known = TYPES.find((type) => type === named);
  if (known !== undefined) return known;
  if (isJsonObject(schema['properties'])) return 'object';
  if (isJsonObject(schema['items'])) return 'array';
  return optionsOf(schema).every((option) => typeof option === 'string') ? 'string' : 'any';
}

function allowsNull(schema: JsonObject): boolean {
  const type = schema['type'];
  return type === 'null' || asArray(type).includes('null') || asArray(schema['enum']).includes(null);
}

function optionsOf(schema: JsonObject): readonly Json[] {
  if ('const' in schema) return [schema['const']];
  return asArray(schema['enum']).filter((option) => option !== null);
}

/** Only short patterns of strings without a format: formats have readers of their own. */
function patternOf(schema: JsonObject): RE2JS | null {
  const pattern = schema['pattern'];
  if (typeof pattern !== 'string' || pattern.length > 300) return null;
  try {
    return RE2JS.compile(pattern);
  } catch {
    return null; // look-arounds and the like: the field is read without it
  }
}

/** A length that a description tells in words, as a schema for strict mode does. */
function lengthIn(description: string, which: 'least' | 'most'): number | undefined {
  const told = new RegExp(`\\bat ${which} (\\d+) characters?\\b`).exec(description)?.[1];
  return told === undefined ? undefined : Number(told);
}

function bound(value: Json | undefined): number | null {
  return typeof value === 'number' && Math.abs(value) < Number.MAX_SAFE_INTEGER ? value : null;
}

function next(exclusive: number | null, type: Field['type'], direction: 1 | -1): number | null {
  if (exclusive === null) return null;
  return type === 'integer' ? exclusive + direction : exclusive + direction * 0.01;
}

function textOf(value: Json | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

function asObject(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

function asArray(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}
