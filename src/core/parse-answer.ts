/** From the text of an answer to the JSON in it. */
import type { Problem, Repair } from './contract.ts';
import { findJson } from './find-json.ts';
import type { FoundJson } from './find-json.ts';
import { inexactNumber, mayHoldInexactNumber } from './inexact-number.ts';
import { isJsonArray, isJsonObject } from './json.ts';
import type { Json } from './json.ts';
import { locateSyntaxError } from './locate-syntax-error.ts';
import { repairJson } from './repair-json.ts';
import { opensString, scanJson } from './scan-json.ts';
import type { Obstacle } from './scan-json.ts';

/** What became of an answer's text. */
export type ParsedAnswer =
  | { readonly status: 'successful-parse'; readonly value: Json; readonly repairs: readonly [] }
  | { readonly status: 'repaired-parse'; readonly value: Json; readonly repairs: readonly Repair[] }
  | { readonly status: 'failed-parse'; readonly problem: Problem };

/** How a text came to its end. */
export interface ParseOptions {
  /** Whether the provider cut it off (`finish_reason: length`). */
  readonly cutOff: boolean;
}

/** Deeper values would overflow the stack of whoever walks through them next. */
const MAX_DEPTH = 200;
const EXCERPT_RADIUS = 20;
const BYTE_ORDER_MARK = '\uFEFF';
const FENCED_SCALAR = /^```[\w+.-]*\s([^`]*)```$/;
const FENCE = '```';
const FENCE_BEFORE = /```[\w+.-]*$/;
/** How far back from the JSON the marks around it are looked for. */
const MARKER_LENGTH = 100;
/** How many fenced values are tried, from the last. */
const MAX_FENCED_VALUES = 10;
/** What shows that the JSON went on after its last bracket, or had begun before its first. */
const GOES_ON = /^[\s}\]]*(?:,\s*(?:["'“{[]|[\w$-]+\s*:)|:)/;
const HAD_BEGUN = /["'”]\s*:$/;

/**
 * Reads the JSON of an answer: as it is, else out of a Markdown fence or prose, else repaired. Each change is reported.
 * No repair invents, drops or shortens a value: what is cut off is `truncated`, and what can be read in more than one
 * way is a `json_error` with its place.
 *
 * - Cut off (by `cutOff`, or because the text ends inside the value) is never closed. An object or array that is
 *   complete before the cut is taken; a bare number or other scalar is not, since it may have gone on.
 * - Of several fenced values the last that can be read is taken, those tagged `json` first. Of several values outside
 *   of fences none is, unless they are equal: choosing would drop a record.
 * - Of a key that occurs twice the last value counts, as for every JSON parser.
 * - An integer that a double cannot hold, and nesting deeper than 200 levels, is a `json_error`.
 * - An ellipsis outside of strings is an omission, hence a `json_error`; inside a string it is text.
 */
export function parseAnswer(text: string, { cutOff }: ParseOptions): ParsedAnswer {
  if (text.replace(BYTE_ORDER_MARK, '').trim() === '') return cutOff ? truncated(text) : empty();
  const hasMark = text.startsWith(BYTE_ORDER_MARK);
  const parsed = parseUnmarked(hasMark ? text.slice(1) : text, cutOff);
  if (!hasMark || parsed.status === 'failed-parse') return parsed;
  return succeeded(parsed.value, ['removed the byte order mark', ...parsed.repairs.map((it) => it.message)]);
}

function parseUnmarked(text: string, cutOff: boolean): ParsedAnswer {
  const asIs = parseStrictly(text);
  if (asIs !== undefined) {
    if (cutOff && !isJsonObject(asIs) && !isJsonArray(asIs)) return truncated(text);
    return accepted(text, { start: 0, end: text.length }, asIs, []);
  }
  const search = findJson(text);
  if (search.status !== 'found') {
    // Brackets that do not match, and quotes that may have been misread, are no proof that the end is missing.
    if (cutOff || search.obstacle === undefined) return truncated(text);
    return jsonError(text, firstError(text, search) ?? search.obstacle);
  }
  if (search.found.length === 0) return cutOff ? truncated(text) : parseScalar(text);
  return choose(text, search.found);
}

/** Outside of a fence no scalar is looked for: any prose holds words and numbers. */
function parseScalar(text: string): ParsedAnswer {
  const fenced = FENCED_SCALAR.exec(text.trim())?.[1];
  const value = fenced === undefined ? undefined : parseStrictly(fenced);
  if (value !== undefined) return succeeded(value, ['removed the Markdown fence']);
  const error = locateSyntaxError(text) ?? { message: 'Not JSON', offset: 0 };
  return jsonError(text, { ...error, message: `No JSON object in the answer: ${error.message}` });
}

function choose(text: string, found: readonly FoundJson[]): ParsedAnswer {
  const tagged = found.filter(({ fence }) => fence?.startsWith('json'));
  const fenced = found.filter(({ fence }) => fence !== undefined);
  if (fenced.length > 0) {
    const latest = objectsFirst(tagged.length > 0 ? tagged : fenced).slice(-MAX_FENCED_VALUES);
    const attempts = latest.map((it) => parseFound(text, it));
    return attempts.findLast(({ status }) => status !== 'failed-parse') ?? attempts.at(-1) ?? empty();
  }
  const [first, ...others] = objectsFirst(found);
  if (first === undefined) return empty();
  const parsed = parseFound(text, first);
  const isOneValue = others.every((other) => isSameText(text, first, other));
  if (isOneValue || parsed.status === 'failed-parse') return parsed;
  const message = `Expected one JSON value but found ${others.length + 1}; another starts`;
  return jsonError(text, { message, offset: others[0]?.start ?? 0 });
}

/** Prose has lists in brackets (`[1]`) more often than objects in braces. */
function objectsFirst(found: readonly FoundJson[]): readonly FoundJson[] {
  const objects = found.filter(({ scan }) => scan.tokens[0]?.text === '{');
  return objects.length > 0 ? objects : found;
}

function isSameText(text: string, a: FoundJson, b: FoundJson): boolean {
  return text.slice(a.start, a.end) === text.slice(b.start, b.end);
}

function parseFound(text: string, found: FoundJson): ParsedAnswer {
  const source = text.slice(found.start, found.end);
  const { changes, outside } = surroundings(text, found);
  if (outside !== undefined) return jsonError(text, outside);
  const value = parseStrictly(source);
  if (value !== undefined) return accepted(text, found, value, changes);

  if (found.scan.depth > MAX_DEPTH) return tooDeep(text, found.start);
  // The scan's places are those of the whole text; the repair's are those of the source.
  const repaired = repairJson(source, scanJson(source, 0));
  if (repaired.status === 'repaired') return succeeded(repaired.value, [...changes, ...repaired.changes]);
  const { message, offset } = repaired.obstacle;
  return jsonError(text, { message, offset: found.start + offset });
}

/** What stands around the JSON: a fence and prose are removed, a further piece of JSON is not. */
function surroundings(
  text: string,
  { start, end, fence }: FoundJson,
): { readonly changes: readonly string[]; readonly outside?: Obstacle } {
  const before = text.slice(0, start).trimEnd();
  const after = text.slice(end).trimStart();
  if (HAD_BEGUN.test(before.slice(-MARKER_LENGTH))) {
    return { changes: [], outside: { message: "Expected '{' before the first property name", offset: 0 } };
  }
  if (GOES_ON.test(after) || (opensString(after.charAt(0)) && !opensString(before.slice(-1)))) {
    const message = 'Unexpected non-whitespace character after JSON';
    return { changes: [], outside: { message, offset: text.length - after.length } };
  }
  const isFenced = fence !== undefined;
  const opening = isFenced ? (FENCE_BEFORE.exec(before.slice(-MARKER_LENGTH))?.[0] ?? '') : '';
  const closing = isFenced && after.startsWith(FENCE) ? FENCE : '';
  const hasProse = before.length > opening.length || after.slice(closing.length).trim() !== '';
  return {
    changes: [
      ...(isFenced ? ['removed the Markdown fence'] : []),
      ...(hasProse ? ['removed text around the JSON'] : []),
    ],
  };
}

/** A value that was read as it is, unless JavaScript cannot hold it. */
function accepted(
  text: string,
  { start, end }: { readonly start: number; readonly end: number },
  value: Json,
  changes: readonly string[],
): ParsedAnswer {
  if (isDeeperThan(value, MAX_DEPTH)) return tooDeep(text, start);
  const source = text.slice(start, end);
  if (mayHoldInexactNumber(source)) {
    for (const token of scanJson(`[${source}]`, 0).tokens) {
      const message = token.kind === 'word' ? inexactNumber(token.text) : undefined;
      if (message !== undefined) return jsonError(text, { message, offset: start + token.start - 1 });
    }
  }
  return succeeded(value, changes);
}

function isDeeperThan(value: Json, limit: number): boolean {
  let level: readonly Json[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > limit) return true;
    level = level.flatMap((it) => (isJsonArray(it) ? it : isJsonObject(it) ? Object.values(it) : []));
  }
  return false;
}

function parseStrictly(text: string): Json | undefined {
  try {
    const value: Json = JSON.parse(text);
    return value;
  } catch {
    // Not an error here: the text is read in other ways next, and the problem found then has the place.
    return undefined;
  }
}

function firstError(text: string, { start }: { readonly start: number }): Obstacle | undefined {
  const error = locateSyntaxError(text.slice(start));
  return error === undefined ? undefined : { ...error, offset: start + error.offset };
}

function succeeded(value: Json, changes: readonly string[]): ParsedAnswer {
  if (changes.length === 0) return { status: 'successful-parse', value, repairs: [] };
  const repairs = [...new Set(changes)].map((message): Repair => ({ kind: 'syntax', path: '', message }));
  return { status: 'repaired-parse', value, repairs };
}

function tooDeep(text: string, offset: number): ParsedAnswer {
  return jsonError(text, { message: `Nested deeper than ${MAX_DEPTH} levels`, offset });
}

function jsonError(text: string, { message, offset }: Obstacle): ParsedAnswer {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  const column = offset - before.lastIndexOf('\n');
  const excerpt = text.slice(Math.max(0, offset - EXCERPT_RADIUS), offset + EXCERPT_RADIUS);
  const place = `at line ${line}, column ${column}: near ${excerpt.replaceAll(/\s+/g, ' ').trim()}`;
  return failed('json_error', `${message} ${place}`);
}

function truncated(text: string): ParsedAnswer {
  const end = text.trimEnd().slice(-EXCERPT_RADIUS).replaceAll(/\s+/g, ' ');
  return failed('truncated', end === '' ? 'cut off before it began' : `cut off after …${end}`);
}

function empty(): ParsedAnswer {
  return failed('empty', 'the answer was empty');
}

function failed(type: Problem['type'], message: string): ParsedAnswer {
  return { status: 'failed-parse', problem: { type, message, details: [] } };
}
