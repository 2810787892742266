/**
 * How a slot goes from a call that has been answered to a document that waits for one in the same worker. The way by the shard,
 * which has to hear of the answer first, takes some fifty milliseconds, in which the slot would lie idle.
 */

/** The right to have one document of a shard in work, as a call holds it. */
export interface HeldSlot {
  /**
   * Gives it to the document that waits longest here.
   *
   * @returns that document's place in its batch; undefined where none waits, and the slot is still held.
   */
  handOn(): number | undefined;
  /** The call is over: what was not handed on goes back to the shard. */
  letGo(): void;
}

/** The slots that calls of this worker hold, by the shard whose they are. */
export interface SlotRelay {
  /** For a call that was given a slot by its shard. */
  hold(shard: string): HeldSlot;
  /**
   * Waits for the slot of another call.
   *
   * @param options.seq the document's place in its batch.
   * @returns undefined where none comes within {@link MOST_WAIT_MS}, or none can come: no call of the shard is under way here.
   */
  waitFor(
    shard: string,
    options: { readonly seq: number; readonly signal: AbortSignal },
  ): Promise<HeldSlot | undefined>;
}

/** Short enough for no heartbeat to be needed. Documents are sent ahead that slots come for in a second. */
export const MOST_WAIT_MS = 3_000;

interface Waiting {
  readonly seq: number;
  end(slot: HeldSlot | undefined): void;
}

interface SlotsOfShard {
  held: number;
  /** In the order in which they came. */
  readonly waiting: Set<Waiting>;
}

/** A worker in which no call is under way yet. */
export function slotRelay(): SlotRelay {
  const shards = new Map<string, SlotsOfShard>();

  const slotOf = (shard: string, slots: SlotsOfShard): HeldSlot => {
    let isHeld = true;
    return {
      handOn() {
        const [next] = slots.waiting;
        if (!isHeld || next === undefined) return undefined;
        isHeld = false;
        next.end(slotOf(shard, slots));
        return next.seq;
      },
      letGo() {
        if (!isHeld) return;
        isHeld = false;
        slots.held -= 1;
        if (slots.held > 0) return;
        shards.delete(shard);
        for (const waiting of slots.waiting) waiting.end(undefined);
      },
    };
  };

  return {
    hold(shard) {
      const slots = shards.get(shard) ?? { held: 0, waiting: new Set() };
      shards.set(shard, slots);
      slots.held += 1;
      return slotOf(shard, slots);
    },
    async waitFor(shard, { seq, signal }) {
      const slots = shards.get(shard);
      if (slots === undefined || signal.aborted) return undefined;
      return new Promise((resolve) => {
        const giveUp = (): void => waiting.end(undefined);
        const timer = setTimeout(giveUp, MOST_WAIT_MS);
        signal.addEventListener('abort', giveUp);
        const waiting: Waiting = {
          seq,
          end(slot) {
            clearTimeout(timer);
            signal.removeEventListener('abort', giveUp);
            slots.waiting.delete(waiting);
            resolve(slot);
          },
        };
        slots.waiting.add(waiting);
      });
    },
  };
}
