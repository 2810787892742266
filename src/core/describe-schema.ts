/** What a schema expects, in words that a model can follow. */
import type { CompiledSchema } from './compile-schema.ts';
import { isJsonArray, isJsonObject } from './json.ts';
import type { Json, JsonObject } from './json.ts';
import { jsonExcerpt } from './shorten-json.ts';

/** Values of an enum that are named. */
const MAX_NAMED_VALUES = 20;
const MAX_DEPTH = 4;

const FORMAT_EXAMPLES: ReadonlyMap<string, string> = new Map([
  ['date', 'YYYY-MM-DD, such as 2026-01-31'],
  ['time', 'HH:MM:SS with offset, such as 09:30:00Z'],
  ['date-time', 'RFC 3339, such as 2026-01-31T09:30:00Z'],
  ['duration', 'ISO 8601, such as P1DT2H'],
  ['email', 'such as ann@example.com'],
  ['hostname', 'such as www.example.com'],
  ['ipv4', 'such as 192.0.2.1'],
  ['ipv6', 'such as 2001:db8::1'],
  ['uri', 'such as https://example.com/a'],
  ['uuid', 'such as 123e4567-e89b-42d3-a456-426614174000'],
]);

/** `number`, `string, format email`, `one of "positive", "negative"`, `string or null`. */
export function describeSchema(compiled: CompiledSchema, schema: Json | undefined): string {
  return describeWithin(compiled, schema, MAX_DEPTH);
}

/** `one of "a", "b"`, with at most 20 of them named; `"a"` where there is one only. */
export function describeValues(values: readonly Json[]): string {
  const [only] = values;
  if (only !== undefined && values.length === 1) return jsonExcerpt(only);
  const named = values.slice(0, MAX_NAMED_VALUES).map(jsonExcerpt);
  const more = values.length - named.length;
  return `one of ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** `format date (YYYY-MM-DD, such as 2026-01-31)`. */
export function describeFormat(format: string): string {
  const example = FORMAT_EXAMPLES.get(format);
  return example === undefined ? `format ${format}` : `format ${format} (${example})`;
}

/** `string or null`. */
export function either(descriptions: readonly string[]): string {
  return [...new Set(descriptions)].join(' or ');
}

function describeWithin(compiled: CompiledSchema, schema: Json | undefined, depth: number): string {
  const resolved = compiled.resolve(schema);
  if (!isJsonObject(resolved) || depth === 0) return 'a value';
  const { const: constant, enum: allowed, anyOf, oneOf, allOf } = resolved;
  if (constant !== undefined) return jsonExcerpt(constant);
  if (isJsonArray(allowed)) return describeValues(allowed);
  const types = typesOf(resolved);
  if (types.length > 0) return [either(types), ...constraints(resolved)].join(', ');
  const branches = isJsonArray(anyOf) ? anyOf : oneOf;
  if (isJsonArray(branches)) {
    return either(branches.map((branch) => describeWithin(compiled, branch, depth - 1)));
  }
  if (isJsonArray(allOf) && allOf.length > 0) {
    return [...new Set(allOf.map((part) => describeWithin(compiled, part, depth - 1)))].join(', ');
  }
  return constraints(resolved).join(', ') || 'a value';
}

function typesOf({ type, properties, items, prefixItems }: JsonObject): readonly string[] {
  if (typeof type === 'string') return [type];
  if (isJsonArray(type)) return type.filter((name) => typeof name === 'string');
  if (properties !== undefined) return ['object'];
  return items !== undefined || prefixItems !== undefined ? ['array'] : [];
}

function constraints(schema: JsonObject): readonly string[] {
  const { format, pattern, minimum, maximum, maxLength } = schema;
  return [
    ...(typeof format === 'string' ? [`format ${format}`] : []),
    ...(typeof pattern === 'string' && typeof format !== 'string' ? [`matching ${pattern}`] : []),
    ...(isBound(minimum) ? [`at least ${minimum}`] : []),
    ...(isBound(maximum) ? [`at most ${maximum}`] : []),
    ...(isBound(maxLength) ? [`at most ${maxLength} characters`] : []),
  ];
}

/** zod writes the safe integers' bounds on every integer: they say nothing. */
function isBound(limit: Json | undefined): limit is number {
  return typeof limit === 'number' && Math.abs(limit) < Number.MAX_SAFE_INTEGER;
}
