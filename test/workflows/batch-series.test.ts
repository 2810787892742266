/** Series of short calls, on the real server. */
import { randomUUID } from 'node:crypto';
import { defaultPayloadConverter } from '@temporalio/common';
import { APIError } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { AskSeriesInput, SeriesResult } from '../../activities/ask-series.ts';
import type { BatchHandle } from '../../src/client/batch-handle.ts';
import type { BatchResult } from '../../src/core/batch-contract.ts';
import { until } from '../stack/temp-home.ts';
import { readingProvider } from '../support/reading-provider.ts';
import type { Answering } from '../support/reading-provider.ts';
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
  stack = await startTestStack('series');
}, 900_000);

afterAll(endTestStacks);

const numberIn = (text: string): number => Number(/\d+/.exec(text)?.[0]);
const right = (text: string): string => JSON.stringify({ number: numberIn(text) });

function start(count: number, concurrency: number): Promise<BatchHandle<Thing>> {
  const documents = Array.from({ length: count }, (_, index) => ({
    id: `d${index}`,
    text: `thing ${index}`,
  }));
  const retry = { baseDelayMs: 20, maxDelayMs: 100, maxProviderRetries: 2 };
  return stack.extractor.batch(documents, { id: `b-${randomUUID()}`, schema: thing, concurrency, retry });
}

/** The series of a batch's first shard: what was asked, and what came back where something did. */
async function seriesOf({ id }: BatchHandle<Thing>) {
  const { events } = await stack.extractor.client.workflow.getHandle(`batch/${id}/1`).fetchHistory();
  const all = events ?? [];
  const scheduled = all.flatMap(({ eventId, activityTaskScheduledEventAttributes: attributes }) =>
    attributes?.activityType?.name === 'askSeries' ? [{ eventId: String(eventId), attributes }] : [],
  );
  return scheduled.map(({ eventId, attributes }) => {
    const completed = all.flatMap(({ activityTaskCompletedEventAttributes: done }) =>
      String(done?.scheduledEventId) === eventId ? [done] : [],
    );
    const { asks } = defaultPayloadConverter.fromPayload<AskSeriesInput>(attributes.input!.payloads![0]!);
    const results = completed[0]?.result?.payloads?.map((payload) =>
      defaultPayloadConverter.fromPayload<readonly SeriesResult[]>(payload),
    )[0];
    return { seqs: asks.map(({ document }) => ('seq' in document ? document.seq : -1)), results };
  });
}

async function allOf(batch: BatchHandle<Thing>): Promise<readonly BatchResult<Thing>[]> {
  const all: BatchResult<Thing>[] = [];
  for await (const result of batch.results()) all.push(result);
  return all;
}

function failed(status: number, headers: Record<string, string> = {}): APIError {
  return APIError.generate(status, {}, undefined, new Headers(headers));
}

function sumOf(calls: ReadonlyMap<string, number>): number {
  return [...calls.values()].reduce((all, count) => all + count, 0);
}

