import { afterAll, describe, expect, it } from 'vitest';
import type { GateStatus } from '../../src/client/index.ts';
import { cleanUp, pidsOf, run, temporaryFolder, temporaryHome } from './command-line.ts';
import type { Ended } from './command-line.ts';

const here = { home: temporaryHome(), cwd: temporaryFolder() };

afterAll(cleanUp);

const gate = (...args: readonly string[]): Promise<Ended> => run(['gate', ...args], here);

/** One home, from the first command to the last. */
describe('gate', () => {
  it('has nothing to show before a worker was there, and starts nothing to say so', async () => {
    const { exitCode, stdout, stderr } = await gate('status');
    expect(exitCode).toBe(0);
    expect(stdout).toBe('');
    expect(stderr).toContain('no gates yet');
    expect(await gate('status', '--json')).toMatchObject({ exitCode: 0, stdout: '[]\n' });
    expect(pidsOf(here.home)).toEqual({});
  });

  it.each([
    [['status', 'nobody'], /expected a provider that a worker has or had \(none so far\), got 'nobody'/],
    [['trip', 'nobody'], /expected a provider that a worker has or had/],
    [['trip'], /missing required argument 'provider'/],
    [['trip', 'simulated', '--for', 'long'], /--for: expected a time such as 90s, 10m, 2h or 3d, got 'long'/],
    [['trip', 'simulated', '--reason', ' '], /expected words in --reason, got none/],
  ])('%j is refused: 2, and nothing is started', async (args, message) => {
    const { exitCode, stderr } = await gate(...args);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(message);
    expect(pidsOf(here.home)).toEqual({});
  });

  it('is neither on nor off: 2, and nothing is started', async () => {
    const { exitCode, stderr } = await run(['up'], { ...here, env: { DURABLE_EXTRACT_GATE: 'ajar' } });
    expect(exitCode).toBe(2);
    expect(stderr).toContain("DURABLE_EXTRACT_GATE: expected on or off, got 'ajar'");
    expect(pidsOf(here.home)).toEqual({});
  });

  it('is tripped: extractions say so at once, and are not made; reset: they are', async () => {
    await run(['up'], here);
    const tripped = await gate('trip', 'simulated', '--reason', 'audit', '--for', '2h', '--json');
    expect(tripped.exitCode).toBe(0);
    const status = JSON.parse(tripped.stdout) as GateStatus;
    expect(status).toMatchObject({ provider: 'simulated', state: 'parked', reason: 'audit' });
    expect(status.until! - status.since).toBe(7_200_000);
    expect((await gate('status')).stdout).toMatch(/simulated {2}parked since .*, no calls: audit/);

    const failed = await run(['extract', 'Ada, ada@example.org', '--schema', 'user'], here);
    expect(failed.exitCode).toBe(3);
    expect(failed.stderr).toContain('outage: the gate of simulated is parked: audit');

    expect((await gate('reset', 'simulated')).stderr).toMatch(/simulated {2}closed since .*: reset by hand/);
    const { exitCode } = await run(['extract', 'Ada, ada@example.org', '--schema', 'user'], here);
    expect(exitCode).toBe(0);
  });
});
