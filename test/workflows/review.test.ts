import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { InvalidInputError } from '../../src/client/index.ts';
import type { BatchHandle } from '../../src/client/batch-handle.ts';
import type { ExtractHandle, ExtractOptions } from '../../src/client/index.ts';
import { until } from '../stack/temp-home.ts';
import { readingProvider } from '../support/reading-provider.ts';
import { quietRuntime } from '../support/scripted-worker.ts';
import { endTestStacks, startTestStack, temporalCli } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';
import { withWorker } from '../support/test-worker.ts';

const thing = z.strictObject({ name: z.string(), number: z.number().int() });
type Thing = z.output<typeof thing>;
let stack: TestStack;

beforeAll(async () => {
  quietRuntime();
  await temporalCli();
  stack = await startTestStack('review');
}, 900_000);

afterAll(endTestStacks);

const numberIn = (text: string): number => Number(/\d+/.exec(text)?.[0]);
/** Every third document is read wrongly whatever is said. */
const { provider } = readingProvider({
  answering: ({ text }) =>
    JSON.stringify({ name: 'thing', number: numberIn(text) % 3 === 0 ? 'none' : numberIn(text) }),
});

const withOurWorker = (use: () => Promise<void>) => withWorker(stack, { provider }, use);

async function inReview(
  use: (extraction: ExtractHandle<Thing>) => Promise<void>,
  options: Partial<ExtractOptions<typeof thing>> = {},
): Promise<void> {
  await withOurWorker(async () => {
    const extraction = await stack.extractor.startExtract({
      id: `r-${randomUUID()}`,
      text: 'thing 3',
      schema: thing,
      onExhausted: 'review',
      ...options,
    });
    await until(async () => (await extraction.conversation())?.status === 'review');
    await use(extraction);
  });
}

describe('an extraction that was given up', () => {
  it('waits for a person, tells them what is wrong with their data, and takes what is right', () =>
    inReview(async (extraction) => {
      const refused = await extraction.correct({ name: 'thing', number: 'three' });
      expect(refused).toMatchObject({
        status: 'rejected',
        problem: { details: [{ path: 'number', kind: 'wrong_type' }] },
      });
      const taken = await extraction.correct({ name: 'thing', number: '3' }, { by: 'Grace' });
      expect(taken).toMatchObject({ status: 'accepted', data: { number: 3 } });
      const outcome = await extraction.result();
      expect(outcome).toMatchObject({
        success: true,
        data: { name: 'thing', number: 3 },
        stopped: null,
        correction: { by: 'Grace', at: expect.stringMatching(/^20/) },
      });
      expect(outcome.errors.length).toBe(outcome.attempts);
      await expect(extraction.correct({ name: 'late', number: 1 })).rejects.toThrow(/completed|not found/);
    }));

  it('ends as it is where the person gives up', () =>
    inReview(async (extraction) => {
      await extraction.giveUp();
      expect(await extraction.result()).toMatchObject({
        success: false,
        correction: null,
        partial: { name: 'thing' },
      });
      const store = await stack.extractor.store();
      const waiting = await store.reviews.waiting({ batchId: '', limit: 1_000, now: Date.now() });
      expect(waiting.map(({ documentId }) => documentId)).not.toContain(extraction.id);
    }));

  it('ends as it is when its deadline has passed', () =>
    inReview(
      async (extraction) => {
        expect(await extraction.result()).toMatchObject({ success: false, stopped: 'attempts' });
      },
      { reviewDeadlineMs: 1_500 },
    ));

  it('waits through the loss of its worker', async () => {
    let extraction: ExtractHandle<Thing> | undefined;
    await inReview(async (begun) => {
      extraction = begun;
    });
    await sleep(200);
    await withOurWorker(async () => {
      await extraction?.correct({ name: 'thing', number: 3 });
      expect(await extraction?.result()).toMatchObject({ success: true, data: { number: 3 } });
    });
  });

  it('is not to be corrected where it does not wait', () =>
    withOurWorker(async () => {
      const extraction = await stack.extractor.startExtract({ text: 'thing 3', schema: thing });
      expect(await extraction.result()).toMatchObject({ success: false });
      await expect(extraction.correct({ name: 'thing', number: 3 })).rejects.toThrow(/completed|not found/);
    }));
});

async function batchOf(count: number, use: (batch: BatchHandle<Thing>) => Promise<void>): Promise<void> {
  const documents = Array.from({ length: count }, (_, index) => ({
    id: `d${index}`,
    text: `thing ${index}`,
  }));
  await withOurWorker(async () => {
    const options = { id: `b-${randomUUID()}`, schema: thing, onExhausted: 'review' } as const;
    const batch = await stack.extractor.batch(documents, options);
    await batch.done();
    await use(batch);
  });
}

const right = (id: string) => ({ id, data: { name: 'thing', number: 1 } });

describe('a batch', () => {
  it('lists the documents that wait, and takes their data by hand', () =>
    batchOf(9, async (batch) => {
      expect(await batch.status()).toMatchObject({ succeeded: 6, failed: 3, inReview: 3 });
      const waiting: string[] = [];
      for await (const { documentId, record } of batch.review()) {
        waiting.push(documentId);
        expect(record).toEqual({ name: 'thing', number: 'none' });
      }
      expect(waiting).toEqual(['d0', 'd3', 'd6']);
      expect(await batch.correct('d0', { name: 'thing' })).toMatchObject({ status: 'rejected' });
      expect(await batch.correct('d0', { name: 'thing', number: 0 }, { by: 'Grace' })).toMatchObject({
        status: 'accepted',
      });
      expect(await batch.giveUp('d6')).toBe(true);
      const status = await batch.status();
      expect(status).toMatchObject({ succeeded: 7, failed: 2, inReview: 1, calls: status.calls });
      const results = [];
      for await (const result of batch.results()) results.push(result);
      expect(results[0]).toMatchObject({ data: { number: 0 }, correction: { by: 'Grace' } });
      await expect(batch.correct('d1', { name: 'thing', number: 1 })).rejects.toThrow(InvalidInputError);
      await expect(batch.correct('nobody', {})).rejects.toThrow('which it does not have');
    }));

  it('takes several, or none where one of them is wrong', () =>
    batchOf(7, async (batch) => {
      const wrong = await batch.correctAll([right('d0'), { id: 'd3', data: { name: 1 } }, right('d1')]);
      expect([...wrong.keys()]).toEqual([1, 2]);
      expect(await batch.status()).toMatchObject({ inReview: 3 });
      expect((await batch.correctAll([right('d0'), right('d3')])).size).toBe(0);
      expect(await batch.status()).toMatchObject({ inReview: 1, succeeded: 6 });
    }));

  it('keeps by-hand data in later rounds, as long as it is in the schema', () =>
    batchOf(6, async (batch) => {
      await batch.correct('d0', { name: 'by hand', number: 0 });
      await batch.retryFailed();
      expect(await batch.done()).toMatchObject({ round: 2, succeeded: 5, failed: 1 });
      const jsonSchema = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] };
      await batch.rejudge({ schema: { name: 'looser', jsonSchema } });
      expect(await batch.done()).toMatchObject({ round: 3, succeeded: 6, failed: 0 });
      const results = [];
      for await (const result of batch.results()) results.push(result);
      expect(results[0]).toMatchObject({ data: { name: 'by hand' }, correction: { by: null } });
    }));
});
