import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { isAlive } from '../../src/stack/managed-process.ts';
import { processStartTime } from '../../src/stack/process-identity.ts';
import { readStackFile } from '../../src/stack/state-file.ts';
import { stopStack } from '../../src/stack/stack.ts';

const LAUNCHER = fileURLToPath(new URL('../../bin/durable-extract.js', import.meta.url));

const folders: string[] = [];
const running = new Set<RunningCommand>();

/** A folder that {@link cleanUp} removes, after it has ended what runs in it. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'durable-extract-cli-'));
  folders.push(folder);
  return folder;
}

/** A home that does not exist yet. */
export function temporaryHome(): string {
  return join(temporaryFolder(), 'home');
}

/** How a command ended. */
export interface Ended {
  /** Null where a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. */
export interface RunningCommand {
  readonly ended: Promise<Ended>;
  /** What it wrote to stderr so far. */
  stderr(): string;
  hasEnded(): boolean;
  kill(signal: NodeJS.Signals): void;
}

/** Where and how a command runs. `env` is all it gets beyond what any program needs: no key and no server of the developer's. */
export interface Place {
  readonly home: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Standard input; without it, it is empty. */
  readonly input?: string;
  /** The Node that runs the launcher. */
  readonly node?: string;
}

/** Starts `durable-extract <args>` as a user does, until {@link cleanUp} at the latest. */
export function start(args: readonly string[], place: Place): RunningCommand {
  const child = spawn(place.node ?? process.execPath, [LAUNCHER, ...args], {
    cwd: place.cwd ?? tmpdir(),
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      DURABLE_EXTRACT_HOME: place.home,
      ...place.env,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // A command that reads no input ends before it is written.
  child.stdin.on('error', () => {});
  child.stdin.end(place.input ?? '');
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk;
  });
  const command: RunningCommand = {
    stderr: () => errors,
    hasEnded: () => !running.has(command),
    kill: (signal) => void child.kill(signal),
    ended: Promise.all([once(child, 'close'), text(child.stdout)]).then(([[exitCode], stdout]) => {
      running.delete(command);
      return { exitCode: exitCode as number | null, stdout, stderr: errors };
    }),
  };
  running.add(command);
  return command;
}

/** Runs `durable-extract <args>` to its end. */
export function run(args: readonly string[], place: Place): Promise<Ended> {
  return start(args, place).ended;
}

/** The pids of a home's processes, by name. */
export function pidsOf(home: string): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.values(readStackFile(home).processes).map(({ name, pid }) => [name, pid] as const),
  );
}

/** Whether every process that a home has recorded really runs. */
export async function allAlive(home: string): Promise<boolean> {
  const records = Object.values(readStackFile(home).processes);
  const alive = await Promise.all(records.map(isAlive));
  return records.length > 0 && alive.every(Boolean);
}

/** Whether a process of this id runs. One that has ended but was not yet waited for by its parent does not. */
export async function runs(pid: number): Promise<boolean> {
  return (await processStartTime(pid)) !== undefined;
}

/** Ends all that the tests started, each by its id, and removes the folders. */
export async function cleanUp(): Promise<void> {
  for (const command of running) command.kill('SIGKILL');
  await Promise.all([...running].map(({ ended }) => ended));
  for (const folder of folders.splice(0)) {
    const home = join(folder, 'home');
    if (existsSync(home)) await stopStack({ home, onProgress: () => {} });
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
