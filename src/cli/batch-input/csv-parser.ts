import { CsvError, Parser } from 'csv-parse';
import { MAX_ENTRY_BYTES } from './max-entry-bytes.ts';

/** What a piece of a CSV file completed. */
export interface ParsedCsv {
  readonly records: readonly ParsedRecord[];
  /** After it, the parser takes no more. */
  readonly error: CsvError | undefined;
}

/** One record. */
export interface ParsedRecord {
  readonly cells: readonly string[];
  /** Where it ends, with its line end: bytes that the parser was given until then. */
  readonly end: number;
}

/** A parser of RFC 4180 that is given a file piece by piece. */
export interface CsvParser {
  write(bytes: Buffer): Promise<ParsedCsv>;
  end(): Promise<ParsedCsv>;
}

/**
 * Makes a parser. Records may have any number of cells. It does not report lines: csv-parse (7.0.3) counts a `\r\n`
 * inside a cell as two.
 */
export function csvParser(delimiter: string): CsvParser {
  let records: ParsedRecord[] = [];
  const parser = new Parser({
    delimiter,
    record_delimiter: ['\r\n', '\n'],
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: MAX_ENTRY_BYTES,
    on_record: (cells: string[], { bytes }) => {
      records.push({ cells, end: bytes });
      // Nothing goes to the stream's other end, so that nothing waits there to be read.
      return null;
    },
  });
  // Errors are given to the callbacks of `write` and `end` as well.
  parser.on('error', () => {});
  const parsed = (error: Error | null | undefined): ParsedCsv => {
    if (error && !(error instanceof CsvError)) throw error;
    const found = { records, error: error ?? undefined };
    records = [];
    return found;
  };
  return {
    write: async (bytes) =>
      parsed(await new Promise<Error | null | undefined>((done) => parser.write(bytes, done))),
    end: async () => parsed(await new Promise<Error | null | undefined>((done) => parser.end(done))),
  };
}
