/** What extractions came to, summed up. */
import type { Expression, ExpressionBuilder, Kysely, SqlBool } from 'kysely';
import { sql } from 'kysely';
import type { Problem, ProviderFailure, ProviderFailureType } from '../core/contract.ts';
import type { ProblemCount, Stats, StatsFilter, StatsSpan } from '../core/stats.ts';
import { ofOutcomes } from './extractions.ts';
import type { Tables } from './tables.ts';

/** So many of the newest are looked into for errors, failures and latencies; sums are of all. */
const LOOKED_INTO = 5_000;
const ERRORS_TOLD = 20;
const SPANS = 40;

/** Sums of extractions. */
export interface FigureStore {
  stats(filter: StatsFilter): Promise<Stats>;
}

/** The figures of a database. */
export function figureStore(db: Kysely<Tables>): FigureStore {
  return { stats: (filter) => read(db, filter) };
}

async function read(db: Kysely<Tables>, filter: StatsFilter): Promise<Stats> {
  const outcomes = await countOutcomes(db, filter);
  const attempts = await countAttempts(db, filter);
  const problems = await newestProblems(db, filter);
  const failures = await newestFailures(db, filter);
  const latencies = await newestLatencies(db, filter);
  const sum = (rows: readonly { readonly [key: string]: unknown }[], of: string): number =>
    rows.reduce((total, row) => total + Number(row[of] ?? 0), 0);
  const extractions = sum(outcomes, 'extractions');
  const won = outcomes.filter(({ success }) => success === 1);
  const succeeded = sum(won, 'extractions');
  const firstTry = sum(
    won.filter(({ attempts: needed }) => needed === 1),
    'extractions',
  );
  const calls = sum(attempts, 'calls') + sum(outcomes, 'unanswered');
  const wastedCalls =
    calls -
    sum(
      attempts.filter(({ verdict }) => verdict === 'accepted' || verdict === 'incomplete'),
      'answers',
    );
  const judged = outcomes.reduce((total, row) => total + row.attempts * row.extractions, 0);
  const isPriced = sum(attempts, 'priced') === sum(attempts, 'answers');
  const share = (part: number, of: number): number | null => (of === 0 ? null : part / of);
  return {
    since: filter.since === undefined ? null : new Date(filter.since).toISOString(),
    until: null,
    extractions,
    succeeded,
    successRate: share(succeeded, extractions),
    averageAttempts: share(judged, extractions),
    firstTryRate: share(firstTry, extractions),
    calls,
    wastedCalls,
    wastedShare: share(wastedCalls, calls),
    promptTokens: sum(attempts, 'promptTokens'),
    completionTokens: sum(attempts, 'completionTokens'),
    costUsd: isPriced ? sum(attempts, 'costUsd') : null,
    attemptsHistogram: histogramOf(outcomes),
    successByAttempt: byAttemptOf(attempts),
    errors: commonErrors(problems),
    providerFailures: countsOf(failures),
    overTime: overTime(failures),
    latency: { p50Ms: percentile(latencies, 0.5), p95Ms: percentile(latencies, 0.95) },
    stoppedReasons: [],
    known: await known(db),
  };
}

async function known(db: Kysely<Tables>): Promise<Stats['known']> {
  const rows = await db
    .selectFrom('outcomes')
    .select(['schema_name', 'model', 'batch_id'])
    .distinct()
    .execute();
  const sorted = (names: readonly string[]) => [...new Set(names)].toSorted();
  return {
    schemas: sorted(rows.map(({ schema_name: name }) => name)),
    models: sorted(rows.map(({ model }) => model)),
    batches: sorted(rows.map(({ batch_id: id }) => id).filter((id) => id !== '')),
  };
}

/** The most frequent problems, field by field. */
function commonErrors(
  problems: readonly {
    readonly batch: string;
    readonly document: string;
    readonly round: number;
    readonly attempt: number;
    readonly problem: Problem;
  }[],
): readonly ProblemCount[] {
  const counted = new Map<string, ProblemCount>();
  for (const { problem, ...place } of problems) {
    const { type, message, details } = problem;
    const each = details.length === 0 ? [{ kind: type, path: '', message }] : details;
    for (const detail of each) {
      const path = detail.path.replaceAll(/\[\d+\]/g, '[]');
      const key = JSON.stringify([detail.kind, path]);
      const before = counted.get(key);
      const example = { ...place, message: detail.message };
      counted.set(
        key,
        before === undefined
          ? { kind: detail.kind, path, count: 1, example }
          : { ...before, count: before.count + 1 },
      );
    }
  }
  return [...counted.values()].toSorted((a, b) => b.count - a.count).slice(0, ERRORS_TOLD);
}

function overTime(
  failures: readonly { readonly at: number; readonly type: ProviderFailureType }[],
): Stats['overTime'] {
  const times = failures.map(({ at }) => at);
  if (times.length === 0) return { spanMs: 60_000, spans: [] };
  const from = Math.min(...times);
  const spanMs = Math.max(1_000, Math.ceil((Math.max(...times) - from + 1) / SPANS));
  const groups = Map.groupBy(failures, ({ at }) => from + Math.floor((at - from) / spanMs) * spanMs);
  const spans = [...groups].toSorted(([a], [b]) => a - b);
  return {
    spanMs,
    spans: spans.map(([at, group]): StatsSpan => ({
      at: new Date(at).toISOString(),
      extractions: 0,
      succeeded: 0,
      calls: 0,
      providerFailures: group.length,
      failuresByType: countsOf(group),
    })),
  };
}

