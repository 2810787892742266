import type { Kysely } from 'kysely';
import type { OutcomeError, ProviderFailure } from '../core/contract.ts';
import type { OutcomesTable, Tables } from './tables.ts';
import { talliesOfUnanswered, unansweredFailures } from './tallies.ts';
import type { Tally } from './tallies.ts';

/** What the calls without an answer of some outcomes count as. Few outcomes have such calls. */
export async function unansweredTallies(
  db: Kysely<Tables>,
  rows: readonly OutcomesTable[],
): Promise<readonly Tally[]> {
  const tallies: Tally[] = [];
  for (const row of rows.filter(({ unanswered_calls: calls }) => calls > 0)) {
    const attempts = await db
      .selectFrom('attempts')
      .select('failures')
      .where('batch_id', '=', row.batch_id)
      .where('document_id', '=', row.document_id)
      .where('round', '=', row.round)
      .execute();
    const answered = attempts.flatMap(({ failures }) => JSON.parse(failures) as readonly ProviderFailure[]);
    const errors = JSON.parse(row.errors) as readonly OutcomeError[];
    tallies.push(...talliesOfUnanswered(row, unansweredFailures(errors, answered)));
  }
  return tallies;
}
