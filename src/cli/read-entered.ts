import type { Json } from '../core/json.ts';
import { locateSyntaxError } from '../core/locate-syntax-error.ts';
import { UsageError } from './exit-codes.ts';

/** `--data JSON`. @throws {UsageError} */
export function readEntered(given: string): Json {
  try {
    return JSON.parse(given) as Json;
  } catch (error) {
    const found = locateSyntaxError(given);
    const where = found === undefined ? '' : `: ${found.message} at character ${found.offset + 1}`;
    throw new UsageError(
      `--data: expected JSON in the document's schema, got '${given.slice(0, 200)}'${where}.`,
      {
        cause: error,
      },
    );
  }
}
