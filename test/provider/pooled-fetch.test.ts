import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { pooledFetch } from '../../src/provider/pooled-fetch.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const servers: Server[] = [];

afterEach(async () => {
  vi.unstubAllEnvs();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
});

async function serve(
  handler: Handler,
): Promise<{ readonly url: string; readonly connections: () => number }> {
  const server = createServer(handler).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  let connections = 0;
  server.on('connection', () => (connections += 1));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    connections: () => connections,
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

describe('the fetch of a provider', () => {
  it('sends method, headers and body, and gives status, headers and body back', async () => {
    const { url } = await serve((request, response) => {
      void bodyOf(request).then((body) => {
        response.writeHead(429, { 'retry-after': '7', 'set-cookie': ['a=1', 'b=2'] });
        const { method, headers } = request;
        return response.end(JSON.stringify({ method, key: headers['authorization'], body }));
      });
    });
    const answer = await pooledFetch()(url, {
      method: 'POST',
      headers: new Headers({ Authorization: 'Bearer x' }),
      body: 'Grüße',
    });
    expect(answer.status).toBe(429);
    expect(answer.headers.get('retry-after')).toBe('7');
    expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect(await answer.json()).toEqual({ method: 'POST', key: 'Bearer x', body: 'Grüße' });
  });

  it('uses connections again: of two, one is at rest when the next call begins', async () => {
    const { url, connections } = await serve((_, response) => void response.end('{}'));
    const fetch = pooledFetch();
    for (let call = 0; call < 9; call += 1) await fetch(url, { method: 'POST', body: '{}' });
    expect(connections()).toBeLessThanOrEqual(2);
  });

  it('gives an answer without a body', async () => {
    const { url } = await serve((_, response) => void response.writeHead(204).end());
    const answer = await pooledFetch()(url);
    expect([answer.status, await answer.text()]).toEqual([204, '']);
  });

  it('follows to where a server has moved, with the body', async () => {
    const { url } = await serve((request, response) => {
      if (request.url === '/') response.writeHead(308, { location: '/v1' }).end();
      else void bodyOf(request).then((body) => response.end(body));
    });
    const answer = await pooledFetch()(url, { method: 'POST', body: 'moved along' });
    expect(await answer.text()).toBe('moved along');
  });

  it('takes the key to no other host', async () => {
    const keys: (string | undefined)[] = [];
    const other = await serve((request, response) => {
      keys.push(request.headers['authorization']);
      response.end('{}');
    });
    const elsewhere = other.url.replace('127.0.0.1', 'localhost');
    const { url } = await serve((_, response) => void response.writeHead(307, { location: elsewhere }).end());
    await pooledFetch()(url, { method: 'POST', headers: { authorization: 'Bearer x' }, body: '{}' });
    expect(keys).toEqual([undefined]);
  });

  it('asks a proxy that the environment names, but not for this machine', async () => {
    const asked: (string | undefined)[] = [];
    const { url } = await serve((_, response) => void response.end('answered'));
    const proxy = await serve(() => {});
    servers.at(-1)?.on('connect', (request: IncomingMessage, client: Socket) => {
      asked.push(request.url);
      const upstream = connect(Number(new URL(url).port), '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
        upstream.pipe(client).pipe(upstream);
      });
      // Either side may end first.
      upstream.on('error', () => client.destroy());
      client.on('error', () => upstream.destroy());
    });
    for (const name of ['HTTP_PROXY', 'http_proxy']) vi.stubEnv(name, proxy.url);
    for (const name of ['NO_PROXY', 'no_proxy']) vi.stubEnv(name, 'models.internal');
    const fetch = pooledFetch();
    expect(await (await fetch('http://models.example/v1')).text()).toBe('answered');
    expect(await (await fetch(url)).text()).toBe('answered');
    expect(asked).toEqual(['models.example:80']);
  });

  it('fails where the connection is refused, and where an answer breaks off', async () => {
    await expect(pooledFetch()('http://127.0.0.1:9/')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    const { url } = await serve((_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"half":');
      setImmediate(() => response.destroy());
    });
    await expect(pooledFetch()(url)).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' });
  });

  it('ends when it is told to, with the reason', async () => {
    const { url } = await serve(() => {});
    const ending = new AbortController();
    const asked = pooledFetch()(url, { signal: ending.signal });
    ending.abort();
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' });
  });
});
