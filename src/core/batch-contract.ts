/**
 * The shapes of batches that cross a process boundary. All of it is plain JSON.
 * A change here changes the public contract.
 */
import type {
  Budget,
  Document,
  ExtractInput,
  OutcomeError,
  ResolvedMode,
  SchemaReference,
  StopReason,
  Usage,
} from './contract.ts';
import type { Correction } from './correction.ts';
import type { Json, JsonObject } from './json.ts';

/** The workflow id of a batch's coordinator: `batch/<id>`. */
export function batchWorkflowId(id: string): string {
  return `batch/${id}`;
}

/** The workflow id of a batch's n-th shard: `batch/<id>/<n>`, from 1. */
export function shardWorkflowId(id: string, shard: number): string {
  return `batch/${id}/${shard}`;
}

/** One document of a batch, as it is given. */
export interface BatchDocument extends Document {
  /** Goes before the batch's. */
  readonly schema?: SchemaReference;
  /** What else the input said of it: it comes back with the result. */
  readonly metadata: JsonObject;
}

/** How every document of a batch is extracted; as in the input of `extract`. */
export interface BatchSettings extends Omit<ExtractInput, 'document'> {
  /** Whether documents are told beforehand what often goes wrong in those before them. Default true. Only `adaptive` does. */
  readonly learn?: boolean;
  /**
   * What all documents together may spend, in all rounds; checked before each call, with an estimate of it. A batch that
   * has spent it is paused, and goes on with a higher one. `budget` is what each document may spend.
   */
  readonly batchBudget?: Budget;
}

/** What a batch has learnt from first answers, for the documents that it has not asked about yet. */
export interface LearntByBatch {
  /** Lines that the model is warned with: `- Field 'items[].price': expected number`. */
  readonly hints: readonly string[];
  /** Modes that documents start in rather than in the one they were to. */
  readonly modes: readonly ResolvedMode[];
  /** Models, `provider/model`, that documents begin with rather than with the one they were to. */
  readonly models: readonly string[];
  /** Modes that the provider refuses, and that no document is asked in any more. */
  readonly rejectedModes: readonly ResolvedMode[];
}

/** Of a batch's workflows and calls. Interactive extractions go first: theirs is 3, as it comes. */
export const BATCH_PRIORITY = { priorityKey: 4 } as const;

/** How many documents of a batch are in work at once, where nobody says. */
export const DEFAULT_CONCURRENCY = 50;
/** More would need more workers than a batch has any use for. */
export const MAX_CONCURRENCY = 10_000;

/** What is wrong with a concurrency; undefined where nothing is. */
export function concurrencyProblem(concurrency: number): string | undefined {
  if (Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= MAX_CONCURRENCY) return undefined;
  return `concurrency: expected a whole number from 1 to ${MAX_CONCURRENCY}, got ${JSON.stringify(concurrency)}.`;
}

/**
 * What a round of a batch is for. `first`: documents without an outcome. `failed`: those that were not extracted.
 * `rejudge`: all of them, by another schema: stored answers first, calls only for those that do not pass.
 */
export type RoundKind = 'first' | 'failed' | 'rejudge';

/** Where a batch stands. `failed`: its workflow was terminated or failed; what was done is kept. */
export type BatchState = 'running' | 'paused' | 'completed' | 'cancelled' | 'failed';

/** What `batch status --json` prints. */
export interface BatchStatus extends Usage {
  readonly id: string;
  readonly state: BatchState;
  readonly total: number;
  readonly succeeded: number;
  /** Not extracted, each with its reasons in the export. */
  readonly failed: number;
  /** To be done in this round; those in work count. */
  readonly pending: number;
  /** Of the failed ones, those that wait for a person. */
  readonly inReview: number;
  /** Of the pending ones, those with a rejected answer. */
  readonly retrying: number;
  /** 1, and one more for each `retry-failed` and `rejudge`. */
  readonly round: number;
  readonly concurrency: number;
  /** What all documents together may spend; null without a limit. */
  readonly budget: Budget | null;
  /** Why it is paused, where no person did it: its budget does not cover the next call. */
  readonly pausedFor: 'budget' | null;
  /** Null where nothing was learnt, or learning is switched off. */
  readonly learnt: LearntByBatch | null;
  readonly schema: string;
  readonly model: string | null;
  /** Whether the simulated provider answers; null before the batch was prepared. */
  readonly simulated: boolean | null;
  /** ISO 8601. */
  readonly createdAt: string;
  /** When it was completed or cancelled; ISO 8601. */
  readonly finishedAt: string | null;
}

/** One line of an export, in input order. */
export interface BatchResult<T = Json> {
  readonly id: string;
  readonly success: boolean;
  readonly data: T | null;
  /** Where it was not extracted: what was valid of the last answer; else null. */
  readonly partial: Json | null;
  /** Answers that were judged, in the round that gave this outcome. */
  readonly attempts: number;
  /** Of that round, too. */
  readonly errors: readonly OutcomeError[];
  /** In all rounds: the sum of all documents is what the batch's status tells. */
  readonly usage: Usage;
  /** `pending` where the document has no outcome yet. */
  readonly stopped: StopReason | 'pending' | null;
  /** Where the data was entered by hand; else null. */
  readonly correction: Correction | null;
  readonly metadata: JsonObject;
}
