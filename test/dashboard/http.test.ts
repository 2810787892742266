import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startDashboard } from '../../src/dashboard/dashboard-server.ts';
import type { RunningDashboard } from '../../src/dashboard/dashboard-server.ts';
import type { BatchesData, ExtractionData, OverviewData } from '../../src/dashboard/data.ts';
import { cleanUp, temporaryFolder } from '../stack/temp-home.ts';
import { OWN_HEADERS, act, ask } from './ask.ts';
import { HOSTILE, fillStore } from './filled-store.ts';

const home = temporaryFolder('dashboard');
const TOKEN = 'a-token-of-many-characters';
const logged: string[] = [];
let open: RunningDashboard;
let locked: RunningDashboard;

beforeAll(async () => {
  await fillStore(home);
  const common = { env: {}, home, port: 0, log: (line: string) => void logged.push(line) };
  open = await startDashboard({ ...common, host: '127.0.0.1' });
  locked = await startDashboard({ ...common, host: '0.0.0.0', token: TOKEN, allowedHosts: ['dash.example'] });
});

afterAll(async () => {
  await open.stop();
  await locked.stop();
  await cleanUp();
});

describe('every answer', () => {
  it.each(['/', '/batches', '/assets/app.js', '/api/view/batches', '/nothing', '/login'])(
    '%s forbids what is not of this page',
    async (path) => {
      const { headers } = await ask(open.url, path);
      expect(headers['content-security-policy']).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
      );
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
        'cross-origin-resource-policy': 'same-origin',
      });
      expect(headers).not.toHaveProperty('access-control-allow-origin');
    },
  );

  it('of a page has no script, style or handler in it', async () => {
    for (const path of ['/', '/login']) {
      const { body } = await ask(open.url, path);
      expect(body).not.toMatch(/<script(?![^>]* src="\/assets\/)|<style|\son\w+=|\sstyle=|https?:/);
    }
  });

  it.each([
    '/assets/../access.ts',
    '/assets/%2e%2e/access.ts',
    '/assets/tsconfig.json',
    '/assets/',
    '/../../package.json',
  ])('to %s gives no file', async (path) => {
    expect((await ask(open.url, path)).status).toBe(404);
  });

  it('says what is served, and what is not', async () => {
    expect(await ask(open.url, '/health')).toMatchObject({ status: 200 });
    expect(await ask(open.url, '/api/view/nothing')).toMatchObject({ status: 404 });
    expect((await ask(open.url, '/', { method: 'DELETE' })).status).toBe(405);
    expect((await ask(open.url, '/api/view/batch')).json()).toEqual({
      error: 'id: expected a value in the address, got none.',
    });
    expect((await ask(open.url, '/api/view/batch?id=nobody')).json()).toMatchObject({
      error: expect.stringContaining("expected a batch of this store, got 'nobody'") as unknown,
    });
    expect((await ask(open.url, '/api/view/extraction?id=nobody')).status).toBe(404);
    expect((await ask(open.url, '/api/view/overview?since=ever')).status).toBe(400);
  });
});

describe('the Host header', () => {
  it.each([
    ['127.0.0.1:1234', 200],
    ['localhost', 200],
    ['[::1]:80', 200],
    ['evil.example', 421],
    ['127.0.0.1.evil.example', 421],
    ['localhost@evil.example', 421],
    ['192.168.0.7', 421],
  ])('%j of a dashboard for this machine: %i', async (host, status) => {
    expect((await ask(open.url, '/api/view/batches', { headers: { host } })).status).toBe(status);
  });

  it.each([
    ['192.168.0.7:8480', 200],
    ['dash.example', 200],
    ['DASH.example:443', 200],
    ['evil.example', 421],
  ])('%j of one for others: %i', async (host, status) => {
    expect((await ask(locked.url, '/health', { headers: { host } })).status).toBe(status);
  });
});

