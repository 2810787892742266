import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { ExtractHandle, ExtractOptions } from '../../src/client/durable-extract.ts';
import { startScriptedProvider } from '../support/scripted-provider.ts';
import type { Reply, Seen } from '../support/scripted-provider.ts';
import {
  endTestStacks,
  killServer,
  startServer,
  startTestStack,
  startWorkerProcess,
  temporalCli,
} from '../support/test-stack.ts';
import type { TestStack, WorkerProcess } from '../support/test-stack.ts';
import { until } from '../stack/temp-home.ts';

const user = z.strictObject({ name: z.string(), age: z.number().int() });
const good = JSON.stringify({ name: 'Ada Lovelace', age: 36 });
const data = { name: 'Ada Lovelace', age: 36 };
/** Long enough to kill in, and to start a new worker in. */
const BACKOFF_S = 3;

const stops: (() => Promise<void>)[] = [];

beforeAll(temporalCli, 900_000);

afterAll(async () => {
  await endTestStacks();
  await Promise.all(stops.map((stop) => stop()));
});

/** One extraction on a server of its own, a worker in a process of its own, and a provider here, which nobody kills. */
interface Scene {
  readonly stack: TestStack;
  readonly seen: readonly Seen[];
  readonly worker: WorkerProcess;
  readonly handle: ExtractHandle<z.output<typeof user>>;
  newWorker(): Promise<WorkerProcess>;
}

async function play(
  script: readonly Reply[],
  options: Partial<ExtractOptions<typeof user>> = {},
): Promise<Scene> {
  const [stack, provider] = await Promise.all([startTestStack('crash'), startScriptedProvider(script)]);
  stops.push(() => provider.stop());
  const newWorker = (): Promise<WorkerProcess> => startWorkerProcess(stack, provider.url);
  const worker = await newWorker();
  const handle = await stack.extractor.startExtract({ text: 'Ada, 36', schema: user, ...options });
  return { stack, seen: provider.seen, worker, handle, newWorker };
}

/** The model call as the server knows it. */
async function pendingCall({ stack, handle }: Scene) {
  const { raw } = await stack.extractor.client.workflow.getHandle(handle.workflowId).describe();
  return raw.pendingActivities?.[0];
}

/** Until the server waits to make the next call. */
async function inBackoff(scene: Scene): Promise<void> {
  const SCHEDULED = 1;
  await until(async () => {
    const call = await pendingCall(scene);
    return call?.attempt === 2 && Number(call.state) === SCHEDULED;
  });
  expect(scene.seen).toHaveLength(1);
}

/** Calls with the same messages as one that was answered before. */
function repeated(seen: readonly Seen[]): readonly Seen[] {
  return seen.filter((call, index) =>
    seen
      .slice(0, index)
      .some(
        (earlier) =>
          earlier.answeredAt !== undefined &&
          JSON.stringify(earlier.body.messages) === JSON.stringify(call.body.messages),
      ),
  );
}

describe.concurrent('when the worker is killed', () => {
  it.each([
    ['a rate limit', { status: 429, headers: { 'retry-after': String(BACKOFF_S) } }, 'rate_limit'],
    ['a server error', { status: 500 }, 'server_error'],
  ] as const)('in the middle of waiting out %s, a new one makes the next call', async (_, failure, type) => {
    const backoff = { baseDelayMs: BACKOFF_S * 1_000, jitter: false };
    const scene = await play([failure, { answer: good }], { retry: backoff });
    await inBackoff(scene);
    await scene.worker.kill();
    await scene.newWorker();

    const outcome = await scene.handle.result();
    expect(outcome).toMatchObject({ success: true, data, attempts: 1, usage: { calls: 2 } });
    expect(outcome.errors).toMatchObject([{ attempt: 1, type }]);
    expect(scene.seen).toHaveLength(2);
    expect(scene.seen[1]!.at - scene.seen[0]!.at).toBeGreaterThanOrEqual(BACKOFF_S * 1_000 - 10);
  });

  it('in the middle of a call, a new one makes it again, at no cost of provider retries', async () => {
    const scene = await play([{ hang: true }, { answer: good }], { retry: { maxProviderRetries: 0 } });
    await until(() => scene.seen.length === 1);
    await scene.worker.kill();
    const killedAt = Date.now();
    await scene.newWorker();

    const outcome = await scene.handle.result();
    expect(outcome).toMatchObject({ success: true, data, attempts: 1, errors: [] });
    expect(outcome.usage).toMatchObject({ calls: 2, promptTokens: 100 });
    expect(scene.seen).toHaveLength(2);
    expect(scene.seen[0]!.abortedAt).toBeDefined();
    // Its heart stopped: that is how the server knows, in 10 s, and not by the call's timeout of two minutes.
    expect(scene.seen[1]!.at - killedAt).toBeLessThan(20_000);
  });

  it('in the second attempt, the first one is not made again', async () => {
    const scene = await play([{ answer: '{"name": "Ada Lovelace"}' }, { hang: true }, { answer: good }]);
    await until(() => scene.seen.length === 2);
    await scene.worker.kill();
    await scene.newWorker();

    const outcome = await scene.handle.result();
    expect(outcome).toMatchObject({ success: true, data, attempts: 2, usage: { calls: 3 } });
    expect(outcome.errors).toMatchObject([{ attempt: 1, type: 'validation_error' }]);
    const [first, lost, again] = scene.seen.map(({ body }) => body.messages);
    expect(scene.seen).toHaveLength(3);
    expect(lost!.length).toBeGreaterThan(first!.length);
    expect(again).toEqual(lost);
    expect(repeated(scene.seen)).toEqual([]);
  });
});

describe.concurrent('when the server is killed and started again', () => {
  it('in the middle of a backoff, the next call is made when it is due', async () => {
    const failure = { status: 429, headers: { 'retry-after': String(BACKOFF_S) } };
    const scene = await play([failure, { answer: good }], { retry: { jitter: false } });
    await inBackoff(scene);
    await killServer(scene.stack);
    expect(await startServer(scene.stack)).toBe(scene.stack.address);

    const outcome = await scene.handle.result();
    expect(outcome).toMatchObject({ success: true, data, attempts: 1, usage: { calls: 2 } });
    expect(outcome.errors).toMatchObject([{ attempt: 1, type: 'rate_limit' }]);
    expect(scene.seen).toHaveLength(2);
    expect(scene.seen[1]!.at - scene.seen[0]!.at).toBeGreaterThanOrEqual(BACKOFF_S * 1_000 - 10);
  });

  it.each(['while it is down', 'when it is up again'] as const)(
    'in the middle of a call that is answered %s, the answer is not asked for again',
    async (when) => {
      const provider = new EventTarget();
      const scene = await play([{ answer: good, after: once(provider, 'answer') }]);
      await until(() => scene.seen.length === 1);
      const answer = async (): Promise<void> => {
        provider.dispatchEvent(new Event('answer'));
        await until(() => scene.seen[0]!.answeredAt !== undefined);
      };
      await killServer(scene.stack);
      if (when === 'while it is down') await answer();
      await startServer(scene.stack);
      if (when === 'when it is up again') await answer();

      const outcome = await scene.handle.result();
      expect(outcome).toMatchObject({ success: true, data, attempts: 1, errors: [], usage: { calls: 1 } });
      expect(scene.seen).toHaveLength(1);
    },
  );
});
