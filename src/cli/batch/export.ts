import { createWriteStream, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { stringify } from 'csv-stringify/sync';
import { requireBatch } from '../../client/require-batch.ts';
import type { BatchResult } from '../../core/batch-contract.ts';
import { isJsonObject } from '../../core/json.ts';
import type { Json, JsonObject } from '../../core/json.ts';
import type { StoredBatch } from '../../store/batches.ts';
import type { Store } from '../../store/open-store.ts';
import { EXIT, UsageError } from '../exit-codes.ts';
import { note } from '../output.ts';
import { withStore } from '../with-store.ts';
import { grouped } from './progress-line.ts';

/** The options of `batch export`, as they are typed. */
export interface ExportFlags {
  readonly out?: string;
  readonly format?: string;
}

const FORMATS = ['jsonl', 'csv'] as const;
type Format = (typeof FORMATS)[number];

const LINES_TOGETHER = 500;

/** `batch export ID --out FILE`: a line for each document, in input order. Needs the store alone, and starts nothing. */
export async function exportCommand(id: string, flags: ExportFlags): Promise<number> {
  const out = readOut(flags.out);
  const format = readFormat(flags.format, out);
  return withStore(async (store) => {
    const batch = await requireBatch(store, id);
    const counts = { written: 0, pending: 0 };
    const lines = format === 'jsonl' ? jsonLines(store, id, counts) : csvLines(store, batch, counts);
    await writeOut(out, lines);
    const pending = counts.pending === 0 ? '' : `, ${grouped(counts.pending)} of them still pending`;
    note(`${grouped(counts.written)} documents written to ${out === '-' ? 'stdout' : out}${pending}`);
    return EXIT.done;
  });
}

interface Counts {
  written: number;
  pending: number;
}

async function* resultsOf(store: Store, batchId: string, counts: Counts): AsyncGenerator<BatchResult[]> {
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

async function* jsonLines(store: Store, batchId: string, counts: Counts): AsyncGenerator<string> {
  for await (const page of resultsOf(store, batchId, counts)) {
    yield page.map((result) => `${JSON.stringify(result)}\n`).join('');
  }
}

/** A column for each field of the schemas' roots; what is not a plain value is JSON. */
async function* csvLines(store: Store, batch: StoredBatch, counts: Counts): AsyncGenerator<string> {
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

async function writeOut(out: string, lines: AsyncGenerator<string>): Promise<void> {
  if (out === '-') {
    for await (const text of lines) {
      if (!process.stdout.write(text)) await new Promise((resolve) => process.stdout.once('drain', resolve));
    }
    return;
  }
  try {
    await writeFileAt(out, lines);
  } catch (error) {
    const problem = fileProblem(error);
    if (problem === undefined) throw error;
    throw new UsageError(`--out: expected a file that can be written, got '${out}': ${problem}.`, {
      cause: error,
    });
  }
}

/** It appears when it is whole, or not at all. */
async function writeFileAt(path: string, lines: AsyncGenerator<string>): Promise<void> {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UsageError(
      `--out: expected a file, got '${path}', which is a folder. Name a file in it: --out ${join(path, 'results.jsonl')}`,
    );
  }
  mkdirSync(dirname(path), { recursive: true });
  const unfinished = `${path}.${process.pid}.unfinished`;
  try {
    await pipeline(Readable.from(lines), createWriteStream(unfinished));
    renameSync(unfinished, path);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
}

const FILE_CALLS = new Set(['stat', 'mkdir', 'open', 'write', 'close', 'rename']);

/** What a file could not be written for (`EACCES: permission denied`), without names that nobody gave; undefined for other errors. */
function fileProblem(error: unknown): string | undefined {
  if (!(error instanceof Error && 'syscall' in error)) return undefined;
  const call = String(error.syscall);
  return FILE_CALLS.has(call) ? error.message.split(`, ${call}`)[0] : undefined;
}

function readOut(given: string | undefined): string {
  if (given) return given;
  throw new UsageError('batch export: expected --out FILE, got none. Give a file, or - for standard output.');
}

/** By `--format`, else by the file's ending. */
function readFormat(given: string | undefined, out: string): Format {
  if (given === undefined) return out.toLowerCase().endsWith('.csv') ? 'csv' : 'jsonl';
  const format = FORMATS.find((name) => name === given);
  if (format !== undefined) return format;
  throw new UsageError(`--format: expected one of ${FORMATS.join(', ')}, got '${given}'. Use one of them.`);
}
