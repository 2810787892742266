/**
 * Where and why text is not JSON. `JSON.parse` does not always tell the place, and its words change from one engine to
 * the next; these are V8's, with the place always known.
 */
import type { Obstacle } from './scan-json.ts';

type Expected = 'value' | 'value-or-end' | 'key' | 'key-or-end' | 'colon' | 'comma-or-end' | 'nothing';

const BLANK = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LITERAL = /true|false|null/y;
/** Where the valid part of a string ends: at its quote, if all is well. */
// eslint-disable-next-line no-control-regex -- JSON forbids control characters
const STRING_BODY = /(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y;

/** The first place at which text departs from JSON (RFC 8259). Undefined where it is JSON. Linear, without recursion. */
export function locateSyntaxError(text: string): Obstacle | undefined {
  const open: ('{' | '[')[] = [];
  let expected: Expected = 'value';
  let at = 0;
  for (;;) {
    at = match(BLANK, text, at);
    const character = text[at];
    if (character === undefined) {
      return expected === 'nothing' ? undefined : { message: 'Unexpected end of JSON input', offset: at };
    }
    const step = advance(text, at, expected, open);
    if ('message' in step) return step;
    ({ expected, at } = step);
  }
}

type Advance = { readonly expected: Expected; readonly at: number } | Obstacle;

function advance(text: string, at: number, expected: Expected, open: ('{' | '[')[]): Advance {
  const character = text.charAt(at);
  const top = open.at(-1);
  const afterValue = open.length === 0 ? 'nothing' : 'comma-or-end';
  const close = (): Advance => {
    open.pop();
    return { expected: open.length === 0 ? 'nothing' : 'comma-or-end', at: at + 1 };
  };

  if (expected === 'nothing') return failure('Unexpected non-whitespace character after JSON', at);
  if (expected === 'colon') {
    return character === ':'
      ? { expected: 'value', at: at + 1 }
      : failure("Expected ':' after property name", at);
  }
  if (expected === 'comma-or-end') {
    if (character === ',') return { expected: top === '{' ? 'key' : 'value', at: at + 1 };
    if (character === (top === '{' ? '}' : ']')) return close();
    return failure(
      top === '{' ? "Expected ',' or '}' after property value" : "Expected ',' or ']' after array element",
      at,
    );
  }
  if (expected === 'key' || expected === 'key-or-end') {
    if (character === '"') return readString(text, at, 'colon');
    if (character === '}' && expected === 'key-or-end') return close();
    return failure(
      expected === 'key' ? 'Expected double-quoted property name' : "Expected property name or '}'",
      at,
    );
  }
  if (character === ']' && expected === 'value-or-end') return close();
  if (character === '{' || character === '[') {
    open.push(character);
    return { expected: character === '{' ? 'key-or-end' : 'value-or-end', at: at + 1 };
  }
  if (character === '"') return readString(text, at, afterValue);
  const end = Math.max(match(NUMBER, text, at), match(LITERAL, text, at));
  return end > at ? { expected: afterValue, at: end } : failure(`Unexpected token '${character}'`, at);
}

function readString(text: string, start: number, expected: Expected): Advance {
  const at = match(STRING_BODY, text, start + 1);
  const character = text[at];
  if (character === '"') return { expected, at: at + 1 };
  if (character === undefined) return failure('Unterminated string', at);
  return failure(
    character === '\\' ? 'Bad escaped character in string' : 'Bad control character in string',
    at,
  );
}

function match(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

function failure(message: string, offset: number): Obstacle {
  return { message, offset };
}
