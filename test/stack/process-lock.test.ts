import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { ProcessLockTimeoutError, withProcessLock } from '../../src/stack/process-lock.ts';
import { cleanUp, runChild, temporaryFolder, until } from './temp-home.ts';

afterAll(cleanUp);

describe('a process lock', () => {
  it('loses no count among four processes that count in one file', async () => {
    const folder = temporaryFolder();
    const counter = join(folder, 'counter');
    writeFileSync(counter, '0');
    const children = Array.from({ length: 4 }, () =>
      runChild({ script: 'count.ts', args: [join(folder, 'a.lock'), counter, '10'] }),
    );
    expect(await Promise.all(children.map((child) => child.exited))).toEqual([0, 0, 0, 0]);
    expect(readFileSync(counter, 'utf8')).toBe('40');
  });

  it('says who holds it when waiting takes too long, and is free once that process is killed', async () => {
    const path = join(temporaryFolder(), 'a.lock');
    const holder = runChild({ script: 'hold-lock.ts', args: [path] });
    await until(() => holder.out.includes('held'));

    const waits: string[] = [];
    const attempt = withProcessLock(
      { path, purpose: 'waiting', timeoutMs: 200, onWait: (wait) => waits.push(wait.holder) },
      async () => {},
    );
    await expect(attempt).rejects.toThrow(ProcessLockTimeoutError);
    await expect(attempt).rejects.toThrow(`process ${holder.pid} (testing`);
    expect(waits[0]).toContain(`process ${holder.pid}`);

    const waiting = withProcessLock({ path, purpose: 'waiting', timeoutMs: 20_000 }, async () => 'got it');
    holder.kill();
    expect(await waiting).toBe('got it');
  });

  it('excludes calls in the same process, and leaves the event loop free meanwhile', async () => {
    const path = join(temporaryFolder(), 'a.lock');
    const events: string[] = [];
    const hold = async (name: string): Promise<void> =>
      withProcessLock({ path, purpose: name, timeoutMs: 20_000 }, async () => {
        events.push(`${name} in`);
        await sleep(60);
        events.push(`${name} out`);
      });
    await Promise.all([hold('first'), hold('second')]);
    expect(events).toEqual(['first in', 'first out', 'second in', 'second out']);
  });

  it('is let go when the action throws', async () => {
    const path = join(temporaryFolder(), 'a.lock');
    const failing = withProcessLock({ path, purpose: 'failing', timeoutMs: 100 }, async () => {
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await withProcessLock({ path, purpose: 'again', timeoutMs: 100 }, async () => 'free')).toBe(
      'free',
    );
  });
});
