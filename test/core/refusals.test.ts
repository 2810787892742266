import { describe, expect, test } from 'vitest';
import { DEFAULT_GATE } from '../../src/core/gate-config.ts';
import type { GateReport } from '../../src/core/gate-contract.ts';
import { callsPerSecond, newGate, nextGate, nextMoment } from '../../src/core/gate-machine.ts';
import type { GateEvent, GateMemory } from '../../src/core/gate-machine.ts';

/** How a provider and those who call it behave, by the second. */
interface Scene {
  /** Calls a second that it takes; absent for as many as come. */
  readonly limit?: (second: number) => number;
  /** Calls that it takes at once beyond that. */
  readonly burst?: number;
  /** The share of calls to which it says 429 whatever the rate. */
  readonly atRandom?: number;
  readonly demand: (second: number) => number;
  readonly workers?: number;
  readonly seconds: number;
  /** Other random numbers for each. */
  readonly seed?: number;
}

interface Came {
  readonly takenPerSecond: number;
  readonly refusedShare: number;
  readonly gate: GateMemory;
}

const REPORT_EVERY_MS = 500;
/** Until the server obeys. */
const APPLY_MS = 300;
const AVERAGE_MS = 5_000;

interface Worker {
  readonly takenAt: number[];
  succeeded: number;
  limited: number;
  sentAt: number;
  hasToldFailures: boolean;
}

/** A gate, and workers that make as many calls as it allows; what came of them from a second on. */
function came(scene: Scene, from: number): Came {
  const { limit, burst = 10, atRandom = 0, demand, seconds } = scene;
  const workers = Array.from({ length: scene.workers ?? 1 }, (): Worker => {
    return { takenAt: [], succeeded: 0, limited: 0, sentAt: -REPORT_EVERY_MS, hasToldFailures: false };
  });
  const random = randomNumbers(scene.seed ?? 1);
  const changes: { readonly at: number; readonly callsPerSecond: number }[] = [];
  const totals = { taken: 0, refused: 0 };
  let gate = newGate(0);
  let applied = Infinity;
  let [tokens, due, turn] = [burst, 0, 0];
  const tell = (event: GateEvent, now: number): void => {
    gate = nextGate(gate, event, now, DEFAULT_GATE);
    const rate = callsPerSecond(gate, DEFAULT_GATE, now) ?? Infinity;
    changes.push({ at: now + APPLY_MS, callsPerSecond: rate });
  };
  for (let now = 1; now < seconds * 1_000; now += 1) {
    while (changes[0] !== undefined && changes[0].at <= now) applied = changes.shift()!.callsPerSecond;
    const moment = nextMoment(gate, DEFAULT_GATE);
    if (moment !== null && moment <= now) tell({ kind: 'time' }, now);
    const second = now / 1_000;
    if (limit !== undefined) tokens = Math.min(burst, tokens + limit(second) / 1_000);
    for (due += Math.min(demand(second), applied) / 1_000; due >= 1; due -= 1) {
      const worker = workers[(turn += 1) % workers.length]!;
      const isOverLimit = limit !== undefined && tokens < 1;
      if (limit !== undefined && !isOverLimit) tokens -= 1;
      const isRefused = isOverLimit || random() < atRandom;
      if (isRefused) worker.limited += 1;
      else worker.succeeded += worker.takenAt.push(now) > 0 ? 1 : 0;
      if (second >= from) totals[isRefused ? 'refused' : 'taken'] += 1;
    }
    for (const worker of workers) {
      const hasNews = worker.limited > 0 || (worker.hasToldFailures && worker.succeeded > 0);
      if (hasNews && now - worker.sentAt >= REPORT_EVERY_MS)
        tell({ kind: 'report', report: reportOf(worker, now) }, now);
    }
  }
  return {
    takenPerSecond: totals.taken / (seconds - from),
    refusedShare: totals.refused / (totals.taken + totals.refused),
    gate,
  };
}

