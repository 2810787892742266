/** Which extractions met which problem, for lists of them. */
import type { Kysely } from 'kysely';
import type { OutcomeError } from '../core/contract.ts';
import { problemNames } from './tallies.ts';
import type { OutcomeProblemsTable, OutcomesTable, Tables } from './tables.ts';

const ROWS_A_STATEMENT = 500;

/** As {@link OutcomeProblemsTable.problem} has it: of a kind, wherever; or of a kind at a path. */
export function problemKey(kind: string, path?: string): string {
  return path === undefined ? kind : `${kind} ${path}`;
}

/** The rows of an outcome: each kind once, and each kind and path once. */
export function outcomeProblemsOf(row: OutcomesTable): readonly OutcomeProblemsTable[] {
  if (row.errors === '[]') return [];
  const keys = new Set<string>();
  for (const { type, ...error } of JSON.parse(row.errors) as readonly OutcomeError[]) {
    const details = 'details' in error ? error.details : [];
    const names =
      type === 'validation_error' ? problemNames({ type, details }) : [{ kind: type as string, path: '' }];
    for (const { kind, path } of names) keys.add(problemKey(kind)).add(problemKey(kind, path));
  }
  const { batch_id, document_id, finished_at, schema_name, model, success } = row;
  return [...keys].map((problem) => ({
    batch_id,
    document_id,
    problem,
    finished_at,
    schema_name,
    model,
    success,
  }));
}

/** Writes them down for new outcomes; what an outcome that was replaced told of is removed. */
export async function writeOutcomeProblems(
  db: Kysely<Tables>,
  options: {
    readonly batchId: string;
    readonly written: readonly OutcomesTable[];
    readonly replaced: readonly OutcomesTable[];
  },
): Promise<void> {
  const { batchId, written, replaced } = options;
  if (replaced.length > 0) {
    const ids = replaced.map(({ document_id: id }) => id);
    await db
      .deleteFrom('outcome_problems')
      .where('batch_id', '=', batchId)
      .where('document_id', 'in', ids)
      .execute();
  }
  await insertOutcomeProblems(db, written.flatMap(outcomeProblemsOf));
}

export async function insertOutcomeProblems(
  db: Kysely<Tables>,
  rows: readonly OutcomeProblemsTable[],
): Promise<void> {
  for (let from = 0; from < rows.length; from += ROWS_A_STATEMENT) {
    await db
      .insertInto('outcome_problems')
      .values(rows.slice(from, from + ROWS_A_STATEMENT))
      .onConflict((conflict) => conflict.columns(['batch_id', 'document_id', 'problem']).doNothing())
      .execute();
  }
}
