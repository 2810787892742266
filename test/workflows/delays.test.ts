import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { RetryConfig } from '../../src/client/index.ts';
import { quietRuntime, withScriptedWorker } from '../support/scripted-worker.ts';
import type { Reply, Seen } from '../support/scripted-provider.ts';
import { endTestStacks, startTestStack, temporalCli } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';

const schema = z.strictObject({ name: z.string() });
const answered: Reply = { answer: '{"name": "Ada"}' };
/** The server's timers, the way to the worker and to the provider, on a machine that does other things too. */
const SLACK_MS = 1_000;
/** Clocks are read in whole milliseconds. */
const ROUNDING_MS = 2;

let stack: TestStack;

beforeAll(async () => {
  quietRuntime();
  await temporalCli();
  stack = await startTestStack('delays');
}, 900_000);

afterAll(endTestStacks);

/** Extracts once. Gives what the provider saw between one call and the next, and what the outcome says was waited. */
async function delaysOf(
  script: readonly Reply[],
  retry: Partial<RetryConfig>,
): Promise<{ readonly gaps: readonly number[]; readonly reported: readonly (number | null)[] }> {
  let calls: readonly Seen[] = [];
  let reported: readonly (number | null)[] = [];
  await withScriptedWorker(stack, { script }, async (seen) => {
    const { errors } = await stack.extractor.extract({ text: 'Ada', schema, retry });
    calls = seen;
    reported = errors.flatMap((error) => ('delayMs' in error ? [error.delayMs] : []));
  });
  return { gaps: calls.slice(1).map(({ at }, index) => at - calls[index]!.at), reported };
}

function expectBetween(gap: number | undefined, { least, most }: { least: number; most: number }): void {
  expect(gap).toBeGreaterThanOrEqual(least - ROUNDING_MS);
  expect(gap).toBeLessThanOrEqual(most + SLACK_MS);
}

describe('the delay after a provider failure', () => {
  const formula = [100, 200, 400, 800];
  const retry = { maxProviderRetries: 4, baseDelayMs: 100, exponentialBase: 2, jitter: true };

  it('grows by the formula, drawn from its upper half', async () => {
    const { gaps, reported } = await delaysOf([{ status: 500 }], retry);
    expect(gaps).toHaveLength(formula.length);
    expect(reported).toHaveLength(formula.length + 1);
    for (const [index, full] of formula.entries()) {
      const said = reported[index]!;
      expect(said).toBeGreaterThanOrEqual(full / 2);
      expect(said).toBeLessThanOrEqual(full);
      expectBetween(gaps[index], { least: said, most: said });
    }
    expect(reported.at(-1)).toBeNull();
  });

  it('is another one for each extraction, with jitter only', async () => {
    const quick = { ...retry, baseDelayMs: 20 };
    const one = await delaysOf([{ status: 500 }], quick);
    const two = await delaysOf([{ status: 500 }], quick);
    expect(one.reported).not.toEqual(two.reported);
    const plain = await delaysOf([{ status: 500 }], { ...quick, jitter: false });
    expect(plain.reported).toEqual([20, 40, 80, 160, null]);
  });

  it('is no longer than maxDelayMs', async () => {
    const { gaps, reported } = await delaysOf([{ status: 503 }], {
      ...retry,
      jitter: false,
      maxDelayMs: 150,
    });
    expect(reported).toEqual([100, 150, 150, 150, null]);
    for (const gap of gaps) expectBetween(gap, { least: 100, most: 150 });
  });

  it.each([
    ['429', { status: 429, headers: { 'retry-after': '1' } }],
    ['503', { status: 503, headers: { 'retry-after-ms': '1000' } }],
  ])('is what a %s asks for, also where that is longer than maxDelayMs', async (_, failure) => {
    const { gaps } = await delaysOf([failure, answered], { ...retry, maxDelayMs: 200 });
    expect(gaps).toHaveLength(1);
    // Stretched by at most a tenth, so that callers told the same do not return together.
    expectBetween(gaps[0], { least: 1_000, most: 1_100 });
  });

  it('is no longer than maxRetryAfterMs, whatever the provider asks for', async () => {
    const failure = { status: 429, headers: { 'retry-after': '60' } };
    const { gaps, reported } = await delaysOf([failure, answered], { ...retry, maxRetryAfterMs: 1_500 });
    expect(reported).toEqual([1_500]);
    expectBetween(gaps[0], { least: 1_500, most: 1_500 });
  });
});
