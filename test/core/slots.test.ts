import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  MOST_SLOTS_OF_A_SHARD,
  USUAL_SLOTS_OF_A_SHARD,
  allotSlots,
  firstSlots,
  isAsItSaid,
  isNextShardDue,
  withLimit,
} from '../../src/core/slots.ts';
import type { ShardSlots } from '../../src/core/slots.ts';

const MOST = MOST_SLOTS_OF_A_SHARD;
const USUAL = USUAL_SLOTS_OF_A_SHARD;

describe('slots', () => {
  test.each<
    [
      concurrency: number,
      wants: readonly (number | null)[],
      limits: readonly number[],
      spare: number,
      atTheEnd: readonly number[],
    ]
  >([
    [0, [], [], 0, []],
    [50, [], [], 50, []],
    [50, [null], [50], 0, [50]],
    [0, [null, 3], [0, 0], 0, [0, 0]],
    [50, [20, null], [20, 30], 0, [20, 30]],
    [50, [20, 5], [20, 5], 25, [20, 5]],
    [50, [0, null], [0, 50], 0, [0, 50]],
    [50, [null, null], [50, 0], 0, [50, 0]],
    [10, [8, 8, 8], [8, 2, 0], 0, [8, 2, 0]],
    [100, [null, null], [USUAL, USUAL], 0, [USUAL, USUAL]],
    [100, [20, null], [20, USUAL], 30, [20, 80]],
    [1_000, [null], [USUAL], 1_000 - USUAL, [MOST]],
    [MOST + 150, [null, null, null], [USUAL, USUAL, USUAL], MOST, [MOST, 100, USUAL]],
    [1_000, [MOST + 100], [USUAL], 1_000 - USUAL, [MOST]],
  ])(
    '%i, shared among shards that want %j, are %j and %i to spare, and %j where there is no other shard to open',
    (concurrency, wants, limits, spare, atTheEnd) => {
      const shards = wants.map((want, index) => ({ shard: index + 1, limit: 0, most: 0, wants: want }));
      const allotted = allotSlots({ concurrency, shards, isAllOpened: false });
      expect([...allotted.limits.values()]).toEqual(limits);
      expect(allotted.spare).toBe(spare);
      const last = allotSlots({ concurrency, shards, isAllOpened: true });
      expect([...last.limits.values()]).toEqual(atTheEnd);
    },
  );

  it('are left to a shard that has had more than usual, which may still hold them', () => {
    const shards = [{ shard: 1, limit: 0, most: 80, wants: null }];
    const { limits, spare } = allotSlots({ concurrency: 100, shards, isAllOpened: false });
    expect([...limits.values()]).toEqual([80]);
    expect(spare).toBe(20);
  });

  it('are shared out whole, to none more than it can use, and spared only where nobody can use more', () => {
    const wants = fc.option(fc.nat({ max: 2 * MOST }));
    const shards = fc
      .array(fc.record({ limit: fc.nat({ max: MOST }), most: fc.nat({ max: MOST }), wants }), {
        maxLength: 12,
      })
      .map((all) => all.map((slots, index): ShardSlots => ({ ...slots, shard: index + 1 })));
    fc.assert(
      fc.property(fc.nat({ max: 2_000 }), shards, fc.boolean(), (concurrency, all, isAllOpened) => {
        const { limits, spare } = allotSlots({ concurrency, shards: all, isAllOpened });
        expect([...limits.keys()]).toEqual(all.map(({ shard }) => shard));
        const shared = [...limits.values()].reduce((sum, limit) => sum + limit, 0);
        expect(shared).toBeLessThanOrEqual(concurrency);
        expect(spare).toBe(concurrency - shared);
        for (const { shard, most, wants: want } of all) {
          const limit = limits.get(shard) ?? Number.NaN;
          const usable = Math.min(want ?? MOST, isAllOpened ? MOST : Math.max(USUAL, most));
          expect(limit).toBeGreaterThanOrEqual(0);
          expect(limit).toBeLessThanOrEqual(usable);
          if (spare > 0) expect(limit).toBe(usable);
        }
      }),
    );
  });
});

/** A shard of the simulation, and the messages that are on their way. */
interface SimulatedShard {
  readonly shard: number;
  limit: number;
  /** Documents not begun. */
  left: number;
  /** Conversations with a turn, and without one. */
  inWork: number;
  held: number;
  /** What it told last; null before it told anything. */
  told: number | null;
  isOver: boolean;
  readonly limitsUnderWay: number[];
  readonly reportsUnderWay: {
    readonly wants: number;
    readonly givenBack: number;
    readonly hasEnded: boolean;
  }[];
}

/**
 * A coordinator and its shards as `workflows/batch.ts` and `workflows/shard.ts` have them, with nothing but documents to
 * count. Messages between two of them arrive in order, and as late as `draw` likes.
 */
