/** Extractions as people look at them: in lists, and one by one with all that was asked and answered. */
import { sql } from 'kysely';
import type { Expression, ExpressionBuilder, Kysely, Selectable, SqlBool } from 'kysely';
import type { OutcomeError, Usage } from '../core/contract.ts';
import type { Json } from '../core/json.ts';
import { attemptOf } from './attempts.ts';
import type { StoredAttempt } from './attempts.ts';
import type { OutcomesTable, Tables } from './tables.ts';

/** Which extractions: those that ended, with any of these. */
export interface ExtractionFilter {
  /** Epoch milliseconds, of the end. */
  readonly since?: number | undefined;
  readonly schema?: string | undefined;
  /** `provider/model`. */
  readonly model?: string | undefined;
  /** `''`: those without a batch. */
  readonly batch?: string | undefined;
}

/** Which ones to list. */
export interface ListFilter extends ExtractionFilter {
  readonly outcome?: 'succeeded' | 'failed' | undefined;
  readonly attempts?: number | undefined;
  /** Those with an attempt that had this: a problem's type and, for a `validation_error`, the kind and path of a detail. */
  readonly problem?:
    | { readonly type: string; readonly kind?: string | undefined; readonly path?: string | undefined }
    | undefined;
}

/** One line of a list. */
export interface ListedExtraction {
  readonly batchId: string;
  readonly documentId: string;
  readonly success: boolean;
  readonly stopped: string | null;
  readonly attempts: number;
  readonly schemaName: string;
  readonly model: string;
  readonly finishedAt: number;
}

/** How an extraction ended. */
export interface ExtractionOutcome extends ListedExtraction {
  readonly strategy: string;
  readonly simulated: boolean;
  readonly data: Json | null;
  readonly errors: readonly OutcomeError[];
  /** Of the round that gave it. */
  readonly usage: Usage;
}

/** Extractions, to be looked at. */
export interface ExtractionStore {
  /** The newest first. */
  list(
    filter: ListFilter,
    page: { readonly offset: number; readonly limit: number },
  ): Promise<readonly ListedExtraction[]>;
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
    async list(filter, { offset, limit }) {
      const rows = await db
        .selectFrom('outcomes')
        .select(LISTED)
        .where((is) => is.and([...ofOutcomes(is, filter), ...listed(is, filter)]))
        .orderBy('finished_at', 'desc')
        .orderBy('document_id')
        .offset(offset)
        .limit(limit)
        .execute();
      return rows.map(listedOf);
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
  { since, schema, model, batch }: ExtractionFilter,
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
  { outcome: wanted, attempts, problem }: ListFilter,
): readonly Expression<SqlBool>[] {
  return [
    ...(wanted === undefined ? [] : [is('success', '=', wanted === 'succeeded' ? 1 : 0)]),
    ...(attempts === undefined ? [] : [is('attempts', '=', attempts)]),
    ...(problem === undefined ? [] : [hadProblem(is, problem)]),
  ];
}

/** Looked for in the JSON text: a detail is written as `{"path":…,"kind":…`, or the other way around. */
function hadProblem(
  is: ExpressionBuilder<Tables, 'outcomes'>,
  { type, kind, path }: NonNullable<ListFilter['problem']>,
): Expression<SqlBool> {
  const attempts = is
    .selectFrom('attempts')
    .select('attempts.attempt')
    .whereRef('attempts.batch_id', '=', 'outcomes.batch_id')
    .whereRef('attempts.document_id', '=', 'outcomes.document_id')
    .where('attempts.verdict', '=', type);
  if (kind === undefined || path === undefined) return is.exists(attempts);
  const [asPath, asKind] = [`"path":${JSON.stringify(path)}`, `"kind":${JSON.stringify(kind)}`];
  const either = [`${asPath},${asKind}`, `${asKind},${asPath}`].map(
    (text) => `%${text.replaceAll(/[\\%_]/g, '\\$&')}%`,
  );
  return is.exists(attempts.where((of) => of.or(either.map((text) => likeEscaped(of, text)))));
}

/** A star in a path stands for any index. */
function likeEscaped(of: ExpressionBuilder<Tables, 'attempts'>, pattern: string): Expression<SqlBool> {
  const anyIndex = pattern.replaceAll('[]', '[%]');
  return sql<SqlBool>`${of.ref('attempts.problem')} like ${anyIndex} escape '\\'`;
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
    data: JSON.parse(accepted?.data ?? 'null') as Json,
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
  'success',
  'stopped',
  'attempts',
  'schema_name',
  'model',
  'finished_at',
] as const;

function listedOf(row: Pick<Selectable<OutcomesTable>, (typeof LISTED)[number]>): ListedExtraction {
  return {
    batchId: row.batch_id,
    documentId: row.document_id,
    success: row.success === 1,
    stopped: row.stopped,
    attempts: row.attempts,
    schemaName: row.schema_name,
    model: row.model,
    finishedAt: row.finished_at,
  };
}
