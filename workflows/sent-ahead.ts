/**
 * The documents of a shard that it has sent ahead: they wait in a worker until a call there is answered, and take its slot over
 * before the shard has heard of the answer. What it then hears, in whatever order, is put together here, so that no slot is lost
 * or counted twice.
 */
import type { Turns } from './turns.ts';

/** So many documents wait as slots come free in this time: about as long as an answer takes to bring a new document on its way. */
const AHEAD_MS = 1_000;
/** Calls that are as short as the way by the shard leave no slot idle for long, and the machine is what limits them. */
const SHORT_CALL_MS = 300;
/** Of the last call in the mean. */
const WEIGHT = 0.1;

/** A document whose slot the shard has not heard of, or one that has used it. */
type Sent =
  /** It waits in a worker, or is at it. */
  | 'out'
  /** It is at it, in a slot that another has handed on to it. */
  | 'granted'
  /** It was at it, and whoever handed a slot on to it has not said so yet. */
  | 'on credit'
  /** The same, and its conversation has ended: what its slot is to become then. */
  | { readonly handedTo: number | undefined };

/** Keeps the account. */
export class SentAhead {
  readonly #turns: Turns;
  readonly #pace: Pace;
  readonly #sent = new Map<number, Sent>();
  #out = 0;
  /** Of the calls that were heard of, the last ones weighing most; undefined before any. */
  #callMs: number | undefined;
  /** So many answers are to come before a further document is sent. */
  #patience = 0;

  /**
   * @param options.startedAt epoch milliseconds.
   * @param options.callMs how long calls took in earlier shards, where that is known.
   */
  constructor(turns: Turns, options: { readonly startedAt: number; readonly callMs: number | undefined }) {
    this.#turns = turns;
    this.#pace = new Pace(options.startedAt);
    this.#callMs = options.callMs;
  }

  /** How long calls take, in milliseconds; undefined before any has ended. */
  get callMs(): number | undefined {
    return this.#callMs;
  }

  /** Whether documents are out of whose slots nothing was heard. */
  get isAnyOut(): boolean {
    return this.#out > 0;
  }

  /**
   * Whether one more may be sent: none before it is known how long calls take, for short ones need none, and what the first
   * answers teach comes too late for who is on the way. By Little's law: as many wait as come free while they do.
   */
  mayGo(now: number): boolean {
    const { limit, isCrowded } = this.#turns;
    const callMs = this.#callMs ?? 0;
    if (isCrowded || this.#patience > 0 || callMs < SHORT_CALL_MS) return false;
    const perMs = this.#pace.perMs(now) ?? limit / callMs;
    return this.#out < Math.min(limit, Math.floor(perMs * AHEAD_MS));
  }

  send(seq: number): void {
    this.#sent.set(seq, 'out');
    this.#out += 1;
  }

  /**
   * An answer has come, to whatever document.
   *
   * @param callMs how long its call took.
   */
  heard(now: number, callMs: number): void {
    this.#pace.heard(now, this.#turns.limit);
    this.#callMs = this.#callMs === undefined ? callMs : this.#callMs + WEIGHT * (callMs - this.#callMs);
    if (this.#patience > 0) this.#patience -= 1;
  }

  /** One has come back answered, and so had a slot. */
  answered(seq: number): void {
    const sent = this.#sent.get(seq);
    if (sent === 'out') {
      this.#out -= 1;
      this.#sent.set(seq, 'on credit');
    } else if (sent === 'granted') this.#sent.delete(seq);
  }

  /**
   * One has come back unanswered.
   *
   * @returns whether it has a slot all the same. Where it was handed one of which is not heard yet, that one is free once it is.
   */
  cameBack(seq: number): boolean {
    const sent = this.#sent.get(seq);
    this.#sent.delete(seq);
    if (sent === 'out') this.#out -= 1;
    return sent === 'granted';
  }

  /** It came in vain: to wait where slots do not come free soon is of no use. */
  wasInVain(): void {
    this.#patience = 2 * this.#turns.limit;
  }

  /** Whether it is in a slot of which nobody has said yet that it was handed on. */
  isOnCredit(seq: number): boolean {
    return this.#sent.get(seq) === 'on credit';
  }

  /** The conversation about a document that had a slot has ended; in the worker the slot was handed on, or it was not. */
  end(seq: number, handedTo: number | undefined): void {
    if (this.isOnCredit(seq)) this.#sent.set(seq, { handedTo });
    else this.#release(handedTo);
  }

  #release(handedTo: number | undefined): void {
    const sent = handedTo === undefined ? undefined : this.#sent.get(handedTo);
    // Who has come back meanwhile has taken a turn of its own, or is going to.
    if (handedTo === undefined || sent === undefined) return this.#turns.give();
    if (sent === 'out') {
      this.#out -= 1;
      this.#sent.set(handedTo, 'granted');
      return;
    }
    this.#sent.delete(handedTo);
    if (typeof sent === 'object') this.#release(sent.handedTo);
  }
}

/** How quickly answers come. */
class Pace {
  readonly #startedAt: number;
  /** When the last of them came. */
  readonly #times: number[] = [];
  #isCut = false;

  constructor(startedAt: number) {
    this.#startedAt = startedAt;
  }

  /** @param slots of twice so many is kept: where they come in waves, of one wave at least. */
  heard(now: number, slots: number): void {
    this.#times.push(now);
    while (this.#times.length > Math.max(1, 2 * slots)) {
      this.#times.shift();
      this.#isCut = true;
    }
  }

  /** Undefined before the first. */
  perMs(now: number): number | undefined {
    const [first] = this.#times;
    if (first === undefined) return undefined;
    return this.#times.length / Math.max(1, now - (this.#isCut ? first : this.#startedAt));
  }
}
