import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { defaultPayloadConverter } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { ShardProgress } from '../../src/core/batch-signals.ts';
import type { BatchHandle } from '../../src/client/batch-handle.ts';
import { InvalidInputError } from '../../src/client/index.ts';
import type { BatchOptions, GivenDocument } from '../../src/client/index.ts';
import { until } from '../stack/temp-home.ts';
import { readingProvider } from '../support/reading-provider.ts';
import type { Answering, ReadingProvider } from '../support/reading-provider.ts';
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
  stack = await startTestStack('batch');
}, 900_000);

afterAll(endTestStacks);

const numberIn = (text: string): number => Number(/\d+/.exec(text)?.[0]);
const right = (text: string): string => JSON.stringify({ name: 'thing', number: numberIn(text) });

function things(count: number): GivenDocument[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `d${index}`,
    text: `thing ${index}`,
    row: index,
  }));
}

interface Scene {
  readonly batch: BatchHandle<Thing>;
  readonly provider: ReadingProvider;
}

/** A batch of a test's own, under way. */
async function underWay(
  options: {
    readonly count: number;
    readonly answering?: Answering;
    readonly latencyMs?: number;
    readonly documents?: GivenDocument[];
    /** Default 5,000. */
    readonly callTimeoutMs?: number;
  } & Partial<BatchOptions<typeof thing>>,
  use: (scene: Scene) => Promise<void>,
): Promise<void> {
  const {
    count,
    answering = ({ text }) => right(text),
    latencyMs = 0,
    documents,
    callTimeoutMs = 5_000,
    ...rest
  } = options;
  const provider = readingProvider({ answering, latencyMs });
  await withWorker(stack, { provider: provider.provider, callTimeoutMs }, async () => {
    const batch = await stack.extractor.batch(documents ?? things(count), {
      id: `b-${randomUUID()}`,
      schema: thing,
      retry: { baseDelayMs: 20, maxDelayMs: 100, maxProviderRetries: 1 },
      ...rest,
    });
    await use({ batch, provider });
  });
}

async function allOf<T>(results: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const result of results) all.push(result);
  return all;
}

/** No document was asked about more often than its answers needed. */
function callsPerDocument({ provider }: Scene): readonly number[] {
  return [...new Set(provider.calls.values())].toSorted((a, b) => a - b);
}

const workflowOf = ({ batch }: Scene, shard?: number) =>
  stack.extractor.client.workflow.getHandle(`batch/${batch.id}${shard === undefined ? '' : `/${shard}`}`);

