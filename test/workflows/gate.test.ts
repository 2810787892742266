import { APIError } from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openAiProvider } from '../../src/provider/openai.ts';
import type { Provider, ProviderTraits } from '../../src/provider/provider.ts';
import { startSimulatedProvider } from '../../src/provider/simulated.ts';
import type {
  FaultRates,
  SimulatedProvider,
  SimulatedProviderOptions,
} from '../../src/provider/simulated.ts';
import { until } from '../stack/temp-home.ts';
import { quietRuntime } from '../support/scripted-worker.ts';
import { endTestStacks, startTestStack, temporalCli } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';
import { withWorker } from '../support/test-worker.ts';

const DOWN: FaultRates = { server_error: 1 };
const schema = { name: 'user', jsonSchema: { type: 'object', properties: { name: { type: 'string' } } } };
/** Quick, so that a test does not take minutes. */
const QUICK_GATE = { waitDurationInOpenStateMs: 1_000, permittedNumberOfCallsInHalfOpenState: 5 };

let stack: TestStack;
let simulated: SimulatedProvider;
let count = 0;

beforeAll(async () => {
  quietRuntime();
  await temporalCli();
  stack = await startTestStack('gate');
}, 900_000);

afterAll(endTestStacks);

/** Each test has a provider of its own, since a gate is remembered by the provider's name. */
async function startProvider(
  options: SimulatedProviderOptions = {},
  traits: ProviderTraits = {},
): Promise<Provider> {
  simulated = await startSimulatedProvider(options);
  count += 1;
  return named(`gated-${count}`, simulated, traits);
}

function named(name: string, { url }: SimulatedProvider, traits: ProviderTraits): Provider {
  return openAiProvider({
    name,
    apiKey: 'none',
    baseUrl: url,
    defaultModel: 'clean',
    gate: QUICK_GATE,
    ...traits,
  });
}

afterEach(() => simulated?.stop());

const documents = (length: number) =>
  Array.from({ length }, (_, index) => ({ id: `d${index}`, text: `Ada Lovelace, number ${index}` }));

async function stateOf(provider: string): Promise<string | undefined> {
  return (await stack.extractor.gates()).find((gate) => gate.provider === provider)?.state;
}

const reaches = (provider: string, state: string) =>
  until(async () => (await stateOf(provider)) === state, 30_000);

