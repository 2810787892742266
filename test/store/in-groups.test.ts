import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { inGroups } from '../../src/store/in-groups.ts';

const EVERY_MS = 10;

interface Item {
  readonly key: string;
  readonly name: string;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Calls that end when the test says so. */
function heldCalls(mostItems = 100) {
  const calls: {
    readonly names: readonly string[];
    end(thenMs?: number): Promise<void>;
    fail(error: Error): Promise<void>;
  }[] = [];
  const call = inGroups<Item, string>({
    run: (items) =>
      new Promise((resolve, reject) => {
        calls.push({
          names: items.map(({ name }) => name),
          async end(thenMs = EVERY_MS) {
            resolve(items.map(({ name }) => `result of ${name}`));
            await vi.advanceTimersByTimeAsync(thenMs);
          },
          async fail(error) {
            reject(error);
            await vi.advanceTimersByTimeAsync(EVERY_MS);
          },
        });
      }),
    mostItems,
    everyMs: EVERY_MS,
    keyOf: ({ key }) => key,
  });
  return {
    calls,
    names: () => calls.map(({ names }) => names),
    ask: (name: string, key = name): Promise<string> => call({ key, name }),
  };
}

/** Lets what is due now happen, and no time pass. */
async function now(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

describe('calls made in groups', () => {
  it('begin with the first caller at once', async () => {
    const { ask, calls, names } = heldCalls();
    const asked = ask('a');
    await now();
    expect(names()).toEqual([['a']]);
    await calls[0]?.end();
    expect(await asked).toBe('result of a');
  });

  it('take together what arrives while a call runs', async () => {
    const { ask, calls, names } = heldCalls();
    const first = ask('a');
    await now();
    const later = [ask('b'), ask('c')];
    await vi.advanceTimersByTimeAsync(100);
    later.push(ask('d'));
    await calls[0]?.end();
    expect(names()).toEqual([['a'], ['b', 'c', 'd']]);
    await calls[1]?.end();
    expect(await Promise.all([first, ...later])).toEqual(
      ['a', 'b', 'c', 'd'].map((name) => `result of ${name}`),
    );
  });

  it('wait for company shortly after one began, and not after a pause', async () => {
    const { ask, calls, names } = heldCalls();
    const asked = [ask('a')];
    await now();
    await calls[0]?.end(1);
    asked.push(ask('b'));
    await vi.advanceTimersByTimeAsync(EVERY_MS - 2);
    asked.push(ask('c'));
    expect(names()).toEqual([['a']]);
    await vi.advanceTimersByTimeAsync(1);
    expect(names()).toEqual([['a'], ['b', 'c']]);
    await calls[1]?.end();
    await vi.advanceTimersByTimeAsync(100);

    asked.push(ask('d'));
    await now();
    expect(names()[2]).toEqual(['d']);
    await calls[2]?.end();
    expect(await Promise.all(asked)).toHaveLength(4);
  });

  it('never hold two of one key, which go one after the other, in order', async () => {
    const { ask, calls, names } = heldCalls();
    const asked = [ask('a1', 'a'), ask('a2', 'a'), ask('b1', 'b'), ask('a3', 'a')];
    await now();
    for (let call = 0; call < 3; call += 1) await calls[call]?.end();
    expect(names()).toEqual([['a1', 'b1'], ['a2'], ['a3']]);
    expect(await Promise.all(asked)).toEqual(['a1', 'a2', 'b1', 'a3'].map((name) => `result of ${name}`));
  });

  it('hold no more than they may, and keep the order', async () => {
    const { ask, calls, names } = heldCalls(2);
    const asked = ['a', 'b', 'c', 'd', 'e'].map((name) => ask(name));
    await now();
    for (let call = 0; call < 3; call += 1) await calls[call]?.end();
    expect(names()).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
    expect(await Promise.all(asked)).toHaveLength(5);
  });

  it('fail for their own group only', async () => {
    const { ask, calls } = heldCalls();
    const first = Promise.allSettled([ask('a'), ask('b')]);
    await now();
    const second = ask('c');
    await calls[0]?.fail(new Error('the disk is full'));
    await calls[1]?.end();
    expect(await first).toMatchObject([
      { status: 'rejected', reason: { message: 'the disk is full' } },
      { status: 'rejected', reason: { message: 'the disk is full' } },
    ]);
    expect(await second).toBe('result of c');
  });
});

describe('calls made in groups, whoever comes when', () => {
  const arrival = fc.record({ afterMs: fc.nat({ max: 15 }), key: fc.constantFrom('a', 'b', 'c', 'd') });
  const call = fc.record({ takesMs: fc.nat({ max: 30 }), isFailing: fc.boolean() });

  it('run one at a time, keep the order of each key, and answer everybody with his own result', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(arrival, { maxLength: 40 }),
        fc.array(call, { minLength: 1, maxLength: 10 }),
        fc.integer({ min: 1, max: 6 }),
        async (arrivals, fates, mostItems) => {
          const groups: { readonly items: readonly Item[]; readonly isFailing: boolean }[] = [];
          let running = 0;
          const ask = inGroups<Item, string>({
            async run(items) {
              running += 1;
              expect(running).toBe(1);
              const fate = fates[groups.length % fates.length];
              groups.push({ items, isFailing: fate?.isFailing ?? false });
              await new Promise((resolve) => setTimeout(resolve, fate?.takesMs));
              running -= 1;
              if (fate?.isFailing) throw new Error(`not ${items.map(({ name }) => name).join()}`);
              return items.map(({ name }) => `result of ${name}`);
            },
            mostItems,
            everyMs: EVERY_MS,
            keyOf: ({ key }) => key,
          });
          const asked: Promise<PromiseSettledResult<string>[]>[] = [];
          for (const [index, { afterMs, key }] of arrivals.entries()) {
            await vi.advanceTimersByTimeAsync(afterMs);
            asked.push(Promise.allSettled([ask({ key, name: `${index}` })]));
          }
          await vi.runAllTimersAsync();

          const served = groups.flatMap(({ items }) => items);
          expect(served).toHaveLength(arrivals.length);
          for (const { items } of groups) {
            expect(items.length).toBeLessThanOrEqual(mostItems);
            expect(new Set(items.map(({ key }) => key)).size).toBe(items.length);
          }
          for (const ofKey of Map.groupBy(served, ({ key }) => key).values()) {
            const order = ofKey.map(({ name }) => Number(name));
            expect(order).toEqual(order.toSorted((a, b) => a - b));
          }
          const failed = new Set(
            groups.flatMap(({ items, isFailing }) => (isFailing ? items.map(({ name }) => name) : [])),
          );
          const answers = (await Promise.all(asked)).flat();
          for (const [index, answer] of answers.entries()) {
            if (failed.has(`${index}`)) expect(answer.status).toBe('rejected');
            else expect(answer).toEqual({ status: 'fulfilled', value: `result of ${index}` });
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