describe('a batch', () => {
  it('gives a typed result for each document, in order, with its metadata', () =>
    underWay({ count: 120, concurrency: 30 }, async (scene) => {
      const results = await allOf(scene.batch.results());
      expect(results.map(({ id, data }) => [id, data?.number])).toEqual(
        Array.from({ length: 120 }, (_, index) => [`d${index}`, index]),
      );
      expect(results[7]).toEqual({
        id: 'd7',
        success: true,
        data: { name: 'thing', number: 7 },
        partial: null,
        correction: null,
        attempts: 1,
        errors: [],
        usage: { calls: 1, promptTokens: 100, completionTokens: 10, costUsd: 0 },
        stopped: null,
        metadata: { row: 7 },
      });
      expect(await scene.batch.done()).toMatchObject({
        state: 'completed',
        succeeded: 120,
        failed: 0,
        pending: 0,
        calls: 120,
      });
      expect(callsPerDocument(scene)).toEqual([1]);
    }));

  it('tells each document its own problems, and shows the model its own earlier answer', () =>
    underWay(
      {
        count: 40,
        strategy: 'feedback',
        answering({ text, call, request }) {
          if (call === 1) return JSON.stringify({ name: `wrong ${numberIn(text)}` });
          const [, , answer, feedback] = request.messages;
          expect(answer?.content).toBe(JSON.stringify({ name: `wrong ${numberIn(text)}` }));
          expect(feedback?.content).toContain("- Field 'number': required field is missing");
          return right(text);
        },
      },
      async ({ batch }) => {
        const results = await allOf(batch.results());
        expect(results.every(({ success, attempts }) => success && attempts === 2)).toBe(true);
        expect(results[0]!.errors).toMatchObject([
          { attempt: 1, type: 'validation_error', details: [{ path: 'number', kind: 'missing' }] },
        ]);
        expect(await batch.done()).toMatchObject({ calls: 80, promptTokens: 8_000, completionTokens: 800 });
      },
    ));

  it('loses only the documents that fail, each with its reasons', () =>
    underWay(
      {
        count: 30,
        answering({ text }) {
          const number = numberIn(text);
          if (number === 3) throw new Error('a bug in a provider');
          if (number === 4) throw new TypeError('fetch failed');
          return number === 5 ? '{"name": "never right"}' : right(text);
        },
      },
      async ({ batch }) => {
        expect(await batch.done()).toMatchObject({
          state: 'completed',
          succeeded: 27,
          failed: 3,
          pending: 0,
        });
        const results = await allOf(batch.results());
        expect(results.filter(({ success }) => !success).map(({ id, stopped }) => [id, stopped])).toEqual([
          ['d3', 'internal_error'],
          ['d4', 'connection_error'],
          ['d5', 'attempts'],
        ]);
        expect(results[3]!.errors).toMatchObject([
          { type: 'internal_error', message: 'a bug in a provider' },
        ]);
        expect(results[4]!.usage.calls).toBe(2);
      },
    ));

  it('is refused where its schema is not known, before any call', () =>
    underWay({ count: 3, schema: 'nobody' as never }, async ({ batch, provider }) => {
      await expect(batch.done()).rejects.toThrow(InvalidInputError);
      expect(provider.calls.size).toBe(0);
      expect((await batch.status()).state).toBe('failed');
    }));

  it('whose settings were refused makes room for another of the same id, and no other batch does', () =>
    underWay({ count: 3, schema: 'nobody' as never }, async ({ batch: { id }, provider }) => {
      const put = (count: number) =>
        stack.extractor.batch(things(count), { id, schema: thing, concurrency: 7 });
      await expect(stack.extractor.batchHandle(id).then((batch) => batch.done())).rejects.toThrow(/'nobody'/);
      const batch = await put(2);
      expect(await batch.done()).toMatchObject({
        state: 'completed',
        total: 2,
        succeeded: 2,
        concurrency: 7,
      });
      expect((await allOf(batch.results())).map(({ data }) => data?.number)).toEqual([0, 1]);
      expect(provider.calls.size).toBe(2);
      await expect(put(3)).rejects.toThrow(/was started with, got others/);
    }));

  it('has documents with schemas of their own', () =>
    underWay(
      {
        count: 2,
        documents: [
          { id: 'a', text: 'thing 1' },
          {
            id: 'b',
            text: 'thing 2',
            schema: { type: 'object', properties: { other: { type: 'number' } }, required: ['other'] },
          },
        ],
        answering: ({ text }) => (numberIn(text) === 2 ? '{"other": 2}' : right(text)),
      },
      async ({ batch }) => {
        await batch.done();
        const store = await stack.extractor.store();
        const results = await store.outcomes.results({ batchId: batch.id, afterSeq: -1, limit: 10 });
        expect(results.map(({ data }) => data)).toEqual([{ name: 'thing', number: 1 }, { other: 2 }]);
      },
    ));
});

