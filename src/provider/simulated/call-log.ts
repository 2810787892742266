import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { FaultKind } from './faults.ts';

/** One call, as the provider saw it. Written when the call has ended, whichever way. */
export interface CallRecord {
  /** When the request had arrived, ISO 8601. */
  readonly time: string;
  readonly durationMs: number;
  /** The caller's `X-Client-Request-Id`. */
  readonly requestId: string | null;
  readonly model: string | null;
  /** See `documentHash`. Null where the request could not be read. */
  readonly documentHash: string | null;
  /** Answers of the model in the conversation, plus one. */
  readonly attempt: number;
  /** The fault in this answer or of this call. `rpm`: turned away by the limiter; `invalid_request`: the caller's own mistake. */
  readonly fault: FaultKind | 'rpm' | 'invalid_request' | null;
  /** The fields that are wrong in this answer, as `items.0.price`. */
  readonly wrongFields: readonly string[];
  /** The HTTP status sent; null where the connection ended before one was. */
  readonly status: number | null;
  /** Whether a model's answer (status 200) went out whole, to a client that was still there. */
  readonly answered: boolean;
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** All calls together, for the provider's whole life. */
export interface CallStats {
  readonly calls: number;
  readonly answered: number;
  readonly inFlight: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly byStatus: Readonly<Record<string, number>>;
  readonly byFault: Readonly<Record<string, number>>;
  /** How often the list of models was asked for, which is no call. */
  readonly modelLists: number;
}

/** Keeps the last calls in memory, and all of them in a file. */
export interface CallLog {
  readonly records: readonly CallRecord[];
  begin(): void;
  end(record: CallRecord): void;
  /** The list of models was asked for. */
  listed(): void;
  stats(): CallStats;
  close(): void;
}

/** Opens a log. Each record is one line of JSON, handed to the operating system before `end` returns. */
export function openCallLog(file: string | null, mostInMemory: number): CallLog {
  const records: CallRecord[] = [];
  const handle = file === null ? null : openForAppending(file);
  const byStatus: Record<string, number> = {};
  const byFault: Record<string, number> = {};
  const sums = { calls: 0, answered: 0, inFlight: 0, promptTokens: 0, completionTokens: 0, modelLists: 0 };
  return {
    records,
    begin() {
      sums.inFlight += 1;
    },
    end(record) {
      sums.inFlight -= 1;
      sums.calls += 1;
      sums.answered += record.answered ? 1 : 0;
      sums.promptTokens += record.promptTokens;
      sums.completionTokens += record.completionTokens;
      countOne(byStatus, String(record.status ?? 'none'));
      countOne(byFault, record.fault ?? 'none');
      records.push(record);
      if (records.length > mostInMemory * 1.25) records.splice(0, records.length - mostInMemory);
      if (handle !== null) writeSync(handle, `${JSON.stringify(record)}\n`);
    },
    listed() {
      sums.modelLists += 1;
    },
    stats: () => ({ ...sums, byStatus: { ...byStatus }, byFault: { ...byFault } }),
    close() {
      if (handle !== null) closeSync(handle);
    },
  };
}

function openForAppending(file: string): number {
  mkdirSync(dirname(file), { recursive: true });
  return openSync(file, 'a');
}

function countOne(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1;
}
