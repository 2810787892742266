import type { Store } from '../store/open-store.ts';
import type { BatchCache } from './batch-cache.ts';
import type { TemporalLink } from './temporal-link.ts';

/** What views and actions work on. */
export interface DashboardContext {
  readonly store: Store;
  readonly temporal: TemporalLink;
  readonly batches: BatchCache;
}
