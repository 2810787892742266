import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { slotRelay } from '../../activities/slot-relay.ts';
import type { HeldSlot, SlotRelay } from '../../activities/slot-relay.ts';
import { SentAhead } from '../../workflows/sent-ahead.ts';
import { Turns } from '../../workflows/turns.ts';

/** @param callMs null where it is not known yet. */
function account(limit: number, callMs: number | null = 1_000) {
  const turns = new Turns(limit);
  return { turns, ahead: new SentAhead(turns, { startedAt: 0, callMs: callMs ?? undefined }) };
}

/** How many may be sent, one after the other. */
function sendAll(ahead: SentAhead, now: number): number {
  let sent = 0;
  while (ahead.mayGo(now)) {
    ahead.send(1_000 + sent);
    sent += 1;
  }
  return sent;
}

describe('documents that are sent ahead', () => {
  it('are as many as slots come free in a second, and no more than there are slots', () => {
    expect(sendAll(account(50, 1_000).ahead, 0)).toBe(50);
    expect(sendAll(account(50, 10_000).ahead, 0)).toBe(5);
    expect(sendAll(account(50, 60_000).ahead, 0)).toBe(0);
    expect(sendAll(account(50, 500).ahead, 0)).toBe(50);
  });

  it('are none where calls are short, or nobody knows yet how long they are', () => {
    expect(sendAll(account(50, 20).ahead, 0)).toBe(0);
    const { ahead } = account(50, null);
    expect(ahead.mayGo(0)).toBe(false);
    for (let answer = 0; answer < 10; answer += 1) ahead.heard(20, 20);
    expect(ahead.callMs).toBe(20);
    expect(ahead.mayGo(20)).toBe(false);
  });

  it('are fewer where answers come slowly although calls are quick: something else holds them back', () => {
    const { ahead } = account(50, 1_000);
    for (let answer = 1; answer <= 20; answer += 1) ahead.heard(answer * 500, 1_000);
    expect(sendAll(ahead, 10_000)).toBe(2);
  });

  it('are none while too many turns are out', () => {
    const { ahead, turns } = account(2);
    expect([turns.tryTake(), turns.tryTake()]).toEqual([true, true]);
    turns.allow(1);
    expect(ahead.mayGo(0)).toBe(false);
  });

  it('are none for a while after one came back in vain', () => {
    const { ahead } = account(3);
    ahead.send(1);
    expect(ahead.cameBack(1)).toBe(false);
    ahead.wasInVain();
    for (let answer = 1; answer <= 6; answer += 1) {
      expect(ahead.mayGo(answer)).toBe(false);
      ahead.heard(answer, 1_000);
    }
    expect(ahead.mayGo(7)).toBe(true);
  });
});

describe('a slot that was handed on', () => {
  it('comes free with the document that has it, whichever of the two is heard of first', () => {
    const { turns, ahead } = account(2);
    expect([turns.tryTake(), turns.tryTake()]).toEqual([true, true]);
    for (const seq of [2, 3]) ahead.send(seq);
    ahead.end(0, 2);
    expect(turns.taken).toBe(2);
    ahead.answered(2);
    ahead.end(2, undefined);
    expect(turns.taken).toBe(1);
    ahead.answered(3);
    ahead.end(3, undefined);
    expect([turns.taken, ahead.isAnyOut]).toEqual([1, false]);
    ahead.end(1, 3);
    expect(turns.taken).toBe(0);
  });

  it('comes free once where the call that handed it on is made again, and says nothing of it', () => {
    const { turns, ahead } = account(1);
    expect(turns.tryTake()).toBe(true);
    ahead.send(1);
    ahead.answered(1);
    ahead.end(1, undefined);
    ahead.end(0, undefined);
    expect(turns.taken).toBe(0);
  });

  it('is kept by a document whose worker was lost, or comes free where that was heard of first', () => {
    const { turns, ahead } = account(2);
    expect([turns.tryTake(), turns.tryTake()]).toEqual([true, true]);
    for (const seq of [2, 3]) ahead.send(seq);
    ahead.end(0, 2);
    expect(ahead.cameBack(2)).toBe(true);
    expect(ahead.cameBack(3)).toBe(false);
    ahead.end(1, 3);
    expect(turns.taken).toBe(1);
  });
});

/** A call of the simulation. */
interface Call {
  readonly seq: number;
  readonly worker: number;
  readonly isAhead: boolean;
  readonly slot: HeldSlot;
}

type Report = { readonly seq: number } & (
  | { readonly kind: 'accepted'; readonly handedTo: number | undefined }
  | { readonly kind: 'rejected' }
  | { readonly kind: 'no slot' }
);

