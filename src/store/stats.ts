/** The dashboard's figures, from counts that were kept as answers and outcomes were written. */
import { sql } from 'kysely';
import type { ExpressionBuilder, Kysely } from 'kysely';
import type { Problem, ProviderFailureType, StopReason } from '../core/contract.ts';
import { MOST_BATCHES, MOST_PROBLEMS } from '../core/stats.ts';
import type { ProblemCount, ProblemExample, Stats, StatsFilter, StatsSpan } from '../core/stats.ts';
import { GRAINS_MS, keyOfNewest, latencyOfBucket } from './tallies.ts';
import type { Tables, TalliesTable } from './tables.ts';

const MINUTE_MS = 60_000;
/** A chart has at most about this many spans. */
const MOST_SPANS = 60;
const SPANS_MS = [1, 5, 15, 60, 360, 1_440, 10_080, 43_200].map((minutes) => minutes * MINUTE_MS);

/** The figures. */
export interface StatsStore {
  /** All of them. A few thousand rows are read, however many answers there are. */
  read(filter?: StatsFilter): Promise<Stats>;
}

/** Counts of one fact, added up. */
interface Sum {
  readonly fact: TalliesTable['fact'];
  readonly a: string;
  readonly b: string;
  readonly n: number;
  readonly calls: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly costUsd: number;
  readonly unpriced: number;
  readonly newest: string;
}

/** The figures in a database. */
export function statsStore(db: Kysely<Tables>): StatsStore {
  return {
    async read(given = {}) {
      const filter = inWholeMinutes(given);
      const sums = await sumsOf(db, filter);
      const errors = await problemsOf(db, sums);
      const overTime = await overTimeOf(db, filter);
      return { ...rangeOf(filter), ...figuresOf(sums), errors, overTime, known: await knownOf(db) };
    },
  };
}

function inWholeMinutes({ since, until, ...rest }: StatsFilter): StatsFilter {
  return {
    ...rest,
    ...(since === undefined ? {} : { since: Math.floor(since / MINUTE_MS) * MINUTE_MS }),
    ...(until === undefined ? {} : { until: Math.ceil(until / MINUTE_MS) * MINUTE_MS }),
  };
}

function rangeOf({ since, until }: StatsFilter): Pick<Stats, 'since' | 'until'> {
  return { since: isoOf(since), until: isoOf(until) };
}

function isoOf(at: number | undefined): string | null {
  return at === undefined ? null : new Date(at).toISOString();
}

/** What part of a range is read by which grain: days in its middle, hours and minutes at its ends. */
function partsOf({ since, until }: StatsFilter): readonly { grainMs: number; from: number; to: number }[] {
  const parts: { grainMs: number; from: number; to: number }[] = [];
  const add = (grain: number, from: number, to: number): void => {
    const grainMs = GRAINS_MS[grain];
    if (grainMs === undefined || from >= to) return;
    const first = Math.ceil(from / grainMs) * grainMs;
    const last = Math.floor(to / grainMs) * grainMs;
    if (first >= last) return add(grain + 1, from, to);
    parts.push({ grainMs, from: first, to: last });
    add(grain + 1, from, first);
    add(grain + 1, last, to);
  };
  const longestMs = GRAINS_MS[0];
  // Whole days on both sides where there is no limit.
  const forever = Math.floor(Number.MAX_SAFE_INTEGER / longestMs) * longestMs;
  add(0, since ?? 0, until ?? forever);
  return parts;
}

type Where = ExpressionBuilder<Tables, 'tallies'>;

function isIn(filter: StatsFilter) {
  return (of: Where) =>
    of.and([
      of.or(
        partsOf(filter).map(({ grainMs, from, to }) =>
          of.and([of('grain_ms', '=', grainMs), of('at', '>=', from), of('at', '<', to)]),
        ),
      ),
      hasDimensions(filter)(of),
    ]);
}

