import { resolve } from 'node:path';
import { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import { codeOf, messageOf } from '../stack/error-facts.ts';
import { homePaths, prepareHome } from '../stack/home.ts';
import { withProcessLock } from '../stack/process-lock.ts';
import type { Environment } from '../stack/progress.ts';
import { attemptStore } from './attempts.ts';
import type { AttemptStore } from './attempts.ts';
import { batchStore } from './batches.ts';
import type { BatchStore } from './batches.ts';
import { conversationStore } from './conversations.ts';
import type { ConversationStore } from './conversations.ts';
import { documentStore } from './documents.ts';
import type { DocumentStore } from './documents.ts';
import { gateStore } from './gates.ts';
import type { GateStore } from './gates.ts';
import { MIGRATIONS } from './migrations.ts';
import { outcomeStore } from './outcomes.ts';
import type { OutcomeStore } from './outcomes.ts';
import { postgresDialect } from './postgres.ts';
import { reviewStore } from './reviews.ts';
import type { ReviewStore } from './reviews.ts';
import { schemaStore } from './schemas.ts';
import type { SchemaStore } from './schemas.ts';
import { sqliteDialect } from './sqlite.ts';
import { statsStore } from './stats.ts';
import type { StatsStore } from './stats.ts';
import { StoreError } from './store-errors.ts';
import type { Tables } from './tables.ts';

/** Counting a million answers of an older store takes two minutes. */
const MIGRATION_TIMEOUT_MS = 900_000;
const LATEST_MIGRATION = Object.keys(MIGRATIONS).toSorted().at(-1);

/** Where documents, answers and outcomes are kept. Every write is idempotent on its natural key. */
export interface Store {
  readonly kind: 'sqlite' | 'postgres';
  readonly schemas: SchemaStore;
  readonly batches: BatchStore;
  readonly documents: DocumentStore;
  readonly attempts: AttemptStore;
  readonly outcomes: OutcomeStore;
  readonly reviews: ReviewStore;
  readonly gates: GateStore;
  readonly stats: StatsStore;
  readonly conversations: ConversationStore;
  close(): Promise<void>;
}

/** A database in use, until it is released. */
interface OpenDatabase {
  readonly db: Kysely<Tables>;
  readonly release: () => Promise<void>;
}

const sqliteFiles = new Map<string, { readonly db: Kysely<Tables>; users: number }>();

/**
 * All stores of a process share one connection to a file, which takes its transactions in turn: SQLite's waiting for a lock stops
 * the whole process, so that two connections of one would wait for each other in vain.
 */
function sharedSqlite(file: string): OpenDatabase {
  const path = resolve(file);
  const shared = sqliteFiles.get(path) ?? {
    db: new Kysely<Tables>({ dialect: sqliteDialect(file) }),
    users: 0,
  };
  sqliteFiles.set(path, shared);
  shared.users += 1;
  let isReleased = false;
  return {
    db: shared.db,
    async release() {
      if (isReleased) return;
      isReleased = true;
      shared.users -= 1;
      if (shared.users > 0) return;
      sqliteFiles.delete(path);
      await shared.db.destroy();
    },
  };
}

function ownPostgres(url: string): OpenDatabase {
  const db = new Kysely<Tables>({ dialect: postgresDialect(url) });
  return { db, release: () => db.destroy() };
}

/** Where a store lies. */
type StorePlace =
  { readonly kind: 'sqlite'; readonly file: string } | { readonly kind: 'postgres'; readonly url: string };

/**
 * Opens the store that `DATABASE_URL` names (`postgres://…`, or the path of a SQLite file), else the home's SQLite file,
 * and brings its tables up to date.
 *
 * @throws {StoreError} where it cannot be reached or read.
 */
export async function openStore(options: {
  readonly env: Environment;
  readonly home: string;
}): Promise<Store> {
  const place = storePlace(options);
  const { db, release } = place.kind === 'sqlite' ? sharedSqlite(place.file) : ownPostgres(place.url);
  try {
    if (place.kind === 'sqlite' && place.file === homePaths(options.home).storeFile)
      prepareHome(options.home);
    await bringUpToDate(db, place);
  } catch (error) {
    await release().catch(() => {});
    throw new StoreError(
      `The store (${described(place)}) cannot be opened: ${reasonOf(error)}. ` +
        'Expected a SQLite file or a PostgreSQL database that can be written to. Correct DATABASE_URL, or unset it to use the ' +
        "home folder's own.",
      { cause: error },
    );
  }
  return {
    kind: place.kind,
    schemas: schemaStore(db),
    batches: batchStore(db),
    documents: documentStore(db),
    attempts: attemptStore(db),
    outcomes: outcomeStore(db),
    reviews: reviewStore(db),
    gates: gateStore(db),
    stats: statsStore(db),
    conversations: conversationStore(db),
    close: release,
  };
}

function storePlace({ env, home }: { readonly env: Environment; readonly home: string }): StorePlace {
  const given = env['DATABASE_URL'];
  if (!given) return { kind: 'sqlite', file: homePaths(home).storeFile };
  if (/^postgres(ql)?:\/\//.test(given)) return { kind: 'postgres', url: given };
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(given)) {
    const [scheme] = given.split('://');
    throw new StoreError(
      `DATABASE_URL: expected postgres://… or the path of a SQLite file, got ${scheme}://…. Correct it, or unset it.`,
    );
  }
  return { kind: 'sqlite', file: given };
}

async function bringUpToDate(db: Kysely<Tables>, place: StorePlace): Promise<void> {
  if (await isUpToDate(db)) return;
  if (place.kind === 'postgres') return migrate(db);
  // PostgreSQL has a lock for this; SQLite's would be dropped between two statements.
  await withProcessLock(
    { path: `${place.file}.lock`, purpose: 'preparing the store', timeoutMs: MIGRATION_TIMEOUT_MS },
    () => migrate(db),
  );
}

async function isUpToDate(db: Kysely<Tables>): Promise<boolean> {
  const migrations = db as unknown as Kysely<{ kysely_migration: { name: string } }>;
  try {
    const row = await migrations
      .selectFrom('kysely_migration')
      .select('name')
      .where('name', '=', LATEST_MIGRATION ?? '')
      .executeTakeFirst();
    return row !== undefined;
  } catch (error) {
    if (/no such table|does not exist/.test(messageOf(error)) && codeOf(error) !== '3D000') return false;
    throw error;
  }
}

async function migrate(db: Kysely<Tables>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => MIGRATIONS } });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}

/** Without user and password. */
function described(place: StorePlace): string {
  if (place.kind === 'sqlite') return place.file;
  try {
    const { host, pathname } = new URL(place.url);
    return `postgres://${host}${pathname}`;
  } catch {
    return 'the postgres:// URL in DATABASE_URL';
  }
}

/** A refused connection says so only in its parts. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ');
  return messageOf(error);
}
