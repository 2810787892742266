import type { StoredBatch } from '../src/store/batches.ts';
import type { Store } from '../src/store/open-store.ts';
import type { StoredSchema } from '../src/store/schemas.ts';

/** So soon does a call notice that its batch is paused. */
const FRESH_MS = 250;
const MOST_REMEMBERED = 1_000;

/** What a worker remembers of batches between calls. */
export interface BatchMemory {
  batch(id: string): Promise<StoredBatch>;
  schema(hash: string): Promise<StoredSchema>;
}

/** Remembers batches for a moment, and schemas for good: a hash never means another one. */
export function batchMemory(store: Store): BatchMemory {
  const batches = new Map<string, { readonly at: number; readonly batch: Promise<StoredBatch> }>();
  const schemas = new Map<string, Promise<StoredSchema>>();
  return {
    batch(id) {
      const known = batches.get(id);
      if (known !== undefined && performance.now() - known.at < FRESH_MS) return known.batch;
      const batch = readBatch(store, id);
      if (batches.size >= MOST_REMEMBERED) batches.clear();
      batches.set(id, { at: performance.now(), batch });
      return batch;
    },
    schema(hash) {
      const known = schemas.get(hash);
      if (known !== undefined) return known;
      if (schemas.size >= MOST_REMEMBERED) schemas.clear();
      const schema = store.schemas.read(hash);
      schemas.set(hash, schema);
      // A store that was away for a moment must not be remembered as an empty one.
      schema.catch(() => schemas.delete(hash));
      return schema;
    },
  };
}

async function readBatch(store: Store, id: string): Promise<StoredBatch> {
  const batch = await store.batches.read(id);
  if (batch !== undefined) return batch;
  throw new Error(
    `The store of this worker has no batch '${id}': expected the store that it was put into. Check DATABASE_URL and DURABLE_EXTRACT_HOME.`,
  );
}
