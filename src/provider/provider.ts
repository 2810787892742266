import type { ResolvedMode } from '../core/contract.ts';
import type { GateConfig } from '../core/gate-config.ts';
import type { JsonObject } from '../core/json.ts';
import type { ModelPrice } from '../core/usage.ts';

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
  /** What the provider's headers say of its limits, where they do. */
  readonly rateLimits?: RateLimits;
}

/** Limits a minute, as a response's headers tell. */
export interface RateLimits {
  readonly rpm?: number;
  readonly tpm?: number;
  /** Whether little of one of them is left. */
  readonly isNearlyUsedUp: boolean;
}

/** Where a conversation goes while another provider's gate is open. */
export interface Fallback {
  readonly provider: string;
  /** Absent: that provider's default model. */
  readonly model?: string;
}

/** What is said of a provider, and not asked of it. All of it may be left out. */
export interface ProviderTraits {
  /** Requests a minute that all workers together may make. Absent: no limit of ours. */
  readonly rpm?: number;
  /** Tokens a minute, of prompts and answers, that all workers together may use. Absent: no limit of ours. */
  readonly tpm?: number;
  /** What its models cost, by model. They go before our list of prices; a model that is not here is priced by that list. */
  readonly prices?: Readonly<Record<string, ModelPrice>>;
  /** The most tokens of one answer, by model, where it is not on our list. */
  readonly outputTokenLimits?: Readonly<Record<string, number>>;
  /** The models it is known to have, the default first. Others may be asked for all the same. */
  readonly models?: readonly string[];
  /** Where conversations go while its gate is open, in this order. */
  readonly fallbacks?: readonly Fallback[];
  /** How its gate decides, where that differs from the defaults. Its rates are `rpm` and `tpm` above. */
  readonly gate?: Partial<GateConfig>;
}

/** A source of answers. Implementations never retry: retries have one owner, the activity's retry policy. */
export interface Provider extends ProviderTraits {
  /** As in `llm-<name>`. */
  readonly name: string;
  /** Whether its answers are simulated. Everything that shows them says so. */
  readonly simulated: boolean;
  /** The model asked where the caller names none. */
  readonly defaultModel: string;
  /** @throws what its client throws; `activities/failures.ts` classifies it. Rethrows `signal.reason` when aborted. */
  call(request: ModelRequest, signal: AbortSignal): Promise<ModelReply>;
  /**
   * Whether it is there at all, at no cost: what an outage is told by, and its end. Absent where only a call can tell.
   *
   * May throw, which means that it is not.
   */
  isReachable?(signal: AbortSignal): Promise<boolean>;
}