function hasDimensions({ schema, model, batch }: StatsFilter) {
  return (of: Where) =>
    of.and([
      ...(schema === undefined ? [] : [of('schema_name', '=', schema)]),
      ...(model === undefined ? [] : [of('model', '=', model)]),
      ...(batch === undefined ? [] : [of('batch_id', '=', batch)]),
    ]);
}

async function sumsOf(db: Kysely<Tables>, filter: StatsFilter): Promise<readonly Sum[]> {
  const rows = await db
    .selectFrom('tallies')
    .select((of) => [
      'fact',
      'a',
      'b',
      of.fn.sum('n').as('n'),
      of.fn.sum('calls').as('calls'),
      of.fn.sum('prompt_tokens').as('promptTokens'),
      of.fn.sum('completion_tokens').as('completionTokens'),
      of.fn.sum('cost_usd').as('costUsd'),
      of.fn.sum('unpriced').as('unpriced'),
      of.fn.max('newest').as('newest'),
    ])
    .where(isIn(filter))
    .groupBy(['fact', 'a', 'b'])
    .execute();
  // Sums of big numbers come as text from PostgreSQL.
  return rows.map((row) => ({
    ...row,
    n: Number(row.n),
    calls: Number(row.calls),
    promptTokens: Number(row.promptTokens),
    completionTokens: Number(row.completionTokens),
    costUsd: Number(row.costUsd),
    unpriced: Number(row.unpriced),
  }));
}

/** All that is a sum of sums. */
function figuresOf(sums: readonly Sum[]): Omit<Stats, 'since' | 'until' | 'errors' | 'overTime' | 'known'> {
  const outcomes = sums.filter(({ fact, n }) => fact === 'outcome' && n > 0);
  const answers = sums.filter(({ fact }) => fact === 'answer');
  const extractions = total(outcomes);
  const succeeded = total(outcomes.filter(({ b }) => b === ''));
  const firstTries = total(outcomes.filter(({ a, b }) => a === '1' && b === ''));
  const judged = outcomes.reduce((all, { a, n }) => all + Number(a) * n, 0);
  const calls = total(sums, 'calls');
  const wastedCalls = calls - total(answers.filter(({ b }) => b !== 'rejected'));
  return {
    extractions,
    succeeded,
    successRate: share(succeeded, extractions),
    averageAttempts: share(judged, extractions),
    firstTryRate: share(firstTries, extractions),
    calls,
    promptTokens: total(sums, 'promptTokens'),
    completionTokens: total(sums, 'completionTokens'),
    costUsd: total(sums, 'unpriced') > 0 ? null : total(sums, 'costUsd'),
    wastedCalls,
    wastedShare: share(wastedCalls, calls),
    attemptsHistogram: histogramOf(outcomes),
    successByAttempt: byAttempt(answers),
    providerFailures: failuresOf(sums),
    latency: latencyOf(sums),
    stoppedReasons: mostFirst(
      outcomes.filter(({ b }) => b !== ''),
      ({ b }) => b,
    ).map(([reason, count]) => ({
      reason: reason as StopReason,
      count,
    })),
  };
}

function total(
  sums: readonly Sum[],
  of: 'n' | 'calls' | 'promptTokens' | 'completionTokens' | 'costUsd' | 'unpriced' = 'n',
): number {
  return sums.reduce((all, sum) => all + sum[of], 0);
}

function share(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}

function histogramOf(outcomes: readonly Sum[]): Stats['attemptsHistogram'] {
  return byNumber(outcomes).map(([attempts, group]) => ({
    attempts,
    extractions: total(group),
    succeeded: total(group.filter(({ b }) => b === '')),
  }));
}

/** Answers that are one part of a record are neither: the next goes on. */
function byAttempt(answers: readonly Sum[]): Stats['successByAttempt'] {
  return byNumber(answers.filter(({ b }) => b !== 'incomplete')).map(([attempt, group]) => {
    const accepted = total(group.filter(({ b }) => b === 'accepted'));
    return { attempt, answers: total(group), accepted, share: share(accepted, total(group)) ?? 0 };
  });
}

