/**
 * How a batch's concurrency is shared out among its shards. A slot is the right to have one document in work.
 *
 * A slot moves to another shard only after its holder has said that it needs it no more, so that all shards together never
 * have more documents in work than the batch may.
 */

/**
 * Slots of a shard while there are documents that no shard has. A workflow's calls end one at a time: with many more, each waits for
 * the others, and what the coordinator says to the shard waits for all of them.
 */
export const USUAL_SLOTS_OF_A_SHARD = 50;
/** At the end of a batch the last shards share all slots out among themselves, up to what a workflow can bear. */
export const MOST_SLOTS_OF_A_SHARD = 250;

/** What the coordinator knows of one shard. */
export interface ShardSlots {
  readonly shard: number;
  /** What it was told last. */
  readonly limit: number;
  /** The highest limit that it was told ever: so many documents it may still have in work after a pause. */
  readonly most: number;
  /** What it can use; null as long as it has documents that wait, and so can use all that it gets. */
  readonly wants: number | null;
}

/** Who may have how many documents in work. */
export interface Allotment {
  /** By shard. */
  readonly limits: ReadonlyMap<number, number>;
  /** What no shard is to have. */
  readonly spare: number;
}

/**
 * Shares slots out, the oldest shard first: it is nearest to its end, and its end frees what it holds.
 *
 * @param options.concurrency 0 for a paused batch.
 * @param options.isAllOpened whether there is no other shard to open with what is to spare.
 */
export function allotSlots(options: {
  readonly concurrency: number;
  readonly shards: readonly ShardSlots[];
  readonly isAllOpened: boolean;
}): Allotment {
  const { concurrency, shards, isAllOpened } = options;
  const limits = new Map<number, number>();
  let spare = concurrency;
  const share = (capOf: (slots: ShardSlots) => number): void => {
    for (const slots of shards) {
      const { shard, wants } = slots;
      const has = limits.get(shard) ?? 0;
      const limit = Math.min(wants ?? MOST_SLOTS_OF_A_SHARD, capOf(slots), has + spare);
      limits.set(shard, limit);
      spare -= limit - has;
    }
  };
  share(({ most }) => Math.max(USUAL_SLOTS_OF_A_SHARD, most));
  // Only what the others do not have: what they have, they hold until they say that they need it no more.
  if (isAllOpened) share(() => MOST_SLOTS_OF_A_SHARD);
  return { limits, spare };
}

/**
 * Whether another shard is to be opened, although there is no slot for it yet: those of a shard that has begun its last document
 * come free soon, and are not to wait for its opening.
 */
export function isNextShardDue(concurrency: number, shards: readonly ShardSlots[]): boolean {
  const waiting = shards.filter(({ wants }) => wants === null);
  return waiting.length * USUAL_SLOTS_OF_A_SHARD < concurrency;
}

/** What a shard begins with, of slots that are to spare. */
export function firstSlots(spare: number): number {
  return Math.min(spare, USUAL_SLOTS_OF_A_SHARD);
}

/** What is known of a shard that is told a limit. */
export function withLimit(slots: ShardSlots, limit: number): ShardSlots {
  return { ...slots, limit, most: Math.max(slots.most, limit) };
}

/** Whether a shard has given up what it loses by itself, and need not be told: it has said that it needs no more than it has now. */
export function isAsItSaid(before: ShardSlots, now: ShardSlots): boolean {
  return now.limit === now.wants && now.limit < before.limit;
}
