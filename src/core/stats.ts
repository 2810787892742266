/** The figures of the dashboard and of `stats --json`. All of it is plain JSON. */
import type { ProviderFailureType, StopReason, Usage } from './contract.ts';

/** What figures are asked for. Without a field: all. */
export interface StatsFilter {
  /** Epoch milliseconds, taken down to the whole minute. */
  readonly since?: number;
  /** Epoch milliseconds, taken up to the whole minute; what happened then is left out. */
  readonly until?: number;
  readonly schema?: string;
  /** `provider/model`. */
  readonly model?: string;
  /** `''`: extractions without a batch. */
  readonly batch?: string;
}

/** One answer that had a problem: enough to find its conversation. */
export interface ProblemExample {
  /** `''` for an extraction without a batch. */
  readonly batch: string;
  readonly document: string;
  readonly round: number;
  readonly attempt: number;
  /** What was wrong; null where the answer is no longer in the store. */
  readonly message: string | null;
}

/** How often answers had a problem. An answer counts once for each `kind` and `path`. */
export interface ProblemCount {
  /** `missing`, `wrong_type`, `unknown_field` or `constraint` of a field; else the problem's type (`json_error`, …). */
  readonly kind: string;
  /** Array indices are left out: `items[].price`. `''` is the whole answer. */
  readonly path: string;
  readonly count: number;
  /** The newest. */
  readonly example: ProblemExample | null;
}

/** What `stats` gives. Outcomes count by when they finished, answers and calls by when they were asked for. */
export interface Stats extends Usage {
  /** The range that was counted: whole minutes, ISO 8601. Null: without a limit. */
  readonly since: string | null;
  readonly until: string | null;
  /** Documents with an outcome, the latest of each; those of batches and single ones. */
  readonly extractions: number;
  readonly succeeded: number;
  /** `succeeded / extractions`; null without any. So are all shares. */
  readonly successRate: number | null;
  /** Answers judged for each extraction, in the round that gave its outcome. */
  readonly averageAttempts: number | null;
  /** Extractions that succeeded with their first answer, of all. */
  readonly firstTryRate: number | null;
  // `calls` (of Usage): every request that reached the provider, failed ones too. `costUsd`: null where any price is not known.
  /** Calls that ended in a rejected answer or in none. One part of a record given in parts is no waste. */
  readonly wastedCalls: number;
  /** `wastedCalls / calls`. */
  readonly wastedShare: number | null;
  /** By how many answers were judged; in order. */
  readonly attemptsHistogram: readonly {
    readonly attempts: number;
    readonly extractions: number;
    readonly succeeded: number;
  }[];
  /** What a further attempt is worth: of the answers to attempt `attempt`, how many were accepted. In order. */
  readonly successByAttempt: readonly {
    readonly attempt: number;
    readonly answers: number;
    readonly accepted: number;
    readonly share: number;
  }[];
  /** Most frequent first, at most {@link MOST_PROBLEMS}. */
  readonly errors: readonly ProblemCount[];
  /** Calls that brought no answer; most frequent first. */
  readonly providerFailures: readonly { readonly type: ProviderFailureType; readonly count: number }[];
  /** What happened when, in equal spans of time; empty spans are left out. */
  readonly overTime: {
    readonly spanMs: number;
    readonly spans: readonly StatsSpan[];
  };
  /** Of answered calls; within 5 %. Null without any. */
  readonly latency: { readonly p50Ms: number | null; readonly p95Ms: number | null };
  /** Why extractions gave up; most frequent first. */
  readonly stoppedReasons: readonly { readonly reason: StopReason; readonly count: number }[];
  /** What can be filtered by. */
  readonly known: {
    readonly schemas: readonly string[];
    readonly models: readonly string[];
    /** Newest first, at most {@link MOST_BATCHES}. */
    readonly batches: readonly string[];
  };
}

/** One span of time. */
export interface StatsSpan {
  /** When it begins; ISO 8601. */
  readonly at: string;
  readonly extractions: number;
  readonly succeeded: number;
  readonly calls: number;
  /** Of all types. */
  readonly providerFailures: number;
  readonly failuresByType: readonly { readonly type: ProviderFailureType; readonly count: number }[];
}

export const MOST_PROBLEMS = 100;
export const MOST_BATCHES = 200;

/** What extractions are listed by. Without a field: all. */
export interface ExtractionsFilter extends StatsFilter {
  /** A problem's `kind`, or a provider failure's type, that was met in the round that gave the outcome. */
  readonly kind?: string;
  /** With `kind` only: `items[].price`. */
  readonly path?: string;
  readonly outcome?: 'succeeded' | 'failed';
}

/** One line of the list of extractions. */
export interface ExtractionRow {
  readonly batch: string;
  readonly document: string;
  readonly round: number;
  readonly success: boolean;
  readonly stopped: StopReason | null;
  readonly attempts: number;
  readonly schema: string;
  /** `provider/model` that was asked last. */
  readonly model: string;
  /** ISO 8601. */
  readonly finishedAt: string;
}

/** A page of extractions, newest first. */
export interface ExtractionPage {
  readonly extractions: readonly ExtractionRow[];
  /** What to give for the page after this one; null where this is the last. */
  readonly next: string | null;
}
