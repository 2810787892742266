/** What a document of a batch may be, and what is wrong with what may not: the same rules for every kind of input. */
import type { BatchDocument } from './batch-contract.ts';
import { InvalidSchemaError, compileSchema } from './compile-schema.ts';
import type { SchemaReference } from './contract.ts';
import { isJsonObject } from './json.ts';
import type { Json, JsonObject } from './json.ts';
import { jsonExcerpt } from './shorten-json.ts';

/** What one line, record or file of a batch's input holds: a document, or what is wrong with it, in one line. */
export type InputEntry =
  | { readonly place: string; readonly document: BatchDocument }
  | { readonly place: string; readonly bad: string };

/** An entry without its place. */
export type InputContent = { readonly document: BatchDocument } | { readonly bad: string };

/** The parts of what may be a document; nothing of them is checked. */
export interface DocumentParts {
  readonly id: unknown;
  readonly text: unknown;
  /** `undefined` and `null` are none. */
  readonly schema?: unknown;
  readonly metadata: JsonObject;
}

const MAX_NAME_LENGTH = 500;
const NAME = `a string of 1 to ${MAX_NAME_LENGTH} characters without control characters`;
const DEFAULT_SCHEMA_NAME = 'record';
const SHOWN_LENGTH = 60;
const MAX_PROBLEM_LENGTH = 200;

/**
 * Reads `{"id": "…", "text": "…", "schema": …, …}`, where all but these three is metadata, a key called `metadata` too.
 *
 * @example
 * readGivenDocument({ id: 17, text: 'Ada, 36', source: 'mail' });
 * // { document: { id: '17', text: 'Ada, 36', metadata: { source: 'mail' } } }
 */
export function readGivenDocument(value: unknown): InputContent {
  if (!isJsonObject(value)) return { bad: `expected a JSON object, got ${shown(value)}` };
  // A rest takes an own `__proto__` for a key like any other.
  const { id, text, schema, ...metadata } = value;
  return documentOf({ id, text, schema, metadata });
}

/** Checks the parts of a document, and puts them together. */
export function documentOf({
  id: givenId,
  text,
  schema: givenSchema,
  metadata,
}: DocumentParts): InputContent {
  const id = Number.isSafeInteger(givenId) ? String(givenId) : givenId;
  if (!isName(id)) return { bad: `id: expected ${NAME}, or a whole number, got ${shown(id)}` };
  if (typeof text !== 'string' || text.trim() === '') {
    return { bad: `text: expected a string that is not blank, got ${shown(text)}` };
  }
  if (!canBeWritten(metadata)) {
    return { bad: 'expected values that JSON can hold, got others, or ones nested too deeply to be written' };
  }
  if (givenSchema === undefined || givenSchema === null) return { document: { id, text, metadata } };
  const own = readSchema(givenSchema);
  return 'bad' in own ? own : { document: { id, text, schema: own.schema, metadata } };
}

/** A value as the account of what is wrong shows it: in one line, 60 characters at most. */
export function shown(value: unknown): string {
  if (value === undefined) return 'none';
  try {
    return cut(jsonExcerpt(value as Json), SHOWN_LENGTH);
  } catch {
    // A caller in TypeScript may give anything: a function, a bigint.
    return `a value that JSON cannot hold (${typeof value})`;
  }
}

/** Text in one line, cut to a length, with `…` where something is missing. */
export function cut(text: string, length: number): string {
  const line = text.replaceAll(/[\n\r]+/g, ' ');
  if (line.length <= length) return line;
  // Not in the middle of a surrogate pair.
  return `${line.slice(0, length - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}

/** Lone surrogates are refused too: they are no text, and a store would change them, and so the name. */
function isName(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length > 0 &&
    value.length <= MAX_NAME_LENGTH &&
    value.isWellFormed() &&
    !/\p{Cc}/u.test(value)
  );
}

/** `JSON.parse` takes any depth, `JSON.stringify` does not; and what comes from TypeScript may be a bigint, or a circle. */
function canBeWritten(metadata: JsonObject): boolean {
  try {
    JSON.stringify(metadata);
    return true;
  } catch {
    return false;
  }
}

type ReadSchema = { readonly schema: SchemaReference } | { readonly bad: string };

function readSchema(given: unknown): ReadSchema {
  if (typeof given === 'string') return registered(given);
  if (!isJsonObject(given)) {
    return { bad: `schema: expected a registered name or a JSON Schema object, got ${shown(given)}` };
  }
  const { name, jsonSchema, title } = given;
  if (Object.hasOwn(given, 'jsonSchema')) return inline(name, jsonSchema);
  // As `extract` takes it. As a JSON Schema it would accept anything, which nobody means.
  const isReference = name !== undefined && Object.keys(given).length === 1;
  return isReference ? registered(name) : inline(isName(title) ? title : DEFAULT_SCHEMA_NAME, given);
}

function registered(name: unknown): ReadSchema {
  return isName(name) ? { schema: { name } } : { bad: `schema.name: expected ${NAME}, got ${shown(name)}` };
}

function inline(name: unknown, jsonSchema: unknown): ReadSchema {
  if (!isName(name)) return registered(name);
  if (!isJsonObject(jsonSchema)) {
    return { bad: `schema.jsonSchema: expected a JSON Schema object, got ${shown(jsonSchema)}` };
  }
  try {
    compileSchema(jsonSchema);
    return { schema: { name, jsonSchema } };
  } catch (error) {
    if (!(error instanceof InvalidSchemaError)) throw error;
    return { bad: `schema: expected a valid JSON Schema (2020-12), got: ${accountOf(error)}` };
  }
}

function accountOf({ problems, message }: InvalidSchemaError): string {
  const [first] = problems;
  const account = cut(first === undefined ? message : `${first.path} ${first.message}`, MAX_PROBLEM_LENGTH);
  return problems.length > 1 ? `${account} (and ${problems.length - 1} more)` : account;
}
