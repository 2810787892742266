import type { Kysely } from 'kysely';
import type { Correction } from '../core/correction.ts';
import type { Json } from '../core/json.ts';
import type { Problem, StopReason } from '../core/contract.ts';
import { validPart } from '../core/valid-part.ts';
import { heldOutcomes } from './held-outcomes.ts';
import { writeOutcomeProblems } from './outcome-problems.ts';
import { addTallies, tallyOfOutcome } from './tallies.ts';
import type { OutcomesTable, Tables } from './tables.ts';

/** An extraction that waits for a person. */
export interface Review {
  /** `''` for one without a batch. */
  readonly batchId: string;
  readonly documentId: string;
  /** Its place in the batch; null for one without a batch. */
  readonly seq: number | null;
  readonly schemaName: string;
  readonly stopped: StopReason | null;
  /** What the last answer said, right or wrong; null where that was no record. */
  readonly record: Json;
  /** What was valid of it. */
  readonly partial: Json;
  /** Of the last answer; null where there was none. */
  readonly problem: Problem | null;
  /** Epoch milliseconds; {@link NO_DEADLINE} where it waits as long as it takes. */
  readonly until: number;
}

/** What was entered by hand for one document. */
export interface CorrectedDocument {
  readonly documentId: string;
  readonly data: Json;
  readonly correction: Correction;
}

/** A document of a batch, for whoever wants to correct it. */
export interface FoundDocument {
  /** Of its own schema. */
  readonly schemaHash: string | null;
  /** Null where it is not done yet. */
  readonly success: boolean | null;
  readonly isByHand: boolean;
}

/** What people do where models did not manage. */
export interface ReviewStore {
  /** Those that wait, in the order of their documents' ids within a batch, after `afterId`. */
  waiting(options: {
    readonly batchId: string;
    readonly afterId?: string;
    /** Only this one, if it waits. */
    readonly documentId?: string;
    readonly limit: number;
    /** Epoch milliseconds. */
    readonly now: number;
  }): Promise<readonly Review[]>;
  count(batchId: string, now: number): Promise<number>;
  /** How one document of a batch stands; undefined where there is none. */
  find(batchId: string, documentId: string): Promise<FoundDocument | undefined>;
  /** Batches (`''` for extractions without one) in which something waits. */
  batches(now: number): Promise<readonly string[]>;
  /**
   * Writes data down that was entered by hand for a document which was not extracted, or had been entered by hand before. It
   * stands against what this round of a batch still brings.
   *
   * @returns whether there was such a document.
   */
  correct(
    options: CorrectedDocument & { readonly batchId: string; readonly round: number },
  ): Promise<boolean>;
  /** The same for several: all of them, or none. */
  correctAll(options: {
    readonly batchId: string;
    readonly round: number;
    readonly documents: readonly CorrectedDocument[];
  }): Promise<void>;
  /** No longer waits; stays as it is. @returns whether it waited. */
  giveUp(batchId: string, documentId: string): Promise<boolean>;
  /** What was entered by hand, by document, in rounds before this one. */
  corrected(options: {
    readonly batchId: string;
    readonly round: number;
    readonly documentIds: readonly string[];
  }): Promise<ReadonlyMap<string, CorrectedDocument>>;
}

