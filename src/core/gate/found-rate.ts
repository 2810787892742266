/**
 * The rate of calls that a provider takes, found by trying: down at once where it says 429, up while it does not (additive
 * increase, multiplicative decrease; Chiu and Jain, 1989), with steps that grow as long as nothing happens, so that a rate
 * guessed far too low is soon left behind.
 */
export interface FoundRate {
  readonly callsPerSecond: number;
  /** At which the provider last said that it was too much. */
  readonly tooMuch: number;
  /** Of the next step up, as a share of the rate. */
  readonly step: number;
  /** Epoch milliseconds. */
  readonly nextStepAt: number;
  /** 429s of calls that were under way when the rate was lowered lower it no further. */
  readonly loweredAt: number;
}

/** How a rate is sought. */
export const FOUND_RATE = {
  /** Calls a second: never less. */
  lowest: 0.1,
  /** A 429 leaves so much of the rate. */
  decrease: 0.85,
  stepEveryMs: 5_000,
  firstStep: 0.02,
  stepGrowth: 1.5,
  largestStep: 0.3,
  /** So long one decrease is given to show. */
  settleMs: 2_500,
  /** At so many times the rate that was too much, no limit is needed any more. */
  release: 4,
} as const;

/** Begins a little below what was taken before the first 429. */
export function foundRate(taken: number, now: number): FoundRate {
  const callsPerSecond = Math.max(FOUND_RATE.lowest, taken * 0.95);
  return {
    callsPerSecond,
    tooMuch: Math.max(FOUND_RATE.lowest, taken),
    step: FOUND_RATE.firstStep,
    nextStepAt: now + FOUND_RATE.stepEveryMs,
    loweredAt: now,
  };
}

/** After a 429. */
export function loweredRate(rate: FoundRate, now: number): FoundRate {
  if (now - rate.loweredAt < FOUND_RATE.settleMs) return rate;
  return {
    callsPerSecond: Math.max(FOUND_RATE.lowest, rate.callsPerSecond * FOUND_RATE.decrease),
    tooMuch: rate.callsPerSecond,
    step: FOUND_RATE.firstStep,
    nextStepAt: now + FOUND_RATE.stepEveryMs,
    loweredAt: now,
  };
}

/** After a while without one; null where the rate needs no limit any more. */
export function grownRate(rate: FoundRate, now: number): FoundRate | null {
  const callsPerSecond = rate.callsPerSecond * (1 + rate.step);
  if (callsPerSecond > rate.tooMuch * FOUND_RATE.release) return null;
  return {
    ...rate,
    callsPerSecond,
    step: Math.min(FOUND_RATE.largestStep, rate.step * FOUND_RATE.stepGrowth),
    nextStepAt: now + FOUND_RATE.stepEveryMs,
  };
}