describe('an outage', () => {
  it('is waited out: a trickle of calls, no document lost, no retry wasted', async () => {
    const provider = await startProvider({ latencyMs: 50 });
    await withWorker(stack, { provider, gates: 'on' }, async () => {
      const batch = await stack.extractor.batch(documents(400), {
        id: provider.name,
        schema,
        concurrency: 40,
      });
      await until(() => simulated.stats().answered > 80);
      simulated.setFaults(DOWN);
      await reaches(provider.name, 'open');
      const before = simulated.log.length;
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      // One a second, and what was on its way when the server was told.
      expect(simulated.log.length - before).toBeLessThan(15);
      simulated.setFaults(null);
      await reaches(provider.name, 'closed');
      expect(await batch.done()).toMatchObject({ succeeded: 400, failed: 0 });
      const changes = await (await stack.extractor.gate(provider.name)).changes();
      expect(changes.map(({ state }) => state).toReversed()).toEqual([
        'closed',
        'open',
        'half_open',
        'closed',
      ]);
    });
  });

  it('of the whole provider is told from one of its models, and costs hardly a call', async () => {
    const provider = await startProvider({ latencyMs: 50 });
    await withWorker(stack, { provider, gates: 'on' }, async () => {
      const batch = await stack.extractor.batch(documents(400), {
        id: provider.name,
        schema,
        concurrency: 20,
      });
      await until(() => simulated.stats().answered > 80);
      simulated.setDown(true);
      await reaches(provider.name, 'open');
      await new Promise((resolve) => setTimeout(resolve, 6_000));
      const { byFault, modelLists } = simulated.stats();
      // Those that were under way when it went down, at most; the probes since then found that it is not there.
      expect(byFault['server_error']).toBeLessThanOrEqual(20);
      expect(modelLists).toBeGreaterThan(3);
      expect(modelLists).toBeLessThan(25);
      simulated.setDown(false);
      await reaches(provider.name, 'closed');
      expect(await batch.done()).toMatchObject({ succeeded: 400, failed: 0 });
      const changes = await (await stack.extractor.gate(provider.name)).changes();
      expect(changes.find(({ state }) => state === 'open')?.reason).toContain(
        'the provider cannot be reached',
      );
    });
  });

  it('is no end for a conversation whose retries are used up, unless it is to fail', async () => {
    const provider = await startProvider({ faults: DOWN });
    await withWorker(stack, { provider, gates: 'on' }, async () => {
      const { extractor } = stack;
      const retry = { maxProviderRetries: 12, baseDelayMs: 1, maxDelayMs: 10 };
      const waiting = await extractor.startExtract({ text: 'Ada Lovelace', schema, retry });
      await reaches(provider.name, 'open');
      // Now and then one of them is the probe.
      await extractor.extract({ text: 'Ada Lovelace', schema, onOutage: 'fail' });
      const failing = await extractor.extract({ text: 'Ada Lovelace', schema, onOutage: 'fail' });
      expect(failing).toMatchObject({ success: false, stopped: 'outage', attempts: 0 });
      expect(failing.errors.at(-1)?.message).toContain(`the gate of ${provider.name} is open`);
      const late = await extractor.extract({ text: 'Ada Lovelace', schema, deadlineMs: 1_500 });
      expect(late).toMatchObject({ success: false, stopped: 'deadline' });
      simulated.setFaults(null);
      expect(await waiting.result()).toMatchObject({ success: true, attempts: 1 });
    });
  });

  it('is noticed to be over also where nobody waits for it', async () => {
    const provider = await startProvider({ faults: DOWN });
    await withWorker(stack, { provider, gates: 'on' }, async () => {
      const retry = { maxProviderRetries: 12, baseDelayMs: 1, maxDelayMs: 10 };
      const extract = () =>
        stack.extractor.extract({ text: 'Ada Lovelace', schema, retry, onOutage: 'fail' as const });
      await extract();
      await reaches(provider.name, 'open');
      simulated.setFaults(null);
      await until(async () => (await extract()).success, 30_000);
    });
  });

  it('sends conversations to the fallback, and back when it is over', async () => {
    const provider = await startProvider({ faults: DOWN });
    const other = await startSimulatedProvider();
    const fallback = named(`${provider.name}-other`, other, {});
    try {
      const first = named(provider.name, simulated, { fallbacks: [{ provider: fallback.name }] });
      await withWorker(stack, { provider: first, others: [fallback], gates: 'on' }, async () => {
        const retry = { maxProviderRetries: 3, baseDelayMs: 20 };
        const batch = await stack.extractor.batch(documents(60), {
          id: provider.name,
          schema,
          concurrency: 20,
          retry,
        });
        expect(await batch.done()).toMatchObject({ succeeded: 60 });
        expect(other.stats().answered).toBe(60);
        // Every call is told of in some outcome, also those of tries that were given up.
        const { calls } = await batch.status();
        expect(calls).toBe(simulated.log.length + other.log.length);
        simulated.setFaults(null);
        await until(async () => {
          const { model } = await stack.extractor.extract({ text: 'Ada Lovelace', schema });
          return model === `${provider.name}/clean`;
        }, 30_000);
      });
    } finally {
      await other.stop();
    }
  });
});

describe('an exhausted quota', () => {
  it('parks the gate, says what to do, and keeps documents waiting until somebody resets it', async () => {
    const provider = await startProvider({ faults: { quota_exhausted: 1 } });
    await withWorker(stack, { provider, gates: 'on' }, async () => {
      const batch = await stack.extractor.batch(documents(20), { id: provider.name, schema, concurrency: 5 });
      await reaches(provider.name, 'parked');
      const gate = await stack.extractor.gate(provider.name);
      expect((await gate.status()).reason).toContain('check plan and billing');
      const calls = simulated.log.length;
      expect(calls).toBeLessThan(20);
      simulated.setFaults(null);
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      expect((await batch.status()).succeeded).toBeLessThan(5);
      await gate.reset({ reason: 'paid' });
      expect(await batch.done()).toMatchObject({ succeeded: 20, failed: 0 });
    });
  });
});

describe('a refused key', () => {
  it('parks the gate, and a worker that starts with another key opens it', async () => {
    const provider = await startProvider({ faults: { auth: 1 } });
    let batch;
    await withWorker(stack, { provider, gates: 'on' }, async () => {
      batch = await stack.extractor.batch(documents(10), { id: provider.name, schema, concurrency: 5 });
      await reaches(provider.name, 'parked');
    });
    simulated.setFaults(null);
    await withWorker(stack, { provider, gates: 'on' }, async () => {
      expect(await batch!.done()).toMatchObject({ succeeded: 10, failed: 0 });
    });
  });
});

