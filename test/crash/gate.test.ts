import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startSimulatedProvider } from '../../src/provider/simulated.ts';
import type { SimulatedProvider } from '../../src/provider/simulated.ts';
import { until } from '../stack/temp-home.ts';
import {
  endTestStacks,
  killServer,
  startServer,
  startTestStack,
  startWorkerProcess,
  temporalCli,
} from '../support/test-stack.ts';
import type { TestStack, WorkerProcess } from '../support/test-stack.ts';

const DOWN = { server_error: 1 };
const DOCUMENTS = 200;
const CONCURRENCY = 30;
const WITHIN_MS = 40_000;
const schema = { name: 'user', jsonSchema: { type: 'object', properties: { name: { type: 'string' } } } };

let simulated: SimulatedProvider;

beforeAll(temporalCli, 900_000);
afterEach(() => simulated.stop());
afterAll(endTestStacks);

/** A batch on a server of its own, workers in processes of their own, and a provider here, that has just gone down. */
async function outage(workerCount: number) {
  const [stack, provider] = await Promise.all([
    startTestStack('gate-crash'),
    startSimulatedProvider({ latencyMs: 100 }),
  ]);
  simulated = provider;
  const gated = {
    ...stack,
    env: { ...stack.env, DURABLE_EXTRACT_GATE: 'on', DURABLE_EXTRACT_MODEL: 'clean' },
  };
  const newWorker = (): Promise<WorkerProcess> => startWorkerProcess(gated, provider.url);
  const workers = await Promise.all(Array.from({ length: workerCount }, newWorker));
  const documents = Array.from({ length: DOCUMENTS }, (_, n) => ({ id: `d${n}`, text: `Ada, number ${n}` }));
  const batch = await stack.extractor.batch(documents, { id: 'b', schema, concurrency: CONCURRENCY });
  await until(() => provider.stats().answered > 40);
  provider.setFaults(DOWN);
  const callsBefore = provider.log.length;
  await reaches(stack, 'open');
  return { stack, provider, workers, newWorker, batch, callsBefore };
}

async function reaches({ extractor }: TestStack, state: string): Promise<void> {
  await until(async () => (await extractor.gates())[0]?.state === state, WITHIN_MS);
}

async function changesOf({ extractor }: TestStack): Promise<readonly string[]> {
  const changes = await (await extractor.gate('openai')).changes();
  const states = changes.map(({ state }) => state).toReversed();
  // A server that is killed just when a decision was written down has it decided once more.
  return states.filter((state, index) => state !== states[index - 1]);
}

describe('a gate', () => {
  it('that is open when everything is killed is open after it, and closes by itself', async () => {
    const { stack, provider, workers, newWorker, batch } = await outage(1);
    await Promise.all([killServer(stack), ...workers.map((worker) => worker.kill())]);
    await startServer(stack);
    const calls = provider.log.length;
    await newWorker();
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    expect((await stack.extractor.gates())[0]?.state).toBe('open');
    // Calls that were lost with the worker are made again when their heartbeats are missed; a probe at most beside.
    expect(provider.log.length - calls).toBeLessThan(5);
    provider.setFaults(null);
    expect(await batch.done()).toMatchObject({ succeeded: DOCUMENTS, failed: 0 });
    await reaches(stack, 'closed');
    expect(await changesOf(stack)).toEqual(['closed', 'open', 'half_open', 'closed']);
  });

  it('decides once for three workers, and they make no more calls in vain than one', async () => {
    const { stack, provider, batch, callsBefore } = await outage(3);
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    // Every slot at its first call, three rows of failures, and a probe.
    expect(provider.log.length - callsBefore).toBeLessThan(2 * CONCURRENCY);
    provider.setFaults(null);
    expect(await batch.done()).toMatchObject({ succeeded: DOCUMENTS, failed: 0 });
    await reaches(stack, 'closed');
    expect(await changesOf(stack)).toEqual(['closed', 'open', 'half_open', 'closed']);
    const history = await stack.extractor.client.workflow.getHandle('gate/openai').fetchHistory();
    expect(
      history.events?.filter(
        ({ workflowExecutionSignaledEventAttributes }) => workflowExecutionSignaledEventAttributes,
      ).length,
    ).toBeLessThan(60);
  });
});
