import type { Kysely, Selectable, UpdateQueryBuilder, UpdateResult } from 'kysely';
import type { Asked, Problem, ProviderFailure, Rejection, Repair, Usage, Verdict } from '../core/contract.ts';
import type { Json } from '../core/json.ts';
import { storableText } from '../core/storable-text.ts';
import { inGroups } from './in-groups.ts';
import { statementByCount } from './statement-by-count.ts';
import { addTallies, talliesOfAttempt, talliesOfSecondAnswer } from './tallies.ts';
import type { Tally } from './tallies.ts';
import type { AttemptsTable, Tables } from './tables.ts';

/** Which attempt: of an extraction (`batchId` is `''` for one without a batch), in a round, from 1. */
export interface AttemptKey {
  readonly batchId: string;
  readonly documentId: string;
  readonly round: number;
  readonly attempt: number;
}

/** One answer of the model, judged. */
export interface StoredAttempt extends AttemptKey {
  readonly kind: 'asked' | 'rejudged';
  readonly verdict: Verdict;
  /** As it came. */
  readonly answer: string;
  readonly finish: 'stop' | 'length' | 'content_filter' | 'refusal';
  readonly requestId: string;
  readonly schemaName: string;
  readonly provider: string;
  readonly model: string;
  readonly mode: string;
  /** How it was asked for, and why so; null for one that was not. */
  readonly ask: Asked | null;
  readonly usage: Usage;
  readonly failures: readonly ProviderFailure[];
  readonly interrupted: number;
  readonly latencyMs: number;
  /** Epoch milliseconds. */
  readonly askedAt: number;
}

/** The answers of models. */
export interface AttemptStore {
  /**
   * Writes an answer down, once: where the attempt has one already (its worker was thought lost and was not), that one
   * stays and is given back, and this one's spend is added to it.
   */
  record(attempt: StoredAttempt): Promise<StoredAttempt>;
  /** The attempt as it was written down. */
  read(key: AttemptKey): Promise<StoredAttempt | undefined>;
  /** The attempts of a round before this one, in order. */
  before(key: AttemptKey): Promise<readonly StoredAttempt[]>;
  /** All answers to documents of a batch in rounds before this one, newest first. */
  ofEarlierRounds(options: {
    readonly batchId: string;
    readonly round: number;
    readonly documentIds: readonly string[];
  }): Promise<ReadonlyMap<string, readonly StoredAttempt[]>>;
}

const MOST_WRITTEN_AT_ONCE = 100;
/** Answers wait at most this long for company. */
const WRITE_EVERY_MS = 16;

/** The attempts in a database. */
export function attemptStore(db: Kysely<Tables>): AttemptStore {
  const record = inGroups<StoredAttempt, StoredAttempt>({
    run: (attempts) => recordAll(db, attempts),
    mostItems: MOST_WRITTEN_AT_ONCE,
    everyMs: WRITE_EVERY_MS,
    keyOf,
  });
  return {
    record,
    async read(key) {
      const row = await selectRound(db, key).where('attempt', '=', key.attempt).executeTakeFirst();
      return row && attemptOf(row);
    },
    async before(key) {
      const rows = await selectRound(db, key).where('attempt', '<', key.attempt).orderBy('attempt').execute();
      return rows.flatMap((row) => attemptOf(row) ?? []);
    },
    async ofEarlierRounds({ batchId, round, documentIds }) {
      if (documentIds.length === 0) return new Map();
      const rows = await db
        .selectFrom('attempts')
        .selectAll()
        .where('batch_id', '=', batchId)
        .where('document_id', 'in', documentIds)
        .where('round', '<', round)
        .where('kind', '=', 'asked')
        .orderBy('round', 'desc')
        .orderBy('attempt', 'desc')
        .execute();
      return Map.groupBy(
        rows.flatMap((row) => attemptOf(row) ?? []),
        ({ documentId }) => documentId,
      );
    },
  };
}

