/** Values from the model may be of any size; what is shown of them is not. */
import { isJsonArray, isJsonObject } from './json.ts';
import type { Json } from './json.ts';

/** Characters of a value that are shown. */
export const SHOWN_LENGTH = 100;

/** A value as it is shown in a problem: strings cut at 100 characters, objects and arrays as such a string of JSON text. */
export function shortenJson(value: Json): Json {
  if (typeof value === 'string') return shortenText(value);
  return isJsonArray(value) || isJsonObject(value) ? jsonExcerpt(value) : value;
}

/** The beginning of a value's compact JSON text, 100 characters at most. Does not write what is not shown. */
export function jsonExcerpt(value: Json): string {
  return shortenText(excerpt(value, SHOWN_LENGTH + 1));
}

/** Text cut at 100 characters, with `…` where something is missing. */
export function shortenText(text: string): string {
  if (text.length <= SHOWN_LENGTH) return text;
  // Not in the middle of a surrogate pair.
  return `${text.slice(0, SHOWN_LENGTH).replace(/[\ud800-\udbff]$/, '')}…`;
}

/** At least the first `budget` characters, if there are as many. */
function excerpt(value: Json, budget: number): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, budget));
  if (isJsonArray(value)) return joined(value, '[', ']', budget, excerpt);
  if (!isJsonObject(value)) return JSON.stringify(value);
  return joined(Object.keys(value), '{', '}', budget, (key, left) => {
    const name = `${JSON.stringify(key.slice(0, left))}:`;
    return name + excerpt(value[key] ?? null, left - name.length);
  });
}

function joined<T>(
  items: readonly T[],
  open: string,
  close: string,
  budget: number,
  write: (item: T, left: number) => string,
): string {
  let text = open;
  for (const [index, item] of items.entries()) {
    if (text.length > budget) return text;
    text += (index === 0 ? '' : ',') + write(item, budget - text.length);
  }
  return text + close;
}
