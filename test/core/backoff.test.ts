import * as fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { backoffDelayMs, providerDelayMs, retryAfterMs } from '../../src/core/backoff.ts';
import { DEFAULT_RETRY } from '../../src/core/contract.ts';

const retry = { ...DEFAULT_RETRY, jitter: false };
const NOW = Date.UTC(2026, 0, 31, 12, 0, 0);
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

function told(headers: Readonly<Record<string, string>>): number | undefined {
  return retryAfterMs({ get: (name) => headers[name] }, NOW);
}

describe('backoff', () => {
  test.each([
    [1, 1_000],
    [2, 2_000],
    [3, 4_000],
    [7, 60_000],
    [1_000, 60_000],
    [0, 1_000],
  ])('after failure %i is %i ms', (failure, delayMs) => {
    expect(backoffDelayMs(retry, failure, 0.5)).toBe(delayMs);
  });

  it('draws from the upper half of the delay', () => {
    const jittered = { ...retry, jitter: true };
    expect(backoffDelayMs(jittered, 2, 0)).toBe(1_000);
    expect(backoffDelayMs(jittered, 2, 0.5)).toBe(1_500);
  });

  it('takes a base of zero for no delay at all, however often it failed', () => {
    expect(backoffDelayMs({ ...retry, baseDelayMs: 0 }, 5_000, 0)).toBe(0);
  });

  it('never shrinks from one failure to the next and stays within its bounds', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 100_000 }),
        fc.double({ min: 1, max: 10, noNaN: true }),
        fc.integer({ min: 1, max: 2_000 }),
        random,
        (base, factor, failure, draw) => {
          const config = { ...retry, baseDelayMs: base, exponentialBase: factor };
          const delayMs = backoffDelayMs(config, failure, draw);
          const jitteredMs = backoffDelayMs({ ...config, jitter: true }, failure, draw);
          expect(delayMs).toBeLessThanOrEqual(config.maxDelayMs);
          expect(backoffDelayMs(config, failure + 1, draw)).toBeGreaterThanOrEqual(delayMs);
          expect(jitteredMs).toBeGreaterThanOrEqual(Math.floor(delayMs / 2));
          expect(jitteredMs).toBeLessThanOrEqual(delayMs);
        },
      ),
    );
  });
});

describe('what the provider tells', () => {
  test.each<[headers: Readonly<Record<string, string>>, delayMs: number | undefined]>([
    [{}, undefined],
    [{ 'retry-after-ms': '250' }, 250],
    [{ 'retry-after-ms': '250', 'retry-after': '9' }, 250],
    [{ 'retry-after-ms': 'x', 'retry-after': '9' }, 9_000],
    [{ 'retry-after': '1.5' }, 1_500],
    [{ 'retry-after': '0' }, 0],
    [{ 'retry-after': ' 2 ' }, 2_000],
    [{ 'retry-after': '-5' }, undefined],
    [{ 'retry-after': 'soon' }, undefined],
    [{ 'retry-after': '5 apples' }, undefined],
    [{ 'retry-after': 'Infinity' }, undefined],
    [{ 'retry-after': 'Sat, 31 Jan 2026 12:00:30 GMT' }, 30_000],
    [{ 'retry-after': 'Sat, 31 Jan 2026 11:00:00 GMT' }, 0],
    [{ 'retry-after': '3', 'x-ratelimit-reset-requests': '9s' }, 3_000],
    [{ 'x-ratelimit-reset-requests': '1s' }, 1_000],
    [{ 'x-ratelimit-reset-requests': '20ms', 'x-ratelimit-reset-tokens': '6m0s' }, 360_000],
    [{ 'x-ratelimit-reset-tokens': '1h2m3.5s' }, 3_723_500],
    [
      {
        'x-ratelimit-reset-requests': '2s',
        'x-ratelimit-remaining-requests': '0',
        'x-ratelimit-reset-tokens': '1h',
        'x-ratelimit-remaining-tokens': '500',
      },
      2_000,
    ],
    [
      {
        'x-ratelimit-reset-requests': '2s',
        'x-ratelimit-remaining-requests': '3',
        'x-ratelimit-reset-tokens': '7s',
        'x-ratelimit-remaining-tokens': '500',
      },
      7_000,
    ],
    [{ 'x-ratelimit-reset': '12' }, 12_000],
    [{ 'x-ratelimit-reset': String(NOW / 1_000 + 45) }, 45_000],
    [{ 'x-ratelimit-reset': String(NOW + 45_000) }, 45_000],
    [{ 'ratelimit-reset': '8' }, 8_000],
    [{ 'ratelimit-reset': '4s' }, 4_000],
    [{ 'ratelimit-reset': 'never' }, undefined],
  ])('%j is %s ms', (headers, delayMs) => {
    expect(told(headers)).toBe(delayMs);
  });

  it('is never an error, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('retry-after', 'retry-after-ms', 'x-ratelimit-reset', 'x-ratelimit-reset-tokens'),
        fc.string(),
        (name, value) => {
          const delayMs = told({ [name]: value });
          expect(delayMs === undefined || (delayMs >= 0 && Number.isFinite(delayMs))).toBe(true);
        },
      ),
    );
  });
});

describe('the delay after a provider failure', () => {
  it('is the backoff where nothing, or no wait, was told', () => {
    expect(providerDelayMs(retry, 3, undefined, 0)).toBe(4_000);
    expect(providerDelayMs(retry, 3, 0, 0)).toBe(4_000);
  });

  it('is what was told, also where that is longer than the longest backoff', () => {
    expect(providerDelayMs(retry, 1, 120_000, 0.9)).toBe(120_000);
    expect(providerDelayMs(retry, 8, 500, 0.9)).toBe(500);
  });

  it('is clamped to maxRetryAfterMs', () => {
    expect(providerDelayMs({ ...retry, jitter: true, maxRetryAfterMs: 10_000 }, 1, 86_400_000, 0.9)).toBe(
      10_000,
    );
  });

  it('never ends before what was told, and little later', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3_000_000 }), random, (toldMs, draw) => {
        const delayMs = providerDelayMs({ ...retry, jitter: true }, 1, toldMs, draw);
        expect(delayMs).toBeGreaterThanOrEqual(toldMs);
        expect(delayMs).toBeLessThanOrEqual(Math.min(toldMs * 1.1, toldMs + 1_000) + 1);
      }),
    );
  });
});
