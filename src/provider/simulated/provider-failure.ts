import { apiError, badRequest, type ApiError } from './api-error.ts';
import { draw, pick } from './draw.ts';
import { PROVIDER_FAULTS, type ProviderFault } from './faults.ts';
import type { FaultProfile } from './models.ts';

/** Which call of which document this is. */
export interface CallPlace {
  readonly profile: FaultProfile;
  readonly seed: readonly (string | number)[];
  /** From 1: how many calls were made for this document, this one included. */
  readonly call: number;
  /** How many calls of a document a model `fault-<kind>` fails. */
  readonly failuresPerDocument: number;
}

/** The fault that keeps this call from its answer; null where none does. */
export function drawProviderFault({
  profile,
  seed,
  call,
  failuresPerDocument,
}: CallPlace): ProviderFault | null {
  if (profile.first !== undefined) {
    return profile.first.always || call <= failuresPerDocument ? profile.first.kind : null;
  }
  const total = PROVIDER_FAULTS.reduce((sum, kind) => sum + (profile.rates[kind] ?? 0), 0);
  if (total === 0) return null;
  let left = draw('call', ...seed, call) * Math.max(1, total);
  for (const kind of PROVIDER_FAULTS) {
    left -= profile.rates[kind] ?? 0;
    if (left < 0) return kind;
  }
  return null;
}

/** The faults that are answered with an error, rather than with silence, a reset or a delay. */
export type ErrorFault = Exclude<ProviderFault, 'reset_before' | 'reset_mid_body' | 'hang' | 'slow'>;

/** The error a fault answers with. */
export function errorOf(
  fault: ErrorFault,
  model: string,
  retryAfterSeconds: number,
  seed: readonly (string | number)[],
): ApiError {
  switch (fault) {
    case 'rate_limit':
      return rateLimitError(model, retryAfterHeaders(retryAfterSeconds, seed));
    case 'quota_exhausted':
      return apiError({
        status: 429,
        type: 'insufficient_quota',
        code: 'insufficient_quota',
        message: 'You exceeded your current quota, please check your plan and billing details.',
      });
    case 'server_error':
      return apiError({
        status: pick([500, 502, 503], 'status', ...seed) ?? 500,
        type: 'server_error',
        message: 'The server had an error while processing your request. Sorry about that!',
      });
    case 'overloaded':
      return apiError({
        status: 503,
        type: 'overloaded_error',
        message: 'The engine is currently overloaded, please try again later.',
        headers: { 'retry-after': String(retryAfterSeconds) },
      });
    case 'client_error':
      return badRequest(
        'Invalid request: the simulated provider was asked to refuse it.',
        'messages',
        'invalid_value',
      );
    case 'auth':
      return apiError({
        status: 401,
        type: 'invalid_request_error',
        code: 'invalid_api_key',
        message: 'Incorrect API key provided.',
      });
    case 'conflict':
      return apiError({
        status: 409,
        type: 'conflict_error',
        message: 'The resource is locked by another request.',
      });
    case 'request_timeout':
      return apiError({
        status: 408,
        type: 'timeout_error',
        message: 'The request timed out before it was read.',
      });
    default:
      return fault satisfies never;
  }
}

/** A 429 with OpenAI's words. */
export function rateLimitError(model: string, headers: Readonly<Record<string, string>>): ApiError {
  return apiError({
    status: 429,
    type: 'requests',
    code: 'rate_limit_exceeded',
    message: `Rate limit reached for ${model} on requests per min (RPM). Please try again later.`,
    headers,
  });
}

/** Mostly seconds; at times with milliseconds beside them, or as an HTTP date. */
function retryAfterHeaders(
  seconds: number,
  seed: readonly (string | number)[],
): Readonly<Record<string, string>> {
  const form = draw('retry-after', ...seed);
  if (form < 0.15) return { 'retry-after': new Date(Date.now() + Math.ceil(seconds) * 1_000).toUTCString() };
  const whole = { 'retry-after': String(Math.ceil(seconds)) };
  return form < 0.35 ? { ...whole, 'retry-after-ms': String(Math.round(seconds * 1_000)) } : whole;
}
