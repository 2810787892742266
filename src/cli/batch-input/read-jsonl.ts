import { basename } from 'node:path';
import { readGivenDocument, shown } from '../../core/batch-input.ts';
import type { InputContent, InputEntry } from '../../core/batch-input.ts';
import type { Json } from '../../core/json.ts';
import { locateSyntaxError } from '../../core/locate-syntax-error.ts';
import { decodeUtf8 } from './decode-utf8.ts';
import { readBytes } from './read-bytes.ts';
import { splitLines } from './split-lines.ts';

/** Longer lines are not searched for the place of a syntax error. */
const MAX_SEARCHED_LENGTH = 1_000_000;

/**
 * The documents of a JSONL file: `{"id": "…", "text": "…", "schema": …, …}`, where all but these three is metadata.
 * Blank lines are skipped.
 *
 * @throws {UsageError} where the file cannot be read; a bad line is an entry.
 */
export async function* readJsonl(path: string): AsyncGenerator<InputEntry> {
  for await (const { place, content } of readJsonLines(path)) {
    const entry: InputContent = 'bad' in content ? content : readGivenDocument(content.value);
    yield { place, ...entry };
  }
}

/** What a line holds, or why it cannot be used. */
type LineContent = { readonly value: Json } | { readonly bad: string };

/**
 * The lines of a JSONL file, each with its place. Blank ones are skipped.
 *
 * @throws {UsageError} where the file cannot be read.
 */
export async function* readJsonLines(
  path: string,
): AsyncGenerator<{ readonly place: string; readonly content: LineContent }> {
  const file = basename(path);
  for await (const { line, bytes } of splitLines(readBytes(path))) {
    const content = contentOf(bytes);
    if (content !== undefined) yield { place: `${file} line ${line}`, content };
  }
}

function contentOf(bytes: Buffer | undefined): LineContent | undefined {
  if (bytes === undefined) return { bad: 'expected a line of at most 64 MB, got a longer one' };
  const text = decodeUtf8(bytes);
  if (text === undefined) return { bad: 'expected text in UTF-8, got other bytes' };
  if (text.trim() === '') return undefined;
  const value = parsed(text);
  return value === undefined ? { bad: `expected a JSON object, got ${syntaxError(text)}` } : { value };
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    // `syntaxError` says where and why.
    return undefined;
  }
}

function syntaxError(text: string): string {
  const excerpt = shown(text);
  const found = text.length > MAX_SEARCHED_LENGTH ? undefined : locateSyntaxError(text);
  return found === undefined ? excerpt : `${excerpt}: ${found.message} at character ${found.offset + 1}`;
}
