/**
 * Makes one call for many callers: what is asked for while a call runs, or shortly after one began, goes into the next.
 * The first after a pause goes at once, so that a single caller waits for nobody.
 *
 * @param options.run takes distinct items, in order, and gives a result for each.
 * @param options.keyOf items with the same key never share a call.
 */
export function inGroups<Item, Result>(options: {
  readonly run: (items: readonly Item[]) => Promise<readonly Result[]>;
  readonly mostItems: number;
  readonly everyMs: number;
  readonly keyOf: (item: Item) => string;
}): (item: Item) => Promise<Result> {
  interface Waiting {
    readonly item: Item;
    resolve(result: Result): void;
    reject(error: unknown): void;
  }
  const { run, mostItems, everyMs, keyOf } = options;
  let waiting: Waiting[] = [];
  let isScheduled = false;
  let lastAt = Number.NEGATIVE_INFINITY;

  const takeGroup = (): readonly Waiting[] => {
    const keys = new Set<string>();
    const group: Waiting[] = [];
    const rest: Waiting[] = [];
    for (const entry of waiting) {
      const key = keyOf(entry.item);
      if (group.length < mostItems && !keys.has(key)) group.push(entry);
      else rest.push(entry);
      keys.add(key);
    }
    waiting = rest;
    return group;
  };
  const flush = async (): Promise<void> => {
    lastAt = performance.now();
    const group = takeGroup();
    try {
      const results = await run(group.map(({ item }) => item));
      for (const [index, entry] of group.entries()) entry.resolve(results[index] as Result);
    } catch (error) {
      for (const entry of group) entry.reject(error);
    }
    isScheduled = false;
    if (waiting.length > 0) schedule();
  };
  const schedule = (): void => {
    if (isScheduled) return;
    isScheduled = true;
    const delayMs = lastAt + everyMs - performance.now();
    if (delayMs > 0) setTimeout(() => void flush(), delayMs);
    else setImmediate(() => void flush());
  };
  return (item) =>
    new Promise<Result>((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      schedule();
    });
}
