/** A batch's results as lines of a file: what `batch export` writes and the dashboard lets people download. */
import { stringify } from 'csv-stringify/sync';
import type { BatchResult } from '../core/batch-contract.ts';
import { isJsonObject } from '../core/json.ts';
import type { Json, JsonObject } from '../core/json.ts';
import type { StoredBatch } from '../store/batches.ts';
import type { Store } from '../store/open-store.ts';

/** The forms of an export. */
export const EXPORT_FORMATS = ['jsonl', 'csv'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

const LINES_TOGETHER = 500;

/** What was given so far. */
export interface ExportCounts {
  written: number;
  pending: number;
}

/** A line for each document, in input order, some hundred at once. `counts` goes along. */
export function exportLines(options: {
  readonly store: Store;
  readonly batch: StoredBatch;
  readonly format: ExportFormat;
  readonly counts: ExportCounts;
}): AsyncGenerator<string> {
  const { store, batch, format, counts } = options;
  return format === 'jsonl' ? jsonLines(store, batch.id, counts) : csvLines(store, batch, counts);
}

async function* resultsOf(
  store: Store,
  batchId: string,
  counts: ExportCounts,
): AsyncGenerator<BatchResult[]> {
  for (let afterSeq = -1; ;) {
    const page = await store.outcomes.results({ batchId, afterSeq, limit: LINES_TOGETHER });
    const last = page.at(-1);
    if (last === undefined) return;
    afterSeq = last.seq;
    counts.written += page.length;
    counts.pending += page.filter(({ stopped }) => stopped === 'pending').length;
    yield page.map(({ seq: _seq, ...result }) => result);
  }
}

async function* jsonLines(store: Store, batchId: string, counts: ExportCounts): AsyncGenerator<string> {
  for await (const page of resultsOf(store, batchId, counts)) {
    yield page.map((result) => `${JSON.stringify(result)}\n`).join('');
  }
}

/** A column for each field of the schemas' roots; what is not a plain value is JSON. */
async function* csvLines(store: Store, batch: StoredBatch, counts: ExportCounts): AsyncGenerator<string> {
  const fields = await rootFields(store, batch);
  const dataColumns = fields.length === 0 ? ['data'] : fields.map((field) => `data.${field}`);
  yield stringify([[...FIRST_COLUMNS, ...dataColumns, ...LAST_COLUMNS]]);
  for await (const page of resultsOf(store, batch.id, counts)) {
    yield stringify(page.map((result) => csvRow(result, fields)));
  }
}

const FIRST_COLUMNS = ['id', 'success', 'stopped', 'attempts', 'byHand'];
const LAST_COLUMNS = ['calls', 'promptTokens', 'completionTokens', 'costUsd', 'errors', 'metadata'];

function csvRow(result: BatchResult, fields: readonly string[]): readonly string[] {
  const { id, success, stopped, attempts, data, usage, errors, metadata, correction } = result;
  const { calls, promptTokens, completionTokens, costUsd } = usage;
  const values =
    fields.length === 0 ? [data] : fields.map((field) => (isJsonObject(data) ? (data[field] ?? null) : null));
  return [
    id,
    String(success),
    stopped ?? '',
    String(attempts),
    correction === null ? '' : (correction.by ?? 'yes'),
    ...values.map(cellOf),
    ...[calls, promptTokens, completionTokens, costUsd].map(cellOf),
    JSON.stringify(errors),
    JSON.stringify(metadata),
  ];
}

function cellOf(value: Json): string {
  if (value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** Of the batch's schema and of documents' own. Empty where one has no fields: its data is one cell. */
async function rootFields(store: Store, { id, prepared }: StoredBatch): Promise<readonly string[]> {
  const hashes = [
    ...(prepared === null ? [] : [prepared.schemaHash]),
    ...(await store.documents.schemaHashes(id)),
  ];
  const schemas = await Promise.all(hashes.map((hash) => store.schemas.read(hash)));
  const fields = schemas.map(({ jsonSchema }) => fieldsOf(jsonSchema));
  return fields.some((names) => names.length === 0) ? [] : [...new Set(fields.flat())];
}

function fieldsOf({ properties }: JsonObject): readonly string[] {
  return isJsonObject(properties) ? Object.keys(properties) : [];
}
