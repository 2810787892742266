import { isUtf8 } from 'node:buffer';
import type { CsvError } from 'csv-parse';
import { UsageError } from '../exit-codes.ts';
import { csvParser } from './csv-parser.ts';
import type { CsvParser, ParsedCsv } from './csv-parser.ts';
import { UnreadBytes } from './unread-bytes.ts';

/** One record of a CSV file. */
export type CsvRecord = CsvCells | BrokenCsvRecord;

/** A record that could be read. */
export interface CsvCells {
  /** On which it starts, from 1. */
  readonly line: number;
  readonly cells: readonly string[];
}

/** A record with a quote that should not be there, or without one that should. */
export interface BrokenCsvRecord {
  readonly line: number;
  /** What was expected and what was got. */
  readonly broken: string;
}

/** The first one that the header has. */
const DELIMITERS = [',', ';', '\t'];

/**
 * The records of a CSV file, the header first, blank lines left out. After a broken record, reading goes on with the line
 * that follows the one on which it starts.
 *
 * @throws {UsageError} where the file is not UTF-8, a quote is never closed, or a record is longer than 64 MB.
 */
export async function* csvRecords(chunks: AsyncIterable<Buffer>, path: string): AsyncGenerator<CsvRecord> {
  const reading = new CsvReading(path);
  for await (const chunk of chunks) yield* reading.read(chunk);
  yield* reading.finish();
}

class CsvReading {
  readonly #path: string;
  readonly #unread = new UnreadBytes();
  #delimiter: string | undefined;
  #parser: CsvParser | undefined;
  /** Bytes taken from `#unread` since the parser was made. */
  #taken = 0;
  #isInBrokenLine = false;

  constructor(path: string) {
    this.#path = path;
  }

  async *read(chunk: Buffer): AsyncGenerator<CsvRecord> {
    this.#unread.append(chunk);
    if (!this.#isInBrokenLine) {
      yield* this.#parse(chunk);
      return;
    }
    this.#skipLine();
    yield* this.#parse(this.#unread.peek());
  }

  async *finish(): AsyncGenerator<CsvRecord> {
    // A parser holds the last bytes back until it is told that no more come: what follows an error there is still to do.
    while (this.#parser !== undefined) {
      const { records, error } = await this.#parser.end();
      yield* this.#located(records);
      if (error === undefined) return;
      yield this.#broken(error);
      this.#skipLine();
      yield* this.#parse(this.#unread.peek());
    }
  }

  async *#parse(start: Buffer): AsyncGenerator<CsvRecord> {
    let bytes = start;
    while (bytes.length > 0) {
      const { records, error } = await this.#parserFor(bytes).write(bytes);
      yield* this.#located(records);
      if (error === undefined) return;
      yield this.#broken(error);
      this.#skipLine();
      bytes = this.#unread.peek();
    }
  }

  /** The rest of the line may still come. */
  #skipLine(): void {
    this.#isInBrokenLine = this.#unread.takeLine() === 'unfinished';
  }

  #parserFor(bytes: Buffer): CsvParser {
    this.#delimiter ??= delimiterOf(bytes);
    this.#parser ??= csvParser(this.#delimiter);
    return this.#parser;
  }

  *#located(records: ParsedCsv['records']): Generator<CsvRecord> {
    for (const { cells, end } of records) {
      this.#taken += this.#unread.takeBlankLines();
      const { line } = this.#unread;
      const bytes = this.#unread.take(end - this.#taken);
      this.#taken = end;
      if (!isUtf8(bytes)) {
        throw new UsageError(
          `INPUT ${this.#path} line ${line}: expected text in UTF-8, got other bytes. ` +
            'Convert the file first: iconv -f WINDOWS-1252 -t UTF-8, or export it as "CSV UTF-8".',
        );
      }
      yield { line, cells };
    }
  }

  /** What is wrong with the record that starts the unread bytes. Its parser is done for. */
  #broken(error: CsvError): BrokenCsvRecord {
    this.#parser = undefined;
    this.#taken += this.#unread.takeBlankLines();
    const lastCellEnd = Number(error['bytes']) - this.#taken;
    this.#taken = 0;
    const { line } = this.#unread;
    switch (error.code) {
      case 'INVALID_OPENING_QUOTE':
        return { line, broken: `expected a cell with quotes in it to be quoted as a whole, ${DOUBLED}` };
      case 'CSV_INVALID_CLOSING_QUOTE':
        return { line, broken: `expected a quoted cell to end with its quote, ${DOUBLED}` };
      case 'CSV_QUOTE_NOT_CLOSED':
        // Where the next record starts, nobody knows: all that follows would be lost as one bad record.
        throw new UsageError(
          `INPUT ${this.#path} line ${this.#unread.lineAt(lastCellEnd)}: expected a quote that is closed, got the end of the file. ` +
            'Close it there, or double it ("") where it belongs to the text.',
        );
      case 'CSV_MAX_RECORD_SIZE':
        throw new UsageError(
          `INPUT ${this.#path} line ${line}: expected a record of at most 64 MB, got a longer one. ` +
            'Close the quote that is opened there, or split the text.',
        );
      default:
        throw error;
    }
  }
}

const DOUBLED = 'and quotes inside it to be doubled (""), got other quotes';

function delimiterOf(start: Buffer): string {
  const header = start.toString('utf8').trimStart().split('\n', 1)[0] ?? '';
  const unquoted = header.replaceAll(/"[^"]*"/g, '');
  return DELIMITERS.find((delimiter) => unquoted.includes(delimiter)) ?? ',';
}
