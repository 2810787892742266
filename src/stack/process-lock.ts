import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseSync } from 'node:sqlite';
import { isDatabaseBusy } from './error-facts.ts';

const POLL_MS = 50;

/** A lock that is wanted. */
export interface ProcessLockOptions {
  /** The lock's file; its folder must exist. Nothing else may open this file: closing any handle on it drops the lock. */
  readonly path: string;
  /** What it is held for, as others read it while they wait: `building the Temporal CLI`. */
  readonly purpose: string;
  /** How long to wait for another holder. */
  readonly timeoutMs: number;
  /** Called when another process holds the lock: at once, then about every two seconds. */
  readonly onWait?: (wait: { readonly holder: string; readonly waitedMs: number }) => void;
}

/** Another process held the lock for longer than the caller would wait. */
export class ProcessLockTimeoutError extends Error {
  override readonly name = 'ProcessLockTimeoutError';
}

/**
 * Runs `action` while no other process, and no other call in this one, holds the same lock.
 *
 * The lock is a SQLite `BEGIN EXCLUSIVE` on a database of its own: the operating system's file lock, which
 * ends with the process however it ends. So there is no stale lock to clean up after `kill -9`. It is not
 * reentrant. Waiting polls and leaves the event loop free.
 *
 * @throws {ProcessLockTimeoutError} when the holder did not let go within `timeoutMs`; says who holds it.
 */
export async function withProcessLock<T>(options: ProcessLockOptions, action: () => Promise<T>): Promise<T> {
  const release = await acquire(options);
  try {
    return await action();
  } finally {
    release();
  }
}

async function acquire(options: ProcessLockOptions): Promise<() => void> {
  const database = new DatabaseSync(options.path, { timeout: 0 });
  try {
    await waitForExclusive(database, options);
  } catch (error) {
    database.close();
    throw error;
  }
  // Who holds it lies beside the lock: inside it, nobody could read it.
  const holderFile = `${options.path}.holder`;
  writeFileSync(holderFile, `process ${process.pid} (${options.purpose}, since ${new Date().toISOString()})`);
  return () => {
    rmSync(holderFile, { force: true });
    database.close();
  };
}

async function waitForExclusive(database: DatabaseSync, options: ProcessLockOptions): Promise<void> {
  const startedAt = performance.now();
  let nextReportMs = 0;
  while (!tryExclusive(database)) {
    const waitedMs = performance.now() - startedAt;
    const holder = describeHolder(options.path);
    if (waitedMs >= options.timeoutMs) {
      throw new ProcessLockTimeoutError(
        `Waited ${Math.round(waitedMs / 1000)} s for the lock ${options.path}, held by ${holder}. ` +
          'Expected it to be released. Wait for that process, or end it, and try again.',
      );
    }
    if (waitedMs >= nextReportMs) {
      options.onWait?.({ holder, waitedMs });
      nextReportMs = waitedMs + 2000;
    }
    await sleep(Math.min(POLL_MS, Math.max(1, options.timeoutMs - waitedMs)));
  }
}

function tryExclusive(database: DatabaseSync): boolean {
  try {
    database.exec('BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    if (isDatabaseBusy(error)) return false;
    throw error;
  }
}

function describeHolder(path: string): string {
  try {
    return readFileSync(`${path}.holder`, 'utf8');
  } catch {
    // The holder has not written its name yet, or is just letting go.
    return 'another process';
  }
}
