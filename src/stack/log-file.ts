import { closeSync, mkdirSync, openSync, readSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

const ROTATE_BYTES = 10 * 1024 * 1024;
const TAIL_BYTES = 64 * 1024;

/** Opens a log to append to; a file beyond 10 MB is first set aside as `<name>.1`. Gives the descriptor and where new lines begin, in bytes. */
export function openLog(path: string): { readonly descriptor: number; readonly offset: number } {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  if (sizeOf(path) > ROTATE_BYTES) renameSync(path, `${path}.1`);
  const offset = sizeOf(path);
  return { descriptor: openSync(path, 'a', 0o600), offset };
}

/** What was written after `offset` (bytes), at most the last 64 KB of it; empty where there is no such file. */
export function logSince(options: { readonly path: string; readonly offset: number }): string {
  const end = sizeOf(options.path);
  const start = Math.max(options.offset, end - TAIL_BYTES);
  if (end <= start) return '';
  const descriptor = openSync(options.path, 'r');
  try {
    const buffer = Buffer.alloc(end - start);
    const read = readSync(descriptor, buffer, 0, buffer.length, start);
    return buffer.toString('utf8', 0, read).trimEnd();
  } finally {
    closeSync(descriptor);
  }
}

/** The last lines of a log that a person should see. A Go program's stack traces go: its message stands before them. */
export function lastLines(options: { readonly log: string; readonly count: number }): string {
  const beforeTrace = options.log.split(/^goroutine \d+ \[/m)[0] ?? '';
  return beforeTrace.trimEnd().split('\n').slice(-options.count).join('\n');
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
