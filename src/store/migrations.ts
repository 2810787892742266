import { PostgresAdapter, sql } from 'kysely';
import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { addStats } from './stats-migration.ts';

/**
 * Every change of the tables, in order; names never change. Each can be run again after it was interrupted, since SQLite
 * runs it outside a transaction.
 */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '001-batches': { up: createTables },
  '002-gates': { up: createGates },
  '003-asks': { up: addAsks },
  '004-learnt': { up: addLearnt },
  '005-budget': { up: addBudget },
  '006-reviews': { up: addReviews },
  '010-stats': { up: addStats },
  '011-batches-are-alike': { up: forgetBatchSizes },
};

async function createTables(db: Kysely<unknown>): Promise<void> {
  const { schema } = db;
  await schema
    .createTable('schemas')
    .ifNotExists()
    .addColumn('hash', 'text', (column) => column.primaryKey())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('json_schema', 'text', (column) => column.notNull())
    .execute();
  await schema
    .createTable('batches')
    .ifNotExists()
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('input_hash', 'text')
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('round', 'integer', (column) => column.notNull())
    .addColumn('round_kind', 'text', (column) => column.notNull())
    .addColumn('total', 'integer', (column) => column.notNull())
    .addColumn('concurrency', 'integer', (column) => column.notNull())
    .addColumn('settings', 'text', (column) => column.notNull())
    .addColumn('prepared', 'text')
    .addColumn('loader', 'text')
    .addColumn('next_shard', 'integer', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('finished_at', 'bigint')
    .execute();
  await schema
    .createTable('documents')
    .ifNotExists()
    .addColumn('batch_id', 'text', (column) => column.notNull())
    .addColumn('seq', 'integer', (column) => column.notNull())
    .addColumn('id', 'text', (column) => column.notNull())
    .addColumn('text', 'text', (column) => column.notNull())
    .addColumn('metadata', 'text', (column) => column.notNull())
    .addColumn('place', 'text', (column) => column.notNull())
    .addColumn('bad', 'text')
    .addColumn('schema_name', 'text')
    .addColumn('schema_hash', 'text')
    .addPrimaryKeyConstraint('documents_key', ['batch_id', 'seq'])
    .addUniqueConstraint('documents_id', ['batch_id', 'id'])
    .execute();
  await schema
    .createTable('attempts')
    .ifNotExists()
    .addColumn('batch_id', 'text', (column) => column.notNull())
    .addColumn('document_id', 'text', (column) => column.notNull())
    .addColumn('round', 'bigint', (column) => column.notNull())
    .addColumn('attempt', 'integer', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('verdict', 'text', (column) => column.notNull())
    .addColumn('problem', 'text')
    .addColumn('data', 'text')
    .addColumn('repairs', 'text', (column) => column.notNull())
    .addColumn('answer', 'text', (column) => column.notNull())
    .addColumn('request_id', 'text', (column) => column.notNull())
    .addColumn('schema_name', 'text', (column) => column.notNull())
    .addColumn('provider', 'text', (column) => column.notNull())
    .addColumn('model', 'text', (column) => column.notNull())
    .addColumn('mode', 'text', (column) => column.notNull())
    .addColumn('finish', 'text', (column) => column.notNull())
    .addColumn('calls', 'integer', (column) => column.notNull())
    .addColumn('prompt_tokens', 'integer', (column) => column.notNull())
    .addColumn('completion_tokens', 'integer', (column) => column.notNull())
    .addColumn('cost_usd', 'double precision')
    .addColumn('failures', 'text', (column) => column.notNull())
    .addColumn('interrupted', 'integer', (column) => column.notNull())
    .addColumn('latency_ms', 'integer', (column) => column.notNull())
    .addColumn('asked_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('attempts_key', ['batch_id', 'document_id', 'round', 'attempt'])
    .execute();
  // Holds all that a batch's status sums, so that it is read from the index alone and no raw answer is touched.
  await schema
    .createIndex('attempts_spend')
    .ifNotExists()
    .on('attempts')
    .columns([
      'batch_id',
      'round',
      'verdict',
      'document_id',
      'calls',
      'prompt_tokens',
      'completion_tokens',
      'cost_usd',
    ])
    .execute();
  await schema
    .createTable('outcomes')
    .ifNotExists()
    .addColumn('batch_id', 'text', (column) => column.notNull())
    .addColumn('document_id', 'text', (column) => column.notNull())
    .addColumn('round', 'bigint', (column) => column.notNull())
    .addColumn('success', 'integer', (column) => column.notNull())
    .addColumn('stopped', 'text')
    .addColumn('attempts', 'integer', (column) => column.notNull())
    .addColumn('accepted_attempt', 'integer')
    .addColumn('errors', 'text', (column) => column.notNull())
    .addColumn('calls', 'integer', (column) => column.notNull())
    .addColumn('prompt_tokens', 'integer', (column) => column.notNull())
    .addColumn('completion_tokens', 'integer', (column) => column.notNull())
    .addColumn('cost_usd', 'double precision')
    .addColumn('unanswered_calls', 'integer', (column) => column.notNull())
    .addColumn('schema_name', 'text', (column) => column.notNull())
    .addColumn('strategy', 'text', (column) => column.notNull())
    .addColumn('model', 'text', (column) => column.notNull())
    .addColumn('simulated', 'integer', (column) => column.notNull())
    .addColumn('finished_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('outcomes_key', ['batch_id', 'document_id'])
    .execute();
  await schema
    .createIndex('outcomes_count')
    .ifNotExists()
    .on('outcomes')
    .columns(['batch_id', 'success', 'round', 'unanswered_calls'])
    .execute();
}

async function createGates(db: Kysely<unknown>): Promise<void> {
  const changes = (table: 'gates' | 'gate_changes') =>
    db.schema
      .createTable(table)
      .ifNotExists()
      .addColumn('provider', 'text', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('reason', 'text', (column) => column.notNull())
      .addColumn('since', 'bigint', (column) => column.notNull())
      .addColumn('until_at', 'bigint')
      .addColumn('calls_per_second', 'double precision');
  await changes('gates').addPrimaryKeyConstraint('gates_key', ['provider']).execute();
  await changes('gate_changes').addPrimaryKeyConstraint('gate_changes_key', ['provider', 'at']).execute();
}

async function addLearnt(db: Kysely<unknown>): Promise<void> {
  if (await hasColumn(db, 'batches', 'learnt')) return;
  await db.schema.alterTable('batches').addColumn('learnt', 'text').execute();
}

async function addAsks(db: Kysely<unknown>): Promise<void> {
  if (await hasColumn(db, 'attempts', 'ask')) return;
  await db.schema.alterTable('attempts').addColumn('ask', 'text').execute();
}

async function addBudget(db: Kysely<unknown>): Promise<void> {
  for (const column of ['budget', 'paused_for']) {
    if (await hasColumn(db, 'batches', column)) continue;
    await db.schema.alterTable('batches').addColumn(column, 'text').execute();
  }
}

async function addReviews(db: Kysely<unknown>): Promise<void> {
  if (!(await hasColumn(db, 'outcomes', 'review_until')))
    await db.schema.alterTable('outcomes').addColumn('review_until', 'bigint').execute();
  if (!(await hasColumn(db, 'outcomes', 'correction')))
    await db.schema.alterTable('outcomes').addColumn('correction', 'text').execute();
  // Few wait among many: the index holds those alone.
  await sql`create index if not exists outcomes_reviews on outcomes (batch_id, document_id)
    where review_until is not null`.execute(db);
}

/**
 * PostgreSQL counts the rows of the batches there are, and takes any other batch for empty until it counts again, which at few new rows
 * among many it never does: then it goes through the whole batch for each document. Without such counts it takes a batch for a 200th of
 * its table, and finds each document by its key.
 */
async function forgetBatchSizes(db: Kysely<unknown>): Promise<void> {
  if (!(db.getExecutor().adapter instanceof PostgresAdapter)) return;
  for (const table of ['documents', 'attempts', 'outcomes']) {
    // To set the type, to what it is, is what makes PostgreSQL forget what it has counted.
    await sql`alter table ${sql.table(table)}
      alter column batch_id type text, alter column batch_id set statistics 0`.execute(db);
  }
}

/** A column is not added `if not exists` in SQLite. */
async function hasColumn(db: Kysely<unknown>, table: string, column: string): Promise<boolean> {
  const tables = await db.introspection.getTables();
  return tables.some(({ name, columns }) => name === table && columns.some((it) => it.name === column));
}
