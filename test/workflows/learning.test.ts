import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { APIError } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { BatchHandle } from '../../src/client/batch-handle.ts';
import type { BatchOptions } from '../../src/client/index.ts';
import type { ModelRequest } from '../../src/provider/provider.ts';
import { until } from '../stack/temp-home.ts';
import { readingProvider } from '../support/reading-provider.ts';
import type { Answering } from '../support/reading-provider.ts';
import { quietRuntime } from '../support/scripted-worker.ts';
import { endTestStacks, startTestStack, temporalCli } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';
import { withWorker } from '../support/test-worker.ts';

const thing = z.strictObject({ name: z.string(), number: z.number().int() });
/** The end of a line is what the schema says of the field. */
const WARNING = "Take care with these fields, which often go wrong:\n- Field 'number': expected";
let stack: TestStack;

beforeAll(async () => {
  quietRuntime();
  await temporalCli();
  stack = await startTestStack('learning');
}, 900_000);

afterAll(endTestStacks);

const numberIn = (text: string): number => Number(/\d+/.exec(text)?.[0]);
const right = (text: string): string => JSON.stringify({ name: 'thing', number: numberIn(text) });
const isWarned = ({ messages }: ModelRequest): boolean =>
  messages.at(-1)?.content.startsWith(WARNING) === true;

/** One field goes wrong in 40 % of first answers, unless the last message of the prompt warns of it. */
const mistaken: Answering = ({ text, call, request }) =>
  call === 1 && numberIn(text) % 5 < 2 && !isWarned(request)
    ? JSON.stringify({ name: 'thing', number: 'many' })
    : right(text);

interface Scene {
  readonly batch: BatchHandle<z.output<typeof thing>>;
  /** By the document's number, in the order of its calls. */
  readonly requests: ReadonlyMap<number, readonly ModelRequest[]>;
  /** Ends the worker without a farewell to its workflows, and starts another. */
  readonly restartWorker: () => Promise<void>;
}

async function underWay(
  {
    count,
    answering,
    latencyMs = 5,
    ...options
  }: {
    readonly count: number;
    readonly answering: Answering;
    readonly latencyMs?: number;
  } & Partial<BatchOptions<typeof thing>>,
  use: (scene: Scene) => Promise<void>,
): Promise<void> {
  const requests = new Map<number, ModelRequest[]>();
  const { provider } = readingProvider({
    latencyMs,
    answering(call) {
      const number = numberIn(call.text);
      requests.set(number, [...(requests.get(number) ?? []), call.request]);
      return answering(call);
    },
  });
  const start = async () => {
    const end = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const ended = withWorker(stack, { provider, callTimeoutMs: 5_000 }, () => {
      begun.resolve();
      return end.promise;
    });
    await Promise.race([begun.promise, ended]);
    return () => {
      end.resolve();
      return ended;
    };
  };
  let stop = await start();
  try {
    const documents = Array.from({ length: count }, (_, n) => ({ id: `d${n}`, text: `thing ${n}` }));
    const batch = await stack.extractor.batch(documents, {
      id: `l-${randomUUID()}`,
      schema: thing,
      retry: { baseDelayMs: 20, maxDelayMs: 100, maxProviderRetries: 1 },
      ...options,
    });
    const restartWorker = async () => {
      await stop();
      stop = await start();
    };
    await use({ batch, requests, restartWorker });
  } finally {
    await stop();
  }
}

/** Of documents in the order in which they were begun: several shards begin at several places of the input. */
function callsOf({ requests }: Scene, from: number, to: number): number {
  return [...requests.values()].slice(from, to).reduce((sum, all) => sum + all.length, 0);
}

/** In the order in which they were begun, by their place in the input. */
function unwarned({ requests }: Scene, from: number, to: number): readonly number[] {
  return [...requests].slice(from, to).flatMap(([n, [first]]) => (isWarned(first!) ? [] : [n]));
}

const workflowOf = ({ batch }: Scene, shard?: number) =>
  stack.extractor.client.workflow.getHandle(`batch/${batch.id}${shard === undefined ? '' : `/${shard}`}`);

