import { setTimeout as sleep } from 'node:timers/promises';
import type { CallRecord } from '../../src/provider/simulated.ts';
import { shortDocuments, withBatchStack } from '../batch-stack.ts';
import type { BatchStack } from '../batch-stack.ts';
import type { Figure, Row } from '../figure.ts';

const RPM = 600;
const LATENCY_MS = 500;
const DEMAND = 5;
const CONCURRENCY = (DEMAND * RPM * LATENCY_MS) / 60_000;
/** More than can be done while it is watched. */
const DOCUMENTS = 3_000;
const SETTLED_BY_MS = 30_000;
const WATCHED_MS = 100_000;
/** What is aimed at once the rate has settled. */
const LEAST_USED = 0.9;
const MOST_REFUSED = 0.03;
/** So long both must hold for the rate to count as settled. */
const SETTLED_FOR_MS = 10_000;
/** The simulated provider's own, where it is not told: what it takes at once. */
const BURST = RPM / 60;
/** Calls that begin so soon after a 429 was sent were under way, or are those whose worker has not read it yet. */
const UNDER_WAY_MS = 20;
const LONG_PAUSE_S = 5;
/** A `Retry-After` given as a date has whole seconds, so that up to one is cut off. */
const LONG_PAUSE_AT_LEAST_MS = (LONG_PAUSE_S - 1) * 1_000;

/** Whether a rate that nobody configured is found, used and kept to. Takes some minutes. */
export const gateRate: Figure = {
  title: `Gate: provider that allows ${RPM} calls a minute, which nobody configured, demand ${DEMAND} times that`,
  async measure() {
    const hidden = await withLimitedProvider(['--hides-limits'], async (stack) =>
      rateRows('limit not told', await watched(stack)),
    );
    const told = await withLimitedProvider(['--retry-after', String(LONG_PAUSE_S)], async (stack) => {
      const calls = await watched(stack);
      return [
        ...rateRows('limit told', calls),
        earlyRow('limit told', toldPauses(calls), calls),
        await longPauseRow('limit told', stack),
      ];
    });
    return [...hidden, ...told];
  },
};

/** A call, in milliseconds since the batch began. */
interface Call {
  readonly at: number;
  readonly endedAt: number;
  readonly isRefused: boolean;
}

/** When a provider said 429, and when it wants the next call. */
interface Pause {
  readonly toldAt: number;
  readonly until: number;
}

/** A stack with a batch at work that is more than its provider takes; ends the batch. */
function withLimitedProvider<T>(
  flags: readonly string[],
  use: (stack: BatchStack & { readonly startedAt: number }) => Promise<T>,
): Promise<T> {
  const provider = ['--rpm', String(RPM), '--latency-ms', String(LATENCY_MS), ...flags];
  return withBatchStack({ provider }, async (stack) => {
    const options = { id: 'rate', schema: 'user', concurrency: CONCURRENCY };
    const batch = await stack.extractor.batch(shortDocuments(DOCUMENTS), options);
    const result = await use({ ...stack, startedAt: Date.now() });
    await batch.cancel();
    return result;
  });
}

async function watched(stack: BatchStack & { readonly startedAt: number }): Promise<readonly Call[]> {
  // The last calls are in the log when they have ended.
  await sleep(WATCHED_MS + 2 * LATENCY_MS);
  const calls = (await stack.calls()).map((record) => callOf(record, stack.startedAt));
  return calls.filter(({ at }) => at < WATCHED_MS).toSorted((a, b) => a.at - b.at);
}

function callOf({ time, durationMs, status }: CallRecord, startedAt: number): Call {
  const at = Date.parse(time) - startedAt;
  return { at, endedAt: at + durationMs, isRefused: status === 429 };
}

function rateRows(name: string, calls: readonly Call[]): readonly Row[] {
  const settledAfter = settledAfterMs(calls);
  const settled = between(calls, SETTLED_BY_MS, WATCHED_MS);
  const all = between(calls, 0, WATCHED_MS);
  return [
    {
      what: `${name}: settled after`,
      figure: settledAfter === null ? 'never' : `${(settledAfter / 1_000).toFixed(0)} s`,
      details: `aim: at most ${SETTLED_BY_MS / 1_000} s`,
    },
    {
      what: `${name}: of the allowed rate used from then on`,
      figure: percent(settled.used),
      details: `${settled.answered} answers from second ${SETTLED_BY_MS / 1_000} to ${WATCHED_MS / 1_000}; aim: at least 90 %; ${percent(all.used)} from the beginning`,
    },
    {
      what: `${name}: calls answered with 429`,
      figure: percent(settled.refusedShare),
      details: `${settled.refused} of ${settled.answered + settled.refused}; aim: less than 3 %; ${percent(all.refusedShare)} from the beginning`,
    },
  ];
}

