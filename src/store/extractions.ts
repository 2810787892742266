/** Extractions as people look at them: in lists, and one by one with all that was asked and answered. */
import { sql } from 'kysely';
import type { Expression, ExpressionBuilder, Kysely, Selectable, SqlBool } from 'kysely';
import type { OutcomeError, StopReason, Usage } from '../core/contract.ts';
import type { Correction } from '../core/correction.ts';
import type { Json } from '../core/json.ts';
import type { ExtractionPage, ExtractionRow, ExtractionsFilter, StatsFilter } from '../core/stats.ts';
import { attemptOf } from './attempts.ts';
import type { StoredAttempt } from './attempts.ts';
import { correctionOf } from './reviews.ts';
import type { OutcomesTable, Tables } from './tables.ts';

/** How an extraction ended. */
export interface ExtractionOutcome extends ExtractionRow {
  readonly strategy: string;
  readonly simulated: boolean;
  readonly data: Json | null;
  /** Where the data was entered by hand; else null. */
  readonly correction: Correction | null;
  readonly errors: readonly OutcomeError[];
  /** Of the round that gave it. */
  readonly usage: Usage;
}

/** A page of a list: after another one's `next`, or the first. */
export interface Page {
  readonly after?: string | undefined;
  readonly limit: number;
}

/** Extractions, to be looked at. */
export interface ExtractionStore {
  /** The newest first. */
  list(filter: ExtractionsFilter, page: Page): Promise<ExtractionPage>;
  /** Undefined where it has not ended. */
  outcome(batchId: string, documentId: string): Promise<ExtractionOutcome | undefined>;
  /** Of all rounds, oldest first. */
  attempts(batchId: string, documentId: string): Promise<readonly StoredAttempt[]>;
  /** A document of a batch; undefined where there is none. */
  text(batchId: string, documentId: string): Promise<string | undefined>;
}

/** The extractions in a database. */
export function extractionStore(db: Kysely<Tables>): ExtractionStore {
  return {
    async list(filter, { after = '0', limit }) {
      const offset = Number(after);
      const rows = await db
        .selectFrom('outcomes')
        .select(LISTED)
        .where((is) => is.and([...ofOutcomes(is, filter), ...listed(is, filter)]))
        .orderBy('finished_at', 'desc')
        .orderBy('document_id')
        .offset(offset)
        .limit(limit + 1)
        .execute();
      const extractions = rows.slice(0, limit).map(listedOf);
      return { extractions, next: rows.length > limit ? String(offset + limit) : null };
    },
    outcome: (batchId, documentId) => outcome(db, batchId, documentId),
    async attempts(batchId, documentId) {
      const rows = await db
        .selectFrom('attempts')
        .selectAll()
        .where('batch_id', '=', batchId)
        .where('document_id', '=', documentId)
        .orderBy('round')
        .orderBy('attempt')
        .execute();
      return rows.flatMap((row) => attemptOf(row) ?? []);
    },
    async text(batchId, documentId) {
      const row = await db
        .selectFrom('documents')
        .select('text')
        .where('batch_id', '=', batchId)
        .where('id', '=', documentId)
        .executeTakeFirst();
      return row?.text;
    },
  };
}

/** What holds of the outcomes that a filter means. */
export function ofOutcomes(
  is: ExpressionBuilder<Tables, 'outcomes'>,
  { since, schema, model, batch }: StatsFilter,
): readonly Expression<SqlBool>[] {
  return [
    ...(since === undefined ? [] : [is('finished_at', '>=', since)]),
    ...(schema === undefined ? [] : [is('schema_name', '=', schema)]),
    ...(model === undefined ? [] : [is('model', '=', model)]),
    ...(batch === undefined ? [] : [is('batch_id', '=', batch)]),
  ];
}

function listed(
  is: ExpressionBuilder<Tables, 'outcomes'>,
  { outcome: wanted, kind, path }: ExtractionsFilter,
): readonly Expression<SqlBool>[] {
  return [
    ...(wanted === undefined ? [] : [is('success', '=', wanted === 'succeeded' ? 1 : 0)]),
    ...(kind === undefined ? [] : [hadProblem(is, kind, path)]),
  ];
}

/** Looked for in the JSON text: a detail is written as `{"path":…,"kind":…`, or the other way around. */
function hadProblem(
  is: ExpressionBuilder<Tables, 'outcomes'>,
  kind: string,
  path: string | undefined,
): Expression<SqlBool> {
  const attempts = is
    .selectFrom('attempts')
    .select('attempts.attempt')
    .whereRef('attempts.batch_id', '=', 'outcomes.batch_id')
    .whereRef('attempts.document_id', '=', 'outcomes.document_id');
  const asKind = `"kind":${JSON.stringify(kind)}`;
  const asPath = `"path":${JSON.stringify(path ?? '')}`;
  const texts = path === undefined ? [asKind] : [`${asPath},${asKind}`, `${asKind},${asPath}`];
  return is.exists(
    attempts.where((of) =>
      of.or([of('attempts.verdict', '=', kind), ...texts.map((text) => contains(of, text))]),
    ),
  );
}

/** `[]` in a path stands for any index. */
function contains(of: ExpressionBuilder<Tables, 'attempts'>, text: string): Expression<SqlBool> {
  const pattern = `%${text.replaceAll(/[\\%_]/g, '\\$&').replaceAll('[]', '[%]')}%`;
  return sql<SqlBool>`${of.ref('attempts.problem')} like ${pattern} escape '\\'`;
}

async function outcome(
  db: Kysely<Tables>,
  batchId: string,
  documentId: string,
): Promise<ExtractionOutcome | undefined> {
  const row = await db
    .selectFrom('outcomes')
    .selectAll()
    .where('batch_id', '=', batchId)
    .where('document_id', '=', documentId)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const accepted =
    row.accepted_attempt === null
      ? undefined
      : await db
          .selectFrom('attempts')
          .select('data')
          .where('batch_id', '=', batchId)
          .where('document_id', '=', documentId)
          .where('round', '=', row.round)
          .where('attempt', '=', row.accepted_attempt)
          .executeTakeFirst();
  return {
    ...listedOf(row),
    strategy: row.strategy,
    simulated: row.simulated === 1,
    ...(row.correction === null
      ? { data: JSON.parse(accepted?.data ?? 'null') as Json, correction: null }
      : correctionOf(row.correction)),
    errors: JSON.parse(row.errors) as readonly OutcomeError[],
    usage: {
      calls: row.calls,
      promptTokens: row.prompt_tokens,
      completionTokens: row.completion_tokens,
      costUsd: row.cost_usd,
    },
  };
}

const LISTED = [
  'batch_id',
  'document_id',
  'round',
  'success',
  'stopped',
  'attempts',
  'schema_name',
  'model',
  'finished_at',
] as const;

function listedOf(row: Pick<Selectable<OutcomesTable>, (typeof LISTED)[number]>): ExtractionRow {
  return {
    batch: row.batch_id,
    document: row.document_id,
    round: row.round,
    success: row.success === 1,
    stopped: row.stopped as StopReason | null,
    attempts: row.attempts,
    schema: row.schema_name,
    model: row.model,
    finishedAt: new Date(row.finished_at).toISOString(),
  };
}
