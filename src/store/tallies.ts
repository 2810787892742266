/**
 * What the dashboard sums, counted as it is written: in the transaction of the answers and outcomes that it counts, so that
 * figures are exact whatever crashes, and a million answers are read as some thousand rows. Each count is kept by minute,
 * hour and day; a range is read as whole days, then whole hours and minutes at its ends.
 */
import type { Kysely } from 'kysely';
import { ofAllItems } from '../core/json-path.ts';
import { PROVIDER_FAILURE_TYPES } from '../core/contract.ts';
import type { OutcomeError, Problem, ProviderFailure } from '../core/contract.ts';
import { storableText } from '../core/storable-text.ts';
import { statementByCount } from './statement-by-count.ts';
import type { StoredAttempt } from './attempts.ts';
import type { OutcomesTable, Tables, TalliesTable } from './tables.ts';

/** Spans that counts are kept by, longest first, in milliseconds. */
export const GRAINS_MS = [86_400_000, 3_600_000, 60_000] as const;
/** Each bucket of latencies is this much wider than the one before: a latency is known within 5 %. */
const LATENCY_BASE = 1.1;
/** Paths come from models too. */
const MAX_PATH_LENGTH = 200;
const ROWS_A_STATEMENT = 500;
/** Writers in different processes add to different rows, and so do not wait for each other. */
const SLOTS = 4;
const slot = Math.floor(Math.random() * SLOTS);

/** One count, at a moment. */
export interface Tally {
  readonly at: number;
  readonly schema: string;
  /** `provider/model`. */
  readonly model: string;
  readonly batch: string;
  readonly fact: TalliesTable['fact'];
  readonly a: string;
  readonly b: string;
  readonly n: number;
  readonly calls?: number;
  readonly promptTokens?: number;
  readonly completionTokens?: number;
  /** Null: the price is not known. */
  readonly costUsd?: number | null;
  readonly newest?: string;
}

/** What one problem of an answer counts as. */
export interface ProblemName {
  readonly kind: string;
  readonly path: string;
}

/** `items[0].price` → `items[].price`. A key in brackets stays. */
export function generalPath(path: string): string {
  const text = ofAllItems(path) ?? path.replaceAll(/\[\d+\]/g, '[]');
  return storableText(text.slice(0, MAX_PATH_LENGTH));
}

/** What was wrong with an answer, each once. */
export function problemNames({ type, details }: Pick<Problem, 'type' | 'details'>): readonly ProblemName[] {
  if (type !== 'validation_error' || details.length === 0) return [{ kind: type, path: '' }];
  const named = new Map<string, ProblemName>();
  for (const { kind, path } of details) {
    const name = { kind, path: generalPath(path) };
    named.set(`${kind} ${name.path}`, name);
  }
  return [...named.values()];
}

/** What of an attempt is counted. */
export type CountedAttempt = Pick<
  StoredAttempt,
  'batchId' | 'documentId' | 'round' | 'attempt' | 'kind' | 'schemaName' | 'provider' | 'model'
> &
  Pick<StoredAttempt, 'usage' | 'failures' | 'latencyMs' | 'askedAt'> & { readonly problem: Problem | null };

/** What an answer adds. One that was judged again cost nothing, and adds nothing. */
export function talliesOfAttempt(attempt: CountedAttempt): readonly Tally[] {
  if (attempt.kind === 'rejudged') return [];
  const { problem, failures, usage, latencyMs } = attempt;
  const base = dimensionsOf(attempt);
  const isIncomplete = problem?.type === 'incomplete';
  const judged = problem === null ? 'accepted' : isIncomplete ? 'incomplete' : 'rejected';
  const problems = problem === null || isIncomplete ? [] : problemNames(problem);
  const newest = newestOf(attempt);
  return [
    { ...base, fact: 'answer', a: String(attempt.attempt), b: judged, n: 1, ...usage },
    { ...base, fact: 'latency', a: String(latencyBucket(latencyMs)), b: '', n: 1 },
    ...problems.map(({ kind, path }) => ({
      ...base,
      fact: 'problem' as const,
      a: kind,
      b: path,
      n: 1,
      newest,
    })),
    ...failures.map(({ type }) => ({ ...base, fact: 'failure' as const, a: type, b: '', n: 1 })),
  ];
}

/** What a second answer to the same attempt adds: what it cost, and no answer. */
export function talliesOfSecondAnswer(attempt: StoredAttempt, callsMore: number): readonly Tally[] {
  if (attempt.kind === 'rejudged') return [];
  const spend = { ...attempt.usage, calls: callsMore };
  return [{ ...dimensionsOf(attempt), fact: 'spend', a: '', b: '', n: 0, ...spend }];
}

/** What an outcome adds; taken away, with `times` −1, when a later round's replaces it. */
export function tallyOfOutcome(row: OutcomesTable, times: 1 | -1): Tally {
  const { attempts, success, stopped } = row;
  const ended = success === 1 ? '' : (stopped ?? 'attempts');
  return { ...dimensionsOfOutcome(row), fact: 'outcome', a: String(attempts), b: ended, n: times };
}

/** What calls without an answer add. They were made, whatever a later round brings. */
export function talliesOfUnanswered(
  row: OutcomesTable,
  failures: readonly ProviderFailure[],
): readonly Tally[] {
  const base = dimensionsOfOutcome(row);
  const { unanswered_calls: calls } = row;
  return [
    ...(calls === 0 ? [] : [{ ...base, fact: 'spend' as const, a: '', b: '', n: 0, calls }]),
    ...failures.map(({ type }) => ({ ...base, fact: 'failure' as const, a: type, b: '', n: 1 })),
  ];
}

