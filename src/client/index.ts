/** The package's main export: the client and the shapes it gives and takes. */
export { DurableExtract } from './durable-extract.ts';
export type {
  BatchOptions,
  DataOf,
  ExtractHandle,
  ExtractOptions,
  GivenDocument,
  SchemaOption,
} from './durable-extract.ts';
export { BatchHandle } from './batch-handle.ts';
export type { GateHandle } from './gates.ts';
export { InvalidInputError } from './invalid-input-error.ts';
export { StoreError } from '../store/store-errors.ts';
export { DEFAULT_RETRY } from '../core/contract.ts';
export type { BatchResult, BatchState, BatchStatus, LearntByBatch } from '../core/batch-contract.ts';
export type { GateStateName, GateStatus, ResetInput, TripInput } from '../core/gate-contract.ts';
export type { ProblemCount, ProblemExample, Stats, StatsFilter, StatsSpan } from '../core/stats.ts';
export type {
  Budget,
  ChatMessage,
  Completion,
  ConversationState,
  Fault,
  Mode,
  OnOutage,
  Outcome,
  OutcomeError,
  ProblemDetail,
  ProviderFailure,
  RejectedAnswer,
  Repair,
  RetryConfig,
  StopReason,
  StrategyName,
  Turn,
  Usage,
  Verdict,
} from '../core/contract.ts';
export type { Correction, OnExhausted } from '../core/correction.ts';
export type { Review } from '../store/reviews.ts';