function selectRound(db: Kysely<Tables>, { batchId, documentId, round }: AttemptKey) {
  return db
    .selectFrom('attempts')
    .selectAll()
    .where('batch_id', '=', batchId)
    .where('document_id', '=', documentId)
    .where('round', '=', round);
}

function recordAll(
  db: Kysely<Tables>,
  attempts: readonly StoredAttempt[],
): Promise<readonly StoredAttempt[]> {
  return db.transaction().execute(async (transaction) => {
    const ordered = inKeyOrder(attempts);
    const isNew = await insertNew(transaction, ordered);
    const tallies: Tally[] = ordered
      .filter(isNew)
      .flatMap((attempt) => talliesOfAttempt({ ...attempt, problem: problemOf(attempt) }));
    const kept = new Map<string, StoredAttempt>();
    for (const attempt of ordered) {
      if (isNew(attempt)) continue;
      const { first, callsMore } = await addSpend(transaction, attempt);
      kept.set(keyOf(attempt), first);
      if (first.requestId !== attempt.requestId)
        tallies.push(...talliesOfSecondAnswer({ ...attempt, askedAt: first.askedAt }, callsMore));
    }
    await addTallies(transaction, tallies);
    return attempts.map((attempt) => kept.get(keyOf(attempt)) ?? attempt);
  });
}

const insertRows = statementByCount({
  build: (db, rows: readonly AttemptsTable[]) =>
    db
      .insertInto('attempts')
      .values(rows)
      .onConflict((conflict) => conflict.columns(['batch_id', 'document_id', 'round', 'attempt']).doNothing())
      .returning(['batch_id as batchId', 'document_id as documentId', 'round', 'attempt']),
  parametersOf: (rows) => rows.flatMap((row) => Object.values(row)),
});

/** @returns whether an attempt had no answer before. */
async function insertNew(
  db: Kysely<Tables>,
  attempts: readonly StoredAttempt[],
): Promise<(attempt: StoredAttempt) => boolean> {
  const { rows } = await insertRows(db, attempts.map(rowOf));
  const inserted = new Set(rows.map(keyOf));
  return (attempt) => inserted.has(keyOf(attempt));
}

/** Adds the spend of another answer to the first one, which stays; nothing for the very same answer, written twice. */
async function addSpend(
  db: Kysely<Tables>,
  attempt: StoredAttempt,
): Promise<{ readonly first: StoredAttempt; readonly callsMore: number }> {
  // Changes nothing, and holds the row: what is read is what is added to.
  const row = await ofKey(db.updateTable('attempts'), attempt)
    .set((of) => ({ interrupted: of.ref('interrupted') }))
    .returningAll()
    .executeTakeFirstOrThrow();
  const first = attemptOf(row) ?? attempt;
  const { usage } = attempt;
  if (first.requestId === attempt.requestId) return { first, callsMore: 0 };
  const callsMore = Math.max(0, usage.calls - first.usage.calls);
  const added = await ofKey(db.updateTable('attempts'), attempt)
    .set((of) => ({
      calls: of('calls', '+', callsMore),
      prompt_tokens: of('prompt_tokens', '+', usage.promptTokens),
      completion_tokens: of('completion_tokens', '+', usage.completionTokens),
      cost_usd: usage.costUsd === null ? null : of('cost_usd', '+', usage.costUsd),
    }))
    .returningAll()
    .executeTakeFirstOrThrow();
  return { first: attemptOf(added) ?? first, callsMore };
}

function ofKey(
  update: UpdateQueryBuilder<Tables, 'attempts', 'attempts', UpdateResult>,
  { batchId, documentId, round, attempt }: AttemptKey,
) {
  return update
    .where('batch_id', '=', batchId)
    .where('document_id', '=', documentId)
    .where('round', '=', round)
    .where('attempt', '=', attempt);
}

function problemOf({ verdict }: StoredAttempt): Problem | null {
  return verdict.status === 'accepted' ? null : verdict.problem;
}

