import { MAX_ENTRY_BYTES } from './max-entry-bytes.ts';

/** One line, without its end; `bytes` is `undefined` where it is longer than what is taken. */
export interface Line {
  /** From 1. */
  readonly line: number;
  readonly bytes: Buffer | undefined;
}

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Splits bytes into lines (`\n` or `\r\n`). Keeps one line in memory, and no more of it than the limit. */
export async function* splitLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Line> {
  let line = 1;
  let parts: Buffer[] = [];
  let length = 0;
  const add = (part: Buffer): void => {
    length += part.length;
    if (length > MAX_ENTRY_BYTES) parts = [];
    else parts.push(part);
  };
  const finished = (): Line => {
    const bytes = length > MAX_ENTRY_BYTES ? undefined : Buffer.concat(parts);
    parts = [];
    length = 0;
    return { line: line++, bytes: bytes?.at(-1) === CARRIAGE_RETURN ? bytes.subarray(0, -1) : bytes };
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      add(chunk.subarray(start, end));
      yield finished();
      start = end + 1;
    }
    add(chunk.subarray(start));
  }
  if (length > 0) yield finished();
}
