import * as fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  FOUND_RATE,
  foundRate,
  grownRate,
  heldRate,
  loweredRate,
  toldRate,
} from '../../src/core/found-rate.ts';
import type { FoundRate } from '../../src/core/found-rate.ts';

const NOW = Date.UTC(2026, 0, 31);
const anyRate = fc.double({ min: 0, max: 10_000, noNaN: true });

/** So often a rate grows until no limit is needed any more. */
function stepsToRelease(rate: FoundRate): number {
  let steps = 0;
  for (let grown: FoundRate | null = rate; grown !== null; steps += 1) {
    grown = grownRate(grown, grown.nextStepAt);
  }
  return steps;
}

describe('the rate that is found', () => {
  it('begins a little below what was taken, and searches in large steps', () => {
    expect(foundRate(10, NOW)).toEqual({
      callsPerSecond: 9.5,
      tooMuch: 10,
      step: FOUND_RATE.searchStep,
      nextStepAt: NOW + FOUND_RATE.stepEveryMs,
      loweredAt: NOW,
    });
  });

  it('begins a little below what the provider told, and goes on with care', () => {
    expect(toldRate(10, NOW)).toEqual({ ...foundRate(10, NOW), step: FOUND_RATE.carefulStep });
  });

  it('is lowered once for 429s that come together, and again once the decrease has had time to show', () => {
    const rate = toldRate(10, NOW);
    expect(loweredRate(rate, NOW + FOUND_RATE.settleMs - 1)).toBe(rate);
    const lowered = loweredRate(rate, NOW + FOUND_RATE.settleMs);
    expect(lowered.callsPerSecond).toBeCloseTo((9.5 / 1.01) * 0.9);
    expect(lowered).toMatchObject({ tooMuch: 9.5, step: FOUND_RATE.carefulStep });
  });

  it('takes the last step back with a 429', () => {
    const searched = grownRate(foundRate(10, NOW), NOW + 5_000);
    expect(searched?.callsPerSecond).toBeCloseTo(14.25);
    expect(searched && loweredRate(searched, NOW + 6_000).callsPerSecond).toBeCloseTo(9.5 * 0.9);
  });

  it('grows no sooner after a time without calls', () => {
    const rate = toldRate(10, NOW);
    expect(heldRate(rate, NOW + 60_000)).toEqual({ ...rate, nextStepAt: NOW + 65_000 });
  });

  it('stays a number that a server takes, however often it is lowered, and is released in a few steps', () => {
    fc.assert(
      fc.property(
        anyRate,
        fc.constantFrom(foundRate, toldRate),
        fc.nat({ max: 50 }),
        (taken, begin, falls) => {
          let rate = begin(taken, NOW);
          for (let fall = 1; fall <= falls; fall += 1) {
            const lowered = loweredRate(rate, NOW + fall * FOUND_RATE.settleMs);
            expect(lowered.callsPerSecond).toBeLessThanOrEqual(rate.callsPerSecond);
            rate = lowered;
          }
          expect(rate.callsPerSecond).toBeGreaterThanOrEqual(FOUND_RATE.lowest);
          expect(stepsToRelease(rate)).toBeLessThanOrEqual(30);
        },
      ),
    );
  });
});

/** A provider that refills a bucket, and those who call it as fast as they are allowed, told of 429s twice a second. */
function simulated(options: {
  readonly limit: number;
  readonly burst: number;
  readonly demand: number;
  readonly firstGuess: number;
}): { readonly usedShare: number; readonly limitedShare: number } {
  const { limit, burst, demand, firstGuess } = options;
  const [settledMs, measuredMs, applyMs, reportMs] = [30_000, 120_000, 300, 500];
  const changes: { readonly at: number; readonly callsPerSecond: number }[] = [];
  const totals = { taken: 0, limited: 0 };
  let rate: FoundRate | null = null;
  let applied = Infinity;
  let [tokens, due, limited] = [burst, 0, 0];
  const change = (to: FoundRate | null, now: number): void => {
    if (to !== rate) changes.push({ at: now + applyMs, callsPerSecond: to?.callsPerSecond ?? Infinity });
    rate = to;
  };
  for (let now = 0; now < settledMs + measuredMs; now += 1) {
    while (changes[0] !== undefined && changes[0].at <= now) applied = changes.shift()!.callsPerSecond;
    const known = rate as FoundRate | null;
    if (known !== null && known.nextStepAt <= now) change(grownRate(known, now), now);
    tokens = Math.min(burst, tokens + limit / 1_000);
    for (due += Math.min(demand, applied) / 1_000; due >= 1; due -= 1) {
      const isTaken = tokens >= 1;
      if (isTaken) tokens -= 1;
      else limited += 1;
      if (now >= settledMs) totals[isTaken ? 'taken' : 'limited'] += 1;
    }
    if (now % reportMs === 0 && limited > 0) {
      const before = rate as FoundRate | null;
      change(before === null ? foundRate(firstGuess, now) : loweredRate(before, now), now);
      limited = 0;
    }
  }
  return {
    usedShare: totals.taken / ((limit * measuredMs) / 1_000),
    limitedShare: totals.limited / (totals.taken + totals.limited),
  };
}

describe('a limit that nobody told', () => {
  const LIMITS = [2, 10, 50, 300];
  const GUESSES: readonly (readonly [guess: string, share: number])[] = [
    ['the right first guess', 1],
    ['a first guess that is a fifth of it', 0.2],
    ['a first guess that is twice as much', 2],
  ];
  const CASES = LIMITS.flatMap((limit) =>
    GUESSES.flatMap(([guess, share]) =>
      [...new Set([10, limit])].map((burst) => ({ limit, burst, guess, share })),
    ),
  );

  test.each(CASES)(
    'of $limit calls a second, and bursts of $burst, is kept to and used after 30 s from $guess',
    ({ limit, burst, share }) => {
      const { usedShare, limitedShare } = simulated({
        limit,
        burst,
        demand: limit * 5,
        firstGuess: limit * share,
      });
      expect(usedShare).toBeGreaterThanOrEqual(0.9);
      expect(limitedShare).toBeLessThan(0.03);
    },
  );
});
