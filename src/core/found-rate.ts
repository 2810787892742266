/**
 * The rate of calls that a provider takes, found by trying: down at once where it says 429, up while it does not (after additive
 * increase, multiplicative decrease; Chiu and Jain, 1989). A guess is left behind in large steps, since one worker sees only its
 * share of the calls; each 429 makes the steps smaller, and they grow as long as nothing happens.
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

/**
 * How a rate is sought. Found by simulation (test/core/found-rate.test.ts): the limit is met within 30 s from a fifth of it and
 * from twice as much, also where the provider takes a burst of some seconds before it says 429.
 */
export const FOUND_RATE = {
  /** Calls a second: never less. */
  lowest: 0.1,
  /** A 429 takes back the last step, and leaves so much of the rate before it. */
  decrease: 0.9,
  stepEveryMs: 5_000,
  /** Of a rate that is only guessed. */
  searchStep: 0.5,
  /** Of a rate that is known about. */
  carefulStep: 0.01,
  /** A 429 that ends a large step leaves the limit somewhere within it: the search goes on there, in so much smaller steps. */
  narrowing: 0.25,
  stepGrowth: 1.2,
  largestStep: 0.5,
  /** Below that, the rate is about what it was. */
  settledStep: 0.1,
  /** So long one decrease is given to show. */
  settleMs: 2_000,
  /** At so many times the rate that was too much, no limit is needed any more. */
  release: 20,
} as const;

/** From what was taken before the first 429: a guess. */
export function foundRate(taken: number, now: number): FoundRate {
  return { ...toldRate(taken, now), step: FOUND_RATE.searchStep };
}

/** From a limit that the provider told. Begins a little below. */
export function toldRate(limit: number, now: number): FoundRate {
  return { ...knownRate(limit * 0.95, now), tooMuch: Math.max(FOUND_RATE.lowest, limit) };
}

/** One that is about right: at which it stays, but for small steps. */
export function knownRate(callsPerSecond: number, now: number): FoundRate {
  const rate = Math.max(FOUND_RATE.lowest, callsPerSecond);
  return {
    callsPerSecond: rate,
    tooMuch: rate,
    step: FOUND_RATE.carefulStep,
    nextStepAt: now + FOUND_RATE.stepEveryMs,
    loweredAt: now,
  };
}

/** After a 429. Of a rate above the ceiling that is kept to for other reasons, no more than the ceiling was tried. */
export function loweredRate(rate: FoundRate, now: number, ceiling: number | null = null): FoundRate {
  if (now - rate.loweredAt < FOUND_RATE.settleMs) return rate;
  const tried = Math.min(rate.callsPerSecond, ceiling ?? rate.callsPerSecond);
  const beforeTheStep = tried / (1 + rate.step);
  return {
    callsPerSecond: Math.max(FOUND_RATE.lowest, beforeTheStep * FOUND_RATE.decrease),
    tooMuch: tried,
    step: Math.max(FOUND_RATE.carefulStep, rate.step * FOUND_RATE.narrowing),
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

/** After it was lowered for 429s that do not come of it: as it was when most was taken, and up from there as from a guess. */
export function restoredRate(rate: FoundRate, allowedPerSecond: number, now: number): FoundRate {
  return {
    ...rate,
    callsPerSecond: Math.max(rate.callsPerSecond, allowedPerSecond),
    tooMuch: Math.max(rate.tooMuch, allowedPerSecond),
    step: FOUND_RATE.searchStep,
    nextStepAt: now + FOUND_RATE.stepEveryMs,
  };
}

/** In spite of 429s, to see what becomes of them: up as from a guess. */
export function raisedRate(rate: FoundRate, now: number): FoundRate {
  return restoredRate(rate, rate.callsPerSecond * (1 + FOUND_RATE.searchStep), now);
}

/** Whether it is sought in small steps. */
export function isSettled({ step }: FoundRate): boolean {
  return step < FOUND_RATE.settledStep;
}

/** After a time without calls, which says nothing: the next step up is a whole wait away. */
export function heldRate(rate: FoundRate, now: number): FoundRate {
  return { ...rate, nextStepAt: now + FOUND_RATE.stepEveryMs };
}
