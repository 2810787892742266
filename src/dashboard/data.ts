/** What the views show: the server writes it, the browser reads it. Types only, and of nothing but `src/core`. */
import type { BatchStatus } from '../core/batch-contract.ts';
import type { GateStatus } from '../core/gate-contract.ts';

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