/** The value below which this share of the values lies; null without any. */
function percentile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? null;
}

function countsOf(
  failures: readonly { readonly type: ProviderFailureType }[],
): readonly { readonly type: ProviderFailureType; readonly count: number }[] {
  const groups = [...Map.groupBy(failures, ({ type }) => type)];
  return groups.map(([type, group]) => ({ type, count: group.length })).toSorted((a, b) => b.count - a.count);
}

function countOutcomes(db: Kysely<Tables>, filter: StatsFilter) {
  return db
    .selectFrom('outcomes')
    .where((is) => is.and([...ofOutcomes(is, filter)]))
    .select((of) => [
      'attempts',
      'success',
      of.fn.countAll<number>().as('extractions'),
      of.fn.sum<number>('unanswered_calls').as('unanswered'),
    ])
    .groupBy(['attempts', 'success'])
    .execute();
}

function countAttempts(db: Kysely<Tables>, filter: StatsFilter) {
  return selectAsked(db, filter)
    .select((of) => [
      'attempt',
      'verdict',
      of.fn.countAll<number>().as('answers'),
      of.fn.sum<number>('calls').as('calls'),
      of.fn.sum<number>('prompt_tokens').as('promptTokens'),
      of.fn.sum<number>('completion_tokens').as('completionTokens'),
      of.fn.sum<number | null>('cost_usd').as('costUsd'),
      of.fn.count<number>('cost_usd').as('priced'),
    ])
    .groupBy(['attempt', 'verdict'])
    .execute();
}

async function newestProblems(db: Kysely<Tables>, filter: StatsFilter) {
  const rows = await selectAsked(db, filter)
    .select(['batch_id', 'document_id', 'round', 'attempt', 'problem'])
    .where('problem', 'is not', null)
    .where('verdict', '<>', 'incomplete')
    .orderBy('asked_at', 'desc')
    .limit(LOOKED_INTO)
    .execute();
  return rows.map(({ batch_id: batch, document_id: document, round, attempt, problem }) => ({
    ...{ batch, document, round, attempt },
    problem: JSON.parse(problem ?? 'null') as Problem,
  }));
}

async function newestFailures(db: Kysely<Tables>, filter: StatsFilter) {
  const rows = await selectAsked(db, filter)
    .select(['asked_at', 'failures'])
    .where('failures', '<>', '[]')
    .orderBy('asked_at', 'desc')
    .limit(LOOKED_INTO)
    .execute();
  return rows.flatMap(({ asked_at: at, failures }) =>
    (JSON.parse(failures) as readonly ProviderFailure[]).map(({ type }) => ({ at, type })),
  );
}

async function newestLatencies(db: Kysely<Tables>, filter: StatsFilter) {
  const rows = await selectAsked(db, filter)
    .select('latency_ms')
    .orderBy('asked_at', 'desc')
    .limit(LOOKED_INTO)
    .execute();
  return rows.map(({ latency_ms: ms }) => ms);
}

/** Answers that the model was called for. */
function selectAsked(db: Kysely<Tables>, filter: StatsFilter) {
  return db
    .selectFrom('attempts')
    .where('kind', '=', 'asked')
    .where((is) => is.and([...ofAttempts(is, filter)]));
}

function ofAttempts(
  is: ExpressionBuilder<Tables, 'attempts'>,
  { since, schema, model, batch }: StatsFilter,
): readonly Expression<SqlBool>[] {
  return [
    ...(since === undefined ? [] : [is('asked_at', '>=', since)]),
    ...(schema === undefined ? [] : [is('schema_name', '=', schema)]),
    ...(model === undefined
      ? []
      : [sql<SqlBool>`${is.ref('provider')} || '/' || ${is.ref('model')} = ${model}`]),
    ...(batch === undefined ? [] : [is('batch_id', '=', batch)]),
  ];
}

function histogramOf(
  rows: readonly { readonly attempts: number; readonly success: number; readonly extractions: number }[],
): Stats['attemptsHistogram'] {
  const groups = [...Map.groupBy(rows, ({ attempts }) => attempts)].toSorted(([a], [b]) => a - b);
  return groups.map(([attempts, group]) => ({
    attempts,
    extractions: group.reduce((sum, row) => sum + row.extractions, 0),
    succeeded: group.reduce((sum, row) => sum + (row.success === 1 ? row.extractions : 0), 0),
  }));
}

function byAttemptOf(
  rows: readonly { readonly attempt: number; readonly verdict: string; readonly answers: number }[],
): Stats['successByAttempt'] {
  const groups = [...Map.groupBy(rows, ({ attempt }) => attempt)].toSorted(([a], [b]) => a - b);
  return groups.map(([attempt, group]) => {
    const answers = group.reduce((sum, row) => sum + row.answers, 0);
    const accepted = group.reduce((sum, row) => sum + (row.verdict === 'accepted' ? row.answers : 0), 0);
    return { attempt, answers, accepted, share: accepted / answers };
  });
}
