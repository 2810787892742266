/** Settings that a worker has checked and resolved, so that nothing is left to defaults, registries or environments. */
import type { RoundKind } from './batch-contract.ts';
import type { BatchLearning } from './learning.ts';
import type {
  Budget,
  OnOutage,
  ResolvedMode,
  RetryConfig,
  SchemaReference,
  StrategyName,
  Transcript,
} from './contract.ts';

/** Whom a call goes to. */
export interface Route {
  readonly provider: string;
  readonly model: string;
  readonly simulated: boolean;
}

/** How a conversation stands to the gates of its providers. */
export interface PreparedGate {
  readonly onOutage: OnOutage;
  /** Where calls go while the provider's gate is open, in this order. */
  readonly fallbacks: readonly Route[];
}

/** What a model call needs to know, whatever it is for. */
export interface PreparedCall extends Route {
  readonly retry: RetryConfig;
  readonly timeoutMs: number;
  /** Whether the server has our search attributes. Absent where it has not, and in histories from before there were any. */
  readonly searchable?: true;
}

/** How answers are held to one schema. */
export interface PreparedModes {
  /** The mode of the first attempt. */
  readonly mode: ResolvedMode;
  /** Modes that hold the model more tightly, the next one first. */
  readonly stricterModes: readonly ResolvedMode[];
  /**
   * Modes that hold it less tightly, for a provider that takes none of the others. Absent where a mode was named, and in histories
   * from before there were any.
   */
  readonly weakerModes?: readonly ResolvedMode[];
}

/** An extraction's settings, checked and with every default filled in. The text stays where it is. */
export interface PreparedExtraction extends PreparedCall, PreparedModes {
  readonly schema: SchemaReference;
  readonly systemPrompt?: string;
  readonly strategy: StrategyName;
  readonly coerce: boolean;
  /** Asked in turn, after the first, where that one makes no progress. */
  readonly nextModels?: readonly Route[];
  /** Absent in histories from before there was a choice: then all of it. */
  readonly transcript?: Transcript;
  /** The most tokens the model writes in one answer, where that is known. */
  readonly maxOutputTokens?: number;
  readonly budget: Budget;
  /** Absent where gates are switched off, and in histories from before there were any. */
  readonly gate?: PreparedGate;
  /** For the whole conversation, from its first call on. */
  readonly deadlineMs?: number;
  /** Whether it waits for a person in the end, and how long; absent where it does not. */
  readonly review?: { readonly deadlineMs?: number };
  /** Whether a batch learns from first answers. Absent where that is switched off, and in histories from before it could. */
  readonly learns?: true;
}

/** A batch's settings, resolved once a round: what follows does not change with a worker's registry. */
export interface PreparedBatch {
  /** The schema by name alone: its content is in the store, under `schemaHash`. */
  readonly settings: PreparedExtraction;
  readonly schemaHash: string;
  /** For documents with a schema of their own, by its hash. */
  readonly ownSchemas: Readonly<Record<string, PreparedModes & { readonly name: string }>>;
}

/** A batch as its coordinator finds it at the beginning of a run. */
export interface OpenedBatch extends PreparedBatch {
  readonly round: number;
  readonly kind: RoundKind;
  readonly total: number;
  readonly concurrency: number;
  readonly isPaused: boolean;
  /** What its earlier runs and rounds have learnt. */
  readonly learning?: BatchLearning;
  /** What all documents together may spend. */
  readonly budget?: Budget;
}

/** A document that is still to be done in a round. */
export interface PendingDocument {
  readonly seq: number;
  /** Of its own schema, where it has one. */
  readonly schemaHash?: string;
}

/** The work of one shard. */
export interface ShardWork {
  readonly shard: number;
  readonly documents: readonly PendingDocument[];
}