/** A shard as `workflows/shard.ts` has it and workers as `activities/ask.ts` has them, with nothing but slots. */
function simulation(options: {
  readonly documents: number;
  readonly limit: number;
  readonly workers: number;
}) {
  const { turns, ahead } = account(options.limit);
  const relays: SlotRelay[] = Array.from({ length: options.workers }, () => slotRelay());
  const scheduled: { readonly seq: number; readonly isAhead: boolean; readonly isBegun: boolean }[] = [];
  const waiting = new Map<number, { readonly worker: number; readonly giveUp: AbortController }>();
  const calls = new Map<number, Call>();
  const reports: Report[] = [];
  /** Documents sent ahead of which nothing was heard. */
  const out = new Set<number>();
  let next = 0;
  let done = 0;
  let now = 0;

  const begin = (): void => {
    while (next < options.documents) {
      const isAhead = !turns.tryTake();
      if (isAhead && !ahead.mayGo(now)) return;
      if (isAhead) {
        ahead.send(next);
        out.add(next);
      }
      scheduled.push({ seq: next, isAhead, isBegun: false });
      next += 1;
    }
  };
  const callAgain = async (seq: number): Promise<void> => {
    await turns.take('begun');
    scheduled.push({ seq, isAhead: false, isBegun: false });
  };
  const deliver = ({ seq, isAhead, isBegun }: (typeof scheduled)[number], worker: number): void => {
    const relay = relays[worker]!;
    if (!isAhead || isBegun) {
      calls.set(seq, { seq, worker, isAhead, slot: relay.hold('shard') });
      return;
    }
    const giveUp = new AbortController();
    waiting.set(seq, { worker, giveUp });
    void waitFor(relay, seq, { worker, giveUp });
  };
  const waitFor = async (
    relay: SlotRelay,
    seq: number,
    { worker, giveUp }: { readonly worker: number; readonly giveUp: AbortController },
  ): Promise<void> => {
    const slot = await relay.waitFor('shard', { seq, signal: giveUp.signal });
    if (waiting.get(seq)?.giveUp !== giveUp) return;
    waiting.delete(seq);
    if (slot === undefined) reports.push({ seq, kind: 'no slot' });
    else calls.set(seq, { seq, worker, isAhead: true, slot });
  };
  const end = ({ seq, slot }: Call, isAccepted: boolean): void => {
    calls.delete(seq);
    const handedTo = isAccepted ? slot.handOn() : undefined;
    slot.letGo();
    reports.push(isAccepted ? { seq, kind: 'accepted', handedTo } : { seq, kind: 'rejected' });
  };
  const crash = (worker: number, hasBeaten: boolean): void => {
    relays[worker] = slotRelay();
    for (const [seq, { giveUp, worker: where }] of waiting) {
      if (where !== worker) continue;
      waiting.delete(seq);
      giveUp.abort();
      reports.push({ seq, kind: 'no slot' });
    }
    for (const { seq, isAhead, worker: where } of calls.values()) {
      if (where !== worker) continue;
      calls.delete(seq);
      if (isAhead && !hasBeaten) reports.push({ seq, kind: 'no slot' });
      else scheduled.push({ seq, isAhead, isBegun: true });
    }
  };
  const hear = (report: Report): void => {
    const { seq, kind } = report;
    const wasOut = out.delete(seq);
    if (kind === 'no slot') {
      const hasTurn = ahead.cameBack(seq);
      if (hasTurn) scheduled.push({ seq, isAhead: false, isBegun: false });
      else void callAgain(seq);
      return;
    }
    if (wasOut) ahead.answered(seq);
    ahead.heard(now, 1_000);
    if (kind === 'accepted') {
      ahead.end(seq, report.handedTo);
      done += 1;
    } else if (turns.isCrowded && !ahead.isOnCredit(seq)) {
      turns.give();
      void callAgain(seq);
    } else scheduled.push({ seq, isAhead: false, isBegun: false });
  };

  return {
    inFlight: () => calls.size,
    isDone: () => done === options.documents && reports.length === 0,
    isAtRest: () => turns.taken === 0 && !ahead.isAnyOut,
    /** Lets one thing happen. */
    async step(
      what: 'deliver' | 'answer' | 'reject' | 'hear' | 'give up' | 'crash' | 'beat and crash',
      draw: number,
    ) {
      now += draw % 5;
      begin();
      const pick = <T>(from: readonly T[]): T | undefined => from[draw % Math.max(1, from.length)];
      const worker = draw % options.workers;
      if (what === 'deliver' && scheduled.length > 0) {
        const [one] = scheduled.splice(draw % scheduled.length, 1);
        deliver(one!, worker);
      } else if (what === 'answer' || what === 'reject') {
        const call = pick([...calls.values()]);
        if (call !== undefined) end(call, what === 'answer');
      } else if (what === 'hear' && reports.length > 0) {
        const [report] = reports.splice(draw % reports.length, 1);
        hear(report!);
      } else if (what === 'give up') pick([...waiting.values()])?.giveUp.abort();
      else if (what === 'crash' || what === 'beat and crash') crash(worker, what === 'beat and crash');
      for (let turn = 0; turn < 6; turn += 1) await Promise.resolve();
    },
  };
}

describe('a shard and its workers, whatever is late, lost or turned round', () => {
  const step = fc.tuple(
    fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom('deliver' as const, 'answer' as const, 'hear' as const) },
      { weight: 2, arbitrary: fc.constantFrom('reject' as const, 'give up' as const) },
      { weight: 1, arbitrary: fc.constantFrom('crash' as const, 'beat and crash' as const) },
    ),
    fc.nat({ max: 10_000 }),
  );

  it('never have more calls under way than slots, lose no slot, and do all documents', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 3 }),
        fc.array(step, { maxLength: 600, size: 'max' }),
        async (documents, limit, workers, steps) => {
          const shard = simulation({ documents, limit, workers });
          const go = async (...what: Parameters<typeof shard.step>): Promise<void> => {
            await shard.step(...what);
            expect(shard.inFlight()).toBeLessThanOrEqual(limit);
          };
          for (const [what, draw] of steps) await go(what, draw);
          // Then everything goes well, one thing after the other.
          for (let draw = 0; !shard.isDone(); draw += 1) {
            expect(draw).toBeLessThan(10_000);
            for (const what of ['deliver', 'answer', 'hear'] as const) await go(what, 7 * draw);
          }
          expect(shard.isAtRest()).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });
});
