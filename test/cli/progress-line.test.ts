import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { progressLine } from '../../src/cli/batch/progress-line.ts';
import type { BatchStatus } from '../../src/core/batch-contract.ts';

const AT_HALF: BatchStatus = {
  id: 'orders-2026-11',
  state: 'running',
  total: 100_000,
  succeeded: 43_000,
  failed: 2_000,
  pending: 55_000,
  retrying: 37,
  calls: 61_204,
  promptTokens: 80_000_000,
  completionTokens: 803_112,
  costUsd: 120.5,
  round: 1,
  learnt: null,
  inReview: 0,
  budget: null,
  pausedFor: null,
  concurrency: 50,
  schema: 'order',
  model: 'openai/gpt-4o-mini',
  simulated: false,
  createdAt: '2026-11-24T22:00:00.000Z',
  finishedAt: null,
};

/** After ten seconds in which a thousand documents were done. */
function lineAt(columns: number, more: Partial<BatchStatus> = {}): string {
  const line = progressLine();
  line.next({ ...AT_HALF, ...more, pending: AT_HALF.pending + 1_000 }, 0, columns);
  return line.next({ ...AT_HALF, ...more }, 10_000, columns);
}

describe('the line of progress', () => {
  it('tells all of it where there is room', () => {
    const line = lineAt(Number.POSITIVE_INFINITY);
    expect(line).toBe(
      `orders-2026-11 ${'█'.repeat(10)}${'░'.repeat(14)} 45 % · 45,000 of 100,000 · 100/s · 2,000 failed · ` +
        '37 retrying · 61,204 calls, 80,803,112 tokens, $120.50 · 9 min 10 s left',
    );
  });

  it.each([
    [
      150,
      'orders-2026-11 █████░░░░░░░ 45 % · 45,000 of 100,000 · 100/s · 2,000 failed · 37 retrying · 61,204 calls, 80,803,112 tokens, $120.50 · 9 min 10 s left',
    ],
    [
      100,
      'orders-2026-11 ██░░░ 45 % · 45,000 of 100,000 · 100/s · 2,000 failed · 37 retrying · 9 min 10 s left',
    ],
    [80, 'orders-2026-11 ███░░░░ 45 % · 45,000 of 100,000 · 2,000 failed · 9 min 10 s left'],
    [60, 'o… 45 % · 45,000 of 100,000 · 2,000 failed · 9 min 10 s left'],
  ])('at %i columns has a shorter bar and no less of an end', (columns, expected) => {
    const line = lineAt(columns);
    expect(line).toBe(expected);
    expect(line.length).toBeLessThanOrEqual(columns);
  });

  it('at 80 columns keeps the state', () => {
    expect(lineAt(80, { state: 'cancelled' })).toMatch(/ · cancelled$/);
  });

  it('is never longer than it may be, however long an id is', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, maxLength: 200 }),
        fc.integer({ min: 1, max: 250 }),
        (id, columns) => {
          expect(lineAt(columns, { id }).length).toBeLessThanOrEqual(columns);
        },
      ),
    );
  });
});
