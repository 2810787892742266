import type { Kysely, Selectable } from 'kysely';
import type { BatchSettings, RoundKind } from '../core/batch-contract.ts';
import type { Budget } from '../core/contract.ts';
import type { BatchLearning } from '../core/learning.ts';
import type { PreparedBatch } from '../core/prepared.ts';
import { spendOfBatch } from './spend.ts';
import type { BatchSpend } from './spend.ts';
import { LoadingElsewhereError } from './store-errors.ts';
import type { BatchesTable, Tables } from './tables.ts';

/** A batch as it was asked for, and how far its round has come. */
export interface StoredBatch {
  readonly id: string;
  /** Null while its documents are being read in. */
  readonly inputHash: string | null;
  readonly state: BatchesTable['state'];
  readonly round: number;
  readonly roundKind: RoundKind;
  readonly total: number;
  readonly concurrency: number;
  readonly settings: BatchSettings;
  /** What all its rounds may spend from now on; null without a limit. */
  readonly budget: Budget | null;
  /** Why it is paused, where no person did it. */
  readonly pausedFor: 'budget' | null;
  /** What a worker made of the settings in this round; null before. */
  readonly prepared: PreparedBatch | null;
  /** What first answers have taught, in all rounds; null where that is nothing. */
  readonly learning: BatchLearning | null;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  readonly finishedAt: number | null;
}

/** The batches. */
export interface BatchStore {
  read(id: string): Promise<StoredBatch | undefined>;
  /**
   * Begins to read a batch in; what an interrupted reading left is removed. `loader` tells this reader from others.
   *
   * @returns the batch where there is one already.
   */
  begin(options: {
    readonly id: string;
    readonly loader: string;
    readonly settings: BatchSettings;
    readonly concurrency: number;
  }): Promise<StoredBatch | undefined>;
  /** Ends the reading: from here on it is a batch. @throws {LoadingElsewhereError} */
  finishLoading(options: {
    readonly id: string;
    readonly loader: string;
    readonly inputHash: string;
    readonly total: number;
  }): Promise<void>;
  /** Removes a batch that is being read in, documents and all. Any other one stays. */
  abandon(id: string, loader: string): Promise<void>;
  /**
   * Makes a batch that no worker has prepared one whose reading was interrupted, so that another can begin in its place. One
   * that was prepared, or begun anew meanwhile, stays.
   */
  forget(batch: Pick<StoredBatch, 'id' | 'createdAt'>): Promise<void>;
  setState(
    id: string,
    state: BatchesTable['state'],
    options?: { readonly pausedFor?: StoredBatch['pausedFor'] },
  ): Promise<void>;
  setConcurrency(id: string, concurrency: number): Promise<void>;
  setBudget(id: string, budget: Budget): Promise<void>;
  setPrepared(id: string, round: number, prepared: PreparedBatch): Promise<void>;
  setLearning(id: string, learning: BatchLearning): Promise<void>;
  /** Begins another round, its settings resolved, unless it was begun already. */
  beginRound(options: {
    readonly id: string;
    readonly round: number;
    readonly kind: RoundKind;
    readonly settings: BatchSettings;
    readonly prepared: PreparedBatch;
  }): Promise<void>;
  /** Takes the number of a new shard. No number is given twice. */
  takeShardNumber(id: string): Promise<number>;
  /** What it has spent in all its rounds, as its answered attempts tell; no cost where the price of any is not known. */
  spend(id: string): Promise<BatchSpend>;
  /** Documents of a round with a rejected answer and without an outcome. */
  countRetrying(id: string, round: number): Promise<number>;
  list(): Promise<readonly StoredBatch[]>;
}

