import type { Kysely } from 'kysely';
import type { BatchResult } from '../core/batch-contract.ts';
import { NO_BATCH } from '../core/contract.ts';
import type { OutcomeError, Problem, StopReason, Usage } from '../core/contract.ts';
import type { Json, JsonObject } from '../core/json.ts';
import type { DocumentOutcome, StoredOutcome } from '../core/stored-outcome.ts';
import { validPart } from '../core/valid-part.ts';
import { documentIds } from './documents.ts';
import { heldOutcomes } from './held-outcomes.ts';
import { correctionOf } from './reviews.ts';
import { spendOfDocuments } from './spend.ts';
import { writeOutcomeProblems } from './outcome-problems.ts';
import { addTallies, tallyOfOutcome } from './tallies.ts';
import { unansweredTallies } from './unanswered.ts';
import type { OutcomesTable, Tables } from './tables.ts';

/** How a batch's documents stand. */
export interface OutcomeCounts {
  readonly succeeded: number;
  readonly failed: number;
  readonly succeededInRound: number;
  readonly unansweredCalls: number;
}

/** How extractions ended. */
export interface OutcomeStore {
  /** Writes the outcome of an extraction without a batch. Once or often, the result is the same. */
  recordSingle(id: string, round: number, outcome: StoredOutcome): Promise<void>;
  /**
   * Writes outcomes of a batch's documents, in one statement; an outcome of the same or a later round stays.
   *
   * @returns the places of documents whose accepted answer is not in the store (lost with the machine's power): they have
   * no outcome, and are to be done again.
   */
  recordDocuments(
    batchId: string,
    round: number,
    outcomes: readonly DocumentOutcome[],
  ): Promise<readonly number[]>;
  count(batchId: string, round: number): Promise<OutcomeCounts>;
  /**
   * A batch's results in input order, after `afterSeq`; each with its place. Attempts and errors are those of the round that
   * gave the outcome; usage is that of all rounds, so that the sum of all documents is what the batch has spent.
   */
  results(options: {
    readonly batchId: string;
    readonly afterSeq: number;
    readonly limit: number;
  }): Promise<readonly (BatchResult & { readonly seq: number })[]>;
}

/** The outcomes in a database. */
export function outcomeStore(db: Kysely<Tables>): OutcomeStore {
  return {
    recordSingle: (id, round, outcome) => write(db, NO_BATCH, round, [{ id, outcome }]),
    async recordDocuments(batchId, round, outcomes) {
      if (outcomes.length === 0) return [];
      const ids = await documentIds(
        db,
        batchId,
        outcomes.map(({ seq }) => seq),
      );
      const answered = await acceptedAnswers(db, batchId, round, outcomes, ids);
      const isLost = ({ seq, outcome }: DocumentOutcome): boolean =>
        outcome.acceptedAttempt !== null && !answered.has(`${outcome.acceptedAttempt}/${ids.get(seq)}`);
      const named = outcomes
        .filter((entry) => !isLost(entry))
        .map(({ seq, outcome }) => {
          const id = ids.get(seq);
          if (id === undefined) throw new Error(`The store has no document ${seq} of batch '${batchId}'.`);
          return { id, outcome };
        });
      if (named.length > 0) await write(db, batchId, round, named);
      return outcomes.filter(isLost).map(({ seq }) => seq);
    },
    count: (batchId, round) => count(db, batchId, round),
    results: (options) => results(db, options),
  };
}

async function acceptedAnswers(
  db: Kysely<Tables>,
  batchId: string,
  round: number,
  outcomes: readonly DocumentOutcome[],
  ids: ReadonlyMap<number, string>,
): Promise<ReadonlySet<string>> {
  const accepted = outcomes.flatMap(({ seq, outcome }) =>
    outcome.acceptedAttempt === null ? [] : [ids.get(seq) ?? ''],
  );
  if (accepted.length === 0) return new Set();
  const rows = await db
    .selectFrom('attempts')
    .select(['document_id', 'attempt'])
    .where('batch_id', '=', batchId)
    .where('round', '=', round)
    .where('verdict', '=', 'accepted')
    .where('document_id', 'in', accepted)
    .execute();
  return new Set(rows.map(({ document_id: id, attempt }) => `${attempt}/${id}`));
}