/** What a worker tells, as `activities/gate-watch.ts` does; it begins to count anew. */
function reportOf(worker: Worker, now: number): GateReport {
  const { succeeded, limited, takenAt } = worker;
  while (takenAt[0] !== undefined && takenAt[0] <= now - AVERAGE_MS) takenAt.shift();
  Object.assign(worker, { succeeded: 0, limited: 0, sentAt: now, hasToldFailures: limited > 0 });
  return {
    succeeded,
    answeredBegunAt: succeeded > 0 ? now : null,
    failed: limited > 0 ? { rate_limit: limited } : {},
    isKeyRefused: false,
    isNearlyUsedUp: false,
    failuresInARow: 0,
    isUnreachable: false,
    takenPerSecond: (takenAt.length * 1_000) / Math.max(1_000, now - (takenAt[0] ?? now)),
    notBefore: null,
    tokens: 0,
    limits: {},
  };
}

/** The same in every run (a linear congruential generator with the constants of ANSI C). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31;
}

describe('429s at random', () => {
  test.each([
    { share: 0.01, demand: 80, after: 160, workers: 1 },
    { share: 0.05, demand: 80, after: 80, workers: 1 },
    { share: 0.05, demand: 80, after: 160, workers: 3 },
    { share: 0.05, demand: 5, after: 160, workers: 1 },
    { share: 0.1, demand: 20, after: 160, workers: 1 },
  ])('of $share of $demand calls a second, by $workers workers, slow nobody down for long', (scene) => {
    const { share, demand, after, workers } = scene;
    const { takenPerSecond, gate } = came(
      { atRandom: share, demand: () => demand, workers, seconds: after + 60 },
      after,
    );
    expect(takenPerSecond).toBeGreaterThan(0.8 * demand * (1 - share));
    expect(gate.reason).toMatch(/^the provider says 429 to \d+(\.\d+)? % of calls at any rate/);
  });

  test.each([
    { share: 0.01, demand: 20 },
    { share: 0.02, demand: 5 },
    { share: 0.02, demand: 100 },
    { share: 0.04, demand: 5 },
    { share: 0.04, demand: 20 },
  ])(
    'of $share of $demand calls a second do not hold anybody up for good where there are few calls when they begin',
    ({ share, demand }) => {
      for (const seed of Array.from({ length: 20 }, (_, index) => 1 + index)) {
        const atFirst = Math.min(4, demand);
        const { takenPerSecond } = came(
          { atRandom: share, demand: (s) => (s < 1 ? atFirst : demand), workers: 2, seconds: 500, seed },
          300,
        );
        expect(takenPerSecond, `seed ${seed}`).toBeGreaterThan(0.5 * demand);
      }
    },
  );

  test('are forgotten once there are none any more: the gate is closed', () => {
    const { gate } = came(
      { atRandom: 0, demand: () => 20, limit: (s) => (s < 20 ? 5 : 1_000), seconds: 400 },
      0,
    );
    expect(gate).toMatchObject({ state: 'closed', refusals: null });
  });
});

describe('429s that come of our rate', () => {
  const LIMITS = [2, 10, 50, 300].flatMap((limit) =>
    [...new Set([10, limit])].flatMap((burst) => [1, 3].map((workers) => ({ limit, burst, workers }))),
  );

  test.each(LIMITS)(
    'are never taken for others: $limit calls a second, bursts of $burst, $workers workers',
    ({ limit, burst, workers }) => {
      const scene = { limit: () => limit, burst, demand: () => 5 * limit, workers, seconds: 180 };
      const { takenPerSecond, refusedShare, gate } = came(scene, 60);
      expect(gate.refusals?.unrelatedShare ?? 0).toBe(0);
      expect(refusedShare).toBeLessThan(0.03);
      expect(takenPerSecond).toBeGreaterThan(0.85 * limit);
    },
  );

  test('are told from others where the limit becomes lower', () => {
    const scene = { limit: (second: number) => (second < 100 ? 50 : 10), demand: () => 100, seconds: 220 };
    const { takenPerSecond, refusedShare } = came(scene, 140);
    expect(takenPerSecond).toBeGreaterThan(9);
    expect(refusedShare).toBeLessThan(0.03);
  });

  test('lower the rate where there are others as well', () => {
    const scene = { limit: () => 10, atRandom: 0.02, demand: () => 50, seconds: 500 };
    const { takenPerSecond, refusedShare } = came(scene, 250);
    expect(takenPerSecond).toBeGreaterThan(8.5);
    expect(refusedShare).toBeLessThan(0.15);
  });
});
