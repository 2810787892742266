import type { HeaderReader } from '../core/backoff.ts';
import type { RateLimits } from './provider.ts';

/** Below this share of a limit, it is nearly used up. */
const NEARLY = 0.1;

/**
 * OpenAI's `x-ratelimit-limit-requests`, `-tokens` and what remains of them (platform.openai.com/docs/guides/rate-limits):
 * both are by the minute. Undefined where the headers say nothing.
 */
export function rateLimitsOf(headers: HeaderReader): RateLimits | undefined {
  const rpm = positive(headers.get('x-ratelimit-limit-requests'));
  const tpm = positive(headers.get('x-ratelimit-limit-tokens'));
  if (rpm === undefined && tpm === undefined) return undefined;
  const isLow = (what: string, limit: number | undefined): boolean => {
    const remaining = headers.get(`x-ratelimit-remaining-${what}`);
    return limit !== undefined && !!remaining && Number(remaining) < limit * NEARLY;
  };
  return {
    ...(rpm === undefined ? {} : { rpm }),
    ...(tpm === undefined ? {} : { tpm }),
    isNearlyUsedUp: isLow('requests', rpm) || isLow('tokens', tpm),
  };
}

function positive(value: string | null | undefined): number | undefined {
  const number = Number(value ?? Number.NaN);
  return number > 0 && Number.isFinite(number) ? number : undefined;
}