describe('a rate limit nobody told us of', () => {
  it('is found: few calls are turned away', async () => {
    const provider = await startProvider({ rpm: 600, hidesLimits: true, latencyMs: 100 });
    await withWorker(stack, { provider, gates: 'on' }, async () => {
      const batch = await stack.extractor.batch(documents(250), {
        id: provider.name,
        schema,
        concurrency: 10,
      });
      await batch.done();
      const turnedAway = simulated.log.filter(({ status }) => status === 429).length;
      expect(turnedAway / simulated.log.length).toBeLessThan(0.15);
    });
  });
});

describe('a pause that the provider asks for', () => {
  it('is kept to by the worker that was told, to the millisecond', async () => {
    const limited = await startProvider({ rpm: 600, latencyMs: 20 });
    const pauses: { readonly toldAt: number; readonly until: number }[] = [];
    const begun: number[] = [];
    const provider: Provider = {
      ...limited,
      async call(request, signal) {
        begun.push(performance.now());
        try {
          return await limited.call(request, signal);
        } catch (error) {
          const told = error instanceof APIError ? error.headers?.get('retry-after-ms') : null;
          const toldAt = performance.now();
          if (told) pauses.push({ toldAt, until: toldAt + Number(told) });
          throw error;
        }
      },
    };
    await withWorker(stack, { provider, gates: 'on' }, async () => {
      const batch = await stack.extractor.batch(documents(150), {
        id: provider.name,
        schema,
        concurrency: 30,
      });
      expect(await batch.done()).toMatchObject({ succeeded: 150 });
    });
    expect(pauses.length).toBeGreaterThan(3);
    // What was told in one turn of the event loop is known in the next.
    const early = begun.filter((at) => pauses.some(({ toldAt, until }) => at > toldAt + 1 && at < until - 1));
    expect(early).toEqual([]);
  });
});

describe('tokens a minute', () => {
  it('are kept to, by what calls have used so far', async () => {
    const provider = await startProvider({ latencyMs: 200 }, { tpm: 30_000 });
    await withWorker(stack, { provider, gates: 'on' }, async () => {
      const batch = await stack.extractor.batch(documents(30), { id: provider.name, schema, concurrency: 2 });
      await until(() => simulated.stats().answered > 2);
      await until(async () => {
        const gates = await stack.extractor.gates();
        return gates.some((gate) => gate.provider === provider.name && gate.callsPerSecond !== null);
      });
      const { callsPerSecond } = await (await stack.extractor.gate(provider.name)).status();
      const { calls, promptTokens, completionTokens } = simulated.stats();
      const tokensPerCall = (promptTokens + completionTokens) / calls;
      expect(callsPerSecond! * 60 * tokensPerCall).toBeGreaterThan(25_000);
      expect(callsPerSecond! * 60 * tokensPerCall).toBeLessThan(35_000);
      await batch.cancel();
    });
  });
});

describe("an operator's hand", () => {
  it('stops all calls, for a time or until the gate is reset, and is written down', async () => {
    const provider = await startProvider({ latencyMs: 20 });
    await withWorker(stack, { provider, gates: 'on' }, async () => {
      const batch = await stack.extractor.batch(documents(300), {
        id: provider.name,
        schema,
        concurrency: 5,
      });
      await until(() => simulated.stats().answered > 20);
      const gate = await stack.extractor.gate(provider.name);
      await expect(gate.trip({ reason: '' })).rejects.toThrow(/expected some words/);
      expect(await gate.trip({ reason: 'audit' })).toMatchObject({ state: 'parked', reason: 'audit' });
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      const calls = simulated.log.length;
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      expect(simulated.log.length - calls).toBeLessThanOrEqual(1);
      await gate.reset({ reason: 'audit is over' });
      await until(() => simulated.log.length > calls + 20);
      await gate.trip({ reason: 'a short one', forMs: 1_500 });
      await reaches(provider.name, 'closed');
      expect(await batch.done()).toMatchObject({ succeeded: 300 });
      const reasons = (await gate.changes()).map(({ reason }) => reason);
      expect(reasons).toEqual(expect.arrayContaining(['audit', 'audit is over', 'a short one']));
    });
  });

  it('refuses a provider that no worker ever had', async () => {
    await expect(stack.extractor.gate('nobody')).rejects.toThrow(/expected a provider that a worker has/);
  });
});
