/**
 * The repair of bad JSON, by a library, accepted only where a second reading agrees: the library guesses (it closes what
 * was cut, drops an ellipsis, turns words into strings), and a guess must never become a value.
 */
import { jsonrepair } from 'jsonrepair';
import type { Json } from './json.ts';
import { inexactNumber } from './inexact-number.ts';
import { locateSyntaxError } from './locate-syntax-error.ts';
import { scanJson } from './scan-json.ts';
import type { Obstacle, Scan, Token } from './scan-json.ts';

/** What a repair gives: the value and what was changed, in plain words; or the place that stands in the way. */
export type RepairedJson =
  | { readonly status: 'repaired'; readonly value: Json; readonly changes: readonly string[] }
  | { readonly status: 'unrepairable'; readonly obstacle: Obstacle };

/** A fault can cost the library a pass over the whole text, so that many of them would take quadratic time. */
const MAX_FAULTS = 1_000;

const PYTHON_LITERALS: ReadonlyMap<string, string> = new Map([
  ['True', 'true'],
  ['False', 'false'],
  ['None', 'null'],
]);
const LITERALS: ReadonlySet<string> = new Set(['true', 'false', 'null', ...PYTHON_LITERALS.keys()]);
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const LEADING_ZERO = /^0\d+$/;
const KEY = /^[\w$-]+$/;
const ELLIPSIS = /^(?:\.\.\.|…)/;

/**
 * Repairs the source of one object or array that closes. Accepted are: other quotes, keys without quotes, trailing
 * commas, commas missing at the end of a line or before a key, comments, literals of Python, control characters and
 * (paired) quotes inside strings, digits with a leading zero (which become a string). Everything else that the library
 * would mend is refused, since it would change what the answer says.
 */
export function repairJson(source: string, scan: Scan): RepairedJson {
  const obstacle = scan.obstacle ?? wordObstacle(scan.tokens);
  if (obstacle !== undefined) return { status: 'unrepairable', obstacle };
  const first = locateSyntaxError(source) ?? { message: 'Not JSON', offset: 0 };
  if (faultCount(scan) > MAX_FAULTS) return { status: 'unrepairable', obstacle: first };

  const repaired = parseRepaired(source);
  if (repaired === undefined) return { status: 'unrepairable', obstacle: first };
  const changes = compare(source, scan.tokens, scanJson(repaired.text, 0).tokens);
  if (changes === undefined) return { status: 'unrepairable', obstacle: first };
  const named = [...scan.faults, ...changes];
  return {
    status: 'repaired',
    value: repaired.value,
    changes: named.length > 0 ? named : ['repaired the JSON syntax'],
  };
}

function parseRepaired(source: string): { readonly text: string; readonly value: Json } | undefined {
  try {
    const text = jsonrepair(source);
    const value: Json = JSON.parse(text);
    return { text, value };
  } catch {
    // The library gave up; the caller reports the first syntax error, which says more than where it did.
    return undefined;
  }
}

/** Words other than keys, literals and numbers have no value in JSON: `NaN`, `undefined`, `N/A`, an omission. */
function wordObstacle(tokens: readonly Token[]): Obstacle | undefined {
  for (const [index, { kind, text, start }] of tokens.entries()) {
    if (kind !== 'word') continue;
    if (ELLIPSIS.test(text)) return { message: 'An ellipsis stands for what was left out', offset: start };
    const isKey = isPunctuation(tokens[index + 1], ':') && KEY.test(text);
    const isValue = LITERALS.has(text) || NUMBER.test(text) || LEADING_ZERO.test(text);
    if (!isKey && !isValue) return { message: `Unexpected token '${text.slice(0, 40)}'`, offset: start };
    const inexact = isKey ? undefined : inexactNumber(text);
    if (inexact !== undefined) return { message: inexact, offset: start };
  }
  return undefined;
}

function faultCount({ tokens, innerQuotes }: Scan): number {
  let faults = innerQuotes;
  for (const [index, token] of tokens.entries()) {
    const next = tokens[index + 1];
    const isTrailingComma = isPunctuation(token, ',') && isPunctuation(next, '}', ']');
    const lacksComma = endsValue(token) && next !== undefined && !isPunctuation(next, ',', ':', '}', ']');
    if (isTrailingComma || lacksComma) faults += 1;
  }
  return faults;
}

/**
 * Whether what was written and what the library made of it are the same values in the same structure, and what differs.
 * Undefined where they are not.
 */
function compare(
  source: string,
  written: readonly Token[],
  repaired: readonly Token[],
): ReadonlySet<string> | undefined {
  const changes = new Set<string>();
  let w = 0;
  let r = 0;
  while (w < written.length || r < repaired.length) {
    const token = written[w];
    const change = sameValue(token, repaired[r], written[w + 1]);
    if (change !== undefined) {
      if (change !== '') changes.add(change);
      w += 1;
      r += 1;
    } else if (isPunctuation(token, ',') && isPunctuation(written[w + 1], '}', ']')) {
      changes.add('removed trailing commas');
      w += 1;
    } else if (isPunctuation(repaired[r], ',') && mayLackComma(source, written, w)) {
      changes.add('added missing commas');
      r += 1;
    } else {
      return undefined;
    }
  }
  return changes;
}

/** The change that makes one token of the other: empty for none, undefined where they are different values. */
function sameValue(
  written: Token | undefined,
  repaired: Token | undefined,
  next: Token | undefined,
): string | undefined {
  if (written === undefined || repaired === undefined) return undefined;
  if (written.kind === repaired.kind && written.text === repaired.text) return '';
  if (written.kind !== 'word') return undefined;
  if (repaired.kind === 'word') {
    return PYTHON_LITERALS.get(written.text) === repaired.text ? 'replaced Python literals' : undefined;
  }
  if (repaired.kind !== 'string' || written.text !== repaired.text) return undefined;
  if (isPunctuation(next, ':')) return 'quoted keys';
  return LEADING_ZERO.test(written.text) ? 'quoted digits with a leading zero' : undefined;
}

/** On one line, two values without a comma may have been meant as one (`1 299`, `"a" "b"`). */
function mayLackComma(source: string, tokens: readonly Token[], index: number): boolean {
  const before = tokens[index - 1];
  const token = tokens[index];
  if (before === undefined || token === undefined || !endsValue(before)) return false;
  return (
    isPunctuation(before, '}', ']') ||
    isPunctuation(token, '{', '[') ||
    isPunctuation(tokens[index + 1], ':') ||
    source.slice(before.end, token.start).includes('\n')
  );
}

function endsValue(token: Token): boolean {
  return token.kind !== 'punctuation' || isPunctuation(token, '}', ']');
}

function isPunctuation(token: Token | undefined, ...texts: readonly string[]): boolean {
  return token?.kind === 'punctuation' && texts.includes(token.text);
}
