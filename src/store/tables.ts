/**
 * The store's tables, as queries see them. The same in SQLite and in PostgreSQL: JSON is text, times are epoch
 * milliseconds, truth is 0 or 1.
 */
import type { GateStateName } from '../core/gate-contract.ts';

/** JSON text: `\u0000` and lone surrogates are escaped in it, which PostgreSQL's `jsonb` does not take. */
export type JsonText = string;

export interface SchemasTable {
  /** Of name and JSON Schema; see `schemaHash`. */
  readonly hash: string;
  readonly name: string;
  readonly json_schema: JsonText;
}

export interface BatchesTable {
  readonly id: string;
  /** Of the documents and of what decides how they are extracted. Null while they are being read. */
  readonly input_hash: string | null;
  readonly state: 'loading' | 'running' | 'paused' | 'completed' | 'cancelled';
  readonly round: number;
  readonly round_kind: 'first' | 'failed' | 'rejudge';
  readonly total: number;
  readonly concurrency: number;
  /** `BatchSettings`, as given. */
  readonly settings: JsonText;
  /** `Budget`: what all rounds may spend from now on; null without a limit. */
  readonly budget: JsonText | null;
  /** Why it is paused, where no person did it. */
  readonly paused_for: 'budget' | null;
  /** `PreparedBatch`: the settings checked and resolved by a worker, once a round. */
  readonly prepared: JsonText | null;
  /** `BatchLearning`: what first answers have taught; null where that is nothing. */
  readonly learnt: JsonText | null;
  /** Who reads the documents in; null once they are all there. */
  readonly loader: string | null;
  /** The number of the shard that is started next. */
  readonly next_shard: number;
  readonly created_at: number;
  readonly finished_at: number | null;
}

/** One document of a batch. Key: batch and `seq` (its place in the input, from 0); ids are unique in a batch. */
export interface DocumentsTable {
  readonly batch_id: string;
  readonly seq: number;
  readonly id: string;
  readonly text: string;
  readonly metadata: JsonText;
  /** Where it stood in the input, for people: `docs.jsonl line 17`. */
  readonly place: string;
  /** Why it cannot be extracted from; null where it can. */
  readonly bad: string | null;
  /** A schema of its own: by name, until the batch is prepared, and by hash. */
  readonly schema_name: string | null;
  readonly schema_hash: string | null;
}

/** One answer of the model. Key: batch, document, round, attempt. */
export interface AttemptsTable {
  readonly batch_id: string;
  readonly document_id: string;
  readonly round: number;
  readonly attempt: number;
  /** `asked`: the model was called for it. `rejudged`: an answer of an earlier round, judged again. */
  readonly kind: 'asked' | 'rejudged';
  /** `accepted`, or the problem's type. */
  readonly verdict: string;
  readonly problem: JsonText | null;
  readonly data: JsonText | null;
  readonly repairs: JsonText;
  /** The raw answer. */
  readonly answer: string;
  /** Of the call that brought it: `X-Client-Request-Id`. */
  readonly request_id: string;
  readonly schema_name: string;
  readonly provider: string;
  readonly model: string;
  readonly mode: string;
  /** How it was asked for, and why so. */
  readonly ask: JsonText | null;
  readonly finish: string;
  /** This call, and the failed and interrupted ones before it. */
  readonly calls: number;
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  /** US dollars; null where the price is not known. */
  readonly cost_usd: number | null;
  /** The provider failures before it. */
  readonly failures: JsonText;
  readonly interrupted: number;
  readonly latency_ms: number;
  readonly asked_at: number;
}

/** How an extraction ended. Key: batch and document; a later round's replaces an earlier one's. */
export interface OutcomesTable {
  readonly batch_id: string;
  readonly document_id: string;
  readonly round: number;
  readonly success: number;
  readonly stopped: string | null;
  readonly attempts: number;
  /** The attempt whose data it is. */
  readonly accepted_attempt: number | null;
  /** `OutcomeError[]`. */
  readonly errors: JsonText;
  readonly calls: number;
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly cost_usd: number | null;
  /** Of `calls`, those that no row of `attempts` counts: of an attempt that got no answer. */
  readonly unanswered_calls: number;
  readonly schema_name: string;
  readonly strategy: string;
  readonly model: string;
  readonly simulated: number;
  /** Where it waits for a person: until when. */
  readonly review_until: number | null;
  /** What was entered by hand, and by whom: `Correction` with its `data`. It goes before an attempt's. */
  readonly correction: JsonText | null;
  readonly finished_at: number;
}

/** A count, by minute, hour and day. Key: all up to `slot`. See tallies.ts. */
export interface TalliesTable {
  /** How long a span it counts. */
  readonly grain_ms: number;
  /** When the span begins. */
  readonly at: number;
  /**
   * `answer`: a = attempt, b = accepted, rejected or incomplete. `spend`: calls and tokens beside answers. `problem`:
   * a = kind, b = path. `failure`: a = type. `latency`: a = bucket. `outcome`: a = attempts, b = why it gave up, or `''`.
   */
  readonly fact: 'answer' | 'spend' | 'problem' | 'failure' | 'latency' | 'outcome';
  readonly a: string;
  readonly b: string;
  readonly schema_name: string;
  /** `provider/model`. */
  readonly model: string;
  readonly batch_id: string;
  /** Which writer's: rows that differ in nothing else are to be added up. */
  readonly slot: number;
  readonly n: number;
  readonly calls: number;
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly cost_usd: number;
  /** Answers whose price is not known. */
  readonly unpriced: number;
  /** Of a problem: when it was met last (15 digits), and the answer's key as JSON. */
  readonly newest: string;
}

/** A problem that the latest outcome of an extraction tells of. Key: batch, document, problem. */
export interface OutcomeProblemsTable {
  readonly batch_id: string;
  readonly document_id: string;
  /** `kind`, and once more as `kind path`. */
  readonly problem: string;
  readonly finished_at: number;
  readonly schema_name: string;
  readonly model: string;
  readonly success: number;
}

/** A change of a gate: of its state, or of the rate it allows. Key: provider and time. */
export interface GateChangesTable {
  readonly provider: string;
  readonly at: number;
  readonly state: GateStateName;
  readonly reason: string;
  readonly since: number;
  /** When it does something by itself. */
  readonly until_at: number | null;
  /** Null without a limit. */
  readonly calls_per_second: number | null;
}

/** All of them. */
export interface Tables {
  /** The last change of each gate. Key: provider. */
  readonly gates: GateChangesTable;
  readonly gate_changes: GateChangesTable;
  readonly schemas: SchemasTable;
  readonly batches: BatchesTable;
  readonly documents: DocumentsTable;
  readonly attempts: AttemptsTable;
  readonly outcomes: OutcomesTable;
  readonly tallies: TalliesTable;
  readonly outcome_problems: OutcomeProblemsTable;
}
