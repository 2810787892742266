/**
 * The shapes that cross a process boundary: what workflows take and return.
 * All of it is plain JSON, so that clients in any language can write and read it.
 * A change here changes the public contract.
 */
import type { Correction, OnExhausted } from './correction.ts';
import type { Json, JsonObject } from './json.ts';

/** The task queue on which workflows run. Model calls run on {@link providerTaskQueue}. */
export const WORKFLOW_TASK_QUEUE = 'durable-extract';

/** The task queue of one provider's model calls: `llm-<provider>`. */
export function providerTaskQueue(provider: string): string {
  return `llm-${provider}`;
}

/** The batch, in the store, of what belongs to none: single extractions. */
export const NO_BATCH = '';

/** The workflow id of an extraction: `extract/<id>`. */
export function extractWorkflowId(id: string): string {
  return `extract/${id}`;
}

/** The workflow id of a completion: `complete/<id>`. */
export function completeWorkflowId(id: string): string {
  return `complete/${id}`;
}

/** The text to extract from. `id` names the extraction, and is the key of idempotency. */
export interface Document {
  readonly id: string;
  readonly text: string;
}

/** A document of a batch, by its place: the text stays in the store. */
export interface DocumentReference {
  readonly id: string;
  readonly batch: string;
  /** From 0, in the order of the batch's input. */
  readonly seq: number;
}

/** A schema by the name it is registered under in the worker, or inline as JSON Schema 2020-12. */
export interface SchemaReference {
  readonly name: string;
  readonly jsonSchema?: JsonObject;
}

/** How the next attempt follows from the attempts before. */
export const STRATEGIES = ['basic', 'feedback', 'adaptive'] as const;
export type StrategyName = (typeof STRATEGIES)[number];

/** How the model is held to JSON. `auto` takes the strictest that schema and provider take. */
export const MODES = ['auto', 'json_object', 'json_schema', 'tool'] as const;
export type Mode = (typeof MODES)[number];

/** `prompt` is what `auto` falls back to where a schema's root is not an object: no response format takes those. */
export type ResolvedMode = Exclude<Mode, 'auto'> | 'prompt';

/**
 * Every knob of a retry. Provider failures (rate limits, connection errors) and rejected answers
 * have budgets of their own: worst case `maxAttempts * (1 + maxProviderRetries)` calls.
 */
export interface RetryConfig {
  /** Answers of the model that are judged, at most. Default 3. */
  readonly maxAttempts: number;
  /** Whether a rejected answer is asked for again. Default true. */
  readonly retryOnValidationError: boolean;
  /** Further calls after a provider failure, for each attempt. Default 8. */
  readonly maxProviderRetries: number;
  /** The first backoff delay. Default 1000. */
  readonly baseDelayMs: number;
  /** The longest backoff delay. Default 60000. Does not bound `Retry-After`: see `maxRetryAfterMs`. */
  readonly maxDelayMs: number;
  /** Factor from one backoff delay to the next. Default 2. */
  readonly exponentialBase: number;
  /** Whether a delay is drawn at random from its upper half, so that callers do not return together. Default true. */
  readonly jitter: boolean;
  /** The longest `Retry-After` that is honoured; a longer one is clamped to this. Default 3600000 (an hour). */
  readonly maxRetryAfterMs: number;
}

/** The documented defaults of {@link RetryConfig}. */
export const DEFAULT_RETRY: RetryConfig = {
  maxAttempts: 3,
  retryOnValidationError: true,
  maxProviderRetries: 8,
  baseDelayMs: 1_000,
  maxDelayMs: 60_000,
  exponentialBase: 2,
  jitter: true,
  maxRetryAfterMs: 3_600_000,
};

/** Workers that may be lost in the middle of an attempt's calls: they cost no retry, but a document that kills every worker must end some time. */
export const WORKER_LOSSES = 10;

/** Of the failure that ends an attempt whose workers were lost too often. */
export const LOST_CALL_MESSAGE = 'the call was lost again and again: its workers ended, or it took too long';

/** What an extraction may spend. Checked before each call, with an estimate of that call. */
export interface Budget {
  /** Prompt and completion tokens of all calls together. */
  readonly maxTokens?: number;
  /** US dollars of all calls together. Needs a model whose price is known. */
  readonly maxCostUsd?: number;
}

/** What a conversation does while its provider's circuit is open: wait as long as it takes, or answer at once. */
export const ON_OUTAGE = ['wait', 'fail'] as const;
export type OnOutage = (typeof ON_OUTAGE)[number];

