import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Outcome } from '../../src/client/index.ts';
import { freePort } from '../../src/stack/ports.ts';
import { startScriptedProvider } from '../support/scripted-provider.ts';
import { cleanUp, pidsOf, run, temporaryFolder, temporaryHome } from './command-line.ts';

const TEXT = 'My name is Grace Hopper, I am 85 years old, and my address is grace@example.org.';
const KEYS = { NORTH_KEY: 'sk-north-0123', SOUTH_KEY: 'sk-south-0123' };
const NORTH = { name: 'Grace Hopper', age: 85, email: 'grace@north.example', phone: null, city: null };
const SOUTH = { ...NORTH, email: 'grace@south.example' };

const home = temporaryHome();
const cwd = temporaryFolder();
const configFile = join(cwd, 'durable-extract.config.json');
const here = { home, cwd, env: KEYS };

let north: Awaited<ReturnType<typeof startScriptedProvider>>;
let south: Awaited<ReturnType<typeof startScriptedProvider>>;

beforeAll(async () => {
  north = await startScriptedProvider([{ answer: JSON.stringify(NORTH) }]);
  south = await startScriptedProvider([{ answer: JSON.stringify(SOUTH) }]);
});

afterAll(async () => {
  await cleanUp();
  await Promise.all([north.stop(), south.stop()]);
});

/** `north` costs a dollar for a million tokens of prompt, and nothing else. */
function configured(...order: readonly ('north' | 'south')[]): void {
  const providers = {
    north: {
      name: 'north',
      baseUrl: north.url,
      keyVariable: 'NORTH_KEY',
      models: ['n-1', 'n-2'],
      prices: { 'n-1': { promptUsdPerMillion: 1, completionUsdPerMillion: 0 } },
      fallbacks: ['south'],
    },
    south: { name: 'south', baseUrl: south.url, keyVariable: 'SOUTH_KEY', models: ['s-1'], rpm: 6_000 },
  };
  writeFileSync(configFile, JSON.stringify({ providers: order.map((name) => providers[name]) }));
}

async function extracted(...args: readonly string[]): Promise<Outcome> {
  const { exitCode, stdout, stderr } = await run(
    ['extract', TEXT, '--schema', 'user', '--json', ...args],
    here,
  );
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  return JSON.parse(stdout) as Outcome;
}

describe('a configuration file', () => {
  it.each([
    ['a key that is not set', { NORTH_KEY: 'sk' }, /providers\[1\]\.keyVariable: expected SOUTH_KEY to hold/],
    [
      'a file that is not there',
      { ...KEYS, DURABLE_EXTRACT_CONFIG: 'nope.json' },
      /got 'nope\.json': no such file/,
    ],
    [
      'a rate of nobody',
      { ...KEYS, DURABLE_EXTRACT_RPM: 'openai=5' },
      /The providers are north, south, simulated/,
    ],
  ])('ends commands with 2 before anything is started, for %s', async (_, env, says) => {
    configured('north', 'south');
    for (const args of [['extract', TEXT, '--schema', 'user'], ['up'], ['worker']]) {
      const { exitCode, stdout, stderr } = await run(args, { ...here, env });
      expect({ exitCode, stdout, started: existsSync(home) }).toEqual({
        exitCode: 2,
        stdout: '',
        started: false,
      });
      expect(stderr).toMatch(says);
    }
    const status = await run(['status'], { ...here, env });
    expect(status.exitCode).toBe(0);
    expect(status.stderr).toMatch(says);
  });

  it("is the worker's alone where the server is somebody else's", async () => {
    configured('north', 'south');
    const nobody = `127.0.0.1:${await freePort({ preferred: [] })}`;
    const place = { ...here, env: { TEMPORAL_ADDRESS: nobody } };
    const [extract, worker] = await Promise.all([
      run(['extract', TEXT, '--schema', 'user'], place),
      run(['worker'], place),
    ]);
    expect(extract.stderr).toContain(`No Temporal server answers at ${nobody}`);
    expect(worker).toMatchObject({ exitCode: 2, stdout: '' });
    expect(worker.stderr).toMatch(/expected NORTH_KEY to hold the key of 'north'/);
  });

  it('gives the command line its providers: the first one answers, others are named, prices count', async () => {
    configured('north', 'south');
    expect(await extracted()).toMatchObject({
      data: NORTH,
      model: 'north/n-1',
      simulated: false,
      usage: { calls: 1, promptTokens: 100, completionTokens: 10, costUsd: 0.0001 },
    });
    expect(await extracted('--model', 'south/s-2')).toMatchObject({
      data: SOUTH,
      model: 'south/s-2',
      usage: { costUsd: null },
    });
    expect(await extracted('--model', 'simulated/clean')).toMatchObject({ simulated: true });
    expect(JSON.parse((await run(['up', '--json'], here)).stdout)).toMatchObject({
      provider: 'north',
      simulated: false,
    });
  });

  it('makes a new worker when it changes, or a key that it names; keys are written nowhere', async () => {
    const before = pidsOf(home);
    configured('north', 'south');
    expect(await extracted()).toMatchObject({ model: 'north/n-1' });
    expect(pidsOf(home), 'written again, as it was').toEqual(before);

    configured('south', 'north');
    expect(await extracted()).toMatchObject({ data: SOUTH, model: 'south/s-1' });
    const changed = pidsOf(home);
    expect({ ...changed, worker: 0 }).toEqual({ ...before, worker: 0 });
    expect(changed['worker']).not.toBe(before['worker']);

    const env = { ...KEYS, NORTH_KEY: 'sk-north-4567' };
    expect(await run(['up'], { ...here, env })).toMatchObject({ exitCode: 0 });
    expect(pidsOf(home)['worker']).not.toBe(changed['worker']);
    for (const file of ['stack.json', 'logs/worker.log']) {
      expect(readFileSync(join(home, file), 'utf8')).not.toMatch(/sk-(north|south)/);
    }
  });
});
