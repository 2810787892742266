/** How batches stand, and how fast they come along: remembered between one look and the next. */
import { statusOf } from '../client/batch-handle.ts';
import type { BatchState } from '../core/batch-contract.ts';
import { paceMeter } from '../core/pace.ts';
import type { PaceMeter } from '../core/pace.ts';
import type { StoredBatch } from '../store/batches.ts';
import type { Store } from '../store/open-store.ts';
import type { ShownBatch } from './data.ts';

/** A batch that is over is summed up so often: only what a person enters by hand still changes it. */
const SUMMED_EVERY_MS = 10_000;

/** Reads how batches stand. */
export interface BatchCache {
  read(batch: StoredBatch, state: BatchState): Promise<ShownBatch>;
  /** Sums everything up anew: something was done. */
  forget(): void;
}

/** A batch that is over is summed up now and then; one that is not, each time. */
export function batchCache(store: Store): BatchCache {
  const over = new Map<
    string,
    { readonly version: string; readonly at: number; readonly shown: ShownBatch }
  >();
  const meters = new Map<string, PaceMeter>();
  return {
    async read(batch, state) {
      const { id, round, finishedAt } = batch;
      const version = JSON.stringify([state, round, finishedAt]);
      const known = over.get(id);
      if (known?.version === version && performance.now() - known.at < SUMMED_EVERY_MS) return known.shown;
      const status = await statusOf(store, batch, state);
      if (state === 'completed' || state === 'cancelled') {
        const shown = { ...status, perSecond: null };
        over.set(id, { version, at: performance.now(), shown });
        meters.delete(id);
        return shown;
      }
      const meter = meters.get(id) ?? paceMeter();
      meters.set(id, meter);
      const perSecond = meter.next(status.total - status.pending, performance.now());
      return { ...status, perSecond: state === 'running' ? perSecond : null };
    },
    forget: () => over.clear(),
  };
}