/** `last`: the last bad answer and its feedback, so that cost grows linearly with attempts. `full`: all of them. */
export const TRANSCRIPTS = ['last', 'full'] as const;
export type Transcript = (typeof TRANSCRIPTS)[number];

/** What the `extract` workflow takes. */
export interface ExtractInput {
  readonly document: Document | DocumentReference;
  readonly schema: SchemaReference;
  /** Replaces the built-in instructions; the schema and the document are still added. */
  readonly systemPrompt?: string;
  /** `model` or `provider/model`. Default: the worker's. */
  readonly model?: string;
  /** Default `adaptive`. */
  readonly strategy?: StrategyName;
  /** Models that are asked in turn once `model` makes the same mistake whatever it is told; each as `model`. Only `adaptive` does. */
  readonly models?: readonly string[];
  /** Default `auto`. */
  readonly mode?: Mode;
  /** How much of the conversation the model is shown. Default: `last` for `adaptive`, `full` for `feedback`. */
  readonly transcript?: Transcript;
  /** Lossless type coercion (`"30"` → 30), reported as a repair. Default true. */
  readonly coerce?: boolean;
  readonly retry?: Partial<RetryConfig>;
  readonly budget?: Budget;
  /** Default `wait`: an outage costs time, and no attempt. */
  readonly onOutage?: OnOutage;
  /** How long it may take in all, waiting included, in milliseconds. Without it: as long as it takes. */
  readonly deadlineMs?: number;
  /**
   * Default `fail`. `review`: where the answers were wrong to the last, it waits for a person, and the update `correct` or
   * `giveUp`. Documents of a batch are listed, and hold nothing up.
   */
  readonly onExhausted?: OnExhausted;
  /** How long it waits for a person, in milliseconds. Without it: as long as it takes. */
  readonly reviewDeadlineMs?: number;
}

/** One message of a chat, as `complete` takes it. */
export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** What the `complete` workflow takes: messages in, text out, with the same provider retries. */
export interface CompleteInput {
  readonly id: string;
  readonly messages: readonly ChatMessage[];
  readonly model?: string;
  readonly retry?: Partial<RetryConfig>;
}

export const PROBLEM_TYPES = [
  'json_error',
  'validation_error',
  'truncated',
  'refused',
  'content_filter',
  'empty',
  'incomplete',
] as const;
/** What was wrong with an answer, as a whole. `incomplete`: nothing; the record is given in parts, and more are to come. */
export type ProblemType = (typeof PROBLEM_TYPES)[number];

export const PROVIDER_FAILURE_TYPES = [
  'rate_limit',
  'quota_exhausted',
  'connection_error',
  'server_error',
  'timeout',
  'client_error',
] as const;
/** Why a call brought no answer. */
export type ProviderFailureType = (typeof PROVIDER_FAILURE_TYPES)[number];

/** What was wrong with one field of an answer. */
export interface ProblemDetail {
  /** Where: `items[0].price`; the empty string is the whole answer. */
  readonly path: string;
  readonly kind: 'missing' | 'wrong_type' | 'unknown_field' | 'constraint';
  /** What was expected, in words a model can follow: `expected number`. */
  readonly message: string;
  /** What was there instead, shortened. Absent where nothing was there. Objects and arrays are given as shortened JSON text. */
  readonly received?: Json;
  /** Whether the schema takes null there, and so the model may say that the document does not tell. */
  readonly nullable?: true;
}

/** A rejected answer. */
export interface Problem {
  readonly type: ProblemType;
  readonly message: string;
  /** The problems field by field, for `validation_error`; else empty. */
  readonly details: readonly ProblemDetail[];
}

/** A change that made an answer readable or valid without changing what it says. */
export interface Repair {
  readonly kind: 'syntax' | 'coercion';
  /** `""` for a syntax repair. */
  readonly path: string;
  /** `removed the Markdown fence`, `"30" → 30`. */
  readonly message: string;
}

/** What judging an answer gives. */
export type Verdict =
  { readonly status: 'accepted'; readonly data: Json; readonly repairs: readonly Repair[] } | Rejection;

/** What a rejected answer leaves for the next attempt to build on. */
export interface Rejection {
  readonly status: 'rejected';
  readonly problem: Problem;
  /** The answer as a record, with what is wrong in it; joined with what earlier answers gave where only fields were asked for. */
  readonly record?: Json;
  /** The paths of the fields that are worth asking for by themselves: the record is large, and the problems are few. */
  readonly fields?: readonly string[];
  /** Of an answer that was cut off: into how many parts the record can be taken at most. */
  readonly parts?: number;
  /** Of one that was cut off, too: the fields that it has not said in full. Those that it has are in `record`. */
  readonly rest?: readonly string[];
}

