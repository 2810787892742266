import type { BatchState } from '../core/batch-contract.ts';
import type { StoredBatch } from '../store/batches.ts';
import type { Store } from '../store/open-store.ts';
import { requireBatchId } from './batch-options.ts';
import { InvalidInputError } from './invalid-input-error.ts';

/** A batch that is in the store, documents and all. @throws {InvalidInputError} where there is none. */
export async function requireBatch(store: Store, id: string): Promise<StoredBatch> {
  requireBatchId(id);
  const batch = await store.batches.read(id);
  if (batch !== undefined && batch.inputHash !== null) return batch;
  const why =
    batch === undefined ? 'there is none' : 'its documents are being read, or reading them was interrupted';
  throw new InvalidInputError(
    `id: expected a batch of this store, got '${id}': ${why}. Start it with batch run, or correct the id: see batch list.`,
  );
}

/** A batch that can be paused and cancelled. @throws {InvalidInputError} where it has ended. */
export function requireUnderWay(id: string, state: BatchState | StoredBatch['state']): void {
  if (state === 'running' || state === 'paused') return;
  throw new InvalidInputError(
    `The batch '${id}' is ${state}: expected one that runs or is paused. See batch resume and batch retry-failed.`,
  );
}