function simulation(options: { readonly documents: number; readonly documentsOfAShard: number }) {
  const all: SimulatedShard[] = [];
  const known = new Map<number, ShardSlots>();
  let unopened = options.documents;
  let done = 0;
  let concurrency = 0;

  const share = (): void => {
    const { limits, spare } = allotSlots({
      concurrency,
      shards: [...known.values()],
      isAllOpened: unopened === 0,
    });
    for (const slots of known.values()) {
      const limit = limits.get(slots.shard) ?? 0;
      if (limit === slots.limit) continue;
      const now = withLimit(slots, limit);
      known.set(slots.shard, now);
      if (!isAsItSaid(slots, now)) all[slots.shard - 1]?.limitsUnderWay.push(limit);
    }
    const isDue = spare > 0 || (concurrency > 0 && isNextShardDue(concurrency, [...known.values()]));
    if (!isDue || unopened === 0) return;
    const shard = all.length + 1;
    const limit = firstSlots(spare);
    const left = Math.min(unopened, options.documentsOfAShard);
    unopened -= left;
    known.set(shard, { shard, limit, most: limit, wants: null });
    all.push({
      shard,
      limit,
      left,
      inWork: 0,
      held: 0,
      told: null,
      isOver: false,
      limitsUnderWay: [],
      reportsUnderWay: [],
    });
    share();
  };
  const report = (shard: SimulatedShard, givenBack: number): void => {
    shard.told = shard.inWork + shard.held;
    shard.isOver = shard.told === 0;
    shard.reportsUnderWay.push({ wants: shard.told, givenBack, hasEnded: shard.isOver });
  };
  const takeReport = (shard: SimulatedShard): void => {
    const message = shard.reportsUnderWay.shift();
    const slots = known.get(shard.shard);
    if (message === undefined || slots === undefined) return;
    unopened += message.givenBack;
    if (message.hasEnded) known.delete(shard.shard);
    else known.set(shard.shard, { ...slots, wants: message.wants });
    share();
  };

  /** What could happen to a shard next. */
  const eventsOf = (shard: SimulatedShard): readonly (() => void)[] => {
    const { limit, inWork, held, left, told } = shard;
    const events: (() => void)[] = [];
    const add = (isPossible: boolean, event: () => void): void => {
      if (isPossible) events.push(event);
    };
    add(shard.limitsUnderWay.length > 0, () => {
      shard.limit = shard.limitsUnderWay.shift() ?? 0;
    });
    add(shard.reportsUnderWay.length > 0, () => takeReport(shard));
    if (shard.isOver) return events;
    // All that it may begin: it does that in one go.
    add(inWork < limit && (held > 0 || left > 0), () => {
      const goOn = Math.min(held, limit - inWork);
      const begin = Math.min(left, limit - inWork - goOn);
      shard.held -= goOn;
      shard.left -= begin;
      shard.inWork += goOn + begin;
    });
    add(inWork > limit, () => {
      shard.inWork -= 1;
      shard.held += 1;
    });
    add(inWork > 0, () => {
      const some = Math.ceil(inWork / 4);
      shard.inWork -= some;
      done += some;
    });
    add(left === 0 && told !== inWork + held, () => report(shard, 0));
    return events;
  };
  return {
    done: () => done,
    inWork: () => all.reduce((sum, shard) => sum + shard.inWork, 0),
    allow(most: number): void {
      concurrency = most;
      share();
    },
    /** A shard whose history has become long begins no further document. */
    tire(index: number): void {
      const shard = all[index % Math.max(all.length, 1)];
      if (shard === undefined || shard.left === 0) return;
      const givenBack = shard.left;
      shard.left = 0;
      report(shard, givenBack);
    },
    /** Lets one thing happen; false where nothing can. */
    step(draw: number): boolean {
      const events = all.flatMap(eventsOf);
      const event = events[draw % Math.max(events.length, 1)];
      event?.();
      return event !== undefined;
    },
  };
}

describe('a coordinator and its shards, whatever is late', () => {
  const draws = fc.array(fc.nat(), { minLength: 1, maxLength: 200 });

  it('never have more documents in work than the batch may, over raises, pauses and tired shards, and do all of them', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 3_000 }),
        fc.integer({ min: 30, max: 600 }),
        fc.integer({ min: 1, max: 900 }),
        draws,
        fc.array(fc.constantFrom('raise', 'pause', 'resume', 'tire'), { maxLength: 20 }),
        (documents, documentsOfAShard, first, drawn, orders) => {
          const batch = simulation({ documents, documentsOfAShard });
          let concurrency = first;
          batch.allow(concurrency);
          const go = (draw: number): boolean => {
            const hasHappened = batch.step(draw);
            expect(batch.inWork()).toBeLessThanOrEqual(concurrency);
            return hasHappened;
          };
          for (const [index, draw] of drawn.entries()) {
            const order = index % 7 === 0 ? orders[index / 7] : undefined;
            if (order === 'raise') batch.allow((concurrency += draw % 300));
            else if (order === 'pause') batch.allow(0);
            else if (order === 'resume') batch.allow(concurrency);
            else if (order === 'tire') batch.tire(draw);
            go(draw);
          }
          batch.allow(concurrency);
          for (let step = 0; go((drawn[step % drawn.length] ?? 0) + step); step += 1);
          expect(batch.done()).toBe(documents);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('come down to a lowered concurrency, and do all documents by it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_500 }),
        fc.array(fc.integer({ min: 1, max: 600 }), { minLength: 1, maxLength: 8 }),
        draws,
        (documents, concurrencies, drawn) => {
          const batch = simulation({ documents, documentsOfAShard: 500 });
          const most = Math.max(...concurrencies);
          for (const [index, draw] of drawn.entries()) {
            if (index % 9 === 0) batch.allow(concurrencies[(index / 9) % concurrencies.length] ?? 1);
            batch.step(draw);
          }
          batch.allow(1);
          for (let step = 0; batch.step((drawn[step % drawn.length] ?? 0) + step); step += 1) {
            expect(batch.inWork()).toBeLessThanOrEqual(most);
          }
          expect(batch.done()).toBe(documents);
          expect(batch.inWork()).toBe(0);
        },
      ),
      { numRuns: 40 },
    );
  });
});
