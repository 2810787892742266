/** What an answer that was cut off has said in full. Nothing is closed or guessed: what was being written is left out. */
import { mayHoldInexactNumber } from './inexact-number.ts';
import { isJsonObject } from './json.ts';
import type { Json, JsonObject } from './json.ts';

/** The fields of the root object whose values end before another one begins; undefined where there is none. */
export function completedFields(text: string): JsonObject | undefined {
  const start = text.indexOf('{');
  const end = start < 0 ? undefined : lastCommaOfRoot(text, start);
  if (end === undefined) return undefined;
  const complete = `${text.slice(start, end)}}`;
  if (mayHoldInexactNumber(complete)) return undefined;
  try {
    const value = JSON.parse(complete) as Json;
    return isJsonObject(value) ? value : undefined;
  } catch {
    // Not JSON before the cut either: the whole is asked for.
    return undefined;
  }
}

/** Where the last comma between two fields of the root object stands. */
function lastCommaOfRoot(text: string, start: number): number | undefined {
  let depth = 0;
  let last: number | undefined;
  for (let at = start; at < text.length; at += 1) {
    const character = text[at];
    if (character === '"') at = endOfString(text, at);
    else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    else if (character === ',' && depth === 1) last = at;
    if (depth === 0) return undefined;
  }
  return last;
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return at;
  }
  return text.length;
}
