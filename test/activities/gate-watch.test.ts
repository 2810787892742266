import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ClassifiedFailure } from '../../activities/failures.ts';
import { gateWatch } from '../../activities/gate-watch.ts';
import { reachability } from '../../activities/reachability.ts';
import type { GateReport, GateStateName } from '../../src/core/gate-contract.ts';
import type { ModelReply } from '../../src/provider/provider.ts';

const ANSWER: ModelReply = { text: '{}', finish: 'stop', usage: { promptTokens: 90, completionTokens: 10 } };
const DOWN: ClassifiedFailure = { type: 'server_error', retryable: true, message: 'HTTP 503', status: 503 };
const LIMITED: ClassifiedFailure = { type: 'rate_limit', retryable: true, message: 'HTTP 429', status: 429 };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A watch whose reports and looks are seen here. */
function watching(
  options: {
    readonly tpm?: number;
    readonly sendFails?: () => boolean;
    readonly onSend?: () => Promise<void>;
    /** Absent: the provider cannot be asked. */
    readonly isReachable?: () => Promise<boolean>;
  } = {},
) {
  const reports: GateReport[] = [];
  let state: GateStateName = 'closed';
  let callsPerSecond: number | null = null;
  let looks = 0;
  const watch = gateWatch({
    send: async (report) => {
      if (options.sendFails?.()) throw new Error('the server is away');
      await options.onSend?.();
      reports.push(report);
    },
    look: async () => {
      looks += 1;
      return { state, callsPerSecond };
    },
    reachability: reachability(options.isReachable),
    consecutiveFailures: 3,
    ...(options.tpm === undefined ? {} : { tpm: options.tpm }),
  });
  const answer = (): void => {
    const begunAt = Date.now();
    watch.began();
    watch.answered(ANSWER, begunAt);
  };
  const fail = (failure = DOWN): void => {
    watch.began();
    watch.failed(failure);
  };
  return {
    watch,
    reports,
    answer,
    fail,
    looks: () => looks,
    becomes: (next: GateStateName, limit: number | null = null): void => {
      state = next;
      callsPerSecond = limit;
    },
  };
}