/** The first second from which on the aims are met, in the next while and in all the time that is watched; null where there is none. */
function settledAfterMs(calls: readonly Call[]): number | null {
  for (let from = 0; from + SETTLED_FOR_MS <= WATCHED_MS; from += 1_000) {
    const isMet = [from + SETTLED_FOR_MS, WATCHED_MS].every((to) => {
      const { used, refusedShare } = between(calls, from, to);
      return used >= LEAST_USED && refusedShare < MOST_REFUSED;
    });
    if (isMet) return from;
  }
  return null;
}

function between(
  calls: readonly Call[],
  from: number,
  to: number,
): {
  readonly answered: number;
  readonly refused: number;
  readonly used: number;
  readonly refusedShare: number;
} {
  const made = calls.filter(({ at }) => at >= from && at < to);
  const refused = made.filter(({ isRefused }) => isRefused).length;
  const answered = made.length - refused;
  const allowed = (RPM * (to - from)) / 60_000;
  return { answered, refused, used: answered / allowed, refusedShare: refused / Math.max(1, made.length) };
}

/** The log does not keep what a `Retry-After` said: the provider's token bucket is filled and emptied again by it. */
function toldPauses(calls: readonly Call[]): readonly Pause[] {
  const pauses: Pause[] = [];
  const perMs = RPM / 60_000;
  let tokens = BURST;
  let lastAt = 0;
  for (const { at, endedAt, isRefused } of calls) {
    tokens = Math.min(BURST, tokens + (at - lastAt) * perMs);
    lastAt = at;
    if (isRefused) pauses.push({ toldAt: endedAt, until: at + Math.max(0, 1 - tokens) / perMs });
    else tokens -= 1;
  }
  return pauses;
}

/** Calls that began in a pause that could have been known; by how long after it was told. */
function afterTold(pauses: readonly Pause[], calls: readonly Call[]): readonly number[] {
  return calls.flatMap(({ at }) => {
    const delays = pauses
      .filter(({ toldAt, until }) => at > toldAt + UNDER_WAY_MS && at < until)
      .map(({ toldAt }) => at - toldAt);
    return delays.length === 0 ? [] : [Math.max(...delays)];
  });
}

function earlyRow(name: string, pauses: readonly Pause[], calls: readonly Call[]): Row {
  const early = afterTold(pauses, calls);
  const latest = early.length === 0 ? '' : `; made up to ${Math.max(...early).toFixed(0)} ms after one`;
  return {
    what: `${name}: calls before a Retry-After had passed`,
    figure: String(early.length),
    details: `${pauses.length} were told, of at most ${60_000 / RPM} ms; aim: 0${latest}`,
  };
}

/** The limit's own pauses are short: for two seconds every call is answered with a long one. */
async function longPauseRow(name: string, stack: BatchStack & { readonly startedAt: number }): Promise<Row> {
  const from = Date.now() - stack.startedAt;
  await stack.setFaults({ rate_limit: 1 });
  await sleep(2_000);
  await stack.setFaults(null);
  await sleep(LONG_PAUSE_S * 2_000);
  const records = (await stack.calls()).filter(({ time }) => Date.parse(time) - stack.startedAt >= from);
  const calls = records.map((record) => callOf(record, stack.startedAt));
  const pauses = records
    .filter(({ fault }) => fault === 'rate_limit')
    .map((record) => callOf(record, stack.startedAt).endedAt)
    .map((toldAt) => ({ toldAt, until: toldAt + LONG_PAUSE_AT_LEAST_MS }));
  const lastToldAt = Math.max(...pauses.map(({ toldAt }) => toldAt));
  const next = Math.min(
    ...calls.filter(({ at }) => at > lastToldAt + UNDER_WAY_MS).map(({ at }) => at - lastToldAt),
  );
  return {
    what: `${name}: calls before a long Retry-After had passed`,
    figure: String(afterTold(pauses, calls).length),
    details: `${pauses.length} were told, of ${LONG_PAUSE_S} s; aim: 0; the next call came ${(next / 1_000).toFixed(1)} s after the last of them`,
  };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