/** The provider failures of an outcome that no answered attempt tells of. */
export function unansweredFailures(
  errors: readonly OutcomeError[],
  answered: readonly ProviderFailure[],
): readonly ProviderFailure[] {
  const told = answered.map(failureKey);
  return errors.filter(isProviderFailure).filter((failure) => {
    const index = told.indexOf(failureKey(failure));
    if (index >= 0) told.splice(index, 1);
    return index < 0;
  });
}

/** Whether an outcome's error is a call that brought no answer. */
function isProviderFailure(error: OutcomeError): error is ProviderFailure {
  return PROVIDER_FAILURE_TYPES.some((type) => type === error.type) && 'delayMs' in error;
}

function failureKey({ attempt, type, message, delayMs }: ProviderFailure): string {
  return JSON.stringify([attempt, type, message, delayMs]);
}

const addRows = statementByCount({
  build: (db, rows: readonly TalliesTable[]) =>
    db
      .insertInto('tallies')
      .values(rows)
      .onConflict((conflict) =>
        conflict
          .columns(['grain_ms', 'at', 'fact', 'a', 'b', 'schema_name', 'model', 'batch_id', 'slot'])
          .doUpdateSet((of) => ({
            n: of('tallies.n', '+', of.ref('excluded.n')),
            calls: of('tallies.calls', '+', of.ref('excluded.calls')),
            prompt_tokens: of('tallies.prompt_tokens', '+', of.ref('excluded.prompt_tokens')),
            completion_tokens: of('tallies.completion_tokens', '+', of.ref('excluded.completion_tokens')),
            cost_usd: of('tallies.cost_usd', '+', of.ref('excluded.cost_usd')),
            unpriced: of('tallies.unpriced', '+', of.ref('excluded.unpriced')),
            newest: of
              .case()
              .when('tallies.newest', '<', of.ref('excluded.newest'))
              .then(of.ref('excluded.newest'))
              .else(of.ref('tallies.newest'))
              .end(),
          })),
      ),
  parametersOf: (rows) => rows.flatMap((row) => Object.values(row)),
});

/** Adds counts. Last in its transaction, so that others wait for the shortest time. */
export async function addTallies(db: Kysely<Tables>, tallies: readonly Tally[]): Promise<void> {
  const rows = rowsOf(tallies);
  for (let from = 0; from < rows.length; from += ROWS_A_STATEMENT) {
    await addRows(db, rows.slice(from, from + ROWS_A_STATEMENT));
  }
}

/** Added up, one for each row of the table, in the order of its key: two writers never wait for each other in a circle. */
function rowsOf(tallies: readonly Tally[]): readonly TalliesTable[] {
  const rows = new Map<string, TalliesTable>();
  for (const tally of tallies) {
    for (const grainMs of GRAINS_MS) {
      const row = rowOf(tally, grainMs);
      const { grain_ms, at, fact, a, b, schema_name, model, batch_id } = row;
      const key = JSON.stringify([grain_ms, at, fact, a, b, schema_name, model, batch_id]);
      const known = rows.get(key);
      rows.set(key, known === undefined ? row : sumOf(known, row));
    }
  }
  return [...rows].toSorted(([x], [y]) => (x < y ? -1 : 1)).map(([, row]) => row);
}

function rowOf(tally: Tally, grainMs: number): TalliesTable {
  return {
    grain_ms: grainMs,
    at: Math.floor(tally.at / grainMs) * grainMs,
    fact: tally.fact,
    a: tally.a,
    b: tally.b,
    schema_name: tally.schema,
    model: tally.model,
    batch_id: tally.batch,
    slot,
    n: tally.n,
    calls: tally.calls ?? 0,
    prompt_tokens: tally.promptTokens ?? 0,
    completion_tokens: tally.completionTokens ?? 0,
    cost_usd: tally.costUsd ?? 0,
    unpriced: tally.costUsd === null ? 1 : 0,
    newest: tally.newest ?? '',
  };
}

function sumOf(x: TalliesTable, y: TalliesTable): TalliesTable {
  return {
    ...x,
    n: x.n + y.n,
    calls: x.calls + y.calls,
    prompt_tokens: x.prompt_tokens + y.prompt_tokens,
    completion_tokens: x.completion_tokens + y.completion_tokens,
    cost_usd: x.cost_usd + y.cost_usd,
    unpriced: x.unpriced + y.unpriced,
    newest: x.newest < y.newest ? y.newest : x.newest,
  };
}

function dimensionsOf({ askedAt, schemaName, provider, model, batchId }: Omit<CountedAttempt, 'problem'>) {
  return { at: askedAt, schema: schemaName, model: `${provider}/${model}`, batch: batchId };
}

function dimensionsOfOutcome({
  finished_at: at,
  schema_name: schema,
  model,
  batch_id: batch,
}: OutcomesTable) {
  return { at, schema, model, batch };
}

/** Sorts by time as text; the rest is what finds the answer. */
function newestOf({ askedAt, batchId, documentId, round, attempt }: CountedAttempt): string {
  const at = String(Math.round(askedAt)).padStart(15, '0');
  return `${at}${JSON.stringify([batchId, documentId, round, attempt])}`;
}

/** The answer that {@link TalliesTable.newest} names. */
export function keyOfNewest(
  newest: string,
): { batchId: string; documentId: string; round: number; attempt: number } | undefined {
  if (newest === '') return undefined;
  const [batchId, documentId, round, attempt] = JSON.parse(newest.slice(15)) as [
    string,
    string,
    number,
    number,
  ];
  return { batchId, documentId, round, attempt };
}

function latencyBucket(latencyMs: number): number {
  return Math.round(Math.log(Math.max(1, latencyMs)) / Math.log(LATENCY_BASE));
}

/** The middle of a bucket of latencies. */
export function latencyOfBucket(bucket: number): number {
  return Math.round(LATENCY_BASE ** bucket);
}
