import { afterAll, describe, expect, it } from 'vitest';
import { freePort } from '../../src/stack/ports.ts';
import { scrape } from '../support/prometheus.ts';
import { cleanUp, pidsOf, run, temporaryHome } from './command-line.ts';

afterAll(cleanUp);

describe('up --metrics', () => {
  it('serves metrics until it is told otherwise, whatever command comes after', async () => {
    const home = temporaryHome();
    const port = await freePort({ preferred: [] });
    const up = async (...args: readonly string[]) => {
      const { exitCode, stdout, stderr } = await run(['up', '--json', ...args], { home });
      expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
      return JSON.parse(stdout) as { readonly metricsUrl: string | null };
    };
    const { metricsUrl } = await up('--metrics', `127.0.0.1:${port}`);
    expect(metricsUrl).toBe(`http://127.0.0.1:${port}/metrics`);
    const { worker } = pidsOf(home);
    const extracted = await run(['extract', 'Ada, 36, ada@example.org', '--schema', 'user'], { home });
    expect(extracted.exitCode).toBe(0);
    expect(pidsOf(home)['worker']).toBe(worker);
    const names = new Set((await scrape(`http://127.0.0.1:${port}/metrics`)).map(({ name }) => name));
    expect([...names]).toEqual(
      expect.arrayContaining(['durable_extract_outcomes_total', 'temporal_workflow_completed_total']),
    );
    expect((await run(['status'], { home })).stdout).toContain(`:${port}/metrics`);

    expect(await up('--metrics', 'off')).toMatchObject({ metricsUrl: null });
    expect(await up()).toMatchObject({ metricsUrl: null });
    await expect(scrape(`http://127.0.0.1:${port}/metrics`)).rejects.toThrow('fetch failed');
  });

  it('and worker --metrics refuse what is no address', async () => {
    const home = temporaryHome();
    for (const given of ['9464', 'localhost', '127.0.0.1:0', '127.0.0.1:9473-9464', 'a b:1']) {
      for (const command of ['up', 'worker']) {
        const { exitCode, stderr } = await run([command, '--metrics', given], { home });
        expect({ given, command, exitCode }).toEqual({ given, command, exitCode: 2 });
        expect(stderr).toContain(`got '${given}'`);
      }
    }
  });
});
