/** What a batch's workflows take and tell each other. */
import type { BatchSettings, BatchState, RoundKind } from './batch-contract.ts';
import type { Budget } from './contract.ts';
import type { BatchLearning, Learnt, Lessons } from './learning.ts';
import type { OpenedBatch, PendingDocument } from './prepared.ts';
import type { ShardSlots } from './slots.ts';

/** What the `batch` workflow takes; `carried` only from its own earlier run. */
export interface BatchInput {
  readonly id: string;
  /** To begin where its settings are right; where they are not, the batch stays as it is. Without one, it goes on. */
  readonly next?: NextRound | undefined;
  readonly carried?: CarriedBatch;
}

/** A round that is asked for. */
export interface NextRound {
  readonly round: number;
  readonly kind: RoundKind;
  readonly settings: BatchSettings;
}

/** What the coordinator hands on when it continues as new. */
export interface CarriedBatch {
  readonly opened: OpenedBatch;
  readonly concurrency: number;
  readonly isPaused: boolean;
  readonly afterSeq: number;
  readonly isAllOpened: boolean;
  readonly pass: number;
  readonly givenBack: readonly PendingDocument[];
  readonly shards: readonly ShardSlots[];
  readonly recorded: Recorded;
  /** Absent where nothing was learnt. */
  readonly learning?: BatchLearning;
  readonly budget?: Budget;
  /** How long calls take, in milliseconds; absent where no shard has said so. */
  readonly callMs?: number;
}

/** Outcomes written, by how they ended. */
export interface Recorded {
  readonly succeeded: number;
  readonly failed: number;
}

/** What the `batch` workflow returns: what its last round came to. The whole truth is in the store. */
export interface BatchSummary extends Recorded {
  readonly id: string;
  readonly state: Extract<BatchState, 'completed' | 'cancelled'>;
  readonly round: number;
}

/** What the query `progress` of a batch gives. */
export interface BatchProgress extends Recorded {
  readonly state: Extract<BatchState, 'running' | 'paused' | 'completed' | 'cancelled'>;
  readonly round: number;
  readonly concurrency: number;
  readonly shards: readonly ShardSlots[];
}

/** What the `shard` workflow takes. */
export interface ShardInput {
  readonly batch: string;
  readonly shard: number;
  readonly opened: OpenedBatch;
  readonly documents: readonly PendingDocument[];
  /** Documents in work at once, until the coordinator says another number. */
  readonly limit: number;
  /** What earlier documents have taught, until the coordinator says more. */
  readonly lessons?: Lessons;
  /** How long calls took in earlier shards, in milliseconds; absent in the first. */
  readonly callMs?: number;
}

/** What a shard tells its coordinator. */
export interface ShardReport {
  readonly shard: number;
  /** The slots it can still use; null as long as documents wait. */
  readonly wants: number | null;
  /** Documents it leaves to others. */
  readonly givenBack: readonly PendingDocument[];
  /** Since its last report. */
  readonly recorded: Recorded;
  readonly hasEnded: boolean;
  /** What it has counted since its last report; absent where it has counted nothing. */
  readonly learnt?: Learnt;
  /** The budget that did not cover a call. */
  readonly exceeded?: Budget;
  /** How long calls take, in milliseconds; absent before any has ended. */
  readonly callMs?: number;
  /** The answer to `drain`: no call is under way, and every outcome is written. */
  readonly isDrained?: true;
}

/** What the query `progress` of a shard gives. */
export interface ShardProgress {
  readonly documents: number;
  readonly inWork: number;
  readonly retrying: number;
  readonly done: number;
}