describe('the store', () => {
  it('gives a single extraction the text of a document of a batch', () =>
    underWay({ count: 3 }, async ({ batch }) => {
      await batch.done();
      const id = `single-${randomUUID()}`;
      const outcome = await stack.extractor.client.workflow.execute('extract', {
        taskQueue: 'durable-extract',
        workflowId: `extract/${id}`,
        args: [
          {
            document: { id, batch: batch.id, seq: 2 },
            schema: { name: 'thing', jsonSchema: z.toJSONSchema(thing) },
          },
        ],
      });
      expect(outcome).toMatchObject({ success: true, data: { name: 'thing', number: 2 } });
    }));

  it('holds the attempts and the outcome of a single extraction too', () =>
    underWay(
      {
        count: 1,
        answering: ({ text, call }) => (call === 1 && text.includes('77') ? '{"name": 1}' : right(text)),
      },
      async () => {
        const id = `single-${randomUUID()}`;
        await stack.extractor.extract({ id, text: 'thing 77', schema: thing });
        const database = new DatabaseSync(join(stack.home, 'store.db'), { readOnly: true });
        const rows = (table: string) =>
          database.prepare(`select * from ${table} where batch_id = '' and document_id = ?`).all(id);
        expect(rows('attempts')).toMatchObject([
          { attempt: 1, verdict: 'validation_error', answer: '{"name": 1}', calls: 1, prompt_tokens: 100 },
          { attempt: 2, verdict: 'accepted', data: '{"name":"thing","number":77}', model: 'reading' },
        ]);
        expect(rows('outcomes')).toMatchObject([
          { success: 1, attempts: 2, accepted_attempt: 2, calls: 2, stopped: null, simulated: 1 },
        ]);
        database.close();
      },
    ));
});

