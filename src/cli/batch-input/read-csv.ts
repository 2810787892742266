import { basename } from 'node:path';
import { cut, documentOf, shown } from '../../core/batch-input.ts';
import type { InputContent, InputEntry } from '../../core/batch-input.ts';
import { UsageError } from '../exit-codes.ts';
import { csvRecords } from './csv-records.ts';
import type { CsvRecord } from './csv-records.ts';
import { readBytes } from './read-bytes.ts';

/** A CSV file, and which of its columns are what. */
export interface CsvInput {
  readonly path: string;
  readonly idColumn: string;
  readonly textColumn: string;
}

/** A registered name, where the cell is not blank. */
const SCHEMA_COLUMN = 'schema';
const MAX_LISTED_LENGTH = 300;

/**
 * The documents of a CSV file, which has a header: the columns of id and text, `schema`, and others, which are metadata.
 * Records with nothing in any cell are skipped, as spreadsheets write them after the last one.
 *
 * @throws {UsageError} where the file cannot be read, is not UTF-8, or has not the columns; a bad record is an entry.
 */
export async function* readCsv(input: CsvInput): AsyncGenerator<InputEntry> {
  const file = basename(input.path);
  let header: Header | undefined;
  for await (const record of csvRecords(readBytes(input.path), input.path)) {
    if (header === undefined) {
      header = headerOf(record, input);
      continue;
    }
    const content = contentOf(record, header);
    if (content !== undefined) yield { place: `${file} line ${record.line}`, ...content };
  }
}

interface Header {
  readonly size: number;
  readonly id: number;
  readonly text: number;
  readonly schema: number | undefined;
  readonly metadata: readonly { readonly name: string; readonly index: number }[];
}

function headerOf(record: CsvRecord, { path, idColumn, textColumn }: CsvInput): Header {
  if ('broken' in record) {
    throw new UsageError(`INPUT ${path}: expected a header, got: ${record.broken}. Correct it there.`);
  }
  const names = record.cells.map((cell) => cell.trim());
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) {
    throw new UsageError(
      `INPUT ${path}: expected a header with each name once, got ${shown(repeated)} twice. Rename one of the columns.`,
    );
  }
  const indexOf = (column: string, option: string): number => {
    const index = names.indexOf(column);
    if (index !== -1) return index;
    throw new UsageError(
      `INPUT ${path}: expected a column ${shown(column)}, got ${cut(names.map(shown).join(', '), MAX_LISTED_LENGTH)}. ` +
        `Name the column with ${option}.`,
    );
  };
  const id = indexOf(idColumn, '--id-column');
  const text = indexOf(textColumn, '--text-column');
  const used = new Set([id, text]);
  const schema = names.findIndex((name, index) => name === SCHEMA_COLUMN && !used.has(index));
  return {
    size: names.length,
    id,
    text,
    schema: schema === -1 ? undefined : schema,
    metadata: names
      .map((name, index) => ({ name, index }))
      .filter(({ index }) => !used.has(index) && index !== schema),
  };
}

function contentOf(record: CsvRecord, header: Header): InputContent | undefined {
  if ('broken' in record) return { bad: record.broken };
  const { cells } = record;
  if (cells.every((cell) => cell.trim() === '')) return undefined;
  if (cells.length !== header.size) {
    return { bad: `expected ${header.size} cells, as in the header, got ${cells.length}` };
  }
  const schema = header.schema === undefined ? '' : (cells[header.schema] ?? '');
  return documentOf({
    id: cells[header.id],
    text: cells[header.text],
    schema: schema.trim() === '' ? undefined : schema,
    // Takes `__proto__` for a name like any other.
    metadata: Object.fromEntries(header.metadata.map(({ name, index }) => [name, cells[index] ?? ''])),
  });
}
