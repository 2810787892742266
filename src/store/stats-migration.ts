/** `010-stats`: the tables of the dashboard's figures, filled from the answers and outcomes that are there. */
import { sql } from 'kysely';
import type { Kysely } from 'kysely';
import type { Problem, ProviderFailure } from '../core/contract.ts';
import { insertOutcomeProblems, outcomeProblemsOf } from './outcome-problems.ts';
import { addTallies, talliesOfAttempt, tallyOfOutcome } from './tallies.ts';
import type { Tally } from './tallies.ts';
import type { Tables } from './tables.ts';
import { unansweredTallies } from './unanswered.ts';

const GROUP = 2_000;

/** Run again after an interruption, it begins from nothing. */
export async function addStats(db: Kysely<unknown>): Promise<void> {
  await createTallies(db);
  await createOutcomeProblems(db);
  await db.schema
    .createIndex('outcomes_newest')
    .ifNotExists()
    .on('outcomes')
    .columns(['finished_at', 'batch_id', 'document_id', 'schema_name', 'model', 'success'])
    .execute();
  const tables = db as Kysely<Tables>;
  await tables.deleteFrom('tallies').execute();
  await tables.deleteFrom('outcome_problems').execute();
  await countAttempts(tables);
  await countOutcomes(tables);
}

async function createTallies({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('tallies')
    .ifNotExists()
    .addColumn('grain_ms', 'integer', (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('fact', 'text', (column) => column.notNull())
    .addColumn('a', 'text', (column) => column.notNull())
    .addColumn('b', 'text', (column) => column.notNull())
    .addColumn('schema_name', 'text', (column) => column.notNull())
    .addColumn('model', 'text', (column) => column.notNull())
    .addColumn('batch_id', 'text', (column) => column.notNull())
    .addColumn('slot', 'integer', (column) => column.notNull())
    .addColumn('n', 'integer', (column) => column.notNull())
    .addColumn('calls', 'integer', (column) => column.notNull())
    .addColumn('prompt_tokens', 'bigint', (column) => column.notNull())
    .addColumn('completion_tokens', 'bigint', (column) => column.notNull())
    .addColumn('cost_usd', 'double precision', (column) => column.notNull())
    .addColumn('unpriced', 'integer', (column) => column.notNull())
    .addColumn('newest', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('tallies_key', [
      'grain_ms',
      'at',
      'fact',
      'a',
      'b',
      'schema_name',
      'model',
      'batch_id',
      'slot',
    ])
    .execute();
}

async function createOutcomeProblems({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('outcome_problems')
    .ifNotExists()
    .addColumn('batch_id', 'text', (column) => column.notNull())
    .addColumn('document_id', 'text', (column) => column.notNull())
    .addColumn('problem', 'text', (column) => column.notNull())
    .addColumn('finished_at', 'bigint', (column) => column.notNull())
    .addColumn('schema_name', 'text', (column) => column.notNull())
    .addColumn('model', 'text', (column) => column.notNull())
    .addColumn('success', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('outcome_problems_key', ['batch_id', 'document_id', 'problem'])
    .execute();
  // Holds all that a list is filtered by.
  await schema
    .createIndex('outcome_problems_newest')
    .ifNotExists()
    .on('outcome_problems')
    .columns(['problem', 'finished_at', 'batch_id', 'document_id', 'schema_name', 'model', 'success'])
    .execute();
}

async function countAttempts(db: Kysely<Tables>): Promise<void> {
  let after: readonly [string, string, number, number] = ['', '', -1, -1];
  for (;;) {
    const rows = await db
      .selectFrom('attempts')
      .select(['batch_id as batchId', 'document_id as documentId', 'round', 'attempt', 'kind', 'problem'])
      .select(['schema_name as schemaName', 'provider', 'model', 'calls', 'prompt_tokens as promptTokens'])
      .select(['completion_tokens as completionTokens', 'cost_usd as costUsd', 'failures'])
      .select(['latency_ms as latencyMs', 'asked_at as askedAt'])
      .where(sql<boolean>`(batch_id, document_id, round, attempt) > (${sql.join(after)})`)
      .orderBy('batch_id')
      .orderBy('document_id')
      .orderBy('round')
      .orderBy('attempt')
      .limit(GROUP)
      .execute();
    await addTallies(
      db,
      rows.flatMap((row) =>
        talliesOfAttempt({
          ...row,
          usage: {
            calls: row.calls,
            promptTokens: row.promptTokens,
            completionTokens: row.completionTokens,
            costUsd: row.costUsd,
          },
          problem: row.problem === null ? null : (JSON.parse(row.problem) as Problem),
          failures: JSON.parse(row.failures) as readonly ProviderFailure[],
        }),
      ),
    );
    const last = rows.at(-1);
    if (last === undefined) return;
    after = [last.batchId, last.documentId, last.round, last.attempt];
  }
}

/** What failed in a round that a later one replaced is known by its number of calls alone. */
async function countOutcomes(db: Kysely<Tables>): Promise<void> {
  let after: readonly [string, string] = ['', ''];
  for (;;) {
    const rows = await db
      .selectFrom('outcomes')
      .selectAll()
      .where(sql<boolean>`(batch_id, document_id) > (${sql.join(after)})`)
      .orderBy('batch_id')
      .orderBy('document_id')
      .limit(GROUP)
      .execute();
    const tallies: Tally[] = rows.map((row) => tallyOfOutcome(row, 1));
    tallies.push(...(await unansweredTallies(db, rows)));
    await insertOutcomeProblems(db, rows.flatMap(outcomeProblemsOf));
    await addTallies(db, tallies);
    const last = rows.at(-1);
    if (last === undefined) return;
    after = [last.batch_id, last.document_id];
  }
}
