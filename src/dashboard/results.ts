import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { EXPORT_FORMATS, exportLines } from '../client/export-lines.ts';
import { InvalidInputError } from '../client/invalid-input-error.ts';
import { requireBatch } from '../client/require-batch.ts';
import { codeOf } from '../stack/error-facts.ts';
import type { DashboardContext } from './context.ts';
import { requireParameter } from './parameters.ts';

const TYPES = { jsonl: 'application/x-ndjson; charset=utf-8', csv: 'text/csv; charset=utf-8' } as const;

/** Lets a batch's results be downloaded: as they are read from the store, so that a million take no memory. */
export async function sendResults(
  { store }: DashboardContext,
  response: ServerResponse,
  parameters: URLSearchParams,
): Promise<void> {
  const batch = await requireBatch(store, requireParameter(parameters, 'batch'));
  const given = parameters.get('format') ?? 'jsonl';
  const format = EXPORT_FORMATS.find((name) => name === given);
  if (format === undefined)
    throw new InvalidInputError(`format: expected one of ${EXPORT_FORMATS.join(', ')}, got '${given}'.`);
  const name = encodeURIComponent(`${batch.id}.${format}`);
  response.writeHead(200, {
    'content-type': TYPES[format],
    'content-disposition': `attachment; filename*=UTF-8''${name}`,
  });
  const lines = exportLines({ store, batch, format, counts: { written: 0, pending: 0 } });
  try {
    await pipeline(Readable.from(lines), response);
  } catch (error) {
    // Whoever downloaded it has left.
    if (codeOf(error) !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}