/** Writes outcomes, and with them what counts them; an outcome of the same or a later round stays. */
async function write(
  db: Kysely<Tables>,
  batchId: string,
  round: number,
  outcomes: readonly { readonly id: string; readonly outcome: StoredOutcome }[],
): Promise<void> {
  const finishedAt = Date.now();
  const rows = outcomes.map(({ id, outcome }) => rowOf({ batchId, id, round, outcome, finishedAt }));
  await db.transaction().execute(async (transaction) => {
    const inserted = await insertNew(transaction, rows);
    const rest = rows.filter(({ document_id: id }) => !inserted.has(id));
    const held = await heldOutcomes(
      transaction,
      batchId,
      rest.map(({ document_id: id }) => id),
    );
    const old = new Map(held.map((row) => [row.document_id, row]));
    const replaced = rest.filter(({ document_id: id }) => (old.get(id)?.round ?? round) < round);
    if (replaced.length > 0) await replace(transaction, replaced);
    const written = [...rows.filter(({ document_id: id }) => inserted.has(id)), ...replaced];
    await writeOutcomeProblems(transaction, { batchId, written, replaced });
    await addTallies(transaction, [
      ...replaced.flatMap(({ document_id: id }) => tallyOfOutcome(old.get(id)!, -1)),
      ...written.map((row) => tallyOfOutcome(row, 1)),
      ...(await unansweredTallies(transaction, written)),
    ]);
  });
}

function rowOf(given: {
  readonly batchId: string;
  readonly id: string;
  readonly round: number;
  readonly outcome: StoredOutcome;
  readonly finishedAt: number;
}): OutcomesTable {
  const { batchId, id, round, outcome, finishedAt } = given;
  return {
    batch_id: batchId,
    document_id: id,
    round,
    success: outcome.success ? 1 : 0,
    stopped: outcome.stopped,
    attempts: outcome.attempts,
    accepted_attempt: outcome.acceptedAttempt,
    errors: JSON.stringify(outcome.errors),
    calls: outcome.usage.calls,
    prompt_tokens: outcome.usage.promptTokens,
    completion_tokens: outcome.usage.completionTokens,
    cost_usd: outcome.usage.costUsd,
    unanswered_calls: outcome.unansweredCalls,
    schema_name: outcome.schemaName,
    strategy: outcome.strategy,
    model: outcome.model,
    simulated: outcome.simulated ? 1 : 0,
    review_until: outcome.reviewUntil ?? null,
    correction: null,
    finished_at: finishedAt,
  };
}

async function insertNew(db: Kysely<Tables>, rows: readonly OutcomesTable[]): Promise<ReadonlySet<string>> {
  const inserted = await db
    .insertInto('outcomes')
    .values(rows)
    .onConflict((conflict) => conflict.columns(['batch_id', 'document_id']).doNothing())
    .returning('document_id')
    .execute();
  return new Set(inserted.map(({ document_id: id }) => id));
}

async function replace(db: Kysely<Tables>, rows: readonly OutcomesTable[]): Promise<void> {
  await db
    .insertInto('outcomes')
    .values(rows)
    .onConflict((conflict) =>
      conflict.columns(['batch_id', 'document_id']).doUpdateSet((of) => ({
        round: of.ref('excluded.round'),
        success: of.ref('excluded.success'),
        stopped: of.ref('excluded.stopped'),
        attempts: of.ref('excluded.attempts'),
        accepted_attempt: of.ref('excluded.accepted_attempt'),
        errors: of.ref('excluded.errors'),
        calls: of.ref('excluded.calls'),
        prompt_tokens: of.ref('excluded.prompt_tokens'),
        completion_tokens: of.ref('excluded.completion_tokens'),
        cost_usd: of.ref('excluded.cost_usd'),
        // Those of earlier rounds were made too.
        unanswered_calls: of('outcomes.unanswered_calls', '+', of.ref('excluded.unanswered_calls')),
        schema_name: of.ref('excluded.schema_name'),
        strategy: of.ref('excluded.strategy'),
        model: of.ref('excluded.model'),
        simulated: of.ref('excluded.simulated'),
        review_until: of.ref('excluded.review_until'),
        correction: of.ref('excluded.correction'),
        finished_at: of.ref('excluded.finished_at'),
      })),
    )
    .execute();
}

