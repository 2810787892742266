import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { DurableExtract } from '../../src/client/index.ts';
import { isAlive } from '../../src/stack/managed-process.ts';
import { readStackFile } from '../../src/stack/state-file.ts';
import { ensureStack } from '../../src/stack/stack.ts';
import { findTemporalCli } from '../../src/stack/temporal-cli.ts';
import { cleanUp, kill, temporaryFolder, until } from '../stack/temp-home.ts';

/** A Temporal server of a test's own. */
export interface TestStack {
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
  readonly address: string;
  readonly extractor: DurableExtract;
}

/** A worker in a process of its own: `durable-extract worker`. */
export interface WorkerProcess {
  readonly pid: number;
  /** What it wrote to stderr so far. */
  log(): string;
  /** Lets it end by itself. */
  stop(): Promise<void>;
  /** `kill -9`, and waits until it is gone. */
  kill(): Promise<void>;
}

/** Nothing of whoever runs the tests decides which server, key or model they use. */
const OTHERS = /^(TEMPORAL_|OPENAI_|DURABLE_EXTRACT_(HOME|MODEL|SCHEMAS|CALL_TIMEOUT_MS)$)/;
const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

const extractors: DurableExtract[] = [];
const workerPids = new Set<number>();

/** The environment of the tests, with a home or without one yet. */
export function testEnvironment(home?: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !OTHERS.test(name));
  return {
    ...Object.fromEntries(kept),
    DURABLE_EXTRACT_GATE: 'off',
    ...(home === undefined ? {} : { DURABLE_EXTRACT_HOME: home }),
  };
}

/** Finds the Temporal CLI, which on a new machine takes minutes. */
export async function temporalCli(): Promise<string> {
  return (
    await findTemporalCli({ env: testEnvironment(), onProgress: ({ message }) => console.error(message) })
  ).path;
}

/** Starts a server in a new temporary home. {@link endTestStacks} ends it. */
export async function startTestStack(name: string): Promise<TestStack> {
  const home = temporaryFolder(name);
  const env = testEnvironment(home);
  const address = await startServer({ home, env });
  const extractor = await DurableExtract.connect({ env });
  extractors.push(extractor);
  return { home, env, address, extractor };
}

/** Starts the home's server where it does not run, on the same file. */
export async function startServer({ home, env }: Pick<TestStack, 'home' | 'env'>): Promise<string> {
  return (await ensureStack({ home, env, onProgress: () => {} })).address;
}

/** `kill -9` of the home's server, and waits until it is gone. */
export async function killServer({ home }: Pick<TestStack, 'home'>): Promise<void> {
  const record = readStackFile(home).processes['server'];
  if (record === undefined) throw new Error(`Expected a server in ${home}`);
  kill(record.pid);
  await until(async () => !(await isAlive(record)));
}

/** Runs `durable-extract worker`, asking the provider at `url`, and waits until it is ready. */
export async function startWorkerProcess(
  { home, env }: Pick<TestStack, 'home' | 'env'>,
  url: string,
): Promise<WorkerProcess> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, 'worker'], {
    cwd: home,
    env: { ...env, OPENAI_API_KEY: 'sk-secret', OPENAI_BASE_URL: url },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error('Cannot start a worker');
  workerPids.add(pid);
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      workerPids.delete(pid);
      resolve();
    });
  });
  await until(() => log.includes('worker ready') || !workerPids.has(pid));
  if (!workerPids.has(pid)) throw new Error(`The worker ended:\n${log}`);
  return {
    pid,
    log: () => log,
    async stop() {
      process.kill(pid, 'SIGTERM');
      await ended;
    },
    async kill() {
      kill(pid);
      await ended;
    },
  };
}

/** Ends, by its id, every process that was started here, and removes the homes. */
export async function endTestStacks(): Promise<void> {
  for (const pid of workerPids) kill(pid);
  await Promise.all(extractors.splice(0).map((extractor) => extractor.close()));
  await cleanUp();
}
