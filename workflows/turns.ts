/** Who waits for a turn. */
interface Waiting {
  resolve(): void;
  reject(reason: unknown): void;
}

/** The right of a shard's conversations to go on. At most `limit` of them hold a turn. */
export class Turns {
  #limit: number;
  #taken = 0;
  #abandoned: { readonly reason: unknown } | undefined;
  readonly #waiting: Readonly<Record<'begun' | 'new', Waiting[]>> = { begun: [], new: [] };

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether more turns are out than there may be: who comes to a next step then is to give its turn back. */
  get isCrowded(): boolean {
    return this.#taken > this.#limit;
  }

  /** How many may hold one. */
  get limit(): number {
    return this.#limit;
  }

  /** How many hold one. */
  get taken(): number {
    return this.#taken;
  }

  /** Another limit. */
  allow(limit: number): void {
    this.#limit = limit;
    while (this.#taken < this.#limit) {
      const next = this.#waiting.begun.shift() ?? this.#waiting.new.shift();
      if (next === undefined) return;
      this.#taken += 1;
      next.resolve();
    }
  }

  /** Whether one is to be had: those who wait get theirs first. */
  get isFree(): boolean {
    return this.#taken < this.#limit;
  }

  /** Takes a turn where one is free. A promise would cost more than all the rest. */
  tryTake(): boolean {
    if (!this.isFree) return false;
    this.#taken += 1;
    return true;
  }

  /** Takes a turn, as soon as there is one. Conversations that have begun go before new documents. */
  take(who: 'begun' | 'new'): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      if (this.#abandoned !== undefined) return reject(this.#abandoned.reason);
      this.#waiting[who].push({ resolve, reject });
      this.allow(this.#limit);
    });
  }

  /** Lets nobody wait any longer. Said once: to race each turn against a cancellation would cost six promises more for each. */
  abandon(reason: unknown): void {
    this.#abandoned = { reason };
    for (const one of [...this.#waiting.begun.splice(0), ...this.#waiting.new.splice(0)]) one.reject(reason);
  }

  give(): void {
    this.#taken -= 1;
    this.allow(this.#limit);
  }
}
