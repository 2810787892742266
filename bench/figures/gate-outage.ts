import { setTimeout as sleep } from 'node:timers/promises';
import type { RetryConfig } from '../../src/core/contract.ts';
import { shortDocuments, withBatchStack } from '../batch-stack.ts';
import type { BatchStack } from '../batch-stack.ts';
import type { Figure, Row } from '../figure.ts';

const DOCUMENTS = 1_000;
const CONCURRENCY = 50;
const LATENCY_MS = 500;
const WARM_UP = 100;
const OUTAGE_AFTER_MS = 4_000;
const OUTAGE_MS = 60_000;
/** Before the outage, to know the usual rate: without the first seconds, in which the batch gets going. */
const USUAL_MS = 2_000;
/** Of the usual rate; from then on it counts as back. */
const BACK_AT = 0.8;

/** What is down: the whole provider, or its models while it can still be reached. */
type Extent = 'provider' | 'models';

const OUTAGES: readonly {
  readonly name: string;
  readonly extent: Extent;
  readonly retry: Partial<RetryConfig>;
}[] = [
  { name: 'default retries', extent: 'provider', retry: {} },
  // Blind retries hurt more.
  { name: 'quick retries', extent: 'provider', retry: { maxDelayMs: 1_000 } },
  { name: 'default retries, only its models down', extent: 'models', retry: {} },
];

/** What an outage costs with a gate and without one. Takes some minutes. */
export const gateOutage: Figure = {
  title: `Gate: outage of ${OUTAGE_MS / 1_000} s in a batch of ${DOCUMENTS}, provider with ${LATENCY_MS} ms latency, ${CONCURRENCY} at once`,
  async measure() {
    const rows: Row[] = [];
    for (const { name, extent, retry } of OUTAGES) {
      const withGate = await batchWithOutage('on', extent, retry);
      const without = await batchWithOutage('off', extent, retry);
      rows.push(...compared(name, withGate, without));
    }
    return rows;
  },
};

/** What became of one batch. */
interface Outage {
  /** Calls made while the provider was down: none of them was answered. */
  readonly callsInVain: number;
  /** How often it was asked whether it is there, which costs no tokens. */
  readonly asked: number;
  readonly lost: number;
  /** Beyond one for each document. */
  readonly attemptsWasted: number;
  /** Failed calls of the document that had the most. */
  readonly mostFailures: number;
  /** Calls a second before it. */
  readonly usualRate: number;
  /** From the end of the outage; null where the batch was over before. */
  readonly backAfterMs: number | null;
  readonly ms: number;
}

function batchWithOutage(gate: 'on' | 'off', extent: Extent, retry: Partial<RetryConfig>): Promise<Outage> {
  const provider = ['--latency-ms', String(LATENCY_MS)];
  return withBatchStack({ provider, env: { DURABLE_EXTRACT_GATE: gate } }, async (stack) => {
    const options = { schema: 'user', concurrency: CONCURRENCY, retry };
    const warmUp = await stack.extractor.batch(shortDocuments(WARM_UP), { ...options, id: 'warm-up' });
    await warmUp.done();
    const batch = await stack.extractor.batch(shortDocuments(DOCUMENTS), { ...options, id: 'measured' });
    const startedAt = Date.now();
    await sleep(OUTAGE_AFTER_MS);
    const downAt = Date.now();
    await setOutage(stack, extent, true);
    await sleep(OUTAGE_MS);
    await setOutage(stack, extent, false);
    const upAt = Date.now();
    const { total, succeeded } = await batch.done();
    const ms = Date.now() - startedAt;
    const documents = { attemptsWasted: 0, mostFailures: 0 };
    for await (const { attempts, errors } of batch.results()) {
      documents.attemptsWasted += Math.max(0, attempts - 1);
      const failures = errors.filter(({ type }) => type === 'server_error').length;
      documents.mostFailures = Math.max(documents.mostFailures, failures);
    }
    const calls = await stack.calls();
    const answeredAt = calls
      .filter(({ answered }) => answered)
      .map(({ time }) => Date.parse(time))
      .toSorted((a, b) => a - b);
    const { modelLists: asked } = await stack.stats();
    const usual = answeredAt.filter((time) => time >= downAt - USUAL_MS && time < downAt).length;
    const usualRate = (usual / USUAL_MS) * 1_000;
    return {
      ...documents,
      callsInVain: calls.filter(({ fault }) => fault === 'server_error').length,
      asked,
      lost: total - succeeded,
      usualRate,
      backAfterMs: backAfter(
        answeredAt.filter((time) => time >= upAt).map((time) => time - upAt),
        BACK_AT * usualRate,
      ),
      ms,
    };
  });
}

function setOutage(stack: BatchStack, extent: Extent, isDown: boolean): Promise<void> {
  return extent === 'provider' ? stack.setDown(isDown) : stack.setFaults(isDown ? { server_error: 1 } : null);
}

/** The first time at which so many calls a second began, in the second before. */
function backAfter(times: readonly number[], perSecond: number): number | null {
  const needed = Math.ceil(perSecond);
  const back = times.find((time, index) => {
    const first = times[index - needed + 1];
    return first !== undefined && time - first < 1_000;
  });
  return back ?? null;
}

function compared(name: string, gate: Outage, without: Outage): readonly Row[] {
  return [
    {
      what: `${name}: calls during the outage, of those without a gate`,
      figure: `${((100 * gate.callsInVain) / without.callsInVain).toFixed(1)} %`,
      details: `${gate.callsInVain}, without ${without.callsInVain}; aim: at most 2 %; asked ${gate.asked} times whether it is there`,
    },
    {
      what: `${name}: documents lost`,
      figure: String(gate.lost),
      details: `without ${without.lost}; aim: 0`,
    },
    {
      what: `${name}: attempts wasted`,
      figure: String(gate.attemptsWasted),
      details: `without ${without.attemptsWasted}; aim: 0; failed calls of one document: at most ${gate.mostFailures}, without ${without.mostFailures}`,
    },
    {
      what: `${name}: back at ${100 * BACK_AT} % of the rate after`,
      figure: seconds(gate.backAfterMs),
      details: `without ${seconds(without.backAfterMs)}; of ${gate.usualRate.toFixed(0)} a second; aim: at most 10 s`,
    },
    {
      what: `${name}: batch`,
      figure: seconds(gate.ms),
      details: `without ${seconds(without.ms)}, ${DOCUMENTS - without.lost} documents done`,
    },
  ];
}

function seconds(ms: number | null): string {
  return ms === null ? 'never' : `${(ms / 1_000).toFixed(1)} s`;
}
