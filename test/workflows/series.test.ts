import { describe, expect, it } from 'vitest';
import type { AskInput } from '../../activities/ask.ts';
import type { SeriesResult } from '../../activities/ask-series.ts';
import { Series, SeriesLength } from '../../workflows/series.ts';

const heldBack: SeriesResult = { status: 'held', ledger: { failures: [], interrupted: 0 } };

function inputOf(seq: number): AskInput {
  return {
    document: { id: '', batch: 'b', seq },
    round: 1,
    ask: { attempt: 1 } as AskInput['ask'],
    turns: [],
    spent: { tokens: 0, costUsd: 0, longestAnswerTokens: 0 },
  };
}

/** A series whose call the test answers. */
function seriesOf(seqs: readonly number[]) {
  const asked: (readonly AskInput[])[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<readonly SeriesResult[]>();
  let ends = 0;
  const series = new Series(seqs, {
    ask: (asks) => {
      asked.push(asks);
      return promise;
    },
    end: () => {
      ends += 1;
    },
  });
  const ask = (seq: number, provider = 'p') => series.ask(seq, inputOf(seq), provider);
  const seqsAsked = () => asked.map((asks) => asks.map(({ document }) => 'seq' in document && document.seq));
  return { series, ask, answer: resolve, fail: reject, seqsAsked, ends: () => ends };
}

const taught = () => new SeriesLength({ isTaught: true });

describe('a series', () => {
  it('is asked once all of it are ready, and gives each its own', async () => {
    const { ask, answer, seqsAsked } = seriesOf([4, 5, 6]);
    const results = [ask(4), ask(6)];
    expect(seqsAsked()).toEqual([]);
    results.push(ask(5));
    expect(seqsAsked()).toEqual([[4, 6, 5]]);
    answer([heldBack]);
    expect(await Promise.all(results)).toEqual([heldBack, { status: 'left' }, { status: 'left' }]);
  });

  it('does not wait for one that ends before it is ready', () => {
    const { ask, series, seqsAsked } = seriesOf([1, 2]);
    void ask(1);
    series.leave(2);
    expect(seqsAsked()).toEqual([[1]]);
  });

  it('leaves those that go to another provider', async () => {
    const { ask, seqsAsked } = seriesOf([1, 2, 3]);
    void ask(1, 'p');
    const other = ask(2, 'q');
    void ask(3, 'p');
    expect(await other).toEqual({ status: 'left' });
    expect(seqsAsked()).toEqual([[1, 3]]);
  });

  it('lets those go that the worker does not get to, and holds its turn until the last has left', async () => {
    const { ask, series, answer, ends } = seriesOf([1, 2]);
    const [first, second] = [ask(1), ask(2)];
    series.tell({ seq: 2, result: { status: 'left' } });
    expect(await second).toEqual({ status: 'left' });
    series.leave(2);
    expect(ends()).toBe(0);
    answer([heldBack]);
    expect(await first).toEqual(heldBack);
    series.leave(1);
    expect(ends()).toBe(1);
  });

  it('whose activity fails is left, each to show by itself what it was', async () => {
    const { ask, fail } = seriesOf([1, 2]);
    const results = [ask(1), ask(2)];
    fail(new Error('heartbeat timeout'));
    expect(await Promise.all(results)).toEqual([{ status: 'left' }, { status: 'left' }]);
  });
});

describe('the length of a series', () => {
  const many = { left: 1_000, slots: 50 };

  it('is one where calls are long, or nobody knows yet how long they are', () => {
    expect(taught().next({ ...many, callMs: undefined })).toBe(1);
    expect(taught().next({ ...many, callMs: 300 })).toBe(1);
    expect(taught().next({ ...many, callMs: 1_000 })).toBe(1);
  });

  it('is what fits into half a second, and eight at most', () => {
    expect(taught().next({ ...many, callMs: 0 })).toBe(8);
    expect(taught().next({ ...many, callMs: 60 })).toBe(8);
    expect(taught().next({ ...many, callMs: 100 })).toBe(5);
    expect(taught().next({ ...many, callMs: 299 })).toBe(1);
  });

  it('shrinks to one at the end, where all slots have a document each', () => {
    const lengths = [400, 399, 200, 99, 50, 3].map((left) => taught().next({ left, slots: 50, callMs: 10 }));
    expect(lengths).toEqual([8, 7, 4, 1, 1, 1]);
  });

  it('grows with what was heard, where first answers teach', () => {
    const length = new SeriesLength({ isTaught: false });
    const lengths: number[] = [];
    for (let heard = 0; heard < 500; heard += 1) {
      if (heard % 100 === 0) lengths.push(length.next({ ...many, callMs: 10 }));
      length.heard();
    }
    expect(lengths).toEqual([1, 2, 4, 6, 8]);
  });

  it('is one for a while after one that was in vain, and for longer each time', () => {
    const length = taught();
    const patience: number[] = [];
    for (let time = 0; time < 3; time += 1) {
      length.ended(true, 10);
      let heard = 0;
      for (; length.next({ ...many, callMs: 10 }) === 1; heard += 1) length.heard();
      patience.push(heard);
    }
    expect(patience).toEqual([10, 20, 40]);
    length.ended(false, 10);
    // Of one wave, by one cause.
    for (let series = 0; series < 10; series += 1) length.ended(true, 10);
    for (let heard = 0; heard < 10; heard += 1) length.heard();
    expect(length.next({ ...many, callMs: 10 })).toBe(8);
  });
});
