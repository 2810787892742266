import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { isJsonObject } from '../core/json.ts';
import type { JsonObject } from '../core/json.ts';
import { codeOf } from './error-facts.ts';
import { homePaths } from './home.ts';

/** A process this home started. Holds neither arguments nor environment: those may carry secrets. */
export interface ManagedProcessRecord {
  readonly name: string;
  readonly pid: number;
  /** As `processStartTime` gives it: tells a recycled pid from the process that was started. */
  readonly startTime: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** `starting` until it said that it is ready. */
  readonly state: 'starting' | 'ready';
  /** What it was started with, as a hash; another one means it has to be started again. */
  readonly fingerprint: string;
  readonly logFile: string;
  /** How long it may take to end by itself before it is killed. */
  readonly stopGraceMs: number;
  /** What others need to know to use it, said by it or by its starter: `address`, `url`, `version`, … */
  readonly details: JsonObject;
}

/** All that `stack.json` holds. */
export interface StackFile {
  readonly version: 1;
  /** The ports used last, taken again after a restart so that links to the Web UI stay good. */
  readonly ports?: { readonly grpc: number; readonly ui: number };
  /** Set once the `default` namespace is as we want it. */
  readonly database?: {
    readonly retentionDays: number;
    readonly serverVersion: string;
    /** Those that were registered; absent where an earlier version prepared it. */
    readonly searchAttributes?: string;
  };
  /** Where the worker serves its metrics, as `up --metrics` said. */
  readonly metrics?: string;
  readonly processes: Readonly<Record<string, ManagedProcessRecord>>;
}

const EMPTY: StackFile = { version: 1, processes: {} };

/**
 * What `stack.json` says, or an empty state when there is none. Needs no lock: writes are atomic.
 *
 * @throws when the file is not one of ours.
 */
export function readStackFile(home: string): StackFile {
  const { stateFile } = homePaths(home);
  let text: string;
  try {
    text = readFileSync(stateFile, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return EMPTY;
    throw error;
  }
  const value = parse(text);
  if (isStackFile(value)) return value;
  throw new Error(
    `Cannot read ${stateFile}: expected a JSON object with "version": 1 and "processes", got ${JSON.stringify(text.slice(0, 80))}. ` +
      'It says which processes run, and no history is in it: end those processes, delete the file and try again.',
  );
}

/** Writes `stack.json` as one atomic replacement. Only while holding the home's lock. */
export function writeStackFile(home: string, state: StackFile): void {
  const { stateFile } = homePaths(home);
  const temporary = `${stateFile}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
    renameSync(temporary, stateFile);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Adds or replaces one process's record. Only while holding the home's lock. */
export function recordProcess(home: string, record: ManagedProcessRecord): void {
  const state = readStackFile(home);
  writeStackFile(home, { ...state, processes: { ...state.processes, [record.name]: record } });
}

/** Removes one process's record. Only while holding the home's lock. */
export function forgetProcess(home: string, name: string): void {
  const state = readStackFile(home);
  const { [name]: _ended, ...processes } = state.processes;
  writeStackFile(home, { ...state, processes });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The caller says what was expected, and shows the beginning of the file.
    return undefined;
  }
}

/** Only this program writes it, atomically: a look at its outline tells ours from anything else. */
function isStackFile(value: unknown): value is StackFile {
  return isJsonObject(value) && value['version'] === 1 && isJsonObject(value['processes']);
}
