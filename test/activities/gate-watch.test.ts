import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ClassifiedFailure } from '../../activities/failures.ts';
import { gateWatch } from '../../activities/gate-watch.ts';
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
  } = {},
) {
  const reports: GateReport[] = [];
  let state: GateStateName = 'closed';
  let looks = 0;
  const watch = gateWatch({
    send: async (report) => {
      if (options.sendFails?.()) throw new Error('the server is away');
      await options.onSend?.();
      reports.push(report);
    },
    look: async () => {
      looks += 1;
      return state;
    },
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
    becomes: (next: GateStateName) => void (state = next),
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