describe('concurrency', () => {
  it('is reached, never exceeded, and follows an update', () => {
    // Answers wait until all are asked for: how fast a machine is decides nothing.
    const reached = Promise.withResolvers<void>();
    const answering = async ({ text }: { readonly text: string }) => {
      await reached.promise;
      return right(text);
    };
    return underWay({ count: 450, concurrency: 20, latencyMs: 60, answering }, async (scene) => {
      const { batch, provider } = scene;
      await until(() => provider.inFlight() === 20);
      reached.resolve();
      await batch.setConcurrency(5);
      await until(async () => (await workflowOf(scene, 1).query<ShardProgress>('progress')).inWork <= 5);
      provider.takePeak();
      await until(async () => (await batch.status()).pending < 350);
      expect(provider.takePeak()).toBe(5);
      await batch.setConcurrency(60);
      await until(async () => (await workflowOf(scene, 1).query<ShardProgress>('progress')).inWork === 60);
      expect(await batch.done()).toMatchObject({ succeeded: 450, concurrency: 60 });
      expect(provider.takePeak()).toBeLessThanOrEqual(60);
    });
  });

  it('is spread over several shards while there are documents for them, and left to the last one at its end', () => {
    const end = Promise.withResolvers<void>();
    return underWay(
      {
        count: 700,
        concurrency: 80,
        answering: async ({ text }) => {
          if (numberIn(text) >= 100 && numberIn(text) < 500) await end.promise;
          return right(text);
        },
      },
      async (scene) => {
        const { batch, provider } = scene;
        const inWorkOf = async (shard: number) =>
          (await workflowOf(scene, shard).query<ShardProgress>('progress')).inWork;
        // The first of the second shard's documents: the first shard has less than all slots.
        await until(() => provider.calls.has('thing 500'));
        expect(await inWorkOf(1)).toBeLessThanOrEqual(50);
        // The first shard is held until the second one has nothing left to do.
        await until(async () => (await inWorkOf(1)) === 80);
        end.resolve();
        expect(await batch.done()).toMatchObject({ succeeded: 700 });
        expect(provider.takePeak()).toBeLessThanOrEqual(80);
      },
    );
  });

  it('goes to the next shard also after a pause, in which a shard at its end had none', () => {
    const [early, late, never] = [1, 2, 3].map(() => Promise.withResolvers<void>());
    return underWay(
      {
        count: 600,
        concurrency: 20,
        callTimeoutMs: 60_000,
        answering: async ({ text }) => {
          const number = numberIn(text);
          if (number >= 480 && number < 490) await early!.promise;
          if (number >= 490 && number < 499) await late!.promise;
          if (number >= 499) await never!.promise;
          return right(text);
        },
      },
      async ({ batch, provider }) => {
        await until(() => provider.calls.has('thing 499') && provider.inFlight() === 20);
        await batch.pause();
        early!.resolve();
        await until(async () => (await batch.status()).succeeded === 490);
        await batch.resume();
        late!.resolve();
        // All but that of one slow document are the second shard's.
        const asked = () => [...provider.calls.keys()].filter((name) => numberIn(name) >= 500).length;
        await until(() => asked() === 19 && provider.inFlight() === 20);
        never!.resolve();
        expect(await batch.done()).toMatchObject({ succeeded: 600 });
      },
    );
  });

  it('is shared by the shards, and a slow document holds nobody up', () => {
    const slow = Promise.withResolvers<void>();
    return underWay(
      {
        count: 1_100,
        concurrency: 40,
        answering: async ({ text }) => {
          if (numberIn(text) === 100) await slow.promise;
          return right(text);
        },
      },
      async (scene) => {
        const { batch, provider } = scene;
        // Documents of the third shard are done while the slow one keeps the first shard from its end.
        await until(() => provider.calls.has('thing 1099'));
        expect((await workflowOf(scene, 1).describe()).status.name).toBe('RUNNING');
        expect(provider.inFlight()).toBeGreaterThan(0);
        slow.resolve();
        expect(await batch.done()).toMatchObject({ succeeded: 1_100 });
        expect(provider.takePeak()).toBeLessThanOrEqual(40);
      },
    );
  });

  it('is kept where slots are handed on in the worker, by documents that were sent ahead', () =>
    underWay({ count: 120, concurrency: 10, latencyMs: 400 }, async (scene) => {
      const { batch, provider } = scene;
      expect(await batch.done()).toMatchObject({ succeeded: 120, calls: 120 });
      expect(provider.takePeak()).toBe(10);
      const { events } = await workflowOf(scene, 1).fetchHistory();
      const results = (events ?? []).flatMap(
        ({ activityTaskCompletedEventAttributes: done }) => done?.result?.payloads ?? [],
      );
      const handedTo = results.flatMap((payload) => {
        const result = defaultPayloadConverter.fromPayload<{ readonly handedTo?: number }>(payload);
        return result.handedTo ?? [];
      });
      // Nobody is handed two of them.
      expect(new Set(handedTo).size).toBe(handedTo.length);
      expect(handedTo.length).toBeGreaterThan(30);
    }));

  it('is refused where it is no number of documents', () =>
    underWay({ count: 200, concurrency: 2, latencyMs: 50 }, async ({ batch }) => {
      await expect(batch.setConcurrency(0)).rejects.toThrow(/^concurrency: expected a whole number from 1/);
      await batch.cancel();
      await batch.done();
      await expect(batch.setConcurrency(0)).rejects.toThrow(InvalidInputError);
      expect(await batch.status()).toMatchObject({ state: 'cancelled', concurrency: 2 });
    }));
});

