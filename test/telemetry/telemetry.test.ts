import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { METRIC_NAMES } from '../../activities/metrics.ts';
import { DurableExtract } from '../../src/client/index.ts';
import type { BatchStatus } from '../../src/core/batch-contract.ts';
import { startSimulatedProvider } from '../../src/provider/simulated.ts';
import type { SimulatedProvider } from '../../src/provider/simulated.ts';
import { freePort } from '../../src/stack/ports.ts';
import { workflowBundle } from '../../src/worker/workflow-bundle.ts';
import { until } from '../stack/temp-home.ts';
import { startOtlpCollector } from '../support/otlp-collector.ts';
import type { ReceivedSpan } from '../support/otlp-collector.ts';
import { scrape, total } from '../support/prometheus.ts';
import type { Sample } from '../support/prometheus.ts';
import { quietRuntime } from '../support/scripted-worker.ts';
import { endTestStacks, startTestStack, startWorkerProcess, temporalCli } from '../support/test-stack.ts';
import type { TestStack, WorkerProcess } from '../support/test-stack.ts';

const DASHBOARD = fileURLToPath(new URL('../../docs/grafana/durable-extract.json', import.meta.url));
const DOCS = readFileSync(fileURLToPath(new URL('../../docs/metrics.md', import.meta.url)), 'utf8');
const SECRET = 'Zebulon Quux-Featherstone';
const jsonSchema = {
  type: 'object',
  properties: { name: { type: 'string' }, age: { type: 'integer' }, email: { type: 'string' } },
  required: ['name', 'age', 'email'],
  additionalProperties: false,
};
const schema = { name: 'user', jsonSchema };
const retry = { baseDelayMs: 20, maxDelayMs: 200 };

let stack: TestStack;
let provider: SimulatedProvider;
let collector: Awaited<ReturnType<typeof startOtlpCollector>>;
let worker: WorkerProcess;
let traced: DurableExtract;
let port: number;
let status: BatchStatus;
let samples: readonly Sample[];

/** A worker with all its telemetry on, and a batch with faults that went through it. */
beforeAll(async () => {
  await temporalCli();
  stack = await startTestStack('telemetry');
  provider = await startSimulatedProvider({ seed: 3, slowMs: 100, retryAfterSeconds: 0.1 });
  collector = await startOtlpCollector();
  port = await freePort({ preferred: [] });
  const config = join(stack.home, 'durable-extract.config.json');
  writeFileSync(config, JSON.stringify({ providers: [configured(provider.url)] }));
  const env = {
    ...stack.env,
    DURABLE_EXTRACT_GATE: 'on',
    DURABLE_EXTRACT_CONFIG: config,
    DURABLE_EXTRACT_METRICS: `127.0.0.1:${port}-${port + 5}`,
    DURABLE_EXTRACT_LOG: 'json',
    DURABLE_EXTRACT_LOG_LEVEL: 'info',
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_BSP_SCHEDULE_DELAY: '100',
  };
  stack = { ...stack, env };
  worker = await startWorkerProcess(stack, provider.url);
  traced = await DurableExtract.connect({ env });
  const documents = Array.from({ length: 80 }, (_, number) => ({
    id: `d${number}`,
    text: `${SECRET}${number} is ${20 + number} years old. Write to zq${number}@example.org.`,
  }));
  const batch = await traced.batch(documents, { id: 'faulty', schema, retry, concurrency: 10 });
  status = await batch.done();
  await traced.extract({
    id: 'single',
    text: `${SECRET} is 36 years old. Write to zq@example.org.`,
    schema,
    retry,
  });
  samples = await scraped(port);
}, 900_000);

afterAll(async () => {
  await traced?.close();
  await worker?.stop();
  await collector?.stop();
  await provider?.stop();
  await endTestStacks();
});

function configured(baseUrl: string): object {
  const prices = { faulty: { promptUsdPerMillion: 1, completionUsdPerMillion: 2 } };
  return { name: 'north', keyVariable: 'OPENAI_API_KEY', baseUrl, models: ['faulty'], prices };
}

function scraped(at: number): Promise<readonly Sample[]> {
  return scrape(`http://127.0.0.1:${at}/metrics`);
}

function calls(result: string): number {
  return total(samples, METRIC_NAMES.calls, { result });
}