/** PostgreSQL locks rows one by one: two writers of the same ones, each in an order of its own, would wait for each other. */
function inKeyOrder(attempts: readonly StoredAttempt[]): readonly StoredAttempt[] {
  return attempts.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

function keyOf({ batchId, documentId, round, attempt }: AttemptKey): string {
  return JSON.stringify([batchId, documentId, round, attempt]);
}

/** The row of an attempt. */
export function rowOf(attempt: StoredAttempt): AttemptsTable {
  const { verdict, usage } = attempt;
  const isAccepted = verdict.status === 'accepted';
  return {
    batch_id: attempt.batchId,
    document_id: attempt.documentId,
    round: attempt.round,
    attempt: attempt.attempt,
    kind: attempt.kind,
    verdict: isAccepted ? 'accepted' : verdict.problem.type,
    problem: isAccepted ? null : JSON.stringify(storedProblem(verdict)),
    data: dataOf(verdict),
    repairs: JSON.stringify(isAccepted ? verdict.repairs : []),
    answer: storableText(attempt.answer),
    request_id: attempt.requestId,
    schema_name: attempt.schemaName,
    provider: attempt.provider,
    model: attempt.model,
    mode: attempt.mode,
    ask: attempt.ask === null ? null : JSON.stringify(attempt.ask),
    finish: attempt.finish,
    calls: usage.calls,
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    cost_usd: usage.costUsd,
    failures: JSON.stringify(attempt.failures),
    interrupted: attempt.interrupted,
    latency_ms: Math.round(attempt.latencyMs),
    asked_at: Math.round(attempt.askedAt),
  };
}

type MaybeRow = { readonly [Column in keyof AttemptsTable]: AttemptsTable[Column] | null };

/** The attempt of a row; undefined for the empty row of an outer join. */
export function attemptOf(row: MaybeRow): StoredAttempt | undefined {
  if (row.batch_id === null) return undefined;
  const full = row as Selectable<AttemptsTable>;
  return {
    batchId: full.batch_id,
    documentId: full.document_id,
    round: full.round,
    attempt: full.attempt,
    kind: full.kind,
    verdict: verdictOf(full),
    answer: full.answer,
    finish: full.finish as StoredAttempt['finish'],
    requestId: full.request_id,
    schemaName: full.schema_name,
    provider: full.provider,
    model: full.model,
    mode: full.mode,
    ask: full.ask === null ? null : (JSON.parse(full.ask) as Asked),
    usage: {
      calls: full.calls,
      promptTokens: full.prompt_tokens,
      completionTokens: full.completion_tokens,
      costUsd: full.cost_usd,
    },
    failures: JSON.parse(full.failures) as readonly ProviderFailure[],
    interrupted: full.interrupted,
    latencyMs: full.latency_ms,
    askedAt: full.asked_at,
  };
}

/** A problem, with what it leaves for the next attempt. */
type StoredProblem = Problem & Pick<Rejection, 'fields' | 'parts' | 'rest'>;

function storedProblem({ problem, fields, parts, rest }: Rejection): StoredProblem {
  return {
    ...problem,
    ...(fields === undefined ? {} : { fields }),
    ...(parts === undefined ? {} : { parts }),
    ...(rest === undefined ? {} : { rest }),
  };
}

/** What the answer says, valid or not. */
function dataOf(verdict: Verdict): string | null {
  const data = verdict.status === 'accepted' ? verdict.data : verdict.record;
  return data === undefined ? null : JSON.stringify(data);
}

function verdictOf({ data, verdict, repairs, problem }: Selectable<AttemptsTable>): Verdict {
  if (verdict !== 'accepted') {
    const { fields, parts, rest, ...told } = JSON.parse(problem ?? 'null') as StoredProblem;
    return {
      status: 'rejected',
      problem: told,
      ...(data === null ? {} : { record: JSON.parse(data) as Json }),
      ...(fields === undefined ? {} : { fields }),
      ...(parts === undefined ? {} : { parts }),
      ...(rest === undefined ? {} : { rest }),
    };
  }
  return {
    status: 'accepted',
    data: JSON.parse(data ?? 'null') as Json,
    repairs: JSON.parse(repairs) as readonly Repair[],
  };
}
