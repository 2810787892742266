import type { Kysely } from 'kysely';
import type { OutcomesTable, Tables } from './tables.ts';

/** The outcomes that documents have, held until the transaction ends: the update changes nothing. */
export async function heldOutcomes(
  db: Kysely<Tables>,
  batchId: string,
  documentIds: readonly string[],
): Promise<readonly OutcomesTable[]> {
  if (documentIds.length === 0) return [];
  return db
    .updateTable('outcomes')
    .set((of) => ({ round: of.ref('round') }))
    .where('batch_id', '=', batchId)
    .where('document_id', 'in', documentIds)
    .returningAll()
    .execute();
}