describe('metrics', () => {
  it("count what the provider's own log counts", () => {
    const { answered, byStatus, calls: made } = provider.stats();
    const tokens = (kind: 'promptTokens' | 'completionTokens') =>
      provider.log.filter((call) => call.answered).reduce((sum, call) => sum + call[kind], 0);
    const [promptTokens, completionTokens] = [tokens('promptTokens'), tokens('completionTokens')];
    expect(total(samples, METRIC_NAMES.calls)).toBe(made);
    expect(total(samples, `${METRIC_NAMES.callSeconds}_count`)).toBe(made);
    expect(calls('answered')).toBe(answered);
    expect(calls('rate_limit')).toBe(byStatus['429'] ?? 0);
    expect(calls('rate_limit') + calls('server_error')).toBeGreaterThan(0);
    expect(total(samples, METRIC_NAMES.tokens, { kind: 'prompt' })).toBe(promptTokens);
    expect(total(samples, METRIC_NAMES.tokens, { kind: 'completion' })).toBe(completionTokens);
    const costUsd = (promptTokens + 2 * completionTokens) / 1e6;
    expect(total(samples, `${METRIC_NAMES.costUsd}_sum`)).toBeCloseTo(costUsd, 9);
  });

  it('count what the store has', () => {
    const { answered } = provider.stats();
    const rejected = total(samples, METRIC_NAMES.attempts, { verdict: 'rejected' });
    expect(total(samples, METRIC_NAMES.attempts)).toBe(answered);
    expect(total(samples, METRIC_NAMES.problems)).toBe(rejected);
    expect(rejected).toBeGreaterThan(0);
    expect(total(samples, METRIC_NAMES.fieldProblems)).toBeGreaterThan(0);
    const ofBatch = { of: 'batch', schema: 'user' };
    expect(total(samples, METRIC_NAMES.outcomes, ofBatch)).toBe(80);
    expect(total(samples, METRIC_NAMES.outcomes, { ...ofBatch, outcome: 'success' })).toBe(status.succeeded);
    expect(total(samples, METRIC_NAMES.outcomes, { of: 'single' })).toBe(1);
  });

  it('tell how the gate stands', async () => {
    const gate = await stack.extractor.gate('north');
    await gate.trip({ reason: 'tripped' });
    const isParked = async () =>
      total(await scraped(port), METRIC_NAMES.gateState, { provider: 'north', state: 'parked' }) === 1;
    await until(isParked);
    expect(total(await scraped(port), METRIC_NAMES.gateState)).toBe(1);
    expect(total(await scraped(port), METRIC_NAMES.gateRate)).toBeLessThan(0.01);
    await gate.reset();
    await until(async () => !(await isParked()));
    expect(total(await scraped(port), METRIC_NAMES.gateRate)).toBe(Number.POSITIVE_INFINITY);
  });

  it('have the names that docs/metrics.md and the Grafana dashboard use', () => {
    const known = new Set(samples.map(({ name }) => name));
    const dashboard = readFileSync(DASHBOARD, 'utf8');
    for (const [where, text] of Object.entries({ dashboard, docs: DOCS })) {
      const used = new Set(text.match(/\b(?:durable_extract|temporal)_\w+/g));
      expect(used.size).toBeGreaterThan(5);
      expect({ where, missing: [...used].filter((name) => !isKnown(known, name)) }).toEqual({
        where,
        missing: [],
      });
    }
    for (const name of Object.values(METRIC_NAMES)) expect(DOCS).toContain(`\`${name}\``);
  });

  it('have the labels that the Grafana dashboard asks for', () => {
    for (const expr of dashboardQueries()) {
      const names = expr.match(/\b(?:durable_extract|temporal)_\w+/g) ?? [];
      const asked = [
        ...[...expr.matchAll(/ by \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(', ')),
        ...[...expr.matchAll(/(\w+)=~?"/g)].map(([, label = '']) => label),
      ].filter((label) => label !== 'instance');
      const unknown = asked.filter((label) => !names.some((name) => labelsOf(name).has(label)));
      expect({ expr, unknown }).toEqual({ expr, unknown: [] });
    }
  });

  it('are served by each worker of a machine at a port of its own, from a range', async () => {
    const second = await startWorkerProcess(stack, provider.url);
    expect(worker.log()).toContain(`metrics at http://127.0.0.1:${port}/metrics`);
    const own = Number(/metrics at http:\/\/127\.0\.0\.1:(\d+)/.exec(second.log())?.[1]);
    expect(own).toBeGreaterThan(port);
    expect((await scraped(own)).length).toBeGreaterThan(0);
    await second.stop();
  });

  it('are no reason to hide that a port is taken', async () => {
    const env = { ...stack.env, DURABLE_EXTRACT_METRICS: `127.0.0.1:${port}` };
    await expect(startWorkerProcess({ ...stack, env }, provider.url)).rejects.toThrow(
      /Metrics cannot be served at 127\.0\.0\.1, port \d+.*give a range/s,
    );
  });
});

function labelsOf(name: string): ReadonlySet<string> {
  return new Set(samples.filter((each) => each.name === name).flatMap(({ labels }) => Object.keys(labels)));
}

function dashboardQueries(): readonly string[] {
  const { panels } = JSON.parse(readFileSync(DASHBOARD, 'utf8')) as {
    readonly panels: readonly { readonly targets?: readonly { readonly expr: string }[] }[];
  };
  return panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
}

/** Of a histogram, the docs name the whole, and a scrape has its parts. */
function isKnown(known: ReadonlySet<string>, name: string): boolean {
  return known.has(name) || ['_bucket', '_sum', '_count'].every((part) => known.has(`${name}${part}`));
}

/** A span of the workflow `extract/single`, by its name. */
function ofSingle(span: string): ReceivedSpan | undefined {
  return collector.spans().find(({ name, attributes }) => {
    const workflowId = attributes['temporalWorkflowId'] ?? attributes['workflowId'];
    return name === span && workflowId === 'extract/single';
  });
}

describe('traces', () => {
  it('lead from the client over the workflow to its activities', async () => {
    await until(
      () => ofSingle('RunWorkflow:extract') !== undefined && ofSingle('RunActivity:ask') !== undefined,
    );
    await until(() => ofSingle('StartWorkflow:extract') !== undefined);
    const started = ofSingle('StartWorkflow:extract')!;
    const ran = ofSingle('RunWorkflow:extract')!;
    const scheduled = ofSingle('StartActivity:ask')!;
    const asked = ofSingle('RunActivity:ask')!;
    expect([started.service, ran.service, asked.service]).toEqual([
      'durable-extract-client',
      'durable-extract-worker',
      'durable-extract-worker',
    ]);
    expect(ran).toMatchObject({ traceId: started.traceId, parentSpanId: started.spanId });
    expect(scheduled).toMatchObject({ traceId: started.traceId, parentSpanId: ran.spanId });
    expect(asked).toMatchObject({ traceId: started.traceId, parentSpanId: scheduled.spanId });
    expect(asked.attributes).toMatchObject({
      'durable_extract.document': 'single',
      'durable_extract.attempt': 1,
      'durable_extract.provider': 'north',
      'durable_extract.model': 'faulty',
    });
  });

  it('cover the documents of a batch', () => {
    const asked = collector
      .spans()
      .filter(
        ({ name, attributes }) =>
          name.startsWith('RunActivity:ask') && attributes['durable_extract.batch'] === 'faulty',
      );
    const seqs = asked.flatMap(
      ({ attributes }) => attributes['durable_extract.seqs'] ?? attributes['durable_extract.seq'],
    );
    expect(new Set(seqs).size).toBe(80);
    expect(new Set(asked.map(({ traceId }) => traceId)).size).toBe(1);
  });

  it('hold no text, no answer and no key', async () => {
    await expect(traced.extract({ id: 'refused', text: SECRET, schema: SECRET })).rejects.toThrow(SECRET);
    await until(() => collector.bodies.some((body) => body.includes('extract/refused')));
    for (const body of collector.bodies) {
      expect(body).not.toMatch(/Zebulon|zq\d*@|sk-secret|years old/);
    }
  });

  it('can be switched off while workflows are under way', async () => {
    quietRuntime();
    const codePath = await workflowBundle(stack.env);
    const ids = ['extract/single', 'batch/faulty', 'batch/faulty/1'];
    const histories = ids.map(async (workflowId) => ({
      workflowId,
      history: await traced.client.workflow.getHandle(workflowId).fetchHistory(),
    }));
    const results = Worker.runReplayHistories({ workflowBundle: { codePath } }, await Promise.all(histories));
    const errors: Record<string, unknown> = {};
    for await (const { workflowId, error } of results) errors[workflowId] = error;
    expect(errors).toEqual(Object.fromEntries(ids.map((id) => [id, undefined])));
  });

  it('cost a process without an endpoint nothing', async () => {
    const { openTracing } = await import('../../src/telemetry/open-tracing.ts');
    expect(await openTracing({}, 'x')).toBeUndefined();
    const off = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_TRACES_EXPORTER: 'none' };
    expect(await openTracing(off, 'x')).toBeUndefined();
  });

  it('do not hold up who ends while no collector takes them', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address() as { readonly port: number };
    const env = { ...stack.env, OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${address.port}` };
    const client = await DurableExtract.connect({ env });
    await client.extract({ id: 'unheard', text: 'Ada is 36 years old: ada@example.org', schema, retry });
    const begun = performance.now();
    await client.close();
    expect(performance.now() - begun).toBeLessThan(3_000);
    silent.closeAllConnections();
    silent.close();
  });
});

describe('the structured log', () => {
  it('has an object a line, with ids and without texts', () => {
    const lines = worker.log().trim().split('\n');
    const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const said = (message: string) => entries.filter((entry) => entry['message'] === message);
    expect(said('an answer was judged').length).toBe(provider.stats().answered);
    expect(said('an answer was judged')[0]).toMatchObject({
      level: 'INFO',
      workflowId: 'batch/faulty/1',
      provider: 'north',
      schema: 'user',
      verdict: expect.stringMatching(/accepted|rejected/) as string,
    });
    expect(said('a call failed').length).toBeGreaterThan(0);
    expect(said('an extraction has ended').find(({ documentId }) => documentId === 'single')).toMatchObject({
      workflowId: 'extract/single',
      outcome: 'success',
    });
    expect(worker.log()).not.toMatch(/Zebulon|zq\d*@|sk-secret|years old/);
  });
});
