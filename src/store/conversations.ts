/** What the dashboard lists and opens: extractions, and how each went. */
import { sql } from 'kysely';
import type { Kysely } from 'kysely';
import type { OutcomeError, StopReason, Usage } from '../core/contract.ts';
import type { Correction } from '../core/correction.ts';
import { feedbackMessage } from '../core/feedback.ts';
import type { Json } from '../core/json.ts';
import type { ExtractionPage, ExtractionRow, ExtractionsFilter } from '../core/stats.ts';
import { attemptOf } from './attempts.ts';
import type { StoredAttempt } from './attempts.ts';
import { problemKey } from './outcome-problems.ts';
import { correctionOf } from './reviews.ts';
import type { OutcomesTable, Tables } from './tables.ts';

const DEFAULT_LIMIT = 50;
const MOST_A_PAGE = 500;

/** An answer, and what the model was told about it. */
export interface ConversationTurn extends StoredAttempt {
  /** Made from its problems: what a next attempt that is asked for the whole record is told. Null where it was accepted. */
  readonly feedback: string | null;
}

/** One extraction: all its answers, of all rounds and in order, and how it ended. */
export interface StoredConversation {
  readonly turns: readonly ConversationTurn[];
  /** Null while it runs. `errors` has provider failures, with their delays. */
  readonly outcome: StoredEnd | null;
}

/** How an extraction ended. */
export interface StoredEnd extends ExtractionRow {
  readonly errors: readonly OutcomeError[];
  readonly strategy: string;
  readonly simulated: boolean;
  /** Of the round that gave it. */
  readonly usage: Usage;
  /** Null where it was not extracted. */
  readonly data: Json;
  /** Where the data was entered by hand; else null. */
  readonly correction: Correction | null;
}

/** Extractions, to be looked at. */
export interface ConversationStore {
  /** Those with an outcome, newest first. Give `after` the `next` of the page before. */
  list(
    options: ExtractionsFilter & { readonly after?: string; readonly limit?: number },
  ): Promise<ExtractionPage>;
  /** Undefined where neither an answer nor an outcome is known. */
  read(key: { readonly batch: string; readonly document: string }): Promise<StoredConversation | undefined>;
}

type Cursor = readonly [finishedAt: number, batch: string, document: string];

/** The extractions in a database. */
export function conversationStore(db: Kysely<Tables>): ConversationStore {
  return {
    async list({ after, limit = DEFAULT_LIMIT, ...filter }) {
      const most = Math.max(1, Math.min(MOST_A_PAGE, Math.trunc(limit)));
      const keys = await pageOf(db, filter, cursorOf(after), most + 1);
      const shown = keys.slice(0, most);
      const last = shown.at(-1);
      return {
        extractions: await rowsOf(db, shown),
        next: keys.length > most && last !== undefined ? textOfCursor(last) : null,
      };
    },
    read: (key) => read(db, key),
  };
}

type Key = Pick<OutcomesTable, 'finished_at' | 'batch_id' | 'document_id'>;

/** From an index that holds all that is asked about. */
async function pageOf(
  db: Kysely<Tables>,
  filter: ExtractionsFilter,
  cursor: Cursor | undefined,
  limit: number,
): Promise<readonly Key[]> {
  const { kind, path, outcome, since, until, schema, model, batch } = filter;
  const isListed = [
    ...(kind === undefined ? [] : [sql<boolean>`problem = ${problemKey(kind, path)}`]),
    ...(cursor === undefined
      ? []
      : [sql<boolean>`(finished_at, batch_id, document_id) < (${sql.join(cursor)})`]),
    ...(since === undefined ? [] : [sql<boolean>`finished_at >= ${since}`]),
    ...(until === undefined ? [] : [sql<boolean>`finished_at < ${until}`]),
    ...(schema === undefined ? [] : [sql<boolean>`schema_name = ${schema}`]),
    ...(model === undefined ? [] : [sql<boolean>`model = ${model}`]),
    ...(batch === undefined ? [] : [sql<boolean>`batch_id = ${batch}`]),
    ...(outcome === undefined ? [] : [sql<boolean>`success = ${outcome === 'succeeded' ? 1 : 0}`]),
    sql<boolean>`1 = 1`,
  ];
  const table = sql.table(kind === undefined ? 'outcomes' : 'outcome_problems');
  const { rows } = await sql<Key>`
    select finished_at, batch_id, document_id from ${table}
    where ${sql.join(isListed, sql` and `)}
    order by finished_at desc, batch_id desc, document_id desc limit ${limit}`.execute(db);
  return rows;
}

