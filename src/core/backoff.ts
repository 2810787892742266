/**
 * How long to wait after a provider failure. Temporal does the waiting; it adds no jitter of its own and does not
 * clamp a delay that it is given, so both happen here.
 */
import type { RetryConfig } from './contract.ts';

/** What of an HTTP response's headers is read: any `Headers`, or a map with a case-insensitive `get`. */
export interface HeaderReader {
  get(name: string): string | null | undefined;
}

/** Resets above this are points in time (epoch seconds), not durations: a billion seconds are 31 years. */
const EARLIEST_EPOCH_S = 1_000_000_000;
const EARLIEST_EPOCH_MS = EARLIEST_EPOCH_S * 1_000;

/** How far a told delay is stretched, so that callers told the same do not return together. */
const TOLD_JITTER = 0.1;
const TOLD_JITTER_MAX_MS = 1_000;

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
]);
const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|h|m|s))+$/;
const DURATION_PART = /(\d+(?:\.\d+)?)(ms|h|m|s)/g;
const DECIMAL = /^\d+(?:\.\d+)?$/;
/** Only real HTTP dates: `Date.parse` makes a date of almost anything. */
const HTTP_DATE = /^[A-Z][a-z]{2,8}, \d{1,2}[ -][A-Z][a-z]{2}[ -]\d{2,4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * The delay before the next call, when the provider did not say:
 * `min(maxDelayMs, baseDelayMs * exponentialBase ^ (failure - 1))`, with jitter drawn from its upper half.
 * That is the "equal jitter" of Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 *
 * @param failure Consecutive provider failures so far, from 1.
 * @param random A number in [0, 1).
 */
export function backoffDelayMs(retry: RetryConfig, failure: number, random: number): number {
  const exponent = Math.max(0, failure - 1);
  // A base delay of 0 times an overflowed power would be NaN.
  const grown = retry.baseDelayMs === 0 ? 0 : retry.baseDelayMs * retry.exponentialBase ** exponent;
  const delayMs = Math.min(retry.maxDelayMs, grown);
  return Math.round(retry.jitter ? delayMs * (0.5 + random / 2) : delayMs);
}

/**
 * The delay before the next call. What the provider told goes before the backoff, is never undercut and is stretched by
 * at most 10 % (and one second) where jitter is on; `maxRetryAfterMs` bounds it. A told delay of 0 says nothing, so the
 * backoff applies: otherwise all retries would be spent in an instant.
 *
 * @param toldMs What {@link retryAfterMs} read.
 */
export function providerDelayMs(
  retry: RetryConfig,
  failure: number,
  toldMs: number | undefined,
  random: number,
): number {
  if (toldMs === undefined || toldMs <= 0) return backoffDelayMs(retry, failure, random);
  const stretchMs = retry.jitter ? Math.min(toldMs * TOLD_JITTER, TOLD_JITTER_MAX_MS) * random : 0;
  return Math.min(Math.ceil(toldMs + stretchMs), retry.maxRetryAfterMs);
}

/**
 * How long the provider asks to wait, in milliseconds; undefined where its headers do not say. In this order:
 * `retry-after-ms`; `retry-after` (seconds or HTTP date, RFC 9110 section 10.2.3); OpenAI's
 * `x-ratelimit-reset-requests` and `-tokens`; `x-ratelimit-reset`, `ratelimit-reset` (seconds from now, or epoch seconds).
 * A point in time that has passed is 0. What cannot be read is passed over.
 *
 * @param now Epoch milliseconds.
 */
export function retryAfterMs(headers: HeaderReader, now: number): number | undefined {
  return (
    decimal(headers.get('retry-after-ms')) ??
    secondsOrDate(headers.get('retry-after'), now) ??
    exhaustedLimitReset(headers) ??
    resetMs(headers.get('x-ratelimit-reset'), now) ??
    resetMs(headers.get('ratelimit-reset'), now)
  );
}

/** Of OpenAI's two limits the exhausted one counts, where the remaining headers tell which; else the later one. */
function exhaustedLimitReset(headers: HeaderReader): number | undefined {
  const limits = ['requests', 'tokens'].flatMap((name) => {
    const reset = durationMs(headers.get(`x-ratelimit-reset-${name}`));
    return reset === undefined ? [] : [{ reset, remaining: headers.get(`x-ratelimit-remaining-${name}`) }];
  });
  const exhausted = limits.filter(({ remaining }) => decimal(remaining) === 0);
  const counted = exhausted.length > 0 ? exhausted : limits;
  return counted.length === 0 ? undefined : Math.max(...counted.map(({ reset }) => reset));
}

function secondsOrDate(value: string | null | undefined, now: number): number | undefined {
  const seconds = decimal(value);
  if (seconds !== undefined) return seconds * 1_000;
  const text = value?.trim() ?? '';
  const date = HTTP_DATE.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

function resetMs(value: string | null | undefined, now: number): number | undefined {
  const number = decimal(value);
  if (number === undefined) return durationMs(value);
  if (number >= EARLIEST_EPOCH_MS) return Math.max(0, number - now);
  if (number >= EARLIEST_EPOCH_S) return Math.max(0, number * 1_000 - now);
  return number * 1_000;
}

/** OpenAI's durations: `1s`, `6m0s`, `20ms`, `1h2m3s`. */
function durationMs(value: string | null | undefined): number | undefined {
  const text = value?.trim() ?? '';
  if (!DURATION.test(text)) return undefined;
  let sum = 0;
  for (const [, amount, unit = ''] of text.matchAll(DURATION_PART)) {
    sum += Number(amount) * (UNIT_MS.get(unit) ?? 0);
  }
  return sum;
}

function decimal(value: string | null | undefined): number | undefined {
  const text = value?.trim() ?? '';
  const number = DECIMAL.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(number) ? number : undefined;
}
