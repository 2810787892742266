import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../src/stack/ports.ts';
import { ensureStack } from '../../src/stack/stack.ts';
import { cleanUp, run, start, temporaryHome } from './command-line.ts';
import type { RunningCommand } from './command-line.ts';

const args = ['extract', 'Ada Lovelace, ada@example.org', '--schema', 'user'];
let address: string;

beforeAll(async () => {
  const home = temporaryHome();
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'] };
  ({ address } = await ensureStack({ home, env, onProgress: () => {} }));
});

afterAll(cleanUp);

async function ready(worker: RunningCommand): Promise<void> {
  await expect.poll(() => worker.stderr(), { timeout: 30_000 }).toMatch(/^worker ready on durable-extract/m);
}

describe('with TEMPORAL_ADDRESS', () => {
  it('says within seconds that nobody answers there, and starts nothing', async () => {
    const home = temporaryHome();
    const nobody = `127.0.0.1:${await freePort({ preferred: [] })}`;
    const startedAt = performance.now();
    const { exitCode, stdout, stderr } = await run(args, { home, env: { TEMPORAL_ADDRESS: nobody } });
    expect({ exitCode, stdout, started: existsSync(home) }).toEqual({
      exitCode: 1,
      stdout: '',
      started: false,
    });
    expect(stderr).toContain(`No Temporal server answers at ${nobody}, which TEMPORAL_ADDRESS names`);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });

  it('says that no worker is there instead of waiting for one, and starts none', async () => {
    const home = temporaryHome();
    const { exitCode, stdout, stderr } = await run(args, { home, env: { TEMPORAL_ADDRESS: address } });
    expect({ exitCode, stdout, started: existsSync(home) }).toEqual({
      exitCode: 1,
      stdout: '',
      started: false,
    });
    expect(stderr).toMatch(/No worker polls the task queue 'durable-extract'.*`durable-extract worker`/);
  });

  it('names the namespace that is not there', async () => {
    const env = { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: 'elsewhere' };
    const { exitCode, stderr } = await run(args, { home: temporaryHome(), env });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/namespace 'elsewhere': .*not found\. Check TEMPORAL_NAMESPACE/);
  });

  it('uses the worker that somebody runs there; SIGTERM ends that worker in good order', async () => {
    const place = { home: temporaryHome(), env: { TEMPORAL_ADDRESS: address } };
    const worker = start(['worker'], place);
    await ready(worker);
    const { exitCode, stdout, stderr } = await run(args, place);
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    expect(JSON.parse(stdout)).toMatchObject({ email: 'ada@example.org' });
    worker.kill('SIGTERM');
    expect(await worker.ended).toMatchObject({ exitCode: 0, stdout: '' });
    // The store is there, and nothing that was started.
    expect(existsSync(join(place.home, 'store.db'))).toBe(true);
    expect(existsSync(join(place.home, 'stack.json'))).toBe(false);
  });
});

const oldNode = findOldNode();

describe.runIf(oldNode)('under a Node that is too old', () => {
  it('finds a newer one, and passes its input, output, exit code and signals on', async () => {
    const place = {
      home: temporaryHome(),
      env: { TEMPORAL_ADDRESS: address },
      ...(oldNode && { node: oldNode }),
    };
    expect(await run(['extract', 'x'], place)).toMatchObject({ exitCode: 2, stdout: '' });
    const worker = start(['worker'], place);
    await ready(worker);
    expect(await run(['extract', '--schema', 'user'], { ...place, input: 'ada@example.org' })).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('ada@example.org') as string,
    });
    worker.kill('SIGTERM');
    expect(await worker.ended).toMatchObject({ exitCode: 0, stdout: '' });
  });
});

/** A Node on the PATH that cannot run the command line itself; many machines have one. */
function findOldNode(): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'node'))
    .filter((path) => existsSync(path))
    .find(
      (path) =>
        Number(execFileSync(path, ['-p', 'process.versions.node.split(".")[0]'], { encoding: 'utf8' })) < 22,
    );
}
