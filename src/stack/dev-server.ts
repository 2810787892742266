import { SEARCH_ATTRIBUTES, startDevArguments } from '../core/search-attributes.ts';
import { homePaths } from './home.ts';
import { ProcessStartError, endProcess, fingerprintOf, startManagedProcess } from './managed-process.ts';
import type { ManagedProcessSpec } from './managed-process.ts';
import { canConnect, freePort } from './ports.ts';
import type { Environment, OnProgress } from './progress.ts';
import { inspectDatabase, isDatabaseInUse, setDatabaseAside } from './server-database.ts';
import { readStackFile, writeStackFile } from './state-file.ts';
import type { ManagedProcessRecord, StackFile } from './state-file.ts';
import type { TemporalCli } from './temporal-cli.ts';
import { addSearchAttributes, probeServer, setRetention } from './temporal-probe.ts';

/** The name of the Temporal server among a home's processes. */
export const SERVER_PROCESS = 'server';

const USUAL_PORT = 7233;
const USUAL_UI_PORT = 8233;
/** 7233, 7243, …: short of the range from which systems take ports for outgoing connections, so free again later. */
const USUAL_OFFSETS = [0, 10, 20, 30, 40, 50, 60, 70, 80, 90] as const;
const PORT_ATTEMPTS = 5;
const PROBE_TIMEOUT_MS = 2000;
const READY_TIMEOUT_MS = 60_000;
/** How long the namespace may not be readable in the file while the server answers, before that is accepted. */
const UNREADABLE_ACCEPTED_AFTER_MS = 5000;
const RETENTION_DAYS = 30;

/** The environment the server gets: what a program needs to run, and none of the user's secrets or `TEMPORAL_*`. */
const PASSED_ON = [
  'PATH',
  'HOME',
  'USERPROFILE',
  'APPDATA',
  'LOCALAPPDATA',
  'SystemRoot',
  'TMPDIR',
  'TEMP',
  'TMP',
  'TZ',
];

/**
 * How the server is started. One SQLite file holds all histories; the pragmas make it three times as fast and
 * survive a killed process; the timer setting lets short retries be short; one partition a task queue makes rate
 * limits exact; the new matcher lets a single extraction go before a batch. As it comes, the server looks for new tasks at most 20 times a second (its only shard), which an
 * extraction needs three times: one after the other took 150 ms each, and 31 ms without that limit.
 */
const SERVER_ARGUMENTS: readonly string[] = [
  'server start-dev --ip 127.0.0.1 --log-level warn --color never',
  // Relative to its working folder, the home: a path with `?` or `#` would be cut off there.
  '--db-filename temporal.db',
  '--sqlite-pragma journal_mode=WAL --sqlite-pragma synchronous=NORMAL',
  '--dynamic-config-value history.timerProcessorMaxTimeShift="10ms"',
  '--dynamic-config-value matching.numTaskqueueReadPartitions=1',
  '--dynamic-config-value matching.numTaskqueueWritePartitions=1',
  '--dynamic-config-value matching.useNewMatcher=true',
  '--dynamic-config-value history.transferProcessorMaxPollRPS=1000',
  '--dynamic-config-value history.timerProcessorMaxPollRPS=1000',
  // Of a new database; what an older one lacks is added to it later.
  ...startDevArguments(),
].flatMap((line) => line.split(' '));

/**
 * Memory for speed: as it comes, Go collects garbage whenever the heap has doubled, which took an eighth of a batch's time. Above
 * the limit it collects as often as before.
 */
const MEMORY: Environment = { GOGC: '400', GOMEMLIMIT: '1GiB' };

/** As the state file remembers them: others are to be added. */
const SEARCH_ATTRIBUTE_NAMES = Object.values(SEARCH_ATTRIBUTES)
  .map(({ name }) => name)
  .join(' ');

/** The embedded server as it runs. */
export interface ServerRecord {
  readonly pid: number;
  /** `127.0.0.1:7233`. */
  readonly address: string;
  /** `http://127.0.0.1:8233`. */
  readonly uiUrl: string;
  /** Of the server, not of the CLI. */
  readonly serverVersion: string;
  /** The path of the CLI it was started from. */
  readonly cli: string;
}

/** The server could not be started. The message holds its last log lines and what to do. */
export class ServerStartError extends Error {
  override readonly name = 'ServerStartError';
}

