import { existsSync, renameSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { isDatabaseBusy, messageOf } from './error-facts.ts';
import { EMBEDDED_NAMESPACE } from './temporal-probe.ts';

/**
 * The state of the dev server's SQLite file. `complete`: it has the `default` namespace, which the server writes
 * last when it makes the file. `incomplete`: a first start was killed before that, so that no history can be in
 * it, and the server would never start on it again. `unreadable`: not a database, or not to be read just now.
 */
export type DatabaseState =
  | { readonly kind: 'missing' }
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'complete'; readonly namespaceId: string }
  | { readonly kind: 'unreadable'; readonly why: string };

/** Looks into the file, also while a server runs on it. Never throws. */
export function inspectDatabase(path: string): DatabaseState {
  if (!existsSync(path)) return { kind: 'missing' };
  try {
    const database = new DatabaseSync(path, { timeout: 1000 });
    try {
      const hasTable =
        database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'namespaces'").get() !== undefined;
      const row = hasTable
        ? database.prepare('SELECT hex(id) AS id FROM namespaces WHERE name = ?').get(EMBEDDED_NAMESPACE)
        : undefined;
      return row === undefined
        ? { kind: 'incomplete' }
        : { kind: 'complete', namespaceId: uuidOf(String(row['id'])) };
    } finally {
      database.close();
    }
  } catch (error) {
    return { kind: 'unreadable', why: messageOf(error) };
  }
}

/**
 * Whether another process has the file open: a server whose record was lost. Two servers on one file would fight
 * over its workflows. Works because a connection in WAL mode keeps a shared lock for as long as it lives.
 */
export function isDatabaseInUse(path: string): boolean {
  if (!existsSync(path)) return false;
  try {
    const database = new DatabaseSync(path, { timeout: 0 });
    try {
      database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; ROLLBACK');
      return false;
    } finally {
      database.close();
    }
  } catch (error) {
    // Anything but "busy" is for the server to report.
    return isDatabaseBusy(error);
  }
}

/** Moves a database that never became complete out of the way; deletes nothing. Gives its new path. */
export function setDatabaseAside(path: string): string {
  const aside = `${path}.incomplete-${new Date().toISOString().replaceAll(':', '-')}`;
  for (const suffix of ['', '-wal', '-shm', '-journal']) {
    if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  }
  return aside;
}

function uuidOf(hex: string): string {
  return hex.toLowerCase().replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
