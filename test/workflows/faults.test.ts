/** Every row of the tutorial's failure table, on the real server, with the simulated provider. */
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exampleSchemas } from '../../examples/schemas/index.ts';
import { DurableExtract } from '../../src/client/index.ts';
import type { Outcome, StrategyName } from '../../src/client/index.ts';
import { startSimulatedProvider } from '../../src/provider/simulated.ts';
import type { SimulatedProvider } from '../../src/provider/simulated.ts';
import { resolveTemporalConnection } from '../../src/stack/connection.ts';
import { ensureStack, stopStack } from '../../src/stack/stack.ts';
import { SIMULATED_URL_VARIABLE, providersOf } from '../../src/worker/providers.ts';
import { runWorkers } from '../../src/worker/run-workers.ts';
import type { RunningWorkers } from '../../src/worker/run-workers.ts';

const home = mkdtempSync(join(tmpdir(), 'durable-extract-faults-'));
const withoutProviders = {
  ...process.env,
  DURABLE_EXTRACT_HOME: home,
  TEMPORAL_ADDRESS: undefined,
  OPENAI_API_KEY: undefined,
  DURABLE_EXTRACT_MODEL: undefined,
};
const right = { name: 'Ada Lovelace', age: 36, email: 'ada@example.org' };

let simulated: SimulatedProvider;
let workers: RunningWorkers;
let extractor: DurableExtract;
let documents = 0;

beforeAll(async () => {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: 'OFF', forward: {} } },
  });
  await ensureStack({ home, env: withoutProviders, onProgress: () => {} });
  simulated = await startSimulatedProvider();
  const env = { ...withoutProviders, [SIMULATED_URL_VARIABLE]: simulated.url };
  const { nativeOptions, namespace } = resolveTemporalConnection({ env, home })!;
  workers = await runWorkers({
    connection: nativeOptions ?? {},
    namespace,
    // Failures of one test would hold up the next.
    env: { ...env, DURABLE_EXTRACT_GATE: 'off' },
    providers: providersOf(env),
    schemas: exampleSchemas,
    callTimeoutMs: 1_000,
    shutdownGraceMs: 100,
  });
  extractor = await DurableExtract.connect({ env });
});

afterAll(async () => {
  await extractor?.close();
  await workers?.stop();
  await simulated?.stop();
  await stopStack({ home, onProgress: () => {} });
  rmSync(home, { recursive: true, force: true });
});

/** A text of its own each time: the simulated provider counts its failures by document. */
async function extract(fault: string, strategy: StrategyName): Promise<Outcome> {
  documents += 1;
  return extractor.extract({
    text: `Form ${documents}. My name is Ada Lovelace, I am 36 years old, write to ada@example.org.`,
    schema: 'user',
    model: `simulated/fault-${fault}`,
    strategy,
    retry: { baseDelayMs: 20, maxDelayMs: 200 },
  });
}

describe('dirty but readable answers', () => {
  it.each([
    'json_fenced',
    'json_prose',
    'json_trailing_commas',
    'json_single_quotes',
    'json_unquoted_keys',
    'json_python_literals',
    'json_comments',
    'wrong_type_lossless',
  ])('%s: repaired, reported, one call', async (fault) => {
    const outcome = await extract(fault, 'basic');
    expect(outcome).toMatchObject({ success: true, data: right, attempts: 1, errors: [], simulated: true });
    expect(outcome.usage.calls).toBe(1);
  });
});

describe('wrong answers', () => {
  it.each([
    ['missing', 'validation_error'],
    ['wrong_type', 'validation_error'],
    ['unknown_field', 'validation_error'],
    ['constraint', 'validation_error'],
    ['json_garbage', 'json_error'],
    ['truncated_silent', 'truncated'],
    ['empty', 'empty'],
  ])('%s: basic never recovers, feedback and adaptive do', async (fault, type) => {
    const [basic, feedback, adaptive] = await Promise.all([
      extract(fault, 'basic'),
      extract(fault, 'feedback'),
      extract(fault, 'adaptive'),
    ]);
    expect(basic).toMatchObject({ success: false, data: null, attempts: 3, stopped: 'attempts' });
    expect(basic.errors.map((error) => error.type)).toEqual([type, type, type]);
    expect(feedback).toMatchObject({
      success: true,
      data: right,
      attempts: 2,
      errors: [{ attempt: 1, type }],
    });
    expect(adaptive).toMatchObject({
      success: true,
      data: right,
      attempts: 2,
      errors: [{ attempt: 1, type }],
    });
  });

  it.each([
    ['truncated_length', 'a higher token cap'],
    ['refused', 'reframing'],
    ['refused_text', 'reframing'],
  ])('%s: adaptive recovers by %s', async (fault) => {
    expect(await extract(fault, 'adaptive')).toMatchObject({ success: true, data: right, attempts: 2 });
  });

  it('content_filter: every strategy stops at once', async () => {
    expect(await extract('content_filter', 'adaptive')).toMatchObject({
      success: false,
      attempts: 1,
      stopped: 'content_filter',
    });
  });
});

describe('provider failures', () => {
  it.each([
    ['rate_limit', 'rate_limit'],
    ['server_error', 'server_error'],
    ['overloaded', 'server_error'],
    ['reset_before', 'connection_error'],
    ['reset_mid_body', 'connection_error'],
    ['hang', 'timeout'],
    ['request_timeout', 'timeout'],
    ['conflict', 'server_error'],
  ])('%s: waited out below the conversation, and reported', async (fault, type) => {
    const outcome = await extract(fault, 'feedback');
    expect(outcome).toMatchObject({ success: true, data: right, attempts: 1, usage: { calls: 3 } });
    expect(outcome.errors).toMatchObject([
      { attempt: 1, type, delayMs: expect.any(Number) },
      { attempt: 1, type, delayMs: expect.any(Number) },
    ]);
  });

  it.each([
    ['quota_exhausted', 'quota_exhausted'],
    ['client_error', 'client_error'],
    ['auth', 'client_error'],
  ])('%s: not retried', async (fault, stopped) => {
    expect(await extract(fault, 'feedback')).toMatchObject({ success: false, stopped, usage: { calls: 1 } });
  });
});