function byNumber(sums: readonly Sum[]): readonly (readonly [number, readonly Sum[]])[] {
  return [...Map.groupBy(sums, ({ a }) => Number(a))].toSorted(([x], [y]) => x - y);
}

function mostFirst(
  sums: readonly Pick<Sum, 'a' | 'b' | 'n'>[],
  keyOf: (sum: Pick<Sum, 'a' | 'b'>) => string,
): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const sum of sums) counts.set(keyOf(sum), (counts.get(keyOf(sum)) ?? 0) + sum.n);
  return [...counts].toSorted(([x, n], [y, m]) => m - n || (x < y ? -1 : 1));
}

function failuresOf(sums: readonly Pick<Sum, 'fact' | 'a' | 'b' | 'n'>[]): Stats['providerFailures'] {
  const failures = sums.filter(({ fact }) => fact === 'failure');
  return mostFirst(failures, ({ a }) => a).map(([type, count]) => ({
    type: type as ProviderFailureType,
    count,
  }));
}

/** The smallest latency that at least that share of calls did not exceed. */
function latencyOf(sums: readonly Sum[]): Stats['latency'] {
  const buckets = byNumber(sums.filter(({ fact }) => fact === 'latency'));
  const all = buckets.reduce((sum, [, group]) => sum + total(group), 0);
  const quantile = (q: number): number | null => {
    let seen = 0;
    for (const [bucket, group] of buckets) {
      seen += total(group);
      if (seen >= q * all) return latencyOfBucket(bucket);
    }
    return null;
  };
  return { p50Ms: quantile(0.5), p95Ms: quantile(0.95) };
}

async function problemsOf(db: Kysely<Tables>, sums: readonly Sum[]): Promise<readonly ProblemCount[]> {
  const problems = sums
    .filter(({ fact }) => fact === 'problem')
    .toSorted((x, y) => y.n - x.n || (`${x.a} ${x.b}` < `${y.a} ${y.b}` ? -1 : 1))
    .slice(0, MOST_PROBLEMS);
  const counted: ProblemCount[] = [];
  for (const { a: kind, b: path, n: count, newest } of problems)
    counted.push({ kind, path, count, example: await exampleOf(db, kind, newest) });
  return counted;
}

async function exampleOf(db: Kysely<Tables>, kind: string, newest: string): Promise<ProblemExample | null> {
  const key = keyOfNewest(newest);
  if (key === undefined) return null;
  const { batchId, documentId, round, attempt } = key;
  const row = await db
    .selectFrom('attempts')
    .select('problem')
    .where('batch_id', '=', batchId)
    .where('document_id', '=', documentId)
    .where('round', '=', round)
    .where('attempt', '=', attempt)
    .executeTakeFirst();
  const problem = row?.problem == null ? null : (JSON.parse(row.problem) as Problem);
  const message =
    problem?.details.find((detail) => detail.kind === kind)?.message ?? problem?.message ?? null;
  return { batch: batchId, document: documentId, round, attempt, message };
}

