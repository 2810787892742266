import { statSync } from 'node:fs';
import {
  SERVER_PROCESS,
  endServer,
  isNamespacePrepared,
  prepareNamespace,
  runningServerSpec,
  serverRecordOf,
  startDevServer,
} from './dev-server.ts';
import type { ServerRecord } from './dev-server.ts';
import { externalConnection } from './connection.ts';
import { homePaths } from './home.ts';
import { attach, endProcess, isAlive, withHomeLock } from './managed-process.ts';
import type { Environment, OnProgress } from './progress.ts';
import { readStackFile } from './state-file.ts';
import type { ManagedProcessRecord } from './state-file.ts';
import { findTemporalCli } from './temporal-cli.ts';
import { EMBEDDED_NAMESPACE, probeServer } from './temporal-probe.ts';

const WORKER_PROCESS = 'worker';
const PROBE_TIMEOUT_MS = 2000;

/** The Temporal server to use. `external`: somebody else's, named by `TEMPORAL_*`; nothing was started or asked. */
export type StackState =
  | { readonly external: true; readonly address: string; readonly namespace: string }
  | {
      readonly external: false;
      /** Whether it ran already, was started for the first time since `down`, or had died. */
      readonly how: 'attached' | 'started' | 'restarted';
      readonly home: string;
      readonly address: string;
      readonly namespace: string;
      readonly uiUrl: string;
      readonly serverVersion: string;
      readonly pid: number;
    };

/**
 * Makes sure that a Temporal server runs for this home, and gives its address. Attaches to one that runs; waits
 * for one that another command is starting; starts one on the same SQLite file, with all its history, when it
 * died. With `TEMPORAL_ADDRESS` (or `TEMPORAL_PROFILE`, `TEMPORAL_CONFIG_FILE`) set: uses that, starts nothing.
 *
 * Attaching takes some 30 ms, starting about a second, and minutes where the CLI has to be built first.
 *
 * @throws {TemporalCliError} when there is no CLI to start it from.
 * @throws {ServerStartError} when it does not start.
 * @throws {ProcessLockTimeoutError} when another command holds the home's lock for two minutes.
 */
export async function ensureStack(options: {
  readonly home: string;
  readonly env: Environment;
  readonly onProgress: OnProgress;
}): Promise<StackState> {
  const { env, onProgress } = options;
  const external = externalConnection(env);
  if (external !== undefined) return { external: true, ...external };
  const { home } = homePaths(options.home);

  const running = await findRunning(home);
  if (running !== undefined) return embedded({ home, how: 'attached', server: running });
  // Before the lock: getting the CLI can take minutes, and has a lock of its own.
  const cli = await findTemporalCli({ env, onProgress });
  return withHomeLock({ home, purpose: 'starting the Temporal server', onProgress }, async () => {
    const recorded = readStackFile(home).processes[SERVER_PROCESS];
    const attached =
      recorded &&
      (await attach({ home, name: SERVER_PROCESS, spec: runningServerSpec(recorded), onProgress }));
    if (attached !== undefined) {
      const server = serverRecordOf(attached);
      await prepareNamespace({ home, server });
      return embedded({ home, how: 'attached', server });
    }
    await endServer({ home, onProgress });
    onProgress({ step: 'server', message: `starting the Temporal server (${cli.path}, ${cli.version})` });
    const server = await startDevServer({ home, env, cli, onProgress });
    await prepareNamespace({ home, server });
    onProgress({
      step: 'server',
      message: `Temporal server at ${server.address}, Web UI at ${server.uiUrl}`,
    });
    return embedded({ home, how: recorded === undefined ? 'started' : 'restarted', server });
  });
}

/** One process of a home, as it is now. */
export interface ProcessStatus {
  readonly name: string;
  readonly pid: number;
  /** `dead`: it was started, and ended without `down`. */
  readonly state: 'ready' | 'starting' | 'dead';
  /** Whether it answers; for a process that cannot be asked, whether it is ready. */
  readonly healthy: boolean;
  /** `0` for a dead one. */
  readonly uptimeMs: number;
  readonly logFile: string;
  /** What it said of itself: `address`, `uiUrl`, `url`, `version`, … */
  readonly details: ManagedProcessRecord['details'];
}

/** What a home holds and runs. */
export interface StackStatus {
  readonly home: string;
  readonly processes: readonly ProcessStatus[];
  /** The Temporal server's SQLite file with its journal; `undefined` where there is none yet. */
  readonly database: { readonly path: string; readonly bytes: number } | undefined;
}

