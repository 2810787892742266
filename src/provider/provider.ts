import type { JsonObject } from '../core/json.ts';
import type { ResolvedMode } from '../core/contract.ts';

/** One message as it is sent. A `tool` message answers the forced tool call of the assistant message before it. */
export type PromptMessage =
  | { readonly role: 'system' | 'user'; readonly content: string }
  | { readonly role: 'assistant'; readonly content: string; readonly toolCallId?: string }
  | { readonly role: 'tool'; readonly content: string; readonly toolCallId: string };

/** One call to a model. */
export interface ModelRequest {
  readonly model: string;
  readonly messages: readonly PromptMessage[];
  /** `text` asks for no JSON at all (completions). */
  readonly mode: ResolvedMode | 'text';
  /** Carried by the response format or the tool, where the mode has one. */
  readonly schema?: { readonly name: string; readonly jsonSchema: JsonObject };
  /** The cap on the answer's tokens; absent means the provider's own. */
  readonly maxOutputTokens?: number;
  /** How long to wait for the whole answer. */
  readonly timeoutMs: number;
  /** A unique id for this request, for the provider's log (`X-Client-Request-Id`). */
  readonly requestId: string;
}

/** What came back: always an answer; a call that brings none throws. */
export interface ModelReply {
  /** The answer's text, or the arguments of the forced tool call; empty where the model said nothing. */
  readonly text: string;
  /** `stop`: the model ended by itself. `length`: it was cut off. */
  readonly finish: 'stop' | 'length' | 'content_filter' | 'refusal';
  /** What the model said in refusing. */
  readonly refusal?: string;
  readonly usage: { readonly promptTokens: number; readonly completionTokens: number };
}

/** A source of answers. Implementations never retry: retries have one owner, the activity's retry policy. */
export interface Provider {
  /** As in `llm-<name>`. */
  readonly name: string;
  /** Whether its answers are simulated. Everything that shows them says so. */
  readonly simulated: boolean;
  /** The model asked where the caller names none. */
  readonly defaultModel: string;
  /** Requests a minute that all workers together may make. Absent: no limit of ours. */
  readonly rpm?: number;
  /** @throws what its client throws; `activities/failures.ts` classifies it. Rethrows `signal.reason` when aborted. */
  call(request: ModelRequest, signal: AbortSignal): Promise<ModelReply>;
}