/** One entry of an outcome's `errors`: a rejected answer, a provider failure met on the way, or what made asking impossible. */
export type OutcomeError = RejectedAnswer | ProviderFailure | Fault;

/** A rejected answer, in the list of errors. */
export interface RejectedAnswer extends Problem {
  readonly attempt: number;
}

/** A call that brought no answer. */
export interface ProviderFailure {
  readonly attempt: number;
  readonly type: ProviderFailureType;
  readonly message: string;
  /** HTTP status, where there was a response. */
  readonly status?: number;
  /** How long was waited before the next call; null where no call followed. */
  readonly delayMs: number | null;
  /** What of the request the provider does not take: the mode, or a token cap so high. */
  readonly refuses?: 'mode' | 'cap';
}

/**
 * Why a document could not be asked about. Its input is wrong, or something broke that no retry mends: a single extraction
 * fails in these cases, and a batch goes on with its other documents. Or its provider's circuit is open and its caller did not
 * want to wait (`outage`), or the time it was given is up (`deadline`).
 */
export interface Fault {
  readonly attempt: number;
  readonly type: 'invalid_input' | 'internal_error' | 'outage' | 'deadline';
  readonly message: string;
  /** Always empty: no field is to blame. */
  readonly details: readonly ProblemDetail[];
}

/** What a conversation has spent. Failed calls count. */
export interface Usage {
  /** Requests that reached the provider, answered or not. */
  readonly calls: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** US dollars; null where a model's price is not known. */
  readonly costUsd: number | null;
}

/** Why an extraction gave up. */
export type StopReason =
  | 'attempts'
  | 'validation_error'
  | 'budget'
  | 'refused'
  | 'content_filter'
  | 'truncated'
  | 'futile'
  | 'absent'
  | ProviderFailureType
  | Fault['type'];

/** What the `extract` workflow returns. */
export interface Outcome<T = Json> {
  readonly success: boolean;
  /** Data that is in the schema; null where `success` is false. */
  readonly data: T | null;
  /** Answers that were judged. */
  readonly attempts: number;
  readonly errors: readonly OutcomeError[];
  readonly usage: Usage;
  readonly stopped: StopReason | null;
  /** What was changed in the accepted answer without changing what it says. */
  readonly repairs: readonly Repair[];
  /** Where it gave up: what was valid of the last record, without the fields that were wrong; else null. */
  readonly partial?: Json | null;
  /** How each attempt was asked, and why so. */
  readonly asks?: readonly Asked[];
  /** Where the data was entered by hand; else null. */
  readonly correction?: Correction | null;
  /** `provider/model` that was asked last. */
  readonly model: string;
  /** Whether the simulated provider answered. */
  readonly simulated: boolean;
}

/** How one attempt was asked. */
export interface Asked {
  readonly attempt: number;
  readonly mode: ResolvedMode;
  /** One line: `attempt 2 of 3: 2 fields were wrong; only these are asked for`. */
  readonly why: string;
  /** Only these fields, by path. */
  readonly fields?: readonly string[];
  /** Which part of a record that is too long for one answer. */
  readonly part?: { readonly number: number; readonly of: number };
  /** Problems that the model was warned of beforehand. */
  readonly hints?: readonly string[];
  /** The completion tokens that it was allowed, where that was set. */
  readonly maxOutputTokens?: number;
}

/** What the `complete` workflow returns. */
export interface Completion {
  readonly success: boolean;
  readonly text: string | null;
  readonly errors: readonly OutcomeError[];
  readonly usage: Usage;
  readonly stopped: StopReason | null;
  readonly model: string;
  readonly simulated: boolean;
}

/** A bad answer and what the model was told about it. */
export interface Turn {
  readonly attempt: number;
  readonly answer: string;
  readonly feedback: string;
  /** How it was asked for. */
  readonly why?: string;
}

/** What the query `conversation` gives: the state of a running extraction. */
export interface ConversationState {
  /** `review`: it waits for a person. */
  readonly status: 'asking' | 'review' | 'done';
  /** The attempt that is being made, from 1. */
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly strategy: StrategyName;
  readonly model: string;
  readonly turns: readonly Turn[];
  readonly errors: readonly OutcomeError[];
  readonly usage: Usage;
}