/** Spans as short as the range allows. */
async function overTimeOf(db: Kysely<Tables>, filter: StatsFilter): Promise<Stats['overTime']> {
  const range = await rangeWithFigures(db, filter);
  if (range === undefined) return { spanMs: MINUTE_MS, spans: [] };
  const lengthMs = range.until - range.since;
  const spanMs = SPANS_MS.find((span) => lengthMs / span <= MOST_SPANS) ?? SPANS_MS.at(-1)!;
  const grainMs = GRAINS_MS.find((grain) => spanMs % grain === 0) ?? MINUTE_MS;
  const spanOf = sql<number>`at - at % ${sql.lit(spanMs)}`;
  const rows = await db
    .selectFrom('tallies')
    .select((of) => [
      spanOf.as('span'),
      'fact',
      of.case().when('fact', '=', 'failure').then(of.ref('a')).else('').end().as('a'),
      of.case().when('fact', '=', 'outcome').then(of.ref('b')).else('').end().as('b'),
      of.fn.sum('n').as('n'),
      of.fn.sum('calls').as('calls'),
    ])
    .where('grain_ms', '=', grainMs)
    .where('at', '>=', Math.floor(range.since / grainMs) * grainMs)
    .where('at', '<', range.until)
    .where('fact', 'in', ['outcome', 'failure', 'answer', 'spend'])
    .where(hasDimensions(filter))
    .groupBy([sql`1`, sql`2`, sql`3`, sql`4`])
    .execute();
  const counted = rows.map((row) => ({ ...row, n: Number(row.n), calls: Number(row.calls) }));
  const spans = [...Map.groupBy(counted, ({ span }) => span)].toSorted(([x], [y]) => x - y);
  return { spanMs, spans: spans.map(([at, group]) => spanFigures(at, group)) };
}

function spanFigures(
  at: number,
  group: readonly (Pick<Sum, 'fact' | 'a' | 'b' | 'n'> & { readonly calls: number })[],
): StatsSpan {
  const outcomes = group.filter(({ fact }) => fact === 'outcome');
  const failuresByType = failuresOf(group);
  return {
    at: new Date(at).toISOString(),
    extractions: outcomes.reduce((all, { n }) => all + n, 0),
    succeeded: outcomes.reduce((all, { b, n }) => all + (b === '' ? n : 0), 0),
    calls: group.reduce((all, { calls }) => all + calls, 0),
    providerFailures: failuresByType.reduce((all, { count }) => all + count, 0),
    failuresByType,
  };
}

/** The range that was asked for, cut to where there is something. */
async function rangeWithFigures(
  db: Kysely<Tables>,
  filter: StatsFilter,
): Promise<{ readonly since: number; readonly until: number } | undefined> {
  const [longestMs, , shortestMs] = GRAINS_MS;
  const ends = async (grainMs: number, from: number, to: number) =>
    db
      .selectFrom('tallies')
      .select((of) => [of.fn.min('at').as('first'), of.fn.max('at').as('last')])
      .where('grain_ms', '=', grainMs)
      .where('at', '>=', from)
      .where('at', '<', to)
      .where(hasDimensions(filter))
      .executeTakeFirstOrThrow();
  const since = filter.since ?? 0;
  const until = filter.until ?? Number.MAX_SAFE_INTEGER;
  const days = await ends(longestMs, Math.floor(since / longestMs) * longestMs, until);
  if (days.first === null || days.last === null) return undefined;
  const first = await ends(shortestMs, Math.max(since, days.first), Math.min(until, days.first + longestMs));
  const last = await ends(shortestMs, Math.max(since, days.last), Math.min(until, days.last + longestMs));
  const from = first.first ?? last.first ?? days.first;
  const to = last.last ?? first.last ?? days.last;
  return { since: Math.max(since, from), until: Math.min(until, to + shortestMs) };
}

async function knownOf(db: Kysely<Tables>): Promise<Stats['known']> {
  const rows = await db
    .selectFrom('tallies')
    .select((of) => ['schema_name', 'model', 'batch_id', of.fn.max('at').as('last')])
    .where('grain_ms', '=', GRAINS_MS[0])
    .where('fact', 'in', ['answer', 'outcome'])
    .groupBy(['schema_name', 'model', 'batch_id'])
    .orderBy('last', 'desc')
    .execute();
  return {
    schemas: distinct(rows.map(({ schema_name: schema }) => schema)).toSorted(),
    models: distinct(rows.map(({ model }) => model)).toSorted(),
    batches: distinct(rows.map(({ batch_id: batch }) => batch))
      .filter((batch) => batch !== '')
      .slice(0, MOST_BATCHES),
  };
}

function distinct(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
}