describe('short calls', () => {
  it('are made one after the other in one slot, each once', async () => {
    const reading = readingProvider({ answering: ({ text }) => right(text), latencyMs: 5 });
    await withWorker(stack, { provider: reading.provider }, async () => {
      const batch = await start(400, 10);
      expect(await batch.done()).toMatchObject({ succeeded: 400, calls: 400 });
      expect(new Set(reading.calls.values())).toEqual(new Set([1]));
      expect(reading.takePeak()).toBeLessThanOrEqual(10);
      const series = await seriesOf(batch);
      expect(Math.max(...series.map(({ seqs }) => seqs.length))).toBe(8);
      expect(series.flatMap(({ seqs }) => seqs).length).toBeGreaterThan(200);
      expect((await allOf(batch)).every(({ data }, index) => data?.number === index)).toBe(true);
    });
  });

  it('that fail are made again by themselves, as often and as late as if they had always been so', async () => {
    const [limited, refused, failing, wrong] = [100, 170, 240, 310];
    const calledAt: number[] = [];
    const answering: Answering = ({ text, call }) => {
      const number = numberIn(text);
      if (number === limited) calledAt.push(Date.now());
      if (number === limited && call === 1) throw failed(429, { 'retry-after-ms': '700' });
      if (number === refused) throw failed(400);
      if (number === failing) throw failed(500);
      return number === wrong && call === 1 ? '{}' : right(text);
    };
    const reading = readingProvider({ answering });
    await withWorker(stack, { provider: reading.provider }, async () => {
      const batch = await start(400, 5);
      expect(await batch.done()).toMatchObject({ succeeded: 398, failed: 2, calls: 404 });
      const special = [limited, refused, failing, wrong];
      const calls = special.map((number) => reading.calls.get(`thing ${number}`));
      expect(calls).toEqual([2, 1, 3, 2]);
      expect(sumOf(reading.calls)).toBe(404);
      expect(calledAt[1]! - calledAt[0]!).toBeGreaterThanOrEqual(700);
      const results = await allOf(batch);
      expect(special.map((number) => results[number])).toMatchObject([
        {
          success: true,
          attempts: 1,
          usage: { calls: 2 },
          errors: [{ type: 'rate_limit', status: 429, delayMs: expect.any(Number) }],
        },
        {
          success: false,
          stopped: 'client_error',
          usage: { calls: 1 },
          errors: [{ status: 400, delayMs: null }],
        },
        {
          success: false,
          stopped: 'server_error',
          usage: { calls: 3 },
          errors: [{ delayMs: expect.any(Number) }, { delayMs: expect.any(Number) }, { delayMs: null }],
        },
        { success: true, attempts: 2, usage: { calls: 2 } },
      ]);
      // In series they were, all of them.
      const inSeries = new Set((await seriesOf(batch)).flatMap(({ seqs }) => seqs));
      expect(special.filter((number) => !inSeries.has(number))).toEqual([]);
    });
  });

  it('that fail for good while the batch is paused are not made again when it goes on', async () => {
    let isToPause: (() => Promise<void>) | undefined;
    const answering: Answering = async ({ text }) => {
      if (numberIn(text) !== 120) return right(text);
      await isToPause?.();
      throw failed(400);
    };
    const reading = readingProvider({ answering });
    await withWorker(stack, { provider: reading.provider }, async () => {
      const batch = await start(200, 4);
      isToPause = () => batch.pause();
      await until(async () => (await batch.status()).state === 'paused' && reading.inFlight() === 0);
      await batch.resume();
      expect(await batch.done()).toMatchObject({ succeeded: 199, failed: 1, calls: 200 });
      expect(reading.calls.get('thing 120')).toBe(1);
      expect((await allOf(batch))[120]).toMatchObject({
        stopped: 'client_error',
        errors: [{ delayMs: null }],
      });
      expect((await seriesOf(batch)).some(({ seqs }) => seqs.includes(120))).toBe(true);
    });
  });

  it('wait for no slow one among them', async () => {
    const slow = Promise.withResolvers<void>();
    const answering: Answering = async ({ text }) => {
      if (numberIn(text) === 60) await slow.promise;
      return right(text);
    };
    const reading = readingProvider({ answering });
    await withWorker(stack, { provider: reading.provider, callTimeoutMs: 30_000 }, async () => {
      const batch = await start(100, 2);
      await until(async () => (await batch.status()).succeeded === 99);
      expect(reading.inFlight()).toBe(1);
      slow.resolve();
      expect(await batch.done()).toMatchObject({ succeeded: 100, calls: 100 });
      const behind = (await seriesOf(batch)).find(({ seqs }) => seqs.includes(60));
      expect(behind?.seqs.length).toBeGreaterThan(1);
    });
  });

  it('are handed out one by one where a rate is to be kept', async () => {
    const reading = readingProvider({ answering: ({ text }) => right(text) });
    const provider = { ...reading.provider, rpm: 3_000 };
    await withWorker(stack, { provider }, async () => {
      const startedAt = performance.now();
      const batch = await start(300, 5);
      expect(await batch.done()).toMatchObject({ succeeded: 300, calls: 300 });
      // The server lets a second's worth through at first.
      expect(performance.now() - startedAt).toBeGreaterThan(((300 - 2 * 50) / 50) * 1_000);
      const results = (await seriesOf(batch)).map((series) => series.results?.length);
      expect(results.filter((length) => length !== 1)).toEqual([]);
    });
  });

  it('that are broken off with their worker are made again, and no other is', async () => {
    const reading = readingProvider({ answering: ({ text }) => right(text), latencyMs: 60 });
    const batch = await withWorker(stack, { provider: reading.provider }, async () => {
      const begun = await start(300, 5);
      await until(() => reading.calls.size > 100);
      return begun;
    });
    const again = readingProvider({ answering: ({ text }) => right(text), latencyMs: 60 });
    await withWorker(stack, { provider: again.provider }, async () => {
      const { succeeded, calls } = await batch.done();
      const made = sumOf(reading.calls) + sumOf(again.calls);
      expect(succeeded).toBe(300);
      expect(made - 300).toBeLessThanOrEqual(5);
      // One that was about to be made when the worker ended is counted too.
      expect(calls - made).toBeGreaterThanOrEqual(0);
      expect(calls - 300).toBeLessThanOrEqual(5);
    });
  });
});
