/** What npm would publish, installed where there is no checkout. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { homePaths } from '../../src/stack/home.ts';
import { stopStack } from '../../src/stack/stack.ts';

const run = promisify(execFile);
const CHECKOUT = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'durable-extract-package-'));
const app = join(folder, 'app');
const home = homePaths(join(folder, 'home')).home;
const env = {
  ...process.env,
  DURABLE_EXTRACT_HOME: home,
  TEMPORAL_ADDRESS: undefined,
  OPENAI_API_KEY: undefined,
  DURABLE_EXTRACT_MODEL: undefined,
};
const user = { name: 'Ada Lovelace', age: 36, email: 'ada@example.org' };

beforeAll(async () => {
  await run('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: CHECKOUT });
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'))!;
  await run('npm', [
    'install',
    '--prefix',
    app,
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    join(folder, tarball),
  ]);
}, 300_000);

afterAll(async () => {
  await stopStack({ home, onProgress: () => {} });
  rmSync(folder, { recursive: true, force: true });
});

describe('the packed package', () => {
  it('extracts from the command line', async () => {
    const { stdout } = await run(
      'npx',
      ['durable-extract', 'extract', 'Ada Lovelace, 36, ada@example.org', '--schema', 'user'],
      { cwd: app, env },
    );
    expect(JSON.parse(stdout)).toMatchObject(user);
  });

  it('is called by a service in five lines', async () => {
    const service = join(app, 'service.mjs');
    writeFileSync(
      service,
      `import { DurableExtract } from 'durable-extract';
       import { z } from 'zod';
       const extractor = await DurableExtract.connect();
       const schema = z.strictObject({ name: z.string(), age: z.number().int(), email: z.email() });
       const { data } = await extractor.extract({ text: 'Ada Lovelace, 36, ada@example.org', schema });
       console.log(JSON.stringify(data));
       await extractor.close();`,
    );
    const { stdout } = await run(process.execPath, [service], { cwd: app, env });
    expect(JSON.parse(stdout)).toEqual(user);
  });
});
