import { createServer } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import { cleanUp, run, start, temporaryHome } from './command-line.ts';

const here = { home: temporaryHome() };
const TOKEN = 'a-secret-of-some-length';

afterAll(cleanUp);

describe('dashboard', () => {
  it.each([
    [['--port', 'high'], {}, /--port: expected a whole number from 0 \(any free one\) to 65535, got 'high'/],
    [['--port', '65536'], {}, /got '65536'/],
    [
      ['--host', '0.0.0.0'],
      {},
      /^--host 0\.0\.0\.0 can be reached from other machines: DURABLE_EXTRACT_DASHBOARD_TOKEN: expected a secret of at least 16 characters, got none\. Make one with: /,
    ],
    [['--port', '0'], { DURABLE_EXTRACT_DASHBOARD_TOKEN: 'short' }, /got one of 5/],
    [['--host', '203.0.113.7', '--port', '0'], { DURABLE_EXTRACT_DASHBOARD_TOKEN: TOKEN }, /203\.0\.113\.7/],
    [['--port', '0'], { DATABASE_URL: 'mysql://x' }, /DATABASE_URL: expected/],
  ])('%j is refused: 2', async (args, env, message) => {
    const { exitCode, stdout, stderr } = await run(['dashboard', ...args], { ...here, env });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain(TOKEN);
  });

  it('is refused a port that is taken: 2', async () => {
    const server = createServer();
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { readonly port: number }).port));
    });
    const { exitCode, stderr } = await run(['dashboard', '--port', String(port)], here);
    server.close();
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`--port: expected a free port, got ${port}, which is taken`);
  });

  it('says where it is, serves without a Temporal server, and ends when it is told to', async () => {
    const env = { DURABLE_EXTRACT_DASHBOARD_TOKEN: TOKEN };
    const command = start(['dashboard', '--port', '0'], { ...here, env });
    await expect
      .poll(() => command.stderr(), { timeout: 20_000 })
      .toMatch(/^dashboard at http:\S+\/: sign in/);
    const url = /http:\S+\//.exec(command.stderr())![0];
    expect((await fetch(`${url}api/view/batches`)).status).toBe(401);
    const authorization = { headers: { authorization: `Bearer ${TOKEN}` } };
    const batches: unknown = await (await fetch(`${url}api/view/batches`, authorization)).json();
    expect(batches).toEqual({ server: 'silent', batches: [], more: 0 });
    command.kill('SIGTERM');
    const { exitCode, stdout, stderr } = await command.ended;
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
    expect(stderr).not.toContain(TOKEN);
  });
});
