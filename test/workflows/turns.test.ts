import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Turns } from '../../workflows/turns.ts';

type Who = 'begun' | 'new';

/** Conversations before a {@link Turns}, and what became of them. */
function crowd(limit: number) {
  const turns = new Turns(limit);
  const waiting: { readonly name: string; readonly who: Who }[] = [];
  const taken: string[] = [];
  let holders = 0;

  const hold = async (entry: (typeof waiting)[number]): Promise<void> => {
    await turns.take(entry.who);
    waiting.splice(waiting.indexOf(entry), 1);
    taken.push(entry.name);
    holders += 1;
  };
  const take = async (who: Who, name: string): Promise<void> => {
    const entry = { name, who };
    waiting.push(entry);
    void hold(entry);
    await settled();
  };
  const tryTake = (): boolean => {
    const isTaken = turns.tryTake();
    if (isTaken) holders += 1;
    return isTaken;
  };
  const give = async (): Promise<void> => {
    holders -= 1;
    turns.give();
    await settled();
  };
  const allow = async (most: number): Promise<void> => {
    turns.allow(most);
    await settled();
  };
  /** `taken`: who got a turn, in order. */
  return { turns, waiting, taken, holders: () => holders, take, tryTake, give, allow };
}

describe('turns', () => {
  it('are taken at once while there are any, and waited for after that', async () => {
    const { turns, tryTake, take, give, taken } = crowd(2);
    expect([tryTake(), tryTake(), tryTake()]).toEqual([true, true, false]);
    await take('new', 'a');
    await take('new', 'b');
    expect(taken).toEqual([]);
    await give();
    expect(taken).toEqual(['a']);
    await give();
    expect(taken).toEqual(['a', 'b']);
    expect(turns.isCrowded).toBe(false);
  });

  it('go to conversations that have begun before they go to new documents, and to those in order', async () => {
    const { turns, take, give, taken } = crowd(1);
    expect(turns.tryTake()).toBe(true);
    await take('new', 'first');
    await take('new', 'second');
    await take('begun', 'begun');
    for (let turn = 0; turn < 3; turn += 1) await give();
    expect(taken).toEqual(['begun', 'first', 'second']);
  });

  it('are not to be had past somebody who waits', async () => {
    const { turns, take, allow, taken } = crowd(0);
    await take('new', 'a');
    await take('new', 'b');
    await allow(1);
    expect(taken).toEqual(['a']);
    expect(turns.tryTake()).toBe(false);
    await allow(3);
    expect(taken).toEqual(['a', 'b']);
    expect(turns.tryTake()).toBe(true);
  });

  it('are too many out after the limit is lowered, until as many as that have come back', async () => {
    const { turns, take, tryTake, give, allow, taken } = crowd(3);
    expect([tryTake(), tryTake(), tryTake()]).toEqual([true, true, true]);
    await allow(1);
    expect(turns.isCrowded).toBe(true);
    await take('begun', 'a');
    await give();
    expect(turns.isCrowded).toBe(true);
    await give();
    expect(turns.isCrowded).toBe(false);
    expect(taken).toEqual([]);
    await give();
    expect(taken).toEqual(['a']);
  });

  it('are waited for by nobody any more once they are abandoned', async () => {
    const turns = new Turns(1);
    expect(turns.tryTake()).toBe(true);
    const waiting = [turns.take('begun'), turns.take('new')];
    const reason = new Error('the shard was cancelled');
    turns.abandon(reason);
    const ends = await Promise.allSettled([...waiting, turns.take('new')]);
    expect(ends).toEqual(Array.from({ length: 3 }, () => ({ status: 'rejected', reason })));
    turns.give();
    expect(turns.taken).toBe(0);
  });

  it('go to as many who wait as a raised limit lets in', async () => {
    const { take, allow, taken } = crowd(0);
    for (const name of ['a', 'b', 'c', 'd']) await take('new', name);
    await allow(3);
    expect(taken).toEqual(['a', 'b', 'c']);
  });
});

describe('turns, whoever comes and goes', () => {
  type Step =
    | { readonly kind: 'take'; readonly who: Who }
    | { readonly kind: 'tryTake' }
    | { readonly kind: 'give' }
    | { readonly kind: 'allow'; readonly limit: number };

  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('take'), who: fc.constantFrom('begun', 'new') }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('tryTake') }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('give') }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('allow'), limit: fc.nat({ max: 5 }) }) },
  );

  it('never pass their limit, leave none unused, and let nobody be forgotten', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 5 }), fc.array(step, { maxLength: 60 }), async (first, steps) => {
        const all = crowd(first);
        let limit = first;
        for (const [index, what] of steps.entries()) {
          const before = all.holders();
          if (what.kind === 'take') await all.take(what.who, `${what.who} ${index}`);
          else if (what.kind === 'tryTake') all.tryTake();
          else if (what.kind === 'allow') await all.allow((limit = what.limit));
          else if (before > 0) await all.give();

          expect(all.holders()).toBeLessThanOrEqual(Math.max(limit, before));
          expect(all.turns.isCrowded).toBe(all.holders() > limit);
          expect(all.waiting.length > 0 && all.holders() < limit).toBe(false);
        }
        await all.allow(1);
        while (all.waiting.length > 0) {
          const isBegunWaiting = all.waiting.some(({ who }) => who === 'begun');
          const turnsBefore = all.taken.length;
          await (all.holders() > 0 ? all.give() : all.allow(1));
          const [next] = all.taken.slice(turnsBefore);
          if (isBegunWaiting && next !== undefined) expect(next).toMatch(/^begun/);
          expect(all.holders()).toBeGreaterThan(0);
        }
        const newOnes = all.taken
          .filter((name) => name.startsWith('new'))
          .map((name) => Number(name.slice(4)));
        expect(newOnes).toEqual(newOnes.toSorted((a, b) => a - b));
        expect(all.taken).toHaveLength(steps.filter(({ kind }) => kind === 'take').length);
      }),
    );
  });
});

/** What follows from a given turn has happened. */
async function settled(): Promise<void> {
  await Promise.resolve();
  await Promise.resolve();
}
