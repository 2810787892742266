/** Where in an answer the JSON is: models put prose around it, or a Markdown fence. */
import { opensString, scanJson } from './scan-json.ts';
import type { Obstacle, Scan } from './scan-json.ts';

/** An object or array in a text that closes. */
export interface FoundJson {
  readonly start: number;
  readonly end: number;
  readonly scan: Scan;
  /** The fence around it: the tag (`json`, or empty), undefined where there is none. */
  readonly fence: string | undefined;
}

/**
 * What a search gives. `unfinished`: the value that was begun last is not closed by the end of the text; its obstacle
 * tells where the reading may have gone wrong instead.
 */
export type JsonSearch =
  | { readonly status: 'found'; readonly found: readonly FoundJson[] }
  | { readonly status: 'unfinished'; readonly start: number; readonly obstacle: Obstacle | undefined }
  | { readonly status: 'mismatched'; readonly start: number; readonly obstacle: Obstacle };

const FENCE = '```';
const EVENT = /```|[{[]/g;
const FENCE_TAG = /[\w+.-]*/y;
const SPACES = /\s*/y;
const KEY_THEN_COLON = /[\w$-]+\s*(?::|$)/y;
const LITERAL = /(?:true|false|null|True|False|None)\b/y;
/** Up to the end of the text where it is not closed: the model was cut off while it still thought. */
const THINKING = /^\s*<think>[\s\S]*?(?:<\/think>|$)/;

/**
 * Finds the objects and arrays of a text that stand on their own, from left to right and each only once, so that nothing
 * inside one (a fence in a string, an object in a list) is taken for an answer. A bracket counts only where JSON may
 * follow it: prose has brackets too. What a reasoning model thinks aloud (`<think>`) is passed over.
 */
export function findJson(text: string): JsonSearch {
  const found: FoundJson[] = [];
  let fence: string | undefined;
  let position = THINKING.exec(text)?.[0].length ?? 0;
  for (;;) {
    EVENT.lastIndex = position;
    const event = EVENT.exec(text);
    if (event === null) return { status: 'found', found };
    const start = event.index;
    if (event[0] === FENCE) {
      const tagEnd = matchEnd(FENCE_TAG, text, start + FENCE.length);
      fence = fence === undefined ? text.slice(start + FENCE.length, tagEnd).toLowerCase() : undefined;
      position = fence === undefined ? start + FENCE.length : tagEnd;
      continue;
    }
    position = start + 1;
    if (!mayStartJson(text, start)) continue;

    const scan = scanJson(text, start);
    if (scan.ending === 'open') return { status: 'unfinished', start, obstacle: scan.obstacle };
    if (scan.ending === 'mismatched') {
      const obstacle = { message: 'Mismatched closing bracket', offset: scan.end - 1 };
      return { status: 'mismatched', start, obstacle };
    }
    found.push({ start, end: scan.end, scan, fence });
    position = scan.end;
  }
}

function mayStartJson(text: string, bracket: number): boolean {
  const next = matchEnd(SPACES, text, bracket + 1);
  const character = text[next];
  // A backslash: JSON that was encoded as a string. It is no answer as it stands, and nor is anything inside it.
  if (character === undefined || '/\\'.includes(character) || opensString(character)) return true;
  if (text[bracket] === '{') return character === '}' || matchEnd(KEY_THEN_COLON, text, next) > next;
  return '{[]-.0123456789'.includes(character) || matchEnd(LITERAL, text, next) > next;
}

function matchEnd(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}
