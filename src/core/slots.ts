/**
 * How a batch's concurrency is shared out among its shards. A slot is the right to have one document in work.
 *
 * A slot moves to another shard only after its holder has said that it needs it no more, so that all shards together never
 * have more documents in work than the batch may.
 */

/** More documents in work would make a shard's workflow the bottleneck; the next shard gets the rest. */
export const MOST_SLOTS_OF_A_SHARD = 250;

/** What the coordinator knows of one shard. */
export interface ShardSlots {
  readonly shard: number;
  /** What it was told last. */
  readonly limit: number;
  /** What it can use; null as long as it has documents that wait, and so can use all that it gets. */
  readonly wants: number | null;
}

/** Who may have how many documents in work. */
export interface Allotment {
  /** By shard. */
  readonly limits: ReadonlyMap<number, number>;
  /** What no shard can use. */
  readonly spare: number;
}

/**
 * Shares `concurrency` slots out, the oldest shard first: it is nearest to its end, and its end frees what it holds.
 *
 * @param concurrency 0 for a paused batch.
 */
export function allotSlots(concurrency: number, shards: readonly ShardSlots[]): Allotment {
  const limits = new Map<number, number>();
  let spare = concurrency;
  for (const { shard, wants } of shards) {
    const limit = Math.min(wants ?? MOST_SLOTS_OF_A_SHARD, MOST_SLOTS_OF_A_SHARD, spare);
    limits.set(shard, limit);
    spare -= limit;
  }
  return { limits, spare };
}
