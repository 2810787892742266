import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import type { InputEntry } from '../../core/batch-input.ts';
import { codeOf, messageOf } from '../../stack/error-facts.ts';
import { UsageError } from '../exit-codes.ts';
import { readCsv } from './read-csv.ts';
import { readFolder } from './read-folder.ts';
import { readJsonl } from './read-jsonl.ts';

/** Where a batch's documents are. */
export interface BatchInput {
  /** A `.jsonl`, `.ndjson` or `.csv` file, or a folder of texts. */
  readonly path: string;
  /** Of a `.csv` file. Default `text`. */
  readonly textColumn?: string | undefined;
  /** Of a `.csv` file. Default `id`. */
  readonly idColumn?: string | undefined;
}

/**
 * The documents of a batch's input in order, each read when it is asked for, so that an input of any size takes little
 * memory. What is wrong with one document is an entry of its own, and reading goes on. Ids may come twice: only the store
 * sees all of them.
 *
 * @throws {UsageError} where the input as a whole cannot be read, or holds nothing. It may come after entries.
 *
 * @example
 * for await (const entry of readBatchInput({ path: 'orders.csv', idColumn: 'order' })) {
 *   if ('bad' in entry) console.error(`${entry.place}: ${entry.bad}`);
 *   else await add(entry.document);
 * }
 */
export async function* readBatchInput(input: BatchInput): AsyncGenerator<InputEntry> {
  let isEmpty = true;
  for await (const entry of await entriesOf(input)) {
    isEmpty = false;
    yield entry;
  }
  if (isEmpty) {
    throw new UsageError(
      `INPUT: expected documents, got none in '${input.path}'. Give a file or a folder that has some.`,
    );
  }
}

/** Whether there is an input, of a kind that can be read. Opens nothing. @throws {UsageError} */
export async function requireBatchInput(input: BatchInput): Promise<void> {
  await entriesOf(input);
}

const KINDS = 'a folder of texts, or a file that ends in .jsonl, .ndjson or .csv';

async function entriesOf({ path, idColumn, textColumn }: BatchInput): Promise<AsyncGenerator<InputEntry>> {
  const isFolder = await isFolderAt(path);
  const extension = isFolder ? '' : extname(path).toLowerCase();
  if (extension === '.csv') {
    return readCsv({ path, idColumn: idColumn ?? 'id', textColumn: textColumn ?? 'text' });
  }
  if (!isFolder && extension !== '.jsonl' && extension !== '.ndjson') {
    throw new UsageError(
      `INPUT: expected ${KINDS}, got '${path}'. Convert it: {"id": "…", "text": "…"}, one a line, in a .jsonl file.`,
    );
  }
  if (idColumn !== undefined || textColumn !== undefined) {
    const option = idColumn === undefined ? '--text-column' : '--id-column';
    throw new UsageError(`${option}: expected a .csv file as INPUT, got '${path}'. Leave the option out.`);
  }
  return isFolder ? readFolder(path) : readJsonl(path);
}

async function isFolderAt(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    const why = codeOf(error) === 'ENOENT' ? 'no such file or folder' : messageOf(error);
    throw new UsageError(`INPUT: expected ${KINDS}, got '${path}': ${why}. Correct the path.`);
  }
}