describe('hands on a batch', () => {
  it('pause it without losing a call, and let it go on', () =>
    underWay({ count: 300, concurrency: 20, latencyMs: 50 }, async (scene) => {
      const { batch, provider } = scene;
      await until(() => provider.calls.size > 40);
      await batch.pause();
      // What was handed out before is let finish, and written down.
      await until(async () => {
        const { succeeded } = await batch.status();
        return provider.inFlight() === 0 && succeeded === provider.calls.size;
      });
      const made = provider.calls.size;
      expect(made).toBeLessThan(300);
      expect(await batch.status()).toMatchObject({ state: 'paused', pending: 300 - made });
      expect(provider.calls.size).toBe(made);
      await batch.resume();
      expect(await batch.done()).toMatchObject({ state: 'completed', succeeded: 300, calls: 300 });
      expect(callsPerDocument(scene)).toEqual([1]);
    }));

  it('cancel it, keep what is done, and take up the rest', () =>
    underWay({ count: 300, concurrency: 20, latencyMs: 50 }, async (scene) => {
      const { batch, provider } = scene;
      await until(() => provider.calls.size > 40);
      await batch.cancel();
      const cancelled = await batch.done();
      expect(cancelled.state).toBe('cancelled');
      // The calls under way were let finish, and their answers kept.
      expect(cancelled.succeeded).toBe(provider.calls.size);
      expect((await allOf(batch.results())).filter(({ stopped }) => stopped === 'pending')).toHaveLength(
        cancelled.pending,
      );
      await batch.resume();
      expect(await batch.done()).toMatchObject({ state: 'completed', succeeded: 300, calls: 300 });
      expect(callsPerDocument(scene)).toEqual([1]);
    }));

  it('cancel its workflow, which is the same', () =>
    underWay({ count: 200, concurrency: 10, latencyMs: 50 }, async (scene) => {
      await until(() => scene.provider.calls.size > 20);
      await workflowOf(scene).cancel();
      expect(await scene.batch.done()).toMatchObject({ state: 'cancelled' });
    }));

  it('terminate a shard: its documents are taken up again, and no answer is paid for twice', () =>
    underWay({ count: 300, concurrency: 20, latencyMs: 50 }, async (scene) => {
      await until(() => scene.provider.calls.size > 60);
      await workflowOf(scene, 1).terminate('by a test');
      expect(await scene.batch.done()).toMatchObject({ state: 'completed', succeeded: 300, pending: 0 });
      // Only calls that were under way then may be made again.
      const again = [...scene.provider.calls.values()].filter((calls) => calls > 1);
      expect(again.length).toBeLessThanOrEqual(20);
    }));

  it('terminate its coordinator: it is failed, says so, and goes on when it is resumed', () =>
    underWay({ count: 300, concurrency: 20, latencyMs: 50 }, async (scene) => {
      const { batch, provider } = scene;
      await until(() => provider.calls.size > 60);
      await workflowOf(scene).terminate('by a test');
      expect((await batch.status()).state).toBe('failed');
      await batch.resume();
      expect(await batch.done()).toMatchObject({ state: 'completed', succeeded: 300, pending: 0 });
      const again = [...provider.calls.values()].filter((calls) => calls > 1);
      expect(again.length).toBeLessThanOrEqual(20);
    }));
});