describe('actions', () => {
  const pause = { method: 'POST', body: '{"id":"hostile"}' };

  it.each([
    ['a form of another site', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
    ['a text of another site', { 'content-type': 'text/plain' }, 415],
    ['a request without our header', { 'content-type': 'application/json' }, 403],
    ['another site', { ...OWN_HEADERS, 'sec-fetch-site': 'cross-site' }, 403],
    ['a neighbour of the same domain', { ...OWN_HEADERS, 'sec-fetch-site': 'same-site' }, 403],
    ['another origin', { ...OWN_HEADERS, origin: 'http://evil.example' }, 403],
    ['another port', { ...OWN_HEADERS, origin: 'http://127.0.0.1:1' }, 403],
    ['an origin that hides', { ...OWN_HEADERS, origin: 'null' }, 403],
  ])('are refused to %s', async (_, headers, status) => {
    expect((await ask(open.url, '/api/act/pause', { ...pause, headers })).status).toBe(status);
  });

  it('are not done by reading', async () => {
    expect((await ask(open.url, '/api/act/pause?id=hostile')).status).toBe(404);
  });

  it('say what is wrong with what they are given', async () => {
    expect(await act(open.url, '/api/act/explode', {})).toMatchObject({ status: 404 });
    expect((await act(open.url, '/api/act/pause', {})).json()).toEqual({
      error: 'id: expected a text, got null.',
    });
    expect((await act(open.url, '/api/act/pause', [])).json()).toEqual({
      error: 'body: expected a JSON object.',
    });
    expect((await act(open.url, '/api/act/trip', { provider: 'openai', reason: 1 })).status).toBe(400);
    expect((await act(open.url, '/api/act/pause', { id: 'x'.repeat(2_100_000) })).status).toBe(400);
  });

  it('say what to do where no Temporal server answers', async () => {
    const { status, body } = await act(open.url, '/api/act/pause', { id: 'hostile' });
    expect(status).toBe(503);
    expect(body).toContain('durable-extract up');
  });

  it('data is not read by another site either', async () => {
    const headers = { 'sec-fetch-site': 'cross-site' };
    expect((await ask(open.url, '/api/view/batches', { headers })).status).toBe(403);
    expect((await ask(open.url, '/api/results?batch=hostile', { headers })).status).toBe(403);
  });
});

describe('the token', () => {
  it.each(['/api/view/batches', '/api/live/batches', '/api/results?batch=hostile'])(
    'is demanded for %s',
    async (path) => {
      expect((await ask(locked.url, path)).status).toBe(401);
      const headers = { authorization: 'Bearer wrong' };
      expect((await ask(locked.url, path, { headers })).status).toBe(401);
    },
  );

  it('is demanded for actions', async () => {
    expect((await act(locked.url, '/api/act/pause', { id: 'hostile' })).status).toBe(401);
  });

  it('is asked for by a page, which leads back', async () => {
    const { status, headers } = await ask(locked.url, '/batch?id=a%20b');
    expect(status).toBe(303);
    expect(headers.location).toBe(`/login?next=${encodeURIComponent('/batch?id=a%20b')}`);
  });

  it('opens a session that no script reads and no other site uses, until it is ended', async () => {
    const { headers, status } = await act(locked.url, '/login', { token: TOKEN });
    expect(status).toBe(200);
    const [set] = headers['set-cookie'] ?? [];
    expect(set).toMatch(/; Path=\/; HttpOnly; SameSite=Strict; Max-Age=\d+$/);
    expect(set).not.toContain(TOKEN);
    const cookie = set!.split(';')[0]!;
    const read = () => ask(locked.url, '/api/view/batches', { headers: { cookie } });
    expect((await read()).status).toBe(200);
    await act(locked.url, '/logout', {}, { cookie });
    expect((await read()).status).toBe(401);
  });

  it('also opens it to programs, as a header', async () => {
    const headers = { authorization: `Bearer ${TOKEN}` };
    expect((await ask(locked.url, '/api/view/batches', { headers })).status).toBe(200);
  });

  it('takes time to guess, and is in no log', async () => {
    const begun = performance.now();
    const { status, headers } = await act(locked.url, '/login', { token: 'wrong' });
    expect(status).toBe(401);
    expect(headers).not.toHaveProperty('set-cookie');
    expect(performance.now() - begun).toBeGreaterThan(450);
    expect(logged.join('\n')).not.toContain(TOKEN);
  });

  it('cannot be given by a page of another site', async () => {
    const headers = { 'sec-fetch-site': 'cross-site' };
    expect((await act(locked.url, '/login', { token: TOKEN }, headers)).status).toBe(403);
  });
});

describe('views', () => {
  it('tell of batches without a Temporal server', async () => {
    const { server, batches } = await view<BatchesData>('batches');
    expect(server).toBe('silent');
    expect(batches).toMatchObject([
      { id: 'hostile', state: 'completed', total: 2, succeeded: 2, perSecond: null },
    ]);
  });

  it('sum up what is meant', async () => {
    const { stats } = await view<OverviewData>('overview?since=all&batch=hostile');
    expect(stats).toMatchObject({
      extractions: 2,
      succeeded: 2,
      successRate: 1,
      firstTryRate: 0.5,
      calls: 3,
    });
    expect(stats.errors).toMatchObject([{ kind: 'wrong_type', path: 'age', count: 1 }]);
    const { stats: none } = await view<OverviewData>('overview?since=all&schema=order');
    expect(none.extractions).toBe(0);
  });

  it('show a conversation with its problems marked, cut where it is huge', async () => {
    const data = await view<ExtractionData>('extraction?batch=hostile&id=d0');
    const [first, second] = data.attempts;
    expect(first).toMatchObject({ isCut: true, feedback: expect.stringContaining("Field 'age'") as unknown });
    expect(first!.answer.map(({ text }) => text).join('')).toHaveLength(10_000);
    expect(first!.answer.filter(({ problems }) => problems.length > 0)).toHaveLength(1);
    expect(second).toMatchObject({ problem: null, isCut: false });
    const whole = await view<ExtractionData>('extraction?batch=hostile&id=d0&full=1%2F1');
    expect(whole.attempts[0]!.answer.map(({ text }) => text).join('')).toHaveLength(first!.answerLength);
  });

  it('give a document only when it is asked for', async () => {
    const { body } = await ask(open.url, '/api/view/extraction?batch=hostile&id=d1');
    expect(body).not.toContain('text 1');
    const { text } = await view<{ text: string }>('document-text?batch=hostile&id=d0');
    expect(text.startsWith(HOSTILE.slice(0, 60))).toBe(true);
  });

  it('are told again when they change', async () => {
    const first = await firstEvent(`${open.url}api/live/batches?`);
    expect(first).toMatch(/^retry: 1000\n\ndata: \{"server":"silent"/);
  });
});

describe('downloads', () => {
  it('are what `batch export` writes', async () => {
    const { headers, body } = await ask(open.url, '/api/results?batch=hostile&format=jsonl');
    expect(headers['content-disposition']).toBe("attachment; filename*=UTF-8''hostile.jsonl");
    expect(
      body
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { id: string }).id),
    ).toEqual(['d0', 'd1']);
    const csv = await ask(open.url, '/api/results?batch=hostile&format=csv');
    expect(csv.body.split('\n')[0]).toContain('id,success,stopped,attempts');
    expect((await ask(open.url, '/api/results?batch=hostile&format=xml')).status).toBe(400);
  });
});

async function view<T>(path: string): Promise<T> {
  return (await ask(open.url, `/api/view/${path}`)).json() as T;
}

/** The beginning of a stream of events, up to its first one. */
function firstEvent(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(url, (response) => {
      let received = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        received += chunk;
        if (!received.includes('data:')) return;
        sent.destroy();
        resolve(received);
      });
    });
    sent.once('error', reject);
    sent.end();
  });
}