/** What a workflow was told, by the signal's name. */
async function signalsTo(scene: Scene, shard?: number): Promise<readonly (readonly [string, unknown])[]> {
  const { events } = await workflowOf(scene, shard).fetchHistory();
  return (events ?? []).flatMap(({ workflowExecutionSignaledEventAttributes: signal }) => {
    const [payload] = signal?.input?.payloads ?? [];
    if (!payload?.data) return [];
    return [[signal?.signalName ?? '', JSON.parse(Buffer.from(payload.data).toString())] as const];
  });
}

describe('a batch in which one field goes wrong in 40 % of first answers', () => {
  it('warns of it before the answer: calls per document fall by more than a fifth', () =>
    underWay({ count: 1_000, answering: mistaken, concurrency: 100 }, async (scene) => {
      expect(await scene.batch.done()).toMatchObject({
        succeeded: 1_000,
        learnt: {
          hints: [expect.stringMatching(/^- Field 'number': expected/)],
          modes: [],
          models: [],
          rejectedModes: [],
        },
      });
      const [first, last] = [callsOf(scene, 0, 100), callsOf(scene, 900, 1_000)];
      expect(last).toBe(100);
      expect(last / first).toBeLessThanOrEqual(0.8);
      expect(unwarned(scene, 200, 1_000)).toEqual([]);
      // What is the same for all documents still comes first: the warning is a suffix.
      const [early] = scene.requests.get(0)!;
      const [late] = scene.requests.get(999)!;
      expect(late!.messages[0]).toEqual(early!.messages[0]);
      expect(late!.messages.map(({ role }) => role)).toEqual(['system', 'user', 'user']);
      // Signals are few, and none follows once the problem is gone.
      const told = (await signalsTo(scene)).filter(
        ([, report]) => (report as { wants: unknown }).wants === null,
      );
      for (const shard of [1, 2]) {
        const ofShard = told.filter(([, report]) => (report as { shard: unknown }).shard === shard);
        expect(ofShard.length).toBeLessThanOrEqual(3);
      }
      expect(told.every(([, report]) => [1, 2].includes((report as { shard: number }).shard))).toBe(true);
      const database = new DatabaseSync(join(stack.home, 'store.db'), { readOnly: true });
      const row = database
        .prepare("select ask from attempts where batch_id = ? and document_id = 'd999'")
        .get(scene.batch.id);
      expect(JSON.parse(String(row?.['ask'])).hints).toHaveLength(1);
      database.close();
    }));

  it('does not where it is told not to learn, and where the strategy does not', async () => {
    for (const options of [{ learn: false }, { strategy: 'feedback' }] as const) {
      await underWay({ count: 150, answering: mistaken, ...options }, async (scene) => {
        expect(await scene.batch.done()).toMatchObject({ succeeded: 150, calls: 210, learnt: null });
        expect(unwarned(scene, 0, 150)).toHaveLength(150);
        expect((await signalsTo(scene, 1)).filter(([name]) => name === 'learnt')).toEqual([]);
      });
    }
  });
});

