/** What the views show: the server writes it, the browser reads it. Types only, and of nothing but `src/core`. */
import type { BatchStatus } from '../core/batch-contract.ts';
import type { Asked, OutcomeError, Problem, ProviderFailure, Repair, Usage } from '../core/contract.ts';
import type { Correction } from '../core/correction.ts';
import type { GateStatus } from '../core/gate-contract.ts';
import type { Json, JsonObject } from '../core/json.ts';
import type { MarkedPiece } from '../core/mark-problems.ts';
import type { ExtractionPage, Stats } from '../core/stats.ts';

/** Whether a Temporal server answers; without one nothing is done. */
export type ServerState = 'answers' | 'silent';

/** A batch as the dashboard shows it. */
export interface ShownBatch extends BatchStatus {
  /** Documents a second, of late; null where it does not run, or that is not known yet. */
  readonly perSecond: number | null;
}

/** `batches`: the newest ones. */
export interface BatchesData {
  readonly server: ServerState;
  readonly batches: readonly ShownBatch[];
  /** Older ones that are not among them. */
  readonly more: number;
}

/** `batch`. */
export interface BatchData {
  readonly server: ServerState;
  readonly batch: ShownBatch;
  /** Its workflow's page in the Temporal Web UI; null where that is not known. */
  readonly webUi: string | null;
  /** The gate that its calls go through; null where there is none. */
  readonly gate: GateStatus | null;
}

/** `gates`: those of all providers, with what has become of them. */
export interface GatesData {
  readonly gates: readonly {
    readonly status: GateStatus;
    /** The newest first. */
    readonly changes: readonly (GateStatus & { readonly at: number })[];
    readonly webUi: string | null;
  }[];
}

/** One attempt of an extraction. */
export interface ShownAttempt {
  readonly round: number;
  readonly attempt: number;
  /** `rejudged`: an answer of an earlier round, judged again. */
  readonly kind: 'asked' | 'rejudged';
  /** `provider/model`. */
  readonly model: string;
  /** How it was asked for, and why so; null for one that was not. */
  readonly ask: Asked | null;
  readonly mode: string;
  readonly askedAt: number;
  readonly latencyMs: number;
  readonly usage: Usage;
  /** Calls before it that brought no answer, each with the delay that followed. */
  readonly failures: readonly ProviderFailure[];
  readonly interrupted: number;
  /** Null where it was accepted. */
  readonly problem: Problem | null;
  readonly repairs: readonly Repair[];
  /** The raw answer, cut where its problems begin and end. */
  readonly answer: readonly MarkedPiece[];
  /** Of the whole answer, in characters. */
  readonly answerLength: number;
  /** Whether only its beginning is here. */
  readonly isCut: boolean;
  /** What the model was told of it; null where nothing was. */
  readonly feedback: string | null;
}

/** How an extraction ended. */
export interface ShownOutcome {
  readonly success: boolean;
  readonly stopped: string | null;
  readonly data: Json | null;
  /** Where the data was entered by hand; else null. */
  readonly correction: Correction | null;
  readonly errors: readonly OutcomeError[];
  readonly usage: Usage;
  readonly model: string;
  readonly simulated: boolean;
  /** ISO 8601. */
  readonly finishedAt: string;
}

/** `extraction`: one conversation. */
export interface ExtractionData {
  /** Null for one without a batch. */
  readonly batch: string | null;
  readonly id: string;
  readonly schema: string | null;
  readonly strategy: string | null;
  /** Null while it has none. */
  readonly outcome: ShownOutcome | null;
  /** Oldest first. */
  readonly attempts: readonly ShownAttempt[];
  readonly webUi: string | null;
}

/** `document-text`: read when somebody asks for it. */
export interface DocumentTextData {
  readonly text: string;
}

/** `overview`. */
export interface OverviewData {
  readonly stats: Stats;
}

/** `extractions`: a page of those that have ended. */
export interface ExtractionsData extends ExtractionPage {
  readonly known: Stats['known'];
}

/** `review`: what waits for a person. */
export interface ReviewsData {
  readonly waiting: readonly {
    /** `''` for one without a batch. */
    readonly batch: string;
    readonly id: string;
    readonly schema: string;
    readonly stopped: string | null;
    readonly problems: number;
    /** Epoch milliseconds; null where it waits as long as it takes. */
    readonly until: number | null;
  }[];
  /** Whether more wait than are listed. */
  readonly hasMore: boolean;
}

/** `review-one`: all that a person needs to enter the data. */
export interface ReviewData {
  readonly batch: string;
  readonly id: string;
  readonly schema: string;
  /** Null where the schema is known to the worker alone. */
  readonly jsonSchema: JsonObject | null;
  readonly text: string | null;
  readonly stopped: string | null;
  /** What the last answer said, right or wrong; null where that was no record. */
  readonly record: Json;
  readonly problem: Problem | null;
}