/** The reviews in a database. */
export function reviewStore(db: Kysely<Tables>): ReviewStore {
  const waiting = (batchId: string, now: number) =>
    db
      .selectFrom('outcomes as o')
      .where('o.batch_id', '=', batchId)
      .where('o.review_until', 'is not', null)
      .where('o.review_until', '>', now);
  return {
    async waiting({ batchId, afterId = '', documentId, limit, now }) {
      const rows = await waiting(batchId, now)
        .leftJoin('documents as d', (join) =>
          join.onRef('d.batch_id', '=', 'o.batch_id').onRef('d.id', '=', 'o.document_id'),
        )
        .leftJoin('attempts as a', (join) =>
          join
            .onRef('a.batch_id', '=', 'o.batch_id')
            .onRef('a.document_id', '=', 'o.document_id')
            .onRef('a.round', '=', 'o.round')
            .onRef('a.attempt', '=', 'o.attempts'),
        )
        .select(['o.document_id', 'o.schema_name', 'o.stopped', 'o.review_until', 'd.seq'])
        .select(['a.data', 'a.problem'])
        .where('o.document_id', '>', afterId)
        .$if(documentId !== undefined, (query) => query.where('o.document_id', '=', documentId ?? ''))
        .orderBy('o.document_id')
        .limit(limit)
        .execute();
      return rows.map((row): Review => {
        const record = JSON.parse(row.data ?? 'null') as Json;
        const problem = JSON.parse(row.problem ?? 'null') as Problem | null;
        return {
          batchId,
          documentId: row.document_id,
          seq: row.seq,
          schemaName: row.schema_name,
          stopped: row.stopped as StopReason | null,
          record,
          partial: row.data === null || problem === null ? null : validPart(record, problem),
          problem,
          until: Number(row.review_until),
        };
      });
    },
    async count(batchId, now) {
      const { documents } = await waiting(batchId, now)
        .select((of) => of.fn.countAll<number>().as('documents'))
        .executeTakeFirstOrThrow();
      return documents;
    },
    async find(batchId, documentId) {
      const row = await db
        .selectFrom('documents as d')
        .leftJoin('outcomes as o', (join) =>
          join.onRef('o.batch_id', '=', 'd.batch_id').onRef('o.document_id', '=', 'd.id'),
        )
        .select(['d.schema_hash', 'o.success', 'o.correction'])
        .where('d.batch_id', '=', batchId)
        .where('d.id', '=', documentId)
        .executeTakeFirst();
      return (
        row && {
          schemaHash: row.schema_hash,
          success: row.success === null ? null : row.success === 1,
          isByHand: row.correction !== null,
        }
      );
    },
    async batches(now) {
      const rows = await db
        .selectFrom('outcomes')
        .select('batch_id')
        .distinct()
        .where('review_until', 'is not', null)
        .where('review_until', '>', now)
        .execute();
      return rows.map(({ batch_id: id }) => id);
    },
    correct: (options) => db.transaction().execute((transaction) => correct(transaction, options)),
    correctAll: ({ batchId, round, documents }) =>
      db.transaction().execute(async (transaction) => {
        for (const document of documents) await correct(transaction, { ...document, batchId, round });
      }),
    async giveUp(batchId, documentId) {
      const { numUpdatedRows } = await db
        .updateTable('outcomes')
        .set({ review_until: null })
        .where('batch_id', '=', batchId)
        .where('document_id', '=', documentId)
        .where('review_until', 'is not', null)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },
    async corrected({ batchId, round, documentIds }) {
      if (documentIds.length === 0) return new Map();
      const rows = await db
        .selectFrom('outcomes')
        .select(['document_id', 'correction'])
        .where('batch_id', '=', batchId)
        .where('document_id', 'in', documentIds)
        .where('round', '<', round)
        .where('correction', 'is not', null)
        .execute();
      return new Map(
        rows.map(({ document_id: documentId, correction }) => [
          documentId,
          { documentId, ...correctionOf(correction ?? '') },
        ]),
      );
    },
  };
}

/** The outcome that it takes the place of is taken out of the figures, in the same transaction. */
async function correct(
  transaction: Kysely<Tables>,
  { batchId, documentId, round, data, correction }: Parameters<ReviewStore['correct']>[0],
): Promise<boolean> {
  const [before] = await heldOutcomes(transaction, batchId, [documentId]);
  if (before === undefined || (before.success === 1 && before.correction === null)) return false;
  const after: OutcomesTable = {
    ...before,
    round: Math.max(before.round, round),
    success: 1,
    stopped: null,
    accepted_attempt: null,
    review_until: null,
    correction: JSON.stringify({ ...correction, data }),
    finished_at: Date.parse(correction.at),
  };
  await transaction
    .updateTable('outcomes')
    .set(after)
    .where('batch_id', '=', batchId)
    .where('document_id', '=', documentId)
    .execute();
  await writeOutcomeProblems(transaction, { batchId, written: [after], replaced: [after] });
  await addTallies(transaction, [tallyOfOutcome(before, -1), tallyOfOutcome(after, 1)]);
  return true;
}

/** What the column holds. */
export function correctionOf(text: string): { readonly data: Json; readonly correction: Correction } {
  const { data, ...correction } = JSON.parse(text) as Correction & { readonly data: Json };
  return { data, correction };
}
