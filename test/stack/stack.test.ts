import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isAlive } from '../../src/stack/managed-process.ts';
import { freePort } from '../../src/stack/ports.ts';
import { readStackFile, writeStackFile } from '../../src/stack/state-file.ts';
import { ensureStack, stackStatus, stopStack } from '../../src/stack/stack.ts';
import type { StackState } from '../../src/stack/stack.ts';
import { findTemporalCli } from '../../src/stack/temporal-cli.ts';
import { cleanUp, kill, processesIn, runChild, temporaryFolder, until } from './temp-home.ts';

type Embedded = Extract<StackState, { external: false }>;

const quiet = (): void => {};
/** Without the `TEMPORAL_*` of whoever runs the tests. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_')));
let cliPath: string;

beforeAll(async () => {
  cliPath = (await findTemporalCli({ env, onProgress: ({ message }) => console.error(message) })).path;
}, 900_000);

afterAll(cleanUp);

async function up(home: string, changes: NodeJS.ProcessEnv = {}): Promise<Embedded> {
  const state = await ensureStack({ home, env: { ...env, ...changes }, onProgress: quiet });
  if (state.external) throw new Error('Expected the embedded stack');
  return state;
}

async function withClient<T>(address: string, action: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await action(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

async function killServer(home: string): Promise<void> {
  const record = readStackFile(home).processes['server'];
  if (record === undefined) throw new Error('Expected a server');
  kill(record.pid);
  await until(async () => !(await isAlive(record)));
}

describe.concurrent('the embedded stack', () => {
  it('is started once by two commands at once, and answers with its Web UI', async () => {
    const home = temporaryFolder();
    const children = [1, 2].map(() => runChild({ script: 'ensure-stack.ts', args: [home], env }));
    await expect(Promise.all(children.map((child) => child.exited))).resolves.toEqual([0, 0]);
    const states = children.map((child) => printedState(child.out));
    expect(new Set(states.map((state) => state.how))).toEqual(new Set(['attached', 'started']));
    expect(states[0]?.pid).toBe(states[1]?.pid);
    expect(processesIn(home)).toEqual([states[0]?.pid]);

    expect((await fetch(states[0]?.uiUrl ?? '')).status).toBe(200);
    const status = await stackStatus(home);
    expect(status.processes).toMatchObject([{ name: 'server', state: 'ready', healthy: true }]);
    expect(status.processes[0]?.uptimeMs).toBeGreaterThan(0);
    expect(status.database?.bytes).toBeGreaterThan(0);

    expect(await stopStack({ home, onProgress: quiet })).toMatchObject([{ name: 'server', how: 'ended' }]);
    expect(processesIn(home)).toEqual([]);
  });

  it('keeps its histories, its ports and its retention when the server is killed', async () => {
    // A path that would end at the question mark if it were handed to the server.
    const home = join(temporaryFolder(), 'a home?#%20');
    mkdirSync(home);
    await rememberPorts({ homes: [home], grpc: 27_233, ui: 28_233 });
    const before = await up(home);
    await withClient(before.address, async (client) => {
      await client.workflow.start('nobody', { taskQueue: 'nobody', workflowId: 'kept', args: [{ a: 1 }] });
    });
    await killServer(home);

    const after = await up(home);
    expect(after).toMatchObject({ how: 'restarted', address: before.address, uiUrl: before.uiUrl });
    expect(after.pid).not.toBe(before.pid);
    await withClient(after.address, async (client) => {
      expect((await client.workflow.getHandle('kept').describe()).status.name).toBe('RUNNING');
      const { config } = await client.workflowService.describeNamespace({ namespace: 'default' });
      expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(30 * 24 * 3600);
    });
    expect(await up(home)).toMatchObject({ how: 'attached', pid: after.pid });
  });

  it('starts after its starter or its server was killed at any moment of a first start', async () => {
    const home = temporaryFolder();
    for (const [index, delayMs] of [0, 5, 10, 20, 40, 60, 90, 120, 200, 300].entries()) {
      const starter = runChild({ script: 'ensure-stack.ts', args: [home], env });
      const isStarting = (): boolean =>
        starter.err.some((line) => line.includes('starting the Temporal server'));
      await until(() => isStarting() || starter.out.length > 0);
      await sleep(delayMs);
      starter.kill();
      // Every second time the server goes too, at first in the middle of making its database.
      if (index % 2 === 1) for (const pid of processesIn(home)) kill(pid);
      await starter.exited;
    }
    const state = await up(home);
    expect(processesIn(home)).toEqual([state.pid]);
    await withClient(state.address, async (client) => {
      const handle = await client.workflow.start('nobody', { taskQueue: 'nobody', workflowId: 'first' });
      expect((await handle.describe()).status.name).toBe('RUNNING');
    });
  });

  it('takes other ports where its own are taken, and for each of two homes at once', async () => {
    const [first, second] = [temporaryFolder(), temporaryFolder()];
    await rememberPorts({ homes: [first, second], grpc: 27_333, ui: 28_333 });
    const [one, two] = await Promise.all([up(first), up(second)]);
    expect(one.address).not.toBe(two.address);
    expect(one.uiUrl).not.toBe(two.uiUrl);
    await killServer(first);
    const squatters = await Promise.all(
      [one.address, one.uiUrl].map(async (place) => squat(Number(place.split(':').at(-1)))),
    );
    const moved = await up(first);
    expect(new Set([one.address, two.address, moved.address]).size).toBe(3);
    expect(new Set([one.uiUrl, two.uiUrl, moved.uiUrl]).size).toBe(3);
    for (const squatter of squatters) squatter.close();
  });

  it('tries other ports when somebody takes one at the last moment', async () => {
    const home = temporaryFolder();
    const once = join(home, 'lost-the-race');
    const cli = wrapper(
      home,
      `if [ "$1" = server ] && mkdir '${once}' 2>/dev/null; then echo 'bind: address already in use' >&2; exit 1; fi`,
    );
    expect(await up(home, { DURABLE_EXTRACT_TEMPORAL_CLI: cli })).toMatchObject({ how: 'started' });
    expect(readdirSync(home)).toContain('lost-the-race');
  });

  it('sets aside a database whose making was interrupted', async () => {
    const home = temporaryFolder();
    const database = new DatabaseSync(join(home, 'temporal.db'));
    database.exec('CREATE TABLE namespaces (id BINARY(16), name VARCHAR(255))');
    database.close();
    expect(await up(home)).toMatchObject({ how: 'started' });
    expect(readdirSync(home).filter((name) => name.startsWith('temporal.db.incomplete-'))).toHaveLength(1);
  });

  it('leaves a damaged database where it is, and says so with the last lines of the log', async () => {
    const home = temporaryFolder();
    writeFileSync(join(home, 'temporal.db'), 'this is no database, but somebody may want it\n'.repeat(50));
    const starting = up(home);
    await expect(starting).rejects.toThrow(/file is not a database/);
    await expect(starting).rejects.toThrow(/The database is damaged\. Restore .*temporal\.db/);
    await expect(starting).rejects.toThrow(join(home, 'logs', 'temporal.log'));
    expect(readdirSync(home)).toContain('temporal.db');
    expect((await stackStatus(home)).processes).toEqual([]);
  });

  it('does not start a second server on a database whose server is not on record any more', async () => {
    const home = temporaryFolder();
    const { pid } = await up(home);
    rmSync(join(home, 'stack.json'));
    await expect(up(home)).rejects.toThrow(/temporal\.db is in use by another process/);
    kill(pid);
    await until(() => processesIn(home).length === 0);
    expect(await up(home)).toMatchObject({ how: 'started' });
  });

  it('sets the retention again on a new database', async () => {
    const home = temporaryFolder();
    await up(home);
    await killServer(home);
    mkdirSync(join(home, 'old'));
    for (const name of readdirSync(home).filter((file) => file.startsWith('temporal.db'))) {
      renameSync(join(home, name), join(home, 'old', name));
    }
    const { address } = await up(home);
    await withClient(address, async (client) => {
      const { config } = await client.workflowService.describeNamespace({ namespace: 'default' });
      expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(30 * 24 * 3600);
    });
  });

  it("gives the server none of the user's secrets", async () => {
    const home = temporaryFolder();
    const { pid } = await up(home, { OPENAI_API_KEY: 'sk-secret', TEMPORAL_API_KEY: 'secret-too' });
    if (process.platform !== 'linux') return;
    expect(execFileSync('cat', [`/proc/${pid}/environ`], { encoding: 'utf8' })).not.toMatch(/secret/);
  });

  it.each([{ TEMPORAL_ADDRESS: 'temporal.example:7233', TEMPORAL_NAMESPACE: 'mine' }])(
    'starts nothing where %o names a server',
    async (external) => {
      const home = join(temporaryFolder(), 'none');
      const state = await ensureStack({ home, env: { ...env, ...external }, onProgress: quiet });
      expect(state).toEqual({ external: true, address: 'temporal.example:7233', namespace: 'mine' });
      expect(await stackStatus(home)).toEqual({ home, processes: [], database: undefined });
      expect(() => readdirSync(home)).toThrow('ENOENT');
    },
  );
});

/** Gives homes ports beside the usual ones, which pass from hand to hand among the tests that run at once. */
async function rememberPorts(options: {
  readonly homes: readonly string[];
  readonly grpc: number;
  readonly ui: number;
}): Promise<void> {
  const grpc = await freePort({ preferred: [options.grpc] });
  const ui = await freePort({ preferred: [options.ui] });
  for (const home of options.homes) writeStackFile(home, { version: 1, ports: { grpc, ui }, processes: {} });
}

function printedState(lines: readonly string[]): Embedded {
  const state: Embedded = JSON.parse(lines.join(''));
  return state;
}

/** A CLI that runs some shell before the real one. */
function wrapper(folder: string, shell: string): string {
  const path = join(folder, 'temporal');
  writeFileSync(path, `#!/bin/sh\n${shell}\nexec '${cliPath}' "$@"\n`, { mode: 0o755 });
  return path;
}

/** Waits for the port: a killed server's last threads close its sockets a moment after its main one has ended. */
async function squat(port: number): Promise<Server> {
  let squatter: Server | undefined;
  await until(async () => {
    squatter = await listen(port);
    return squatter !== undefined;
  });
  if (squatter === undefined) throw new Error(`Expected to hold port ${port}`);
  return squatter;
}

async function listen(port: number): Promise<Server | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen({ host: '127.0.0.1', port }, () => resolve(server));
  });
}
