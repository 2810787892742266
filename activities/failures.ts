import {
  APIConnectionError,
  APIConnectionTimeoutError,
  APIError,
  AuthenticationError,
  PermissionDeniedError,
} from 'openai';
import { retryAfterMs } from '../src/core/backoff.ts';
import type { ProviderFailureType } from '../src/core/contract.ts';
import type { RateLimits } from '../src/provider/provider.ts';
import { rateLimitsOf } from '../src/provider/rate-limits.ts';

/** What a failed call comes to: the one place that decides. */
export interface ClassifiedFailure {
  readonly type: ProviderFailureType;
  /** Whether waiting can help. */
  readonly retryable: boolean;
  /** Made of the status and known codes only: a provider's own words can quote a key or a document. */
  readonly message: string;
  readonly status?: number;
  /** How long the provider asked us to wait. */
  readonly retryAfterMs?: number;
  /** What the response's headers said of the provider's limits. */
  readonly rateLimits?: RateLimits;
  /** What of the request it does not take, where it says so. */
  readonly refuses?: 'mode' | 'cap';
  /** Set where it is the schema that it does not take in that mode; another one it may take. */
  readonly isAboutSchema?: true;
}

/** Codes with which a 429 says that waiting does not help. */
const QUOTA_CODES: ReadonlySet<string> = new Set([
  'insufficient_quota',
  'billing_hard_limit_reached',
  'billing_not_active',
]);

/**
 * | failure | type | retried |
 * |---|---|---|
 * | 429 with `insufficient_quota` (or a billing code) | `quota_exhausted` | no |
 * | 429 | `rate_limit` | after `Retry-After` |
 * | 408, no answer in time | `timeout` | yes |
 * | 409, 5xx | `server_error` | yes |
 * | connection refused, reset, broken off | `connection_error` | yes |
 * | other 4xx | `client_error` | no |
 *
 * @returns undefined for what is no provider failure (a fault of our own).
 */
export function classifyFailure(error: unknown, now: number): ClassifiedFailure | undefined {
  if (error instanceof APIConnectionTimeoutError) {
    return { type: 'timeout', retryable: true, message: 'the provider gave no answer in time' };
  }
  if (error instanceof APIConnectionError || isBrokenBody(error)) {
    return {
      type: 'connection_error',
      retryable: true,
      message: `the connection to the provider failed${causeCode(error)}`,
    };
  }
  if (!(error instanceof APIError) || typeof error.status !== 'number') return undefined;
  const { status } = error;
  const told = error.headers === undefined ? undefined : retryAfterMs(error.headers, now);
  const rateLimits = error.headers === undefined ? undefined : rateLimitsOf(error.headers);
  const base = {
    status,
    ...(told === undefined ? {} : { retryAfterMs: told }),
    ...(rateLimits === undefined ? {} : { rateLimits }),
  };
  const code = typeof error.code === 'string' && /^[a-z_]{1,60}$/.test(error.code) ? ` (${error.code})` : '';
  if (status === 429 && QUOTA_CODES.has(error.code ?? '')) {
    return {
      ...base,
      type: 'quota_exhausted',
      retryable: false,
      message: `the provider's quota is exhausted${code}: waiting does not help; check plan and billing`,
    };
  }
  if (status === 429) {
    return { ...base, type: 'rate_limit', retryable: true, message: `HTTP 429: rate limited${code}` };
  }
  if (status === 408) {
    return { ...base, type: 'timeout', retryable: true, message: 'HTTP 408: request timeout' };
  }
  if (status === 409 || status >= 500) {
    return { ...base, type: 'server_error', retryable: true, message: `HTTP ${status}: server error${code}` };
  }
  const refuses = refusedPart(error);
  return {
    ...base,
    ...(refuses === undefined ? {} : { refuses }),
    ...(refuses === 'mode' && isAboutSchema(error) ? { isAboutSchema: true } : {}),
    type: 'client_error',
    retryable: false,
    message: `HTTP ${status}: the provider refused the request${code}${advice(error)}`,
  };
}

const MODE_WORDS =
  /response_format|json_schema|json_object|tool_choice|\btools?\b|structured output|function call/i;
const CAP_WORDS = /max_(?:completion_|output_)?tokens/i;

/** By the parameter that OpenAI names, or by the words of servers that name none. */
function refusedPart({ status, param, message }: APIError): ClassifiedFailure['refuses'] {
  if (status !== 400 && status !== 422) return undefined;
  const told = param ?? message;
  if (CAP_WORDS.test(told)) return 'cap';
  return MODE_WORDS.test(told) ? 'mode' : undefined;
}

const SCHEMA_CODES: ReadonlySet<string> = new Set(['invalid_json_schema', 'invalid_function_parameters']);
const SCHEMA_WORDS = /invalid schema|unsupported schema|schema (?:is not|must)/i;

function isAboutSchema({ code, message }: APIError): boolean {
  return SCHEMA_CODES.has(code ?? '') || SCHEMA_WORDS.test(message);
}

function advice(error: APIError): string {
  if (error instanceof AuthenticationError || error instanceof PermissionDeniedError) {
    return "; check the key in the worker's environment";
  }
  return error.status === 404 ? '; check the model name' : '';
}

/** A body that breaks off in the middle surfaces as fetch's own error, or as JSON that does not end. */
function isBrokenBody(error: unknown): boolean {
  if (error instanceof SyntaxError) return true;
  return error instanceof TypeError && /terminated|fetch failed|network|aborted/i.test(error.message);
}

function causeCode(error: unknown): string {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth += 1) {
    if ('code' in cause && typeof cause.code === 'string') return ` (${cause.code})`;
  }
  return '';
}