/** Reads what a server's record says in its details. */
export function serverRecordOf(record: ManagedProcessRecord): ServerRecord {
  const text = (name: string): string => {
    const value = record.details[name];
    return typeof value === 'string' ? value : 'unknown';
  };
  return {
    pid: record.pid,
    address: text('address'),
    uiUrl: text('uiUrl'),
    serverVersion: text('serverVersion'),
    cli: text('cli'),
  };
}

/** The specification by which a server that already runs is recognised and asked, whatever ports and CLI it has. */
export function runningServerSpec(record: ManagedProcessRecord): ManagedProcessSpec {
  const port = Number(record.details['port']);
  return {
    command: '',
    args: [],
    env: {},
    fingerprint: record.fingerprint,
    readyTimeoutMs: READY_TIMEOUT_MS,
    readiness: {
      kind: 'probe',
      probe: async () => {
        const facts = await probeServer({ port, timeoutMs: PROBE_TIMEOUT_MS });
        return facts && { serverVersion: facts.serverVersion };
      },
    },
  };
}

/**
 * Starts the dev server on the home's SQLite file. The ports used last, or 7233 and 8233, where they are free;
 * others (7243 and 8243, …) where they are not, also when somebody takes them at the last moment. Only under the home's lock, and
 * only when no recorded server is alive.
 *
 * @throws {ServerStartError}
 */
export async function startDevServer(options: {
  readonly home: string;
  readonly env: Environment;
  readonly cli: TemporalCli;
  readonly onProgress: OnProgress;
}): Promise<ServerRecord> {
  const { home, onProgress } = options;
  const { databaseFile } = homePaths(home);
  refuseSecondServer(databaseFile);
  const database = inspectDatabase(databaseFile);
  if (database.kind === 'incomplete') {
    const aside = setDatabaseAside(databaseFile);
    onProgress({
      step: 'server',
      message: `a first start was interrupted; its empty database is now ${aside}`,
    });
  }
  if (database.kind === 'incomplete' || database.kind === 'missing') {
    // A new database has the server's defaults again.
    const { database: _gone, ...state } = readStackFile(home);
    writeStackFile(home, state);
  }
  for (let attempt = 1; ; attempt += 1) {
    const ports = await choosePorts({ home, isFirst: attempt === 1 });
    try {
      const record = await startManagedProcess({
        home,
        name: SERVER_PROCESS,
        spec: serverSpec({ ...options, ports }),
        onProgress,
      });
      writeStackFile(home, { ...readStackFile(home), ports });
      return serverRecordOf(record);
    } catch (error) {
      if (!(error instanceof ProcessStartError)) throw error;
      if (!isPortTaken(error) || attempt === PORT_ATTEMPTS)
        throw explain({ error, databaseFile, cli: options.cli });
      onProgress({ step: 'server', message: 'a port was taken just now; trying others' });
    }
  }
}

/** Whether {@link prepareNamespace} has nothing left to do. */
export function isNamespacePrepared({ database }: StackFile): boolean {
  return database?.searchAttributes === SEARCH_ATTRIBUTE_NAMES;
}

/**
 * Makes closed workflows stay for 30 days and gives the namespace our search attributes, once for each database: one that an
 * earlier version made has not got them yet. Only under the home's lock.
 */
export async function prepareNamespace(options: {
  readonly home: string;
  readonly server: ServerRecord;
}): Promise<void> {
  const state = readStackFile(options.home);
  if (isNamespacePrepared(state)) return;
  const port = Number(options.server.address.split(':')[1]);
  if (state.database === undefined) await setRetention({ port, days: RETENTION_DAYS, timeoutMs: 10_000 });
  await addSearchAttributes({ port, timeoutMs: 10_000 });
  const { serverVersion } = options.server;
  const database = {
    serverVersion,
    ...state.database,
    retentionDays: RETENTION_DAYS,
    searchAttributes: SEARCH_ATTRIBUTE_NAMES,
  };
  writeStackFile(options.home, { ...state, database });
}

/** Ends a recorded server that is not worth keeping. Only under the home's lock. */
export async function endServer(options: {
  readonly home: string;
  readonly onProgress: OnProgress;
}): Promise<void> {
  const record = readStackFile(options.home).processes[SERVER_PROCESS];
  if (record !== undefined) await endProcess({ ...options, record });
}

interface Ports {
  readonly grpc: number;
  readonly ui: number;
}

