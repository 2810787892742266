import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isJsonObject } from '../core/json.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { codeOf } from './error-facts.ts';
import { homePaths, prepareHome } from './home.ts';
import { lastLines, logSince, openLog } from './log-file.ts';
import { processStartTime } from './process-identity.ts';
import { withProcessLock } from './process-lock.ts';
import { formatElapsed } from './progress.ts';
import type { Environment, OnProgress } from './progress.ts';
import { forgetProcess, readStackFile, recordProcess } from './state-file.ts';
import type { ManagedProcessRecord } from './state-file.ts';

const POLL_MS = 25;
const LOCK_TIMEOUT_MS = 120_000;
/** The variable that names the file in which a process announces that it is ready. */
const READY_FILE_VARIABLE = 'DURABLE_EXTRACT_READY_FILE';

/**
 * How it is known that a process is ready. `announced`: it calls {@link announceReady}. `probe`: asked again and
 * again until it gives the process's details; `undefined` means not yet.
 */
export type Readiness =
  | { readonly kind: 'announced' }
  | { readonly kind: 'probe'; readonly probe: () => Promise<JsonObject | undefined> };

/** A long-lived process as it is to be started. Neither `args` nor `env` are ever written to disk. */
export interface ManagedProcessSpec {
  /** An absolute path, or a name on `env.PATH`. */
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment of the process: nothing is inherited. */
  readonly env: Environment;
  /** Default: the home. */
  readonly cwd?: string;
  /** Where its stdout and stderr go, inside the home's `logs` folder. Default `<name>.log`. */
  readonly logFile?: string;
  /** What decides whether a running process still is the one wanted; see {@link fingerprintOf}. */
  readonly fingerprint: string;
  /** Details known before it runs; what it announces is laid over them. No secrets: they are written to disk. */
  readonly details?: JsonObject;
  readonly readiness: Readiness;
  /** How long it may take to become ready. Default 30 s. */
  readonly readyTimeoutMs?: number;
  /** How long it may take to end after SIGTERM before SIGKILL. Default 10 s. */
  readonly stopGraceMs?: number;
}

/** A process did not become ready; it has been ended. `log` holds what it wrote, at most 64 KB. */
export class ProcessStartError extends Error {
  override readonly name = 'ProcessStartError';
  readonly reason: 'exited' | 'timed_out';
  readonly log: string;

  constructor(options: {
    readonly reason: 'exited' | 'timed_out';
    readonly message: string;
    readonly log: string;
  }) {
    super(options.message);
    this.reason = options.reason;
    this.log = options.log;
  }
}

/** A short hash of what a process is started with, for {@link ManagedProcessSpec.fingerprint}. Keys are compared in their given order. */
export function fingerprintOf(value: Json): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);
}

/** Whether the recorded process itself (not another one under its recycled pid) still runs. */
export async function isAlive(record: Pick<ManagedProcessRecord, 'pid' | 'startTime'>): Promise<boolean> {
  return (await processStartTime(record.pid)) === record.startTime;
}

/**
 * Called by a process that was started with readiness `announced`, once it is ready. `details` are written to
 * `stack.json`: no secrets. Does nothing when the process was not started by {@link ensureProcess}.
 */
