import { readFileSync } from 'node:fs';
import { codeOf, messageOf } from '../stack/error-facts.ts';
import { UsageError } from './exit-codes.ts';
import { note } from './output.ts';

/** Temporal takes 2 MB a payload, and the schema travels beside the text. */
const MAX_BYTES = 1_500_000;
/** Whoever typed a command and waits is told what it waits for. */
const SAY_SO_AFTER_MS = 1_000;

/**
 * The text of `extract [TEXT]`: the argument, the file, or standard input.
 *
 * @throws {UsageError} where there is none, more than one, or one that cannot be used.
 */
export async function readText(given: string | undefined, file: string | undefined): Promise<string> {
  if (given !== undefined && file !== undefined) {
    throw new UsageError('extract: expected TEXT or --file, got both. Leave one out.');
  }
  const text =
    given ?? (file === undefined ? await readStandardInput() : decoded(readBytes(file), `--file ${file}`));
  const what = file === undefined ? 'extract' : `--file ${file}`;
  if (text.trim() === '') {
    throw new UsageError(
      `${what}: expected a text to extract from, got an empty one. Give it as TEXT, with --file FILE or on standard input.`,
    );
  }
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_BYTES) {
    throw new UsageError(
      `${what}: expected a text of at most ${MAX_BYTES} bytes, got ${bytes}. Split it into several documents.`,
    );
  }
  return text;
}

async function readStandardInput(): Promise<string> {
  if (process.stdin.isTTY) {
    throw new UsageError(
      'extract: expected TEXT, --file FILE or a text on standard input, got none of them.',
    );
  }
  const hint = setTimeout(() => note('reading the text from standard input'), SAY_SO_AFTER_MS);
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
    return decoded(Buffer.concat(chunks), 'standard input');
  } finally {
    clearTimeout(hint);
  }
}

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const why = codeOf(error) === 'ENOENT' ? 'no such file' : messageOf(error);
    throw new UsageError(
      `--file: expected a text file, got '${file}': ${why}. Give the path of one that can be read.`,
    );
  }
}

function decoded(bytes: Buffer, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UsageError(
      `${what}: expected text in UTF-8, got other bytes (a PDF, an image, another encoding?). Convert it to text first.`,
    );
  }
}
