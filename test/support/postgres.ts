import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  chownSync,
  closeSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { freePort } from '../../src/stack/ports.ts';
import { kill, textOf, until } from '../stack/temp-home.ts';
import { isExecutable } from '../../src/stack/is-executable.ts';

/** A PostgreSQL server of a test's own, as durable as one in production: only its folder is temporary. */
export interface TestPostgres {
  /** `postgres://…` of an empty database, for `DATABASE_URL`. */
  readonly url: string;
  /** The server's first process: kill it, and the whole server is gone. */
  readonly pid: number;
  /** The URL of one more empty database. */
  newDatabase(): Promise<string>;
  /** Ends the server, whoever is still connected, and removes its folder. */
  stop(): Promise<void>;
}

/** Whom a program runs as. Empty: whoever runs the tests. */
type User = { readonly uid: number; readonly gid: number } | Record<string, never>;

/** What a server is started from. */
interface Place {
  readonly bin: string;
  readonly folder: string;
  readonly user: User;
}

interface Server {
  readonly process: ChildProcess & { readonly pid: number };
  readonly port: number;
  readonly ended: Promise<void>;
}

const run = promisify(execFile);
const HOST = '127.0.0.1';
const SUPERUSER = 'postgres';
/** Homebrew on Apple's processors, on Intel's, and on Linux. */
const HOMEBREW = ['/opt/homebrew', '/usr/local', '/home/linuxbrew/.linuxbrew'];
/** Where Debian's packages read whether to make and start a cluster for the whole machine. */
const DEBIAN_CLUSTERS = '/etc/postgresql-common/createcluster.conf';
const STOP_GRACE_MS = 5_000;
const START_TRIES = 3;

/**
 * The folder with PostgreSQL's programs: `DURABLE_EXTRACT_POSTGRES_BIN`, `PATH`, Debian's place (newest version first),
 * Homebrew's.
 *
 * @throws where `DURABLE_EXTRACT_POSTGRES_BIN` names a folder without them.
 */
export function findPostgres(): string | undefined {
  const given = process.env['DURABLE_EXTRACT_POSTGRES_BIN'];
  if (given && !hasPostgres(given)) {
    throw new Error(
      `DURABLE_EXTRACT_POSTGRES_BIN: expected a folder with postgres and initdb, got '${given}'. Correct it, or unset it.`,
    );
  }
  if (given) return given;
  return [
    ...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean),
    ...newestFirst(globSync('/usr/lib/postgresql/*/bin')),
    ...newestFirst(HOMEBREW.flatMap((prefix) => globSync(`${prefix}/opt/postgresql*/bin`))),
  ].find(hasPostgres);
}

/**
 * {@link findPostgres}, for the tests' global setup: where there is none, and we are root on Debian or Ubuntu, installs
 * the package, which takes a minute. No server is started by that.
 *
 * @returns the folder; undefined where there is none and we may not install one.
 */
export async function ensurePostgres(): Promise<string | undefined> {
  const found = findPostgres();
  if (found !== undefined) return found;
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version') || !existsSync('/usr/bin/apt-get')) {
    return undefined;
  }
  process.stderr.write('No PostgreSQL here: installing it with apt-get, which takes a minute\n');
  if (!existsSync(DEBIAN_CLUSTERS)) {
    mkdirSync(join(DEBIAN_CLUSTERS, '..'), { recursive: true });
    writeFileSync(DEBIAN_CLUSTERS, 'create_main_cluster = false\n');
  }
  await aptGet('update');
  await aptGet('install', '-y', '--no-install-recommends', 'postgresql');
  return findPostgres();
}

/**
 * Starts a PostgreSQL on a new folder and a free port of 127.0.0.1. It ends with {@link TestPostgres.stop}, and at the
 * latest with this process, however that ends.
 *
 * @throws where no PostgreSQL is installed, and with the server's own words where it does not start.
 */
export async function startPostgres(): Promise<TestPostgres> {
  const bin = findPostgres();
  if (bin === undefined) {
    throw new Error(
      'PostgreSQL: expected postgres and initdb on PATH or under /usr/lib/postgresql, found none. Install it ' +
        '(Debian: apt-get install postgresql), or set DURABLE_EXTRACT_POSTGRES_BIN to the folder of its programs.',
    );
  }
  const user = unprivilegedUser();
  const folder = mkdtempSync(join(tmpdir(), 'durable-extract-pg-'));
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid);
  const watcher = watchOver({ folder, user });
  try {
    await initialize({ bin, folder, user });
    const server = await startServer({ bin, folder, user });
    return {
      url: await createDatabase(server.port),
      pid: server.process.pid,
      newDatabase: async () => createDatabase(server.port),
      async stop() {
        watcher.callOff();
        await end(server);
        rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
      },
    };
  } catch (error) {
    watcher.cleanUpNow();
    throw error;
  }
}

async function initialize({ bin, folder, user }: Place): Promise<void> {
  const options = ['--encoding=UTF8', '--locale=C', '--auth=trust', `--username=${SUPERUSER}`, '--no-sync'];
  await run(join(bin, 'initdb'), ['--pgdata', dataFolder(folder), ...options], {
    ...user,
    cwd: folder,
    env: cleanEnvironment(),
  });
}