export function announceReady(options: { readonly env: Environment; readonly details: JsonObject }): void {
  const path = options.env[READY_FILE_VARIABLE];
  if (path === undefined || path === '') return;
  writeFileSync(`${path}.tmp`, `${JSON.stringify(options.details)}\n`, { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
}

/**
 * Makes sure that the process `name` of this home runs as `spec` says: attaches to a live one, starts one where
 * there is none, and replaces one that was started with another fingerprint or does not answer any more.
 * Two callers at once start one process. A process started this way outlives its starter and its terminal.
 *
 * Must not be called by a managed process before it has announced itself: its starter holds the home's lock.
 *
 * @throws {ProcessStartError} when it ends or is not ready in time; nothing of it is left running.
 * @throws {ProcessLockTimeoutError} when another process holds the home's lock for two minutes.
 */
export async function ensureProcess(options: {
  readonly home: string;
  readonly name: string;
  readonly spec: ManagedProcessSpec;
  readonly onProgress: OnProgress;
}): Promise<{ readonly how: 'attached' | 'started' | 'restarted'; readonly record: ManagedProcessRecord }> {
  const { home, name, spec, onProgress } = options;
  const running = await findReady(options);
  if (running !== undefined) return { how: 'attached', record: running };
  return withHomeLock({ home, purpose: `starting ${name}`, onProgress }, async () => {
    const attached = await attach({ home, name, spec, onProgress });
    if (attached !== undefined) return { how: 'attached', record: attached };
    const previous = readStackFile(home).processes[name];
    if (previous !== undefined) await endProcess({ home, record: previous, onProgress });
    const record = await startManagedProcess({ home, name, spec, onProgress });
    return { how: previous === undefined ? 'started' : 'restarted', record };
  });
}

/** Runs `action` while no other command starts or ends processes of this home. Creates the home. */
export async function withHomeLock<T>(
  options: { readonly home: string; readonly purpose: string; readonly onProgress: OnProgress },
  action: () => Promise<T>,
): Promise<T> {
  const { lockFile } = prepareHome(options.home);
  return withProcessLock(
    {
      path: lockFile,
      purpose: options.purpose,
      timeoutMs: LOCK_TIMEOUT_MS,
      onWait: ({ holder }) => options.onProgress({ step: 'lock', message: `waiting for ${holder}` }),
    },
    action,
  );
}

/**
 * The live process of that name, once it is ready. One that is alive but does not answer (still starting,
 * or the machine is busy) is waited for; `undefined` when there is none worth keeping. Only under the home's lock.
 */
export async function attach(options: {
  readonly home: string;
  readonly name: string;
  readonly spec: ManagedProcessSpec;
  readonly onProgress: OnProgress;
}): Promise<ManagedProcessRecord | undefined> {
  const { home, name, spec } = options;
  const record = readStackFile(home).processes[name];
  if (record === undefined || record.fingerprint !== spec.fingerprint || !(await isAlive(record)))
    return undefined;
  const details = await waitUntilReady({ ...options, record, onEnded: undefined });
  if (details === 'exited' || details === 'timed_out') {
    options.onProgress({
      step: 'process',
      message: `${name} (process ${record.pid}) does not answer; starting it again`,
    });
    return undefined;
  }
  const ready: ManagedProcessRecord = { ...record, state: 'ready', details };
  if (record.state !== 'ready') recordProcess(home, ready);
  return ready;
}

/**
 * Starts a process, records it, and waits until it is ready. Only under the home's lock.
 *
 * On POSIX the child first waits for a word on its stdin, which it gets after its pid is on disk: a starter that
 * is killed in between leaves no process behind that nobody knows of.
 *
 * @throws {ProcessStartError}
 */
export async function startManagedProcess(options: {
  readonly home: string;
  readonly name: string;
  readonly spec: ManagedProcessSpec;
  readonly onProgress: OnProgress;
}): Promise<ManagedProcessRecord> {
  const { home, name, spec, onProgress } = options;
  const paths = prepareHome(home);
  const logFile = join(paths.logFolder, spec.logFile ?? `${name}.log`);
  const { descriptor, offset } = openLog(logFile);
  rmSync(readyFile(home, name), { force: true });
  const child = spawnWaiting({ home, name, spec, log: descriptor });
  closeSync(descriptor);
  const ended = watchEnd(child);
  const pid = child.pid;
  const startTime = pid === undefined ? undefined : await processStartTime(pid);
  if (pid === undefined || startTime === undefined) {
    throw startError({
      name,
      logFile,
      log: '',
      reason: 'exited',
      why: (await ended.promise) ?? 'it ended at once',
    });
  }
  const record: ManagedProcessRecord = {
    name,
    pid,
    startTime,
    startedAt: new Date().toISOString(),
    state: 'starting',
    fingerprint: spec.fingerprint,
    logFile,
    stopGraceMs: spec.stopGraceMs ?? 10_000,
    details: spec.details ?? {},
  };
  recordProcess(home, record);
  child.stdin?.end('go\n');

  const details = await waitUntilReady({ home, name, spec, record, onProgress, onEnded: ended });
  if (details === 'exited' || details === 'timed_out') {
    await endProcess({ home, record: { ...record, stopGraceMs: 2000 }, onProgress: () => {} });
    const log = logSince({ path: logFile, offset });
    const why =
      details === 'exited'
        ? `it ended (${ended.reason() ?? 'exit status unknown'})`
        : `it was not ready within ${formatElapsed(spec.readyTimeoutMs ?? 30_000)}`;
    throw startError({ name, logFile, log, reason: details, why });
  }
  const ready: ManagedProcessRecord = { ...record, state: 'ready', details };
  recordProcess(home, ready);
  return ready;
}

/**
 * Ends a recorded process: SIGTERM, then SIGKILL to its group after its grace, and returns when it has really
 * ended. A pid that now belongs to another process is left alone. Removes the record. Only under the home's lock.
 */
export async function endProcess(options: {
  readonly home: string;
  readonly record: ManagedProcessRecord;
  readonly onProgress: OnProgress;
}): Promise<'ended' | 'killed' | 'not_running'> {
  const { home, record } = options;
  const how = await stop(record, options.onProgress);
  forgetProcess(home, record.name);
  rmSync(readyFile(home, record.name), { force: true });
  return how;
}

async function stop(
  record: ManagedProcessRecord,
  onProgress: OnProgress,
): Promise<'ended' | 'killed' | 'not_running'> {
  if (!(await isAlive(record))) return 'not_running';
  signal(record.pid, 'SIGTERM');
  const startedAt = performance.now();
  let nextReportMs = 2000;
  while (await isAlive(record)) {
    const elapsedMs = performance.now() - startedAt;
    if (elapsedMs >= record.stopGraceMs) {
      onProgress({ step: 'stop', message: `${record.name} did not end within its grace; killing it` });
      // Its own group, so that nothing it started survives it.
      signal(process.platform === 'win32' ? record.pid : -record.pid, 'SIGKILL');
      while (await isAlive(record)) await sleep(POLL_MS);
      return 'killed';
    }
    if (elapsedMs >= nextReportMs) {
      onProgress({ step: 'stop', message: `waiting for ${record.name} to end: ${formatElapsed(elapsedMs)}` });
      nextReportMs = elapsedMs + 2000;
    }
    await sleep(POLL_MS);
  }
  return 'ended';
}

function signal(target: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(target, name);
  } catch (error) {
    // It ended by itself just now: that is what was wanted.
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}

/** The quick look, without the lock: a process that is recorded as ready, alive and answering. */
async function findReady(options: {
  readonly home: string;
  readonly name: string;
  readonly spec: ManagedProcessSpec;
}): Promise<ManagedProcessRecord | undefined> {
  const record = readStackFile(options.home).processes[options.name];
  if (record?.state !== 'ready' || record.fingerprint !== options.spec.fingerprint) return undefined;
  if (!(await isAlive(record))) return undefined;
  const details = await readDetails({ ...options, record });
  return details === undefined ? undefined : { ...record, details };
}

async function waitUntilReady(options: {
  readonly home: string;
  readonly name: string;
  readonly spec: ManagedProcessSpec;
  readonly record: ManagedProcessRecord;
  readonly onProgress: OnProgress;
  /** Tells at once that a child of this process has ended; `undefined`: not a child of ours. */
  readonly onEnded: EndWatch | undefined;
}): Promise<JsonObject | 'exited' | 'timed_out'> {
  const { name, spec, record, onProgress } = options;
  const startedAt = performance.now();
  let nextReportMs = 2000;
  for (;;) {
    const hasEnded = options.onEnded === undefined ? !(await isAlive(record)) : options.onEnded.hasEnded();
    if (hasEnded) return 'exited';
    const details = await readDetails(options);
    if (details !== undefined) return details;
    const elapsedMs = performance.now() - startedAt;
    if (elapsedMs >= (spec.readyTimeoutMs ?? 30_000)) return 'timed_out';
    if (elapsedMs >= nextReportMs) {
      onProgress({
        step: 'process',
        message: `waiting for ${name} to be ready: ${formatElapsed(elapsedMs)}`,
      });
      nextReportMs = elapsedMs + 2000;
    }
    await sleep(POLL_MS);
  }
}

async function readDetails(options: {
  readonly home: string;
  readonly name: string;
  readonly spec: ManagedProcessSpec;
  readonly record: ManagedProcessRecord;
}): Promise<JsonObject | undefined> {
  const { spec, record } = options;
  if (spec.readiness.kind === 'probe') {
    const probed = await spec.readiness.probe();
    return probed === undefined ? undefined : { ...record.details, ...probed };
  }
  if (record.state === 'ready') return record.details;
  try {
    const announced: unknown = JSON.parse(readFileSync(readyFile(options.home, options.name), 'utf8'));
    return isJsonObject(announced) ? { ...record.details, ...announced } : undefined;
  } catch {
    // Not there yet.
    return undefined;
  }
}

function readyFile(home: string, name: string): string {
  return join(homePaths(home).runFolder, `${name}.ready.json`);
}

function spawnWaiting(options: {
  readonly home: string;
  readonly name: string;
  readonly spec: ManagedProcessSpec;
  readonly log: number;
}): ChildProcess {
  const { spec, log } = options;
  const isWindows = process.platform === 'win32';
  const command = isWindows ? spec.command : '/bin/sh';
  // `exec` keeps pid and start time; stdin at its end means that the starter died, and then nothing is started.
  const args = isWindows
    ? spec.args
    : ['-c', 'read -r go && exec "$@" </dev/null', options.name, spec.command, ...spec.args];
  const child = spawn(command, args, {
    cwd: spec.cwd ?? options.home,
    env: { ...spec.env, [READY_FILE_VARIABLE]: readyFile(options.home, options.name) },
    // A session of its own: Ctrl-C in the terminal that started it, or closing it, does not reach it.
    detached: true,
    windowsHide: true,
    stdio: [isWindows ? 'ignore' : 'pipe', log, log],
  });
  // A child that died before it read shows itself by ending, not by this pipe.
  child.stdin?.on('error', () => {});
  child.unref();
  return child;
}

interface EndWatch {
  readonly promise: Promise<string | undefined>;
  hasEnded(): boolean;
  reason(): string | undefined;
}

function watchEnd(child: ChildProcess): EndWatch {
  let hasEnded = false;
  let reason: string | undefined;
  const promise = new Promise<string | undefined>((resolve) => {
    const end = (why: string): void => {
      hasEnded = true;
      reason ??= why;
      resolve(reason);
    };
    child.once('error', (error) => end(error.message));
    child.once('exit', (code, signalName) =>
      end(signalName === null ? `exit code ${code}` : `signal ${signalName}`),
    );
  });
  return { promise, hasEnded: () => hasEnded, reason: () => reason };
}

function startError(options: {
  readonly name: string;
  readonly logFile: string;
  readonly log: string;
  readonly reason: 'exited' | 'timed_out';
  readonly why: string;
}): ProcessStartError {
  const lines =
    options.log === ''
      ? 'It wrote nothing.'
      : `Its last lines:\n${lastLines({ log: options.log, count: 15 })}`;
  return new ProcessStartError({
    reason: options.reason,
    log: options.log,
    message: `${options.name} did not start: ${options.why}. The log is ${options.logFile}. ${lines}`,
  });
}
