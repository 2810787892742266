import { readFileSync } from 'node:fs';
import { isJsonObject, type Json, type JsonObject } from '../../src/core/json.ts';

/** One field of an answer beside its true value. */
export interface ComparedField {
  readonly document: string;
  readonly path: string;
  readonly isRight: boolean;
  readonly expected: Json;
  readonly received: Json | undefined;
}

/** Reads a file of `examples/documents`; `T` is what its lines are known to be. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- one name for three kinds of lines
export function exampleLines<T>(file: string): readonly T[] {
  const text = readFileSync(new URL(`../../examples/documents/${file}.jsonl`, import.meta.url), 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
}

/** Compares an answer with the truth, leaf by leaf. Case, punctuation and the order of a list do not matter. */
export function compareFields(
  document: string,
  expected: Json,
  received: Json | undefined,
  path = '',
): readonly ComparedField[] {
  if (isJsonObject(expected)) {
    const members: JsonObject = isJsonObject(received) ? received : {};
    return Object.entries(expected).flatMap(([key, value]) =>
      compareFields(document, value, members[key], path === '' ? key : `${path}.${key}`),
    );
  }
  if (Array.isArray(expected)) {
    const items = Array.isArray(received) ? (received as readonly Json[]) : [];
    const compared = (expected as readonly Json[]).flatMap((item, index) => {
      const match = isJsonObject(item) ? items[index] : items.find((other) => isSame(item, other));
      return compareFields(document, item, match, `${path}[${index}]`);
    });
    const extra = items.length > expected.length;
    return extra
      ? [...compared, { document, path: `${path}.length`, isRight: false, expected, received: items }]
      : compared;
  }
  return [{ document, path, isRight: isSame(expected, received), expected, received }];
}

function isSame(expected: Json, received: Json | undefined): boolean {
  if (typeof expected === 'string' && typeof received === 'string')
    return plain(expected) === plain(received);
  return expected === (received ?? null);
}

function plain(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
}
