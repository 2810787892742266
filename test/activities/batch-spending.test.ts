import { describe, expect, it } from 'vitest';
import { batchSpending } from '../../activities/batch-spending.ts';
import type { Usage } from '../../src/core/contract.ts';

const usage = (tokens: number, costUsd: number | null = 0): Usage => ({
  calls: 1,
  promptTokens: tokens,
  completionTokens: 0,
  costUsd,
});
const costing = (tokens: number) => () => ({ tokens, costUsd: 0 });

/** A worker's view of a store in which others write, too. */
function watched() {
  const scene = { spent: 0, costUsd: 0 as number | null, answers: 0, answerTokens: 0, reads: 0, now: 0 };
  const spending = batchSpending(
    async () => {
      scene.reads += 1;
      const { spent, answers, answerTokens, costUsd } = scene;
      const completionTokens = answers * answerTokens;
      return {
        answers,
        usage: { calls: answers, promptTokens: spent - completionTokens, completionTokens, costUsd },
      };
    },
    () => scene.now,
  );
  return { scene, spending };
}

describe('what a batch spends', () => {
  it('counts calls under way, so that those begun together do not exceed it', async () => {
    const { spending } = watched();
    const made = await Promise.all(
      Array.from({ length: 20 }, () => spending.reserve('b', { maxTokens: 1_000 }, costing(100))),
    );
    expect(made.filter((reservation) => reservation !== undefined)).toHaveLength(10);
  });

  it('gives back what a call did not cost, and takes what it cost more', async () => {
    const { spending, scene } = watched();
    const budget = { maxTokens: 1_000 };
    const failed = await spending.reserve('b', budget, costing(1_000));
    expect(await spending.reserve('b', budget, costing(1))).toBeUndefined();
    failed?.settle(undefined);
    const answered = await spending.reserve('b', budget, costing(400));
    scene.spent = 900;
    answered?.settle(usage(900));
    expect(await spending.reserve('b', budget, costing(101))).toBeUndefined();
    scene.now += 60;
    expect(await spending.reserve('b', budget, costing(100))).toBeDefined();
  });

  it('is counted anew where other workers may have spent since: soon where little is left, else each second', async () => {
    const { spending, scene } = watched();
    const reserve = (budget: number) => spending.reserve('b', { maxTokens: budget }, costing(10));
    (await reserve(1_000_000))?.settle(usage(10));
    scene.now += 900;
    (await reserve(1_000_000))?.settle(usage(10));
    expect(scene.reads).toBe(1);
    scene.now += 200;
    scene.spent = 995_000;
    await reserve(1_000_000);
    expect(scene.reads).toBe(2);
    scene.spent = 999_995;
    scene.now += 50;
    expect(await reserve(995_050)).toBeUndefined();
    expect(scene.reads).toBe(3);
  });

  it('takes an answer to be as long as the mean of the batch', async () => {
    const { spending, scene } = watched();
    Object.assign(scene, { spent: 1_000, answers: 10, answerTokens: 50 });
    const estimates: number[] = [];
    await spending.reserve('b', { maxTokens: 9_000 }, (answerTokens) => {
      estimates.push(answerTokens);
      return { tokens: answerTokens, costUsd: 0 };
    });
    expect(new Set(estimates)).toEqual(new Set([50]));
  });

  it('is over where its cost is not known', async () => {
    const { spending, scene } = watched();
    scene.costUsd = null;
    expect(await spending.reserve('b', { maxCostUsd: 1 }, costing(1))).toBeUndefined();
    expect(await spending.reserve('b', { maxTokens: 1_000 }, costing(1))).toBeDefined();
  });
});