async function count(db: Kysely<Tables>, batchId: string, round: number): Promise<OutcomeCounts> {
  const rows = await db
    .selectFrom('outcomes')
    .select((of) => [
      'success',
      'round',
      of.fn.countAll<number>().as('outcomes'),
      of.fn.sum<number>('unanswered_calls').as('unanswered'),
    ])
    .where('batch_id', '=', batchId)
    .groupBy(['success', 'round'])
    .execute();
  const sum = (of: (row: (typeof rows)[number]) => number): number =>
    rows.reduce((total, row) => total + of(row), 0);
  return {
    succeeded: sum((row) => (row.success === 1 ? row.outcomes : 0)),
    failed: sum((row) => (row.success === 0 ? row.outcomes : 0)),
    succeededInRound: sum((row) => (row.success === 1 && row.round === round ? row.outcomes : 0)),
    unansweredCalls: sum((row) => row.unanswered),
  };
}

async function results(
  db: Kysely<Tables>,
  { batchId, afterSeq, limit }: Parameters<OutcomeStore['results']>[0],
): Promise<readonly (BatchResult & { readonly seq: number })[]> {
  const rows = await db
    // Cut off before it is joined: PostgreSQL may otherwise join the whole batch for each page.
    .selectFrom((of) =>
      of
        .selectFrom('documents')
        .select(['batch_id', 'seq', 'id', 'metadata'])
        .where('batch_id', '=', batchId)
        .where('seq', '>', afterSeq)
        .orderBy('seq')
        .limit(limit)
        .as('d'),
    )
    .leftJoin('outcomes as o', (join) =>
      join.onRef('o.batch_id', '=', 'd.batch_id').onRef('o.document_id', '=', 'd.id'),
    )
    .leftJoin('attempts as a', (join) =>
      join
        .onRef('a.batch_id', '=', 'o.batch_id')
        .onRef('a.document_id', '=', 'o.document_id')
        .onRef('a.round', '=', 'o.round')
        // Where it gave up, the last one: what is valid of it is worth keeping.
        .on((of) => of('a.attempt', '=', of.fn.coalesce('o.accepted_attempt', 'o.attempts'))),
    )
    .select(['d.seq', 'd.id', 'd.metadata', 'o.success', 'o.stopped', 'o.attempts', 'o.errors'])
    .select(['o.unanswered_calls', 'o.correction', 'a.data', 'a.problem'])
    .orderBy('d.seq')
    .execute();
  const spendOf = await spendOfDocuments(
    db,
    batchId,
    rows.map(({ id }) => id),
  );
  return rows.map((row) => {
    const { data, correction } = dataOf(row);
    return {
      seq: row.seq,
      id: row.id,
      success: row.success === 1,
      data,
      partial: row.data === null || row.success === 1 ? null : partialOf(row.data, row.problem),
      attempts: row.attempts ?? 0,
      errors: JSON.parse(row.errors ?? '[]') as readonly OutcomeError[],
      usage: withCalls(spendOf(row.id), row.unanswered_calls ?? 0),
      stopped: row.success === null ? 'pending' : (row.stopped as StopReason | null),
      correction,
      metadata: JSON.parse(row.metadata) as JsonObject,
    };
  });
}

/** What was entered by hand goes before what was answered. */
function dataOf(row: {
  readonly success: number | null;
  readonly data: string | null;
  readonly correction: string | null;
}): Pick<BatchResult, 'data' | 'correction'> {
  if (row.success !== 1) return { data: null, correction: null };
  if (row.correction !== null) return correctionOf(row.correction);
  return { data: row.data === null ? null : (JSON.parse(row.data) as Json), correction: null };
}

function partialOf(data: string, problem: string | null): Json | null {
  return problem === null ? null : validPart(JSON.parse(data) as Json, JSON.parse(problem) as Problem);
}

function withCalls(usage: Usage, unanswered: number): Usage {
  return { ...usage, calls: usage.calls + unanswered };
}