describe('what was learnt', () => {
  it('is known to the next shard, also when the coordinator has begun anew', () => {
    const gate = Promise.withResolvers<void>();
    return underWay(
      {
        count: 1_000,
        concurrency: 20,
        answering: async (call) => {
          if (numberIn(call.text) >= 300) await gate.promise;
          return mistaken(call);
        },
      },
      async (scene) => {
        await until(async () => (await scene.batch.status()).learnt !== null);
        const { runId } = await workflowOf(scene).describe();
        for (let n = 0; (await workflowOf(scene).describe()).runId === runId; n += 1) {
          await scene.batch.setConcurrency(20 + (n % 3));
        }
        gate.resolve();
        expect(await scene.batch.done()).toMatchObject({ succeeded: 1_000 });
        expect(unwarned(scene, 900, 1_000)).toEqual([]);
      },
    );
  });

  it('outlives its worker and its coordinator, and holds in the next round', () => {
    let isMended = false;
    return underWay(
      {
        count: 800,
        concurrency: 20,
        latencyMs: 60,
        answering: (call) =>
          numberIn(call.text) === 799 && !isMended ? '{"name": "never"}' : mistaken(call),
      },
      async (scene) => {
        const { batch, requests, restartWorker } = scene;
        await until(async () => (await batch.status()).learnt !== null);
        await restartWorker();
        const atRestart = requests.size;
        await until(() => requests.size > atRestart + 60);
        await workflowOf(scene).terminate('by a test');
        const atEnd = new Set(requests.keys());
        await batch.resume();
        expect(await batch.done()).toMatchObject({ succeeded: 799, failed: 1 });
        expect(unwarned(scene, 0, 799).filter((n) => n >= 150)).toEqual([]);
        expect([...requests.keys()].filter((n) => !atEnd.has(n)).length).toBeGreaterThan(50);
        isMended = true;
        await batch.retryFailed();
        expect(await batch.done()).toMatchObject({ succeeded: 800, learnt: { modes: [] } });
        expect(isWarned(requests.get(799)!.at(-1)!)).toBe(true);
      },
    );
  });

  it('is that a provider takes no such mode: later documents are not asked in it', () =>
    underWay(
      {
        count: 200,
        concurrency: 10,
        answering({ text, request }) {
          if (request.mode !== 'json_schema') return right(text);
          const error = { message: 'not supported', param: 'response_format' };
          throw APIError.generate(400, { error }, 'not supported', new Headers());
        },
      },
      async (scene) => {
        const status = await scene.batch.done();
        expect(status).toMatchObject({
          succeeded: 200,
          learnt: { hints: [], rejectedModes: ['json_schema'] },
        });
        expect(callsOf(scene, 100, 200)).toBe(100);
      },
    ));

  it('is that another model does better: later documents begin with it', () =>
    underWay(
      {
        count: 200,
        concurrency: 10,
        models: ['reading/better'],
        retry: { baseDelayMs: 20, maxDelayMs: 100, maxProviderRetries: 1, maxAttempts: 4 },
        answering: ({ text, request }) =>
          request.model === 'better' ? right(text) : '{"name": "thing", "number": "never"}',
      },
      async (scene) => {
        const status = await scene.batch.done();
        expect(status).toMatchObject({ succeeded: 200, learnt: { models: ['reading/better'] } });
        expect(callsOf(scene, 100, 200)).toBe(100);
      },
    ));

  it('is that answers in one mode are often no JSON: later documents begin with the next one', () =>
    underWay(
      {
        count: 300,
        concurrency: 10,
        answering: ({ text, call, request }) =>
          request.mode === 'json_schema' && call === 1 && numberIn(text) % 2 === 0 ? 'none' : right(text),
      },
      async (scene) => {
        expect(await scene.batch.done()).toMatchObject({ succeeded: 300, learnt: { modes: ['tool'] } });
        expect(callsOf(scene, 200, 300)).toBe(100);
      },
    ));
});

describe('a clean batch', () => {
  it('is asked with the same words, and hears and tells no more, than one that does not learn', async () => {
    const asWritten: string[] = [];
    for (const learn of [true, false]) {
      await underWay(
        { count: 150, concurrency: 10, answering: ({ text }) => right(text), learn },
        async (scene) => {
          expect(await scene.batch.done()).toMatchObject({ succeeded: 150, calls: 150, learnt: null });
          const asked = [...scene.requests].toSorted(([one], [other]) => one - other);
          asWritten.push(
            JSON.stringify(asked.map(([, all]) => all.map(({ requestId: _ofTheBatch, ...words }) => words))),
          );
          // Reports are those of slots that come free.
          const reports = await signalsTo(scene);
          expect(reports.filter(([, report]) => (report as { wants: unknown }).wants === null)).toEqual([]);
          expect((await signalsTo(scene, 1)).filter(([name]) => name === 'learnt')).toEqual([]);
        },
      );
    }
    expect(asWritten[0] === asWritten[1]).toBe(true);
  });
});