describe('what a worker tells a gate', () => {
  it('is nothing while calls succeed, and a look at the store every five seconds', async () => {
    const { reports, answer, looks } = watching();
    for (let n = 0; n < 100; n += 1) {
      answer();
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(reports).toEqual([]);
    expect(looks()).toBeLessThanOrEqual(3);
  });

  it('is a storm of failures in a handful of reports', async () => {
    const { reports, fail } = watching();
    for (let n = 0; n < 500; n += 1) {
      fail(LIMITED);
      await vi.advanceTimersByTimeAsync(4);
    }
    await vi.advanceTimersByTimeAsync(1_000);
    expect(reports.length).toBeLessThan(7);
    expect(reports.reduce((sum, { failed }) => sum + (failed.rate_limit ?? 0), 0)).toBe(500);
  });

  it('is the first success after a failure, and then nothing again', async () => {
    const { reports, answer, fail } = watching();
    fail();
    await vi.advanceTimersByTimeAsync(1_000);
    answer();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(reports).toMatchObject([
      { failed: { server_error: 1 }, failuresInARow: 1 },
      { succeeded: 1, failuresInARow: 0, tokens: 100 },
    ]);
    for (let n = 0; n < 20; n += 1) {
      answer();
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(reports).toHaveLength(2);
  });

  it('is not lost while the server is away', async () => {
    let isAway = true;
    const { reports, fail } = watching({ sendFails: () => isAway });
    fail();
    fail();
    await vi.advanceTimersByTimeAsync(5_000);
    isAway = false;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(reports).toMatchObject([{ failed: { server_error: 2 } }]);
  });

  it('is every success while the gate is open, also from a worker that saw no failure', async () => {
    const { reports, answer, becomes } = watching();
    becomes('open');
    answer();
    await vi.advanceTimersByTimeAsync(10);
    answer();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(reports).toMatchObject([{ succeeded: 2 }]);
  });

  it('is tokens now and then, where they are limited', async () => {
    const { reports, answer } = watching({ tpm: 1_000 });
    for (let n = 0; n < 100; n += 1) {
      answer();
      await vi.advanceTimersByTimeAsync(300);
    }
    expect(reports.length).toBeGreaterThanOrEqual(2);
    expect(reports.length).toBeLessThanOrEqual(4);
    expect(reports[1]!.tokens / reports[1]!.succeeded).toBe(100);
  });

  it('is a failure soon, also where tokens are told only now and then', async () => {
    const { reports, answer, fail } = watching({ tpm: 1_000 });
    answer();
    await vi.advanceTimersByTimeAsync(1_000);
    answer();
    fail(LIMITED);
    await vi.advanceTimersByTimeAsync(600);
    expect(reports).toMatchObject([{ succeeded: 1 }, { succeeded: 1, failed: { rate_limit: 1 } }]);
  });

  it('is what failed while a report was on its way', async () => {
    let send: (() => void) | undefined;
    const { reports, fail } = watching({ onSend: () => new Promise<void>((resolve) => (send = resolve)) });
    fail();
    await vi.advanceTimersByTimeAsync(200);
    fail();
    send?.();
    await vi.advanceTimersByTimeAsync(600);
    send?.();
    await vi.advanceTimersByTimeAsync(1);
    expect(reports).toHaveLength(2);
  });

  it('is no failure of a single request', async () => {
    const { reports, fail } = watching();
    fail({ type: 'client_error', retryable: false, message: 'HTTP 400', status: 400 });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(reports).toEqual([]);
    fail({ type: 'client_error', retryable: false, message: 'HTTP 401', status: 401 });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(reports).toMatchObject([{ isKeyRefused: true }]);
  });
});

describe('how long a worker makes no call by itself', () => {
  it('is what Retry-After said, whoever it was said to', async () => {
    const { watch, fail } = watching();
    expect(watch.restMs()).toBe(0);
    fail({ ...LIMITED, retryAfterMs: 2_000 });
    expect(watch.restMs()).toBe(2_000);
    await vi.advanceTimersByTimeAsync(1_500);
    expect(watch.restMs()).toBe(500);
    await vi.advanceTimersByTimeAsync(500);
    expect(watch.restMs()).toBe(0);
  });

  it('is a while, as soon as a row of failures is long enough, until the gate has decided', async () => {
    const { watch, fail, becomes } = watching();
    fail();
    fail();
    expect(watch.restMs()).toBe(0);
    fail();
    expect(watch.restMs()).toBeGreaterThan(0);
    becomes('open');
    await vi.advanceTimersByTimeAsync(1_000);
    // The server lets probes through now: they are to be made.
    expect(watch.restMs()).toBe(0);
    expect(watch.isClosedToCalls()).toBe(true);
  });

  it('ends where the gate decides nothing', async () => {
    const { watch, fail } = watching();
    for (let n = 0; n < 5; n += 1) fail();
    await vi.advanceTimersByTimeAsync(3_100);
    expect(watch.restMs()).toBe(0);
  });

  it('is not ended by answers to calls from before the trouble', async () => {
    const { watch, fail } = watching();
    const begunAt = Date.now();
    watch.began();
    await vi.advanceTimersByTimeAsync(100);
    for (let n = 0; n < 3; n += 1) fail();
    watch.answered(ANSWER, begunAt);
    expect(watch.restMs()).toBeGreaterThan(0);
  });
});

describe('calls for which the server has handed out no task', () => {
  it('are made only where nothing is amiss', async () => {
    const { watch, answer, fail, becomes } = watching();
    expect(watch.isUntroubled()).toBe(true);
    answer();
    expect(watch.isUntroubled()).toBe(true);
    fail(LIMITED);
    expect(watch.isUntroubled()).toBe(false);
    becomes('throttled');
    await vi.advanceTimersByTimeAsync(1_000);
    answer();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(watch.isUntroubled()).toBe(false);
    becomes('closed');
    answer();
    await vi.advanceTimersByTimeAsync(6_000);
    answer();
    await vi.advanceTimersByTimeAsync(0);
    expect(watch.isUntroubled()).toBe(true);
  });

  it('are not made where a closed gate has a rate all the same, by the tokens that calls use', async () => {
    const { watch, answer, becomes } = watching();
    becomes('closed', 10);
    answer();
    await vi.advanceTimersByTimeAsync(0);
    expect(watch.isUntroubled()).toBe(false);
  });

  it('are not made while a failure is being told', async () => {
    const sending = Promise.withResolvers<void>();
    const { watch, fail } = watching({ onSend: () => sending.promise });
    fail();
    await vi.advanceTimersByTimeAsync(500);
    expect(watch.isUntroubled()).toBe(false);
    sending.resolve();
  });
});

describe('a provider that can be asked whether it is there', () => {
  /** It answers so late. */
  const ASKING_MS = 20;
  const askable = () => {
    const provider = { isThere: true, questions: 0 };
    const watched = watching({
      isReachable: async () => {
        provider.questions += 1;
        await new Promise((resolve) => setTimeout(resolve, ASKING_MS));
        return provider.isThere;
      },
    });
    return { ...watched, provider };
  };

  it('is asked at the third failure in a row, and calls wait for what it says', async () => {
    const { provider, fail, watch } = askable();
    fail();
    fail();
    expect(provider.questions).toBe(0);
    fail();
    expect(provider.questions).toBe(1);
    expect(watch.restMs()).toBeGreaterThan(0);
  });

  it('is no reason for the gate to open where it is there', async () => {
    const { fail, reports } = askable();
    for (let n = 0; n < 3; n += 1) fail();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(reports).toMatchObject([{ failuresInARow: 3, isUnreachable: false }]);
  });

  it('is told of as out of reach, once, while that is news', async () => {
    const { provider, fail, watch, reports, becomes } = askable();
    provider.isThere = false;
    for (let n = 0; n < 3; n += 1) fail();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(watch.restMs()).toBeGreaterThan(0);
    expect(reports).toMatchObject([{ failed: { server_error: 3 }, failuresInARow: 3, isUnreachable: true }]);
    becomes('open');
    await vi.advanceTimersByTimeAsync(10_000);
    watch.began();
    await vi.advanceTimersByTimeAsync(1);
    watch.failed(DOWN);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(reports.at(-1)).toMatchObject({ failuresInARow: 4, isUnreachable: false });
  });

  it('is worth no call while the circuit is open and it is not there, but one a minute', async () => {
    const { provider, fail, watch, becomes } = askable();
    const isWorthACall = async (): Promise<boolean> => {
      const said = watch.isWorthACall();
      await vi.advanceTimersByTimeAsync(ASKING_MS);
      return said;
    };
    expect(await isWorthACall()).toBe(true);
    expect(provider.questions).toBe(0);
    provider.isThere = false;
    for (let n = 0; n < 3; n += 1) fail();
    becomes('open');
    for (let second = 1; second < 60; second += 1) {
      await vi.advanceTimersByTimeAsync(1_000 - ASKING_MS);
      expect(await isWorthACall()).toBe(false);
    }
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await isWorthACall()).toBe(true);
    fail();
    expect(await isWorthACall()).toBe(false);
    provider.isThere = true;
    expect(await isWorthACall()).toBe(true);
  });

  it('is not asked while the circuit is closed, half open or parked', async () => {
    const { provider, watch, becomes } = askable();
    for (const state of ['closed', 'half_open', 'parked', 'throttled'] as const) {
      becomes(state);
      await vi.advanceTimersByTimeAsync(6_000);
      expect(await watch.isWorthACall()).toBe(true);
    }
    expect(provider.questions).toBe(0);
  });
});
