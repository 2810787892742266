import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { BatchHandle } from '../../src/client/batch-handle.ts';
import { InvalidInputError } from '../../src/client/index.ts';
import type { Budget } from '../../src/core/contract.ts';
import { readingProvider } from '../support/reading-provider.ts';
import type { ReadingProvider } from '../support/reading-provider.ts';
import { quietRuntime } from '../support/scripted-worker.ts';
import { endTestStacks, startTestStack, temporalCli } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';
import { withWorker } from '../support/test-worker.ts';

const thing = z.strictObject({ number: z.number().int() });
type Thing = z.output<typeof thing>;
let stack: TestStack;

beforeAll(async () => {
  quietRuntime();
  await temporalCli();
  stack = await startTestStack('batch-budget');
}, 900_000);

afterAll(endTestStacks);

const CONCURRENCY = 10;
/** What the provider says that each of its calls came to. */
const TOKENS_OF_A_CALL = 110;

interface Scene {
  readonly batch: BatchHandle<Thing>;
  readonly provider: ReadingProvider;
}

async function underWay(
  { count, batchBudget }: { readonly count: number; readonly batchBudget: Budget },
  use: (scene: Scene) => Promise<void>,
): Promise<void> {
  const provider = readingProvider({
    answering: ({ text }) => JSON.stringify({ number: Number(/\d+/.exec(text)?.[0]) }),
    latencyMs: 20,
  });
  const documents = Array.from({ length: count }, (_, index) => ({
    id: `d${index}`,
    text: `thing ${index}`,
  }));
  await withWorker(stack, { provider: provider.provider }, async () => {
    const options = { id: `b-${randomUUID()}`, schema: thing, concurrency: CONCURRENCY, batchBudget };
    await use({ batch: await stack.extractor.batch(documents, options), provider });
  });
}

function callsOf({ provider }: Scene): number {
  return [...provider.calls.values()].reduce((sum, calls) => sum + calls, 0);
}

describe('a batch with a budget', () => {
  it('is paused where the next call is not covered, keeps what it has, and pays nothing twice when it goes on', () =>
    underWay({ count: 200, batchBudget: { maxTokens: 40 * TOKENS_OF_A_CALL } }, async (scene) => {
      const { batch } = scene;
      const paused = await batch.done();
      expect(paused).toMatchObject({
        state: 'paused',
        pausedFor: 'budget',
        budget: { maxTokens: 40 * TOKENS_OF_A_CALL },
        failed: 0,
      });
      // The estimate of a first answer knows nothing of its length yet.
      expect(callsOf(scene)).toBeGreaterThan(20);
      expect(callsOf(scene)).toBeLessThanOrEqual(40 + CONCURRENCY);
      const kept: boolean[] = [];
      for await (const { success } of batch.results()) kept.push(success);
      expect(kept).toHaveLength(200);
      expect(kept.filter(Boolean).length).toBeGreaterThan(20);

      await expect(batch.resume()).rejects.toThrow(InvalidInputError);
      await expect(batch.resume({ budget: paused.budget ?? {} })).rejects.toThrow(
        'expected a budget above that',
      );
      await batch.resume({ budget: { maxTokens: 100 * TOKENS_OF_A_CALL } });
      expect(await batch.done()).toMatchObject({ state: 'paused', pausedFor: 'budget' });
      expect(callsOf(scene)).toBeLessThanOrEqual(100 + CONCURRENCY);
      await batch.resume({ budget: { maxTokens: 1_000 * TOKENS_OF_A_CALL } });
      expect(await batch.done()).toMatchObject({ state: 'completed', succeeded: 200, pausedFor: null });
      expect(callsOf(scene)).toBe(200);
    }));

  it('is refused where the budget is none, or a price is not known', () =>
    underWay({ count: 1, batchBudget: { maxTokens: 0 } }, async ({ batch, provider }) => {
      await expect(batch.done()).rejects.toThrow('batchBudget.maxTokens');
      expect(provider.calls.size).toBe(0);
    }));

  it('takes another budget while it runs, and when it was cancelled', () =>
    underWay({ count: 150, batchBudget: { maxTokens: 30 * TOKENS_OF_A_CALL } }, async ({ batch }) => {
      await batch.resume({ budget: { maxTokens: 60 * TOKENS_OF_A_CALL } });
      expect(await batch.done()).toMatchObject({
        state: 'paused',
        budget: { maxTokens: 60 * TOKENS_OF_A_CALL },
      });
      await batch.cancel();
      expect(await batch.done()).toMatchObject({ state: 'cancelled' });
      await batch.resume({ budget: { maxTokens: 1_000 * TOKENS_OF_A_CALL } });
      expect(await batch.done()).toMatchObject({ state: 'completed', succeeded: 150 });
    }));
});
