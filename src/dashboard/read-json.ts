import type { IncomingMessage } from 'node:http';
import { InvalidInputError } from '../client/invalid-input-error.ts';
import { isJsonObject } from '../core/json.ts';
import type { Json, JsonObject } from '../core/json.ts';

/** More than a corrected record; less than what would be a burden. */
const MAX_BYTES = 2_000_000;

/** The JSON object in a request's body. @throws {InvalidInputError} */
export async function readJson(request: IncomingMessage): Promise<JsonObject> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw new InvalidInputError(`body: expected at most ${MAX_BYTES} bytes.`);
    chunks.push(chunk);
  }
  const value = parse(Buffer.concat(chunks).toString('utf8'));
  if (value !== undefined && isJsonObject(value)) return value;
  throw new InvalidInputError('body: expected a JSON object.');
}

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    // Said by the caller, together with other things that are no object.
    return undefined;
  }
}
