/** How batches stand, and how fast they come along: remembered between one look and the next. */
import { statusOf } from '../client/batch-handle.ts';
import type { BatchState } from '../core/batch-contract.ts';
import { paceMeter } from '../core/pace.ts';
import type { PaceMeter } from '../core/pace.ts';
import type { StoredBatch } from '../store/batches.ts';
import type { Store } from '../store/open-store.ts';
import type { ShownBatch } from './data.ts';

/** Reads how batches stand. */
export interface BatchCache {
  read(batch: StoredBatch, state: BatchState): Promise<ShownBatch>;
}

/** A batch that is over is summed up once; one that is not, each time. */
export function batchCache(store: Store): BatchCache {
  const over = new Map<string, { readonly version: string; readonly status: ShownBatch }>();
  const meters = new Map<string, PaceMeter>();
  return {
    async read(batch, state) {
      const { id, round, finishedAt } = batch;
      const version = JSON.stringify([state, round, finishedAt, batch.concurrency]);
      const known = over.get(id);
      if (known?.version === version) return known.status;
      const status = await statusOf(store, batch, state);
      if (state === 'completed' || state === 'cancelled') {
        const shown = { ...status, perSecond: null };
        // The last answers of a cancelled batch may still come in.
        if (finishedAt !== null && Date.now() - finishedAt > 60_000) over.set(id, { version, status: shown });
        meters.delete(id);
        return shown;
      }
      const meter = meters.get(id) ?? paceMeter();
      meters.set(id, meter);
      const perSecond = meter.next(status.total - status.pending, performance.now());
      return { ...status, perSecond: state === 'running' ? perSecond : null };
    },
  };
}
