import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { reachability } from '../../activities/reachability.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('whether a provider is there', () => {
  it('is asked once for all who want to know at the same time', async () => {
    let questions = 0;
    const asked = reachability(async () => {
      questions += 1;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return false;
    });
    const answers = Promise.all([asked.ask(), asked.ask(), asked.ask()]);
    expect(asked.isAsking()).toBe(true);
    await vi.advanceTimersByTimeAsync(100);
    expect(await answers).toEqual([false, false, false]);
    expect(asked.isAsking()).toBe(false);
    expect(questions).toBe(1);
    void asked.ask();
    expect(questions).toBe(2);
  });

  it('is yes where it cannot be asked', async () => {
    expect(await reachability(undefined).ask()).toBe(true);
  });

  it('is no where the question fails, and where it takes too long', async () => {
    expect(await reachability(() => Promise.reject(new Error('refused'))).ask()).toBe(false);
    vi.useRealTimers();
    const silent = reachability(
      (signal) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    );
    const askedAt = performance.now();
    expect(await silent.ask()).toBe(false);
    expect(performance.now() - askedAt).toBeGreaterThan(1_900);
  });

  it('is not asked for a while of one that says no although its models answer', async () => {
    let questions = 0;
    const lying = reachability(async () => {
      questions += 1;
      return false;
    });
    expect(await lying.ask()).toBe(false);
    await lying.modelAnswered();
    expect(questions).toBe(2);
    expect(await lying.ask()).toBe(true);
    await lying.modelAnswered();
    expect(questions).toBe(2);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(await lying.ask()).toBe(false);
  });

  it('is asked further of one that came back between the question and the call', async () => {
    let isThere = false;
    const back = reachability(async () => isThere);
    await back.ask();
    isThere = true;
    await back.modelAnswered();
    isThere = false;
    expect(await back.ask()).toBe(false);
  });
});