/** The batches in a database. */
export function batchStore(db: Kysely<Tables>): BatchStore {
  const read = async (id: string): Promise<StoredBatch | undefined> => {
    const row = await db.selectFrom('batches').selectAll().where('id', '=', id).executeTakeFirst();
    return row && batchOf(row);
  };
  const update = async (id: string, values: Partial<BatchesTable>): Promise<void> => {
    await db.updateTable('batches').set(values).where('id', '=', id).execute();
  };
  return {
    read,
    begin: (options) => begin(db, options),
    async finishLoading({ id, loader, inputHash, total }) {
      const { numUpdatedRows } = await db
        .updateTable('batches')
        .set({ input_hash: inputHash, total, state: 'running', loader: null })
        .where('id', '=', id)
        .where('loader', '=', loader)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) throw loadingElsewhere(id);
    },
    async abandon(id, loader) {
      await removeDocuments(db, id, loader);
      await db.deleteFrom('batches').where('id', '=', id).where('loader', '=', loader).execute();
    },
    async forget({ id, createdAt }) {
      await db
        .updateTable('batches')
        .set({ state: 'loading', input_hash: null })
        .where('id', '=', id)
        .where('created_at', '=', createdAt)
        .where('round', '=', 1)
        .where('prepared', 'is', null)
        .execute();
    },
    async setState(id, state, { pausedFor = null } = {}) {
      const isOver = state === 'completed' || state === 'cancelled';
      await update(id, { state, paused_for: pausedFor, finished_at: isOver ? Date.now() : null });
    },
    setConcurrency: (id, concurrency) => update(id, { concurrency }),
    setBudget: (id, budget) => update(id, { budget: JSON.stringify(budget) }),
    setLearning: (id, learning) => update(id, { learnt: JSON.stringify(learning) }),
    async setPrepared(id, round, prepared) {
      await db
        .updateTable('batches')
        .set({ prepared: JSON.stringify(prepared) })
        .where('id', '=', id)
        .where('round', '=', round)
        .execute();
    },
    async beginRound({ id, round, kind, settings, prepared }) {
      await db
        .updateTable('batches')
        .set({
          round,
          round_kind: kind,
          settings: JSON.stringify(settings),
          prepared: JSON.stringify(prepared),
          state: 'running',
          paused_for: null,
          finished_at: null,
        })
        .where('id', '=', id)
        .where('round', '<', round)
        .execute();
    },
    async takeShardNumber(id) {
      const { next_shard: next } = await db
        .updateTable('batches')
        .set((of) => ({ next_shard: of('next_shard', '+', 1) }))
        .where('id', '=', id)
        .returning('next_shard')
        .executeTakeFirstOrThrow();
      return next - 1;
    },
    spend: (id) => spendOfBatch(db, id),
    countRetrying: (id, round) => countRetrying(db, id, round),
    async list() {
      const rows = await db.selectFrom('batches').selectAll().orderBy('created_at').execute();
      return rows.map(batchOf);
    },
  };
}

async function begin(
  db: Kysely<Tables>,
  { id, loader, settings, concurrency }: Parameters<BatchStore['begin']>[0],
): Promise<StoredBatch | undefined> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('batches')
    .values({
      id,
      input_hash: null,
      state: 'loading',
      round: 1,
      round_kind: 'first',
      total: 0,
      concurrency,
      settings: JSON.stringify(settings),
      budget: budgetText(settings),
      paused_for: null,
      prepared: null,
      learnt: null,
      loader,
      next_shard: 1,
      created_at: Date.now(),
      finished_at: null,
    })
    .onConflict((conflict) =>
      conflict
        .column('id')
        .doUpdateSet({
          loader,
          settings: JSON.stringify(settings),
          budget: budgetText(settings),
          concurrency,
          created_at: Date.now(),
        })
        .where('batches.state', '=', 'loading'),
    )
    .executeTakeFirst();
  if (numInsertedOrUpdatedRows === 0n) {
    const row = await db.selectFrom('batches').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
    return batchOf(row);
  }
  await removeDocuments(db, id, loader);
  return undefined;
}

function budgetText({ batchBudget }: BatchSettings): string | null {
  return batchBudget === undefined ? null : JSON.stringify(batchBudget);
}

/**
 * Removes what was read in, as long as `loader` still is the one that reads. Each statement looks for itself: in a transaction,
 * two stores of one process would wait for each other for ever, since SQLite's waiting stops the process.
 */
async function removeDocuments(db: Kysely<Tables>, id: string, loader: string): Promise<void> {
  for (const table of ['outcomes', 'documents'] as const) {
    await db
      .deleteFrom(table)
      .where('batch_id', '=', id)
      .where((is) =>
        is.exists(is.selectFrom('batches').select('id').where('id', '=', id).where('loader', '=', loader)),
      )
      .execute();
  }
}

async function countRetrying(db: Kysely<Tables>, id: string, round: number): Promise<number> {
  const { documents } = await db
    .selectFrom('attempts as a')
    .select((of) => of.fn.count<number>('a.document_id').distinct().as('documents'))
    .where('a.batch_id', '=', id)
    .where('a.round', '=', round)
    .where('a.verdict', '<>', 'accepted')
    .where((is) =>
      is.not(
        is.exists(
          is
            .selectFrom('outcomes as o')
            .select('o.round')
            .whereRef('o.batch_id', '=', 'a.batch_id')
            .whereRef('o.document_id', '=', 'a.document_id')
            .where('o.round', '>=', round),
        ),
      ),
    )
    .executeTakeFirstOrThrow();
  return documents;
}

/** What a reader is told whose batch was taken over. */
export function loadingElsewhere(id: string): LoadingElsewhereError {
  return new LoadingElsewhereError(
    `id: the batch '${id}' is being read in by another command at the same time. Let one of them finish.`,
  );
}

function batchOf(row: Selectable<BatchesTable>): StoredBatch {
  return {
    id: row.id,
    inputHash: row.input_hash,
    state: row.state,
    round: row.round,
    roundKind: row.round_kind,
    total: row.total,
    concurrency: row.concurrency,
    settings: JSON.parse(row.settings) as BatchSettings,
    budget: JSON.parse(row.budget ?? 'null') as Budget | null,
    pausedFor: row.paused_for,
    prepared: JSON.parse(row.prepared ?? 'null') as PreparedBatch | null,
    learning: JSON.parse(row.learnt ?? 'null') as BatchLearning | null,
    createdAt: row.created_at,
    finishedAt: row.finished_at,
  };
}
