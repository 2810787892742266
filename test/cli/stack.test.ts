import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DurableExtract } from '../../src/client/index.ts';
import type { Outcome } from '../../src/client/index.ts';
import {
  allAlive,
  cleanUp,
  pidsOf,
  run,
  runs,
  start,
  temporaryFolder,
  temporaryHome,
} from './command-line.ts';

const home = temporaryHome();
const here = { home };
const TEXT = 'My name is Grace Hopper, I am 85 years old, and my address is grace@example.org.';

afterAll(cleanUp);

/** One home, from the first command to `down`: each test finds what the ones before it left running. */
describe('the command line', () => {
  it('starts what it needs, prints data only on stdout, and says that it is simulated', async () => {
    const { exitCode, stdout, stderr } = await run(['extract', TEXT, '--schema', 'user'], here);
    expect({ exitCode, data: JSON.parse(stdout) as unknown }).toMatchObject({
      exitCode: 0,
      data: { name: 'Grace Hopper', age: 85, email: 'grace@example.org' },
    });
    expect(stderr).toMatch(/^starting the Temporal server/m);
    expect(stderr).toMatch(/^extracted: 1 attempt, 1 call, \d+ tokens, simulated\/clean$/m);
    expect(stderr).toMatch(/^SIMULATED/m);
    expect(Object.keys(pidsOf(home)).toSorted()).toEqual(['server', 'simulated-provider', 'worker']);
    expect(await allAlive(home)).toBe(true);
  });

  it('uses what runs already, and prints the outcome of the contract with --json', async () => {
    const before = pidsOf(home);
    const { exitCode, stdout, stderr } = await run(['extract', '--schema', 'user', '--json'], {
      ...here,
      input: TEXT,
    });
    expect({ exitCode, outcome: JSON.parse(stdout) as unknown }).toEqual({
      exitCode: 0,
      outcome: {
        success: true,
        data: expect.objectContaining({ name: 'Grace Hopper' }) as unknown,
        attempts: 1,
        errors: [],
        usage: {
          calls: 1,
          promptTokens: expect.any(Number) as number,
          completionTokens: expect.any(Number) as number,
          costUsd: 0,
        },
        stopped: null,
        repairs: [],
        partial: null,
        correction: null,
        asks: [{ attempt: 1, mode: expect.any(String) as string, why: 'attempt 1 of 3' }],
        model: 'simulated/clean',
        simulated: true,
      },
    });
    expect(stderr).not.toMatch(/starting/);
    expect(pidsOf(home)).toEqual(before);
  });

  it('takes a text file and a JSON Schema file', async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, 'note.txt'), TEXT);
    writeFileSync(
      join(cwd, 'contact.schema.json'),
      JSON.stringify({
        type: 'object',
        properties: { email: { type: 'string', format: 'email' } },
        required: ['email'],
        additionalProperties: false,
      }),
    );
    const args = ['extract', '--file', 'note.txt', '--schema', 'contact.schema.json'];
    const { exitCode, stdout } = await run(args, { ...here, cwd });
    expect({ exitCode, data: JSON.parse(stdout) as unknown }).toEqual({
      exitCode: 0,
      data: { email: 'grace@example.org' },
    });
  });

  it('says where everything is, with up and status', async () => {
    await run(['up'], here);
    const up = await run(['up', '--json'], here);
    expect(up).toMatchObject({ exitCode: 0, stderr: '' });
    const { address, uiUrl, dashboardUrl, ...rest } = JSON.parse(up.stdout) as Record<string, string>;
    expect(rest).toEqual({
      namespace: 'default',
      metricsUrl: null,
      external: false,
      provider: 'simulated',
      simulated: true,
    });
    const status = JSON.parse((await run(['status', '--json'], here)).stdout) as {
      readonly processes: readonly { readonly name: string; readonly healthy: boolean }[];
    };
    expect(status).toMatchObject({ external: null, home, database: { path: join(home, 'temporal.db') } });
    expect(status.processes.map(({ name, healthy }) => [name, healthy])).toEqual([
      ['server', true],
      ['simulated-provider', true],
      ['dashboard', true],
      ['worker', true],
    ]);
    expect((await fetch(dashboardUrl!)).status).toBe(200);
    const forPeople = await run(['status'], here);
    expect(forPeople.stdout).toContain(address);
    expect(forPeople.stdout).toContain(uiUrl);
    expect(forPeople.stdout).toContain(dashboardUrl);
    expect((await run(['up'], here)).stdout).toMatch(/SIMULATED/);
  });

  it.each([
    [
      'an unknown schema name',
      2,
      ['--schema', 'nobody'],
      /^--schema: expected one of user, .* got 'nobody'[^]*--schema \.\/nobody\.json$/m,
    ],
    [
      'an unknown provider',
      2,
      ['--schema', 'user', '--model', 'nobody/x'],
      /expected a provider of this worker \(simulated\), got 'nobody'/,
    ],
    [
      'an unknown model',
      3,
      ['--schema', 'user', '--model', 'nonesuch'],
      /^not extracted \(client_error\): 0 attempts, 1 call, .*nonesuch$/m,
    ],
    [
      'a missing field under basic',
      3,
      ['--schema', 'user', '--model', 'fault-missing', '--strategy', 'basic'],
      /^not extracted \(attempts\): 3 attempts, 3 calls/m,
    ],
    [
      'a rate limit that passes',
      0,
      ['--schema', 'user', '--model', 'fault-rate_limit'],
      /rate_limit: HTTP 429.*; called again after \d+ ms$/m,
    ],
  ] as const)('tells the end by its exit code: %s is %i', async (_, expected, args, says) => {
    const { exitCode, stdout, stderr } = await run(['extract', TEXT, ...args], here);
    expect(exitCode).toBe(expected);
    expect(stderr).toMatch(says);
    if (expected !== 0) expect(stdout).toBe('');
  });

  it('prints the outcome with --json also where nothing was extracted', async () => {
    const args = ['extract', TEXT, '--schema', 'user', '--model', 'nonesuch', '--json'];
    const { exitCode, stdout } = await run(args, here);
    expect(exitCode).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({
      success: false,
      data: null,
      stopped: 'client_error',
      errors: [{ attempt: 1, type: 'client_error', status: 404 }],
    });
  });

  it('gives one outcome for one id, and refuses another text under it', async () => {
    const args = ['--schema', 'user', '--json', '--id', 'once', '--model', 'faulty@7'];
    const first = await run(['extract', TEXT, ...args], here);
    const again = await run(['extract', TEXT, ...args], here);
    expect(first.exitCode).toBe(0);
    expect(again).toMatchObject({ exitCode: 0, stdout: first.stdout });
    expect(again.stderr).toMatch(/^'once' was started before/m);
    const other = await run(['extract', 'Somebody else', ...args], here);
    expect(other).toMatchObject({ exitCode: 2, stdout: '' });
    expect(other.stderr).toMatch(/'extract\/once' was started before with another text, .* Use another id/);
  });

  it('goes on without the command after Ctrl-C, says how to come back, and gives the outcome to who does', async () => {
    const args = ['extract', "It's Ada, ada@example.org", '--schema', 'user', '--model', 'fault-rate_limit'];
    const command = start([...args, '--id', 'interrupted'], here);
    await untilStarted('interrupted');
    command.kill('SIGINT');
    const { exitCode, stdout, stderr } = await command.ended;
    expect({ exitCode, stdout }).toEqual({ exitCode: 130, stdout: '' });
    expect(stderr).toMatch(/'interrupted' goes on without this command/);
    expect(stderr).toContain(
      `durable-extract extract 'It'\\''s Ada, ada@example.org' --schema user --model fault-rate_limit --id interrupted`,
    );
    expect(await allAlive(home)).toBe(true);
    const back = await run([...args, '--id', 'interrupted'], here);
    expect(back.exitCode).toBe(0);
    expect(JSON.parse(back.stdout)).toMatchObject({ email: 'ada@example.org' });
    expect(back.stderr).toMatch(/^'interrupted' was started before/m);
  });

  it('replaces a worker whose key has changed, and writes the key nowhere', async () => {
    const before = pidsOf(home);
    const key = 'sk-test-0123456789abcdef';
    const url = String(
      (
        JSON.parse(readFileSync(join(home, 'stack.json'), 'utf8')) as {
          processes: Record<string, { details: { url?: string } }>;
        }
      ).processes['simulated-provider']?.details.url,
    );
    const env = { OPENAI_API_KEY: key, OPENAI_BASE_URL: url };
    const args = ['extract', TEXT, '--schema', 'user', '--model', 'clean', '--json'];
    const { exitCode, stdout, stderr } = await run(args, { ...here, env });
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout) as Outcome).toMatchObject({ model: 'openai/clean', simulated: false });
    expect(stderr).not.toMatch(/SIMULATED/);
    const after = pidsOf(home);
    expect({ ...after, worker: 0 }).toEqual({ ...before, worker: 0 });
    expect(after['worker']).not.toBe(before['worker']);
    expect(await runs(before['worker']!)).toBe(false);
    for (const file of ['stack.json', 'logs/worker.log']) {
      expect(readFileSync(join(home, file), 'utf8')).not.toContain(key);
    }
  });

  it('ends all of it with down, and a second down finds nothing', async () => {
    const pids = Object.values(pidsOf(home));
    expect(pids).toHaveLength(4);
    const down = await run(['down', '--json'], here);
    expect(down.exitCode).toBe(0);
    const stopped = JSON.parse(down.stdout) as readonly { readonly pid: number; readonly how: string }[];
    expect(new Set(stopped.map(({ pid }) => pid))).toEqual(new Set(pids));
    expect(stopped.map(({ how }) => how)).toEqual(['ended', 'ended', 'ended', 'ended']);
    expect(await Promise.all(pids.map(runs))).toEqual([false, false, false, false]);
    expect(await run(['down'], here)).toMatchObject({ exitCode: 0, stdout: 'nothing was running\n' });
    expect((await run(['status'], here)).stdout).toMatch(/^nothing is running/);
  });
});

/** Waits until the extraction of this id is on the server. */
async function untilStarted(id: string): Promise<void> {
  const extractor = await DurableExtract.connect({ env: { DURABLE_EXTRACT_HOME: home } });
  try {
    await expect
      .poll(
        async () => {
          const { workflow } = extractor.client;
          // Not there yet.
          const description = await workflow
            .getHandle(`extract/${id}`)
            .describe()
            .catch(() => undefined);
          return description?.status.name;
        },
        { timeout: 20_000, interval: 20 },
      )
      .toBe('RUNNING');
  } finally {
    await extractor.close();
  }
}
