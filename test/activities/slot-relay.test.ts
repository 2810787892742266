import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MOST_WAIT_MS, slotRelay } from '../../activities/slot-relay.ts';

const signal = new AbortController().signal;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a slot', () => {
  it('is handed on to the document that waits longest, and from that to the next', async () => {
    const relay = slotRelay();
    const first = relay.hold('shard');
    const [a, b] = [relay.waitFor('shard', { seq: 7, signal }), relay.waitFor('shard', { seq: 8, signal })];
    expect(first.handOn()).toBe(7);
    expect((await a)?.handOn()).toBe(8);
    expect((await b)?.handOn()).toBeUndefined();
  });

  it('is handed on once only, and not after it was let go', async () => {
    const relay = slotRelay();
    const [first, second] = [relay.hold('shard'), relay.hold('shard')];
    void relay.waitFor('shard', { seq: 1, signal });
    void relay.waitFor('shard', { seq: 2, signal });
    expect(first.handOn()).toBe(1);
    expect(first.handOn()).toBeUndefined();
    second.letGo();
    expect(second.handOn()).toBeUndefined();
  });

  it('goes to no document of another shard', async () => {
    const relay = slotRelay();
    const slot = relay.hold('shard');
    relay.hold('other');
    void relay.waitFor('other', { seq: 1, signal });
    expect(slot.handOn()).toBeUndefined();
  });
});

describe('who waits for a slot', () => {
  it('is not kept where no call is under way that could hand one on', async () => {
    const relay = slotRelay();
    await expect(relay.waitFor('shard', { seq: 1, signal })).resolves.toBeUndefined();
    const slot = relay.hold('shard');
    const waiting = [relay.waitFor('shard', { seq: 1, signal }), relay.waitFor('shard', { seq: 2, signal })];
    slot.letGo();
    await expect(Promise.all(waiting)).resolves.toEqual([undefined, undefined]);
  });

  it('is sent back after a while, and gets nothing any more', async () => {
    const relay = slotRelay();
    const slot = relay.hold('shard');
    const waiting = relay.waitFor('shard', { seq: 1, signal });
    vi.advanceTimersByTime(MOST_WAIT_MS);
    await expect(waiting).resolves.toBeUndefined();
    expect(slot.handOn()).toBeUndefined();
  });

  it('is sent back at once where the worker ends', async () => {
    const relay = slotRelay();
    relay.hold('shard');
    const end = new AbortController();
    const waiting = relay.waitFor('shard', { seq: 1, signal: end.signal });
    end.abort();
    await expect(waiting).resolves.toBeUndefined();
    await expect(relay.waitFor('shard', { seq: 1, signal: end.signal })).resolves.toBeUndefined();
  });
});