/** A free port can be taken by somebody else before the server binds it. */
async function startServer(place: Place): Promise<Server> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort({ preferred: [] });
    const server = spawnServer(place, port);
    try {
      await until(async () => hasEnded(server) || (await accepts(port)));
    } catch (error) {
      await end(server);
      throw new Error(`PostgreSQL does not answer:\n${textOf(logFile(place.folder))}`, { cause: error });
    }
    if (!hasEnded(server)) return server;
    const log = textOf(logFile(place.folder));
    if (attempt === START_TRIES || !log.includes('could not bind')) {
      throw new Error(`PostgreSQL ended at its start:\n${log}`);
    }
  }
}

function spawnServer({ bin, folder, user }: Place, port: number): Server {
  const log = openSync(logFile(folder), 'w');
  const settings = [`listen_addresses=${HOST}`, `port=${port}`, `unix_socket_directories=${folder}`];
  const child = spawn(
    join(bin, 'postgres'),
    ['-D', dataFolder(folder), ...settings.flatMap((setting) => ['-c', setting])],
    // A group of its own: Ctrl-C is for the tests, which end it when they have closed their connections.
    { ...user, cwd: folder, env: cleanEnvironment(), stdio: ['ignore', log, log], detached: true },
  );
  closeSync(log);
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('exit', () => resolve());
  });
  child.unref();
  if (child.pid === undefined) throw new Error(`Cannot run ${join(bin, 'postgres')}`);
  return { process: child as Server['process'], port, ended };
}

function hasEnded({ process: child }: Server): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/**
 * A process that ends the folder's server and removes the folder when its input ends. Only we hold the other end, so that
 * happens once this process is gone, even when it was killed.
 */
function watchOver({ folder, user }: Pick<Place, 'folder' | 'user'>): {
  callOff(): void;
  cleanUpNow(): void;
} {
  // SIGQUIT: at once, and the server's own children with it; they may write a last file while the folder goes.
  const script =
    'cat; read -r pid <"$0/data/postmaster.pid" && kill -QUIT "$pid"; rm -rf "$0" || { sleep 1; rm -rf "$0"; }';
  const watcher = spawn('/bin/sh', ['-c', script, folder], {
    ...user,
    cwd: '/',
    env: cleanEnvironment(),
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watcher.unref();
  // A pipe is a socket, which the types do not say.
  (watcher.stdin as Socket).unref();
  return {
    callOff() {
      // The group: the shell, and what it waits for.
      if (watcher.pid !== undefined) kill(-watcher.pid);
    },
    cleanUpNow() {
      watcher.stdin.end();
    },
  };
}

async function accepts(port: number): Promise<boolean> {
  const client = new Client({ connectionString: urlOf(port, SUPERUSER), connectionTimeoutMillis: 1_000 });
  // What breaks after the connection was made is told by the server's log.
  client.on('error', () => {});
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

async function createDatabase(port: number): Promise<string> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const client = new Client({ connectionString: urlOf(port, SUPERUSER) });
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${name}`);
  } finally {
    await client.end();
  }
  return urlOf(port, name);
}

/** SIGINT is PostgreSQL's fast shutdown: connections are cut, and everything is written. */
async function end({ process: child, ended }: Server): Promise<void> {
  child.kill('SIGINT');
  const grace = new AbortController();
  const late = sleep(STOP_GRACE_MS, 'late' as const, { signal: grace.signal }).catch(() => undefined);
  if ((await Promise.race([ended, late])) === 'late') child.kill('SIGKILL');
  grace.abort();
  await ended;
}

/** PostgreSQL refuses to run as root. */
function unprivilegedUser(): User {
  if (process.getuid?.() !== 0) return {};
  const users = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = users.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error(
    'PostgreSQL does not run as root: expected a user postgres or nobody in /etc/passwd, found none. Run the tests as another user.',
  );
}

/** Without `PGDATA`, `PGPORT` and their kin, which are somebody else's server. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PG')));
}

async function aptGet(...args: readonly string[]): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', UCF_FORCE_CONFFOLD: '1' };
  try {
    await run('apt-get', ['-o', 'Dpkg::Options::=--force-confold', ...args], {
      env,
      maxBuffer: 64 * 1024 * 1024,
    });
  } catch (error) {
    const { stdout, stderr } = error as { readonly stdout?: string; readonly stderr?: string };
    process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`);
    throw new Error(
      `apt-get ${args.join(' ')} failed; its output is above. Install PostgreSQL by hand, or set DURABLE_EXTRACT_POSTGRES_BIN.`,
      { cause: error },
    );
  }
}

function hasPostgres(folder: string): boolean {
  return ['postgres', 'initdb'].every((name) => isExecutable(join(folder, name)));
}

function newestFirst(folders: readonly string[]): readonly string[] {
  return folders.toSorted((a, b) => versionIn(b) - versionIn(a));
}

function versionIn(folder: string): number {
  return Number(/\d+(?=\/bin$)/.exec(folder)?.[0] ?? 0);
}

function urlOf(port: number, database: string): string {
  return `postgres://${SUPERUSER}@${HOST}:${port}/${database}`;
}

function dataFolder(folder: string): string {
  return join(folder, 'data');
}

function logFile(folder: string): string {
  return join(folder, 'log');
}