/** What runs in this home. Starts nothing, takes no lock, creates nothing. A `details.healthUrl` is asked by HTTP. */
export async function stackStatus(home: string): Promise<StackStatus> {
  const paths = homePaths(home);
  const records = inStopOrder(Object.values(readStackFile(home).processes)).toReversed();
  return {
    home: paths.home,
    processes: await Promise.all(records.map(statusOf)),
    database: databaseSize(paths.databaseFile),
  };
}

/** A process that `stopStack` dealt with. `killed`: it did not end within its grace. `not_running`: it had died before. */
export interface StoppedProcess {
  readonly name: string;
  readonly pid: number;
  readonly how: 'ended' | 'killed' | 'not_running';
}

/**
 * Ends every process of this home, and returns when they have really ended: the worker first, so that it can
 * finish what it is at, the server last. Idempotent. A pid that now belongs to another process is left alone.
 * Histories stay.
 */
export async function stopStack(options: {
  readonly home: string;
  readonly onProgress: OnProgress;
}): Promise<readonly StoppedProcess[]> {
  const { onProgress } = options;
  const paths = homePaths(options.home);
  if (statSync(paths.home, { throwIfNoEntry: false }) === undefined) return [];
  return withHomeLock({ home: paths.home, purpose: 'ending the stack', onProgress }, async () => {
    const stopped: StoppedProcess[] = [];
    for (const record of inStopOrder(Object.values(readStackFile(paths.home).processes))) {
      onProgress({ step: 'stop', message: `ending ${record.name} (process ${record.pid})` });
      const how = await endProcess({ home: paths.home, record, onProgress });
      stopped.push({ name: record.name, pid: record.pid, how });
    }
    return stopped;
  });
}

/** The quick look, without the lock. */
async function findRunning(home: string): Promise<ServerRecord | undefined> {
  const state = readStackFile(home);
  const record = state.processes[SERVER_PROCESS];
  if (record?.state !== 'ready' || !isNamespacePrepared(state) || !(await isAlive(record))) return undefined;
  const facts = await probeServer({ port: Number(record.details['port']), timeoutMs: PROBE_TIMEOUT_MS });
  return facts && serverRecordOf(record);
}

function embedded(options: {
  readonly home: string;
  readonly how: 'attached' | 'started' | 'restarted';
  readonly server: ServerRecord;
}): StackState {
  const { home, how, server } = options;
  const { address, uiUrl, serverVersion, pid } = server;
  return { external: false, how, home, address, namespace: EMBEDDED_NAMESPACE, uiUrl, serverVersion, pid };
}

function inStopOrder(records: readonly ManagedProcessRecord[]): readonly ManagedProcessRecord[] {
  return records.toSorted(
    (a, b) => stopRank(a.name) - stopRank(b.name) || b.startedAt.localeCompare(a.startedAt),
  );
}

function stopRank(name: string): number {
  if (name === WORKER_PROCESS) return 0;
  return name === SERVER_PROCESS ? 2 : 1;
}

async function statusOf(record: ManagedProcessRecord): Promise<ProcessStatus> {
  const { name, pid, logFile, details } = record;
  if (!(await isAlive(record)))
    return { name, pid, state: 'dead', healthy: false, uptimeMs: 0, logFile, details };
  const uptimeMs = Math.max(0, Date.now() - Date.parse(record.startedAt));
  return { name, pid, state: record.state, healthy: await isHealthy(record), uptimeMs, logFile, details };
}

async function isHealthy(record: ManagedProcessRecord): Promise<boolean> {
  if (record.name === SERVER_PROCESS) {
    return (
      (await probeServer({ port: Number(record.details['port']), timeoutMs: PROBE_TIMEOUT_MS })) !== undefined
    );
  }
  const { healthUrl } = record.details;
  if (typeof healthUrl !== 'string') return record.state === 'ready';
  try {
    return (await fetch(healthUrl, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) })).ok;
  } catch {
    // No answer is an answer here.
    return false;
  }
}

function databaseSize(path: string): StackStatus['database'] {
  const sizes = [path, `${path}-wal`].map((file) => statSync(file, { throwIfNoEntry: false })?.size);
  return sizes[0] === undefined ? undefined : { path, bytes: sizes[0] + (sizes[1] ?? 0) };
}
