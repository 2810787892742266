import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isAlive } from '../../src/stack/managed-process.ts';
import { readStackFile } from '../../src/stack/state-file.ts';

const folders: string[] = [];
const pids = new Set<number>();

/** A folder that {@link cleanUp} removes. */
export function temporaryFolder(name = 'stack'): string {
  const folder = mkdtempSync(join(tmpdir(), `durable-extract-${name}-`));
  folders.push(folder);
  return folder;
}

/** Ends, by its id, everything that was started under a temporary folder, and removes the folders. */
export async function cleanUp(): Promise<void> {
  for (const pid of pids) kill(pid);
  for (const folder of folders.splice(0)) {
    for (const home of [folder, ...subfolders(folder)]) {
      if (!existsSync(join(home, 'stack.json'))) continue;
      for (const record of Object.values(readStackFile(home).processes)) {
        if (!(await isAlive(record))) continue;
        kill(record.pid);
        await until(async () => !(await isAlive(record)));
      }
    }
    for (const pid of processesIn(folder)) kill(pid);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Waits for a condition, at most 20 s where nobody says longer. */
export async function until(condition: () => boolean | Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Not within ${timeoutMs} ms: ${condition.toString()}`);
    await sleep(10);
  }
}

/** A child process of a test, with the lines it printed so far. */
export interface TestChild {
  readonly pid: number;
  readonly out: string[];
  readonly err: string[];
  readonly exited: Promise<number | null>;
  kill(): void;
}

/** Runs `children/<script>` with Node, until {@link cleanUp} at the latest. */
export function runChild(options: {
  readonly script: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}): TestChild {
  const path = fileURLToPath(new URL(`children/${options.script}`, import.meta.url));
  const child = spawn(process.execPath, [path, ...options.args], {
    env: options.env ?? process.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`Cannot run ${path}`);
  pids.add(pid);
  const exited = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      pids.delete(pid);
      resolve(code);
    });
  });
  return { pid, ...linesOf(child), exited, kill: () => kill(pid) };
}

/** The processes whose working folder is this one: how the servers of a home are counted. */
export function processesIn(folder: string): readonly number[] {
  if (process.platform !== 'linux') return processesByLsof(folder);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => linkOf(`/proc/${name}/cwd`) === folder)
    .map(Number);
}

/** Ends a process the hard way. */
export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

/** The text of a file, or nothing. */
export function textOf(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

function linesOf(child: ChildProcessByStdio<null, Readable, Readable>): { out: string[]; err: string[] } {
  const out: string[] = [];
  const err: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => out.push(line));
  createInterface({ input: child.stderr }).on('line', (line) => err.push(line));
  return { out, err };
}

function subfolders(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(folder, entry.name));
}

function processesByLsof(folder: string): readonly number[] {
  const { stdout } = spawnSync('lsof', ['-a', '-d', 'cwd', '-t', '--', folder], { encoding: 'utf8' });
  return (stdout ?? '').split('\n').filter(Boolean).map(Number);
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    // Ended meanwhile, or somebody else's.
    return undefined;
  }
}