async function choosePorts(options: { readonly home: string; readonly isFirst: boolean }): Promise<Ports> {
  // Whoever lost a race for a usual port would lose the next one as well: then any port is better.
  const last = options.isFirst ? readStackFile(options.home).ports : undefined;
  const usual = options.isFirst ? USUAL_OFFSETS : [];
  const grpc = await freePort({
    preferred: [...(last ? [last.grpc] : []), ...usual.map((n) => USUAL_PORT + n)],
  });
  const ui = await freePort({
    preferred: [...(last ? [last.ui] : []), ...usual.map((n) => USUAL_UI_PORT + n)],
  });
  return { grpc, ui };
}

function serverSpec(options: {
  readonly home: string;
  readonly env: Environment;
  readonly cli: TemporalCli;
  readonly ports: Ports;
}): ManagedProcessSpec {
  const { env, cli, ports } = options;
  const address = `127.0.0.1:${ports.grpc}`;
  const uiUrl = `http://127.0.0.1:${ports.ui}`;
  const passedOn = PASSED_ON.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]] as const]));
  return {
    command: cli.path,
    args: [...SERVER_ARGUMENTS, '--port', String(ports.grpc), '--ui-port', String(ports.ui)],
    env: { ...Object.fromEntries(passedOn), ...MEMORY },
    cwd: options.home,
    logFile: 'temporal.log',
    fingerprint: fingerprintOf(SERVER_ARGUMENTS),
    details: { address, port: ports.grpc, uiUrl, url: uiUrl, cli: cli.path, cliVersion: cli.version },
    readiness: { kind: 'probe', probe: ownServerProbe({ home: options.home, ports }) },
    readyTimeoutMs: READY_TIMEOUT_MS,
    stopGraceMs: 15_000,
  };
}

/**
 * Ready means that *our* server answers. Another home's may have taken the port a moment before ours failed to,
 * and answer in its place: the namespace's id in our own file tells them apart.
 */
function ownServerProbe(options: {
  readonly home: string;
  readonly ports: Ports;
}): () => Promise<{ readonly serverVersion: string } | undefined> {
  const { databaseFile } = homePaths(options.home);
  let firstAnswerAt: number | undefined;
  return async () => {
    const facts = await probeServer({ port: options.ports.grpc, timeoutMs: PROBE_TIMEOUT_MS });
    if (facts === undefined) return undefined;
    if (!(await canConnect({ port: options.ports.ui, timeoutMs: PROBE_TIMEOUT_MS }))) return undefined;
    const { serverVersion } = facts;
    const database = inspectDatabase(databaseFile);
    if (database.kind === 'complete')
      return database.namespaceId === facts.namespaceId ? { serverVersion } : undefined;
    // A future server might keep its namespaces elsewhere. One that could not bind its port has ended long before this.
    firstAnswerAt ??= performance.now();
    return performance.now() - firstAnswerAt > UNREADABLE_ACCEPTED_AFTER_MS ? { serverVersion } : undefined;
  };
}

function refuseSecondServer(databaseFile: string): void {
  if (!isDatabaseInUse(databaseFile)) return;
  throw new ServerStartError(
    `${databaseFile} is in use by another process, although stack.json beside it knows of no server that runs. ` +
      'Expected no one: two servers on one file would fight over its workflows. ' +
      'Was stack.json deleted, or the folder copied? End that process (`lsof` or `fuser` on the file finds it) and try again.',
  );
}

function isPortTaken(error: ProcessStartError): boolean {
  return /address already in use|Only one usage of each socket address/i.test(error.log);
}

function explain(options: {
  readonly error: ProcessStartError;
  readonly databaseFile: string;
  readonly cli: TemporalCli;
}): ServerStartError {
  const { error, databaseFile, cli } = options;
  return new ServerStartError(
    `The Temporal ${error.message}\n${adviceFor({ log: error.log, databaseFile })} (CLI: ${cli.path}, ${cli.version})`,
    {
      cause: error,
    },
  );
}

function adviceFor(options: { readonly log: string; readonly databaseFile: string }): string {
  const { log, databaseFile } = options;
  if (/not a database|malformed|corrupt/i.test(log)) {
    return `The database is damaged. Restore ${databaseFile} from a copy, or move it away: a new one is made, without the histories in it.`;
  }
  if (/no space left|disk is full/i.test(log)) return 'The disk is full. Free some space and try again.';
  if (/no such (table|column)|already exists/i.test(log)) {
    return `The database was made by another version of the server. Use that version (DURABLE_EXTRACT_TEMPORAL_CLI), or move ${databaseFile} away: a new one is made, without the histories in it.`;
  }
  return 'Look into the log, correct what it names and try again.';
}
