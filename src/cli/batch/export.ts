import { createWriteStream, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { EXPORT_FORMATS, exportLines } from '../../client/export-lines.ts';
import type { ExportFormat } from '../../client/export-lines.ts';
import { requireBatch } from '../../client/require-batch.ts';
import { EXIT, UsageError } from '../exit-codes.ts';
import { note } from '../output.ts';
import { withStore } from '../with-store.ts';
import { grouped } from '../../core/grouped.ts';

/** The options of `batch export`, as they are typed. */
export interface ExportFlags {
  readonly out?: string;
  readonly format?: string;
}

/** `batch export ID --out FILE`: a line for each document, in input order. Needs the store alone, and starts nothing. */
export async function exportCommand(id: string, flags: ExportFlags): Promise<number> {
  const out = readOut(flags.out);
  const format = readFormat(flags.format, out);
  return withStore(async (store) => {
    const batch = await requireBatch(store, id);
    const counts = { written: 0, pending: 0 };
    await writeOut(out, exportLines({ store, batch, format, counts }));
    const pending = counts.pending === 0 ? '' : `, ${grouped(counts.pending)} of them still pending`;
    note(`${grouped(counts.written)} documents written to ${out === '-' ? 'stdout' : out}${pending}`);
    return EXIT.done;
  });
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
function readFormat(given: string | undefined, out: string): ExportFormat {
  if (given === undefined) return out.toLowerCase().endsWith('.csv') ? 'csv' : 'jsonl';
  const format = EXPORT_FORMATS.find((name) => name === given);
  if (format !== undefined) return format;
  throw new UsageError(
    `--format: expected one of ${EXPORT_FORMATS.join(', ')}, got '${given}'. Use one of them.`,
  );
}