describe('another round', () => {
  it('does only the documents again that failed', () => {
    let isMended = false;
    return underWay(
      {
        count: 40,
        answering: ({ text }) => (numberIn(text) % 10 === 0 && !isMended ? '{"name": "no"}' : right(text)),
      },
      async (scene) => {
        const { batch, provider } = scene;
        expect(await batch.done()).toMatchObject({ succeeded: 36, failed: 4 });
        const before = [...provider.calls.values()].reduce((sum, calls) => sum + calls, 0);
        isMended = true;
        expect(await batch.retryFailed()).toBe(true);
        const after = await batch.done();
        expect(after).toMatchObject({
          state: 'completed',
          succeeded: 40,
          failed: 0,
          round: 2,
          calls: before + 4,
        });
        const results = await allOf(batch.results());
        expect(results[10]).toMatchObject({ attempts: 1, errors: [], usage: { calls: 4 } });
        const sum = (of: 'calls' | 'promptTokens') =>
          results.reduce((total, { usage }) => total + usage[of], 0);
        expect([sum('calls'), sum('promptTokens')]).toEqual([after.calls, after.promptTokens]);
        expect(await batch.retryFailed()).toBe(false);
        expect(await batch.status()).toEqual(after);
      },
    );
  });

  it('judges stored answers by another schema first, and asks only where none passes', () =>
    underWay(
      {
        count: 40,
        answering: ({ text, call }) =>
          numberIn(text) % 4 === 0 && call < 4
            ? JSON.stringify({ name: 'thing', number: String.fromCharCode(97 + call) })
            : right(text),
      },
      async ({ batch, provider }) => {
        expect(await batch.done()).toMatchObject({ succeeded: 30, failed: 10 });
        const before = [...provider.calls.values()].reduce((sum, calls) => sum + calls, 0);
        const jsonSchema = {
          type: 'object',
          properties: {
            name: { type: 'string' },
            number: { type: ['integer', 'string'], maxLength: 1, maximum: 35 },
          },
          required: ['name', 'number'],
        };
        await batch.rejudge({ schema: { name: 'looser', jsonSchema } });
        // 36 of 40 answers pass, text or number; those above 35 do not, and are asked about again.
        const after = await batch.done();
        const asked = [...provider.calls.values()].reduce((sum, calls) => sum + calls, 0) - before;
        expect(after).toMatchObject({
          state: 'completed',
          round: 2,
          succeeded: 37,
          failed: 3,
          schema: 'looser',
        });
        expect(asked).toBe(9);
        const store = await stack.extractor.store();
        const [first] = await store.outcomes.results({ batchId: batch.id, afterSeq: -1, limit: 1 });
        expect(first).toMatchObject({
          success: true,
          data: { number: 'd' },
          attempts: 1,
          usage: { calls: 3 },
        });
      },
    ));

  it('is not begun where no worker knows its schema: the batch stays as it was', () =>
    underWay({ count: 5 }, async ({ batch, provider }) => {
      await batch.done();
      const before = await batch.status();
      await expect(batch.rejudge({ schema: { name: 'nobody' } })).rejects.toThrow(InvalidInputError);
      expect(await batch.status()).toEqual(before);
      expect(await batch.done()).toEqual(before);
      await batch.rejudge({ schema: { name: 'anything', jsonSchema: { type: 'object' } } });
      expect(await batch.done()).toMatchObject({ state: 'completed', round: 2, succeeded: 5, calls: 5 });
      expect(provider.calls.size).toBe(5);
    }));

  it('is refused while the batch runs', () =>
    underWay({ count: 200, concurrency: 5, latencyMs: 50 }, async ({ batch }) => {
      await expect(batch.retryFailed()).rejects.toThrow(/is running: expected one that has ended/);
      await batch.cancel();
      await batch.done();
    }));
});

describe('history', () => {
  it('of a shard stays short: it gives back what it has not begun', () =>
    underWay(
      { count: 500, concurrency: 50, strategy: 'feedback', answering: () => '{}', retry: { maxAttempts: 5 } },
      async (scene) => {
        expect(await scene.batch.done()).toMatchObject({ state: 'completed', failed: 500, calls: 2_500 });
        const { historyLength } = await workflowOf(scene, 1).describe();
        expect(historyLength).toBeGreaterThan(4_000);
        expect(historyLength).toBeLessThan(10_000);
        expect((await workflowOf(scene, 2).describe()).status.name).toBe('COMPLETED');
      },
    ));

  it('of a coordinator begins anew, while its shards go on', () => {
    const newRun = Promise.withResolvers<void>();
    return underWay(
      {
        count: 60,
        concurrency: 4,
        // However long a new run is in coming.
        callTimeoutMs: 600_000,
        answering: async ({ text }) => {
          await newRun.promise;
          return right(text);
        },
      },
      async (scene) => {
        await until(() => scene.provider.inFlight() === 4);
        const { runId } = await workflowOf(scene).describe();
        for (let n = 0; (await workflowOf(scene).describe()).runId === runId; n += 1) {
          await scene.batch.setConcurrency(4 + (n % 3));
        }
        newRun.resolve();
        expect(await scene.batch.done()).toMatchObject({ state: 'completed', succeeded: 60, calls: 60 });
        expect(callsPerDocument(scene)).toEqual([1]);
      },
    );
  });
});
