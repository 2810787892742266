/** What extractions came to, summed up. Rates and percentiles are of what is in the store now. */
import type { Expression, ExpressionBuilder, Kysely, SqlBool } from 'kysely';
import { sql } from 'kysely';
import type { Figures } from '../core/figures.ts';
import { commonErrors, failuresOverTime, percentile } from '../core/figures.ts';
import type { Problem, ProviderFailure } from '../core/contract.ts';
import { ofOutcomes } from './extractions.ts';
import type { ExtractionFilter } from './extractions.ts';
import type { Tables } from './tables.ts';

/** So many of the newest are looked into for errors, failures and latencies; sums are of all. */
const LOOKED_INTO = 5_000;
const COLUMNS_OF_TIME = 40;

/** Sums of extractions. */
export interface FigureStore {
  read(filter: ExtractionFilter): Promise<Figures>;
  /** What can be filtered by. */
  choices(): Promise<{ readonly schemas: readonly string[]; readonly models: readonly string[] }>;
}

/** The figures of a database. */
export function figureStore(db: Kysely<Tables>): FigureStore {
  return {
    read: (filter) => read(db, filter),
    async choices() {
      const rows = await db.selectFrom('outcomes').select(['schema_name', 'model']).distinct().execute();
      const sorted = (names: readonly string[]) => [...new Set(names)].toSorted();
      return {
        schemas: sorted(rows.map(({ schema_name: name }) => name)),
        models: sorted(rows.map(({ model }) => model)),
      };
    },
  };
}

async function read(db: Kysely<Tables>, filter: ExtractionFilter): Promise<Figures> {
  const [outcomes, attempts, problems, failures, latencies] = await Promise.all([
    countOutcomes(db, filter),
    countAttempts(db, filter),
    newestProblems(db, filter),
    newestFailures(db, filter),
    newestLatencies(db, filter),
  ]);
  const sum = (rows: readonly { readonly [key: string]: unknown }[], of: string): number =>
    rows.reduce((total, row) => total + Number(row[of] ?? 0), 0);
  const extractions = sum(outcomes, 'extractions');
  const succeeded = sum(
    outcomes.filter(({ success }) => success === 1),
    'extractions',
  );
  const firstTry = sum(
    outcomes.filter(({ success, attempts: needed }) => success === 1 && needed === 1),
    'extractions',
  );
  const answered = sum(attempts, 'calls');
  const rejected = attempts.filter(({ verdict }) => verdict !== 'accepted' && verdict !== 'incomplete');
  const judged = outcomes.reduce((total, row) => total + row.attempts * Number(row.extractions), 0);
  const isPriced = sum(attempts, 'priced') === sum(attempts, 'answers');
  return {
    extractions,
    succeeded,
    averageAttempts: extractions === 0 ? null : judged / extractions,
    firstTry,
    calls: answered + sum(outcomes, 'unanswered'),
    wastedCalls: sum(rejected, 'answers'),
    promptTokens: sum(attempts, 'promptTokens'),
    completionTokens: sum(attempts, 'completionTokens'),
    costUsd: isPriced ? sum(attempts, 'costUsd') : null,
    histogram: histogramOf(outcomes),
    byAttempt: byAttemptOf(attempts),
    errors: commonErrors(problems),
    failures: failuresOverTime(failures, COLUMNS_OF_TIME),
    latencyP50Ms: percentile(latencies, 0.5),
    latencyP95Ms: percentile(latencies, 0.95),
  };
}

function countOutcomes(db: Kysely<Tables>, filter: ExtractionFilter) {
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

function countAttempts(db: Kysely<Tables>, filter: ExtractionFilter) {
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

async function newestProblems(db: Kysely<Tables>, filter: ExtractionFilter) {
  const rows = await selectAsked(db, filter)
    .select(['batch_id', 'document_id', 'problem'])
    .where('problem', 'is not', null)
    .where('verdict', '<>', 'incomplete')
    .orderBy('asked_at', 'desc')
    .limit(LOOKED_INTO)
    .execute();
  return rows.map(({ batch_id: batchId, document_id: documentId, problem }) => ({
    batchId,
    documentId,
    problem: JSON.parse(problem ?? 'null') as Problem,
  }));
}

async function newestFailures(db: Kysely<Tables>, filter: ExtractionFilter) {
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

async function newestLatencies(db: Kysely<Tables>, filter: ExtractionFilter) {
  const rows = await selectAsked(db, filter)
    .select('latency_ms')
    .orderBy('asked_at', 'desc')
    .limit(LOOKED_INTO)
    .execute();
  return rows.map(({ latency_ms: ms }) => ms);
}

/** Answers that the model was called for. */
function selectAsked(db: Kysely<Tables>, filter: ExtractionFilter) {
  return db
    .selectFrom('attempts')
    .where('kind', '=', 'asked')
    .where((is) => is.and([...ofAttempts(is, filter)]));
}

function ofAttempts(
  is: ExpressionBuilder<Tables, 'attempts'>,
  { since, schema, model, batch }: ExtractionFilter,
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
): Figures['histogram'] {
  const groups = [...Map.groupBy(rows, ({ attempts }) => attempts)].toSorted(([a], [b]) => a - b);
  return groups.map(([attempts, group]) => ({
    attempts,
    extractions: group.reduce((sum, row) => sum + Number(row.extractions), 0),
    succeeded: group.reduce((sum, row) => sum + (row.success === 1 ? Number(row.extractions) : 0), 0),
  }));
}

function byAttemptOf(
  rows: readonly { readonly attempt: number; readonly verdict: string; readonly answers: number }[],
): Figures['byAttempt'] {
  const groups = [...Map.groupBy(rows, ({ attempt }) => attempt)].toSorted(([a], [b]) => a - b);
  return groups.map(([attempt, group]) => ({
    attempt,
    judged: group.reduce((sum, row) => sum + Number(row.answers), 0),
    accepted: group.reduce((sum, row) => sum + (row.verdict === 'accepted' ? Number(row.answers) : 0), 0),
  }));
}
