import { createReadStream } from 'node:fs';
import { messageOf } from '../../stack/error-facts.ts';
import { UsageError } from '../exit-codes.ts';

const UTF8_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
/** In this order and the other one. */
const UTF16_MARKS = [Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])];

/**
 * The bytes of a file in chunks, each read when it is asked for, without the byte order mark of UTF-8.
 *
 * @throws {UsageError} where the file cannot be read, or says that it is UTF-16.
 */
export async function* readBytes(path: string): AsyncGenerator<Buffer> {
  let isStart = true;
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      yield isStart ? withoutMark(chunk, path) : chunk;
      isStart = false;
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(
      `INPUT: expected a file that can be read, got '${path}': ${messageOf(error)}. Check its permissions.`,
    );
  }
}

function withoutMark(start: Buffer, path: string): Buffer {
  if (UTF16_MARKS.some((mark) => start.subarray(0, 2).equals(mark))) {
    throw new UsageError(
      `INPUT ${path}: expected text in UTF-8, got UTF-16. Convert it first: iconv -f UTF-16 -t UTF-8.`,
    );
  }
  return start.subarray(0, 3).equals(UTF8_MARK) ? start.subarray(3) : start;
}
