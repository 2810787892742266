/** The right of a shard's conversations to go on. At most `limit` of them hold a turn. */
export class Turns {
  #limit: number;
  #taken = 0;
  readonly #waiting: Readonly<Record<'begun' | 'new', (() => void)[]>> = { begun: [], new: [] };

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether more turns are out than there may be: who comes to a next step then is to give its turn back. */
  get isCrowded(): boolean {
    return this.#taken > this.#limit;
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
      next();
    }
  }

  /** Takes a turn where one is free. A promise would cost more than all the rest. */
  tryTake(): boolean {
    if (this.#taken >= this.#limit) return false;
    this.#taken += 1;
    return true;
  }

  /** Takes a turn, as soon as there is one. Conversations that have begun go before new documents. */
  take(who: 'begun' | 'new'): Promise<void> {
    return new Promise<void>((resolve) => {
      this.#waiting[who].push(resolve);
      this.allow(this.#limit);
    });
  }

  give(): void {
    this.#taken -= 1;
    this.allow(this.#limit);
  }
}
