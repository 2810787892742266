/** The package's main export: the client and the shapes it gives and takes. */
export { DurableExtract } from './durable-extract.ts';
export type { DataOf, ExtractHandle, ExtractOptions, SchemaOption } from './durable-extract.ts';
export { InvalidInputError } from './invalid-input-error.ts';
export { DEFAULT_RETRY } from '../core/contract.ts';
export type {
  Budget,
  ChatMessage,
  Completion,
  ConversationState,
  Mode,
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
} from '../core/contract.ts';
