/**
 * Documents of a shard that are asked about one after the other, in one turn, by one activity. Where calls are short, what it takes
 * to hand each of them out by itself is most of the work.
 */
import { isCancellation } from '@temporalio/workflow';
import type { AskInput } from '../activities/ask.ts';
import type { SeriesResult, Told } from '../activities/ask-series.ts';

/** With more, little is left to gain, and who waits at the end of it hears the less of what is learnt meanwhile. */
const MOST_DOCUMENTS = 8;
/** Longer calls are handed out one by one: to do so is a small part of them. */
const LONGEST_CALL_MS = 300;
/** A series is planned to be over by then, if the store and the worker keep up. */
const PLANNED_MS = 500;
/** Of series that have all to be asked one by one after all. */
const MOST_PATIENCE = 64;

/** How long the next series is to be. */
export class SeriesLength {
  /** How many answers there were; undefined where earlier shards have told what first answers teach. */
  #heard: number | undefined;
  #patience = 1;
  #toHear = 0;

  /** @param options.isTaught whether there were earlier shards, whose lessons are known. */
  constructor(options: { readonly isTaught: boolean }) {
    this.#heard = options.isTaught ? undefined : 0;
  }

  /** An answer has come. */
  heard(): void {
    if (this.#heard !== undefined) this.#heard += 1;
    if (this.#toHear > 0) this.#toHear -= 1;
  }

  /** One has ended; in vain where a document of it is to be asked by itself. Those that were under way beside it have the same cause. */
  ended(isInVain: boolean, slots: number): void {
    if (!isInVain) {
      this.#patience = 1;
      return;
    }
    if (this.#toHear > 0) return;
    this.#toHear = this.#patience * slots;
    this.#patience = Math.min(MOST_PATIENCE, 2 * this.#patience);
  }

  /**
   * @param options.left documents that have not begun.
   * @param options.slots in which they can be asked about at once.
   * @param options.callMs how long calls take; undefined before any has ended.
   * @returns 1 for none.
   */
  next(options: {
    readonly left: number;
    readonly slots: number;
    readonly callMs: number | undefined;
  }): number {
    const { left, slots, callMs } = options;
    if (callMs === undefined || callMs >= LONGEST_CALL_MS || this.#toHear > 0) return 1;
    const most = Math.min(
      MOST_DOCUMENTS,
      PLANNED_MS / Math.max(1, callMs),
      // Those at the end are shorter, so that all slots come to it together.
      left / Math.max(1, slots),
      // No more wait unheard of what goes wrong than have told it.
      this.#heard === undefined ? MOST_DOCUMENTS : this.#heard / Math.max(1, slots),
    );
    return Math.max(1, Math.floor(most));
  }
}

interface Member {
  readonly input: AskInput;
  readonly provider: string;
  resolve(result: SeriesResult): void;
  reject(error: unknown): void;
}

/** One series: it is asked once all its documents are ready for it. */
export class Series {
  readonly #members: Set<number>;
  readonly #ready = new Map<number, Member>();
  readonly #options: SeriesOptions;
  #hasBegun = false;

  /** @param seqs the documents', by their places in the batch. */
  constructor(seqs: readonly number[], options: SeriesOptions) {
    this.#members = new Set(seqs);
    this.#options = options;
  }

  /**
   * The first attempt of one of them.
   *
   * @param provider of whose answers: one that goes elsewhere than the first is left.
   */
  ask(seq: number, input: AskInput, provider: string): Promise<SeriesResult> {
    return new Promise((resolve, reject) => {
      this.#ready.set(seq, { input, provider, resolve, reject });
      this.#beginOnceReady();
    });
  }

  /** What has become of one of them is known before the end, since another takes long. */
  tell({ seq, result }: Told): void {
    this.#ready.get(seq)?.resolve(result);
  }

  /** One of them needs its turn no more: it has ended, or goes on by itself. */
  leave(seq: number): void {
    this.#members.delete(seq);
    if (this.#members.size === 0) this.#options.end();
    this.#beginOnceReady();
  }

  #beginOnceReady(): void {
    if (this.#hasBegun || this.#ready.size < this.#members.size || this.#ready.size === 0) return;
    this.#hasBegun = true;
    void this.#askAll();
  }

  async #askAll(): Promise<void> {
    const [first, ...others] = [...this.#ready.values()];
    if (first === undefined) return;
    const asked = [first, ...others.filter(({ provider }) => provider === first.provider)];
    for (const member of others) if (member.provider !== first.provider) member.resolve({ status: 'left' });
    try {
      const results = await this.#options.ask(
        asked.map(({ input }) => input),
        first.provider,
      );
      for (const [index, member] of asked.entries()) member.resolve(results[index] ?? { status: 'left' });
    } catch (error) {
      for (const member of asked) {
        if (isCancellation(error)) member.reject(error);
        // Whatever it was shows again where each is asked by itself, and costs the others nothing then.
        else member.resolve({ status: 'left' });
      }
    }
  }
}

interface SeriesOptions {
  ask(asks: readonly AskInput[], provider: string): Promise<readonly SeriesResult[]>;
  /** The last one needs the turn no more. */
  end(): void;
}