async function rowsOf(db: Kysely<Tables>, keys: readonly Key[]): Promise<readonly ExtractionRow[]> {
  if (keys.length === 0) return [];
  const rows = await db
    .selectFrom('outcomes')
    .selectAll()
    .where((of) =>
      of.or(
        [...Map.groupBy(keys, ({ batch_id: batch }) => batch)].map(([batch, group]) =>
          of.and([
            of('batch_id', '=', batch),
            of(
              'document_id',
              'in',
              group.map(({ document_id: id }) => id),
            ),
          ]),
        ),
      ),
    )
    .execute();
  const found = new Map(rows.map((row) => [keyText(row), row]));
  return keys.flatMap((key) => {
    const row = found.get(keyText(key));
    return row === undefined ? [] : [extractionOf(row)];
  });
}

function keyText({ batch_id: batch, document_id: id }: Omit<Key, 'finished_at'>): string {
  return JSON.stringify([batch, id]);
}

function extractionOf(row: OutcomesTable): ExtractionRow {
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

async function read(
  db: Kysely<Tables>,
  { batch, document }: { readonly batch: string; readonly document: string },
): Promise<StoredConversation | undefined> {
  const attempts = await db
    .selectFrom('attempts')
    .selectAll()
    .where('batch_id', '=', batch)
    .where('document_id', '=', document)
    .orderBy('round')
    .orderBy('attempt')
    .execute();
  const outcome = await db
    .selectFrom('outcomes')
    .selectAll()
    .where('batch_id', '=', batch)
    .where('document_id', '=', document)
    .executeTakeFirst();
  if (attempts.length === 0 && outcome === undefined) return undefined;
  const answers = attempts.flatMap((row) => attemptOf(row) ?? []);
  return {
    turns: answers.map(turnOf),
    outcome: outcome === undefined ? null : endOf(outcome, answers),
  };
}

function endOf(row: OutcomesTable, answers: readonly StoredAttempt[]): StoredEnd {
  const accepted = answers.find(
    ({ round, attempt }) => round === row.round && attempt === row.accepted_attempt,
  )?.verdict;
  const data = accepted?.status === 'accepted' ? accepted.data : null;
  return {
    ...extractionOf(row),
    errors: JSON.parse(row.errors) as readonly OutcomeError[],
    strategy: row.strategy,
    simulated: row.simulated === 1,
    usage: {
      calls: row.calls,
      promptTokens: row.prompt_tokens,
      completionTokens: row.completion_tokens,
      costUsd: row.cost_usd,
    },
    ...(row.correction === null ? { data, correction: null } : correctionOf(row.correction)),
  };
}

function turnOf(attempt: StoredAttempt): ConversationTurn {
  const { verdict } = attempt;
  return { ...attempt, feedback: verdict.status === 'accepted' ? null : feedbackMessage(verdict.problem) };
}

function textOfCursor({ finished_at: at, batch_id: batch, document_id: id }: Key): string {
  return Buffer.from(JSON.stringify([at, batch, id])).toString('base64url');
}

/** @throws {RangeError} for what is no cursor of a page. */
function cursorOf(after: string | undefined): Cursor | undefined {
  if (after === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(after, 'base64url').toString());
    if (Array.isArray(value) && typeof value[0] === 'number' && value.length === 3)
      return [value[0], String(value[1]), String(value[2])];
  } catch {
    // Told below.
  }
  throw new RangeError(`after: expected the 'next' of a page, got '${after}'. Leave it out for the first.`);
}
