import { requireBatch } from '../../client/require-batch.ts';
import { withStore } from '../with-store.ts';

/** A batch of the store, before anything is started for it. @throws {InvalidInputError} where there is none. */
export function storedBatch(id: string) {
  return withStore((store) => requireBatch(store, id));
}
