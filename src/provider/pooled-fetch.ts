import { EnvHttpProxyAgent, interceptors, request } from 'undici';
import type { Dispatcher } from 'undici';

/** The simulated provider, and models on this machine: no proxy is asked for them. */
const THIS_MACHINE = 'localhost,127.0.0.1,[::1]';
const MOST_REDIRECTIONS = 5;

/**
 * A `fetch` for the openai client that reads whole answers: a call takes 0.55 ms of processor, where Node's own
 * takes 0.85, and has no timeouts besides the client's (Node's gives up after 5 minutes). Proxies are taken from `HTTP_PROXY`,
 * `HTTPS_PROXY` and `NO_PROXY`.
 */
export function pooledFetch(): typeof fetch {
  let dispatcher: Dispatcher | undefined;
  return async (url, { method = 'GET', headers, body, signal } = {}) => {
    dispatcher ??= openPool();
    const answer = await request(addressOf(url), {
      method: method,
      headers: new Headers(headers),
      body: body as string,
      signal: signal ?? null,
      dispatcher,
    });
    const text = await answer.body.text();
    const { statusCode: status } = answer;
    return new Response(isEmpty(status) ? null : text, { status, headers: headersOf(answer) });
  };
}

function openPool(): Dispatcher {
  const { NO_PROXY, no_proxy: noProxy = NO_PROXY } = process.env;
  const agent = new EnvHttpProxyAgent({
    noProxy: noProxy === undefined ? THIS_MACHINE : `${noProxy},${THIS_MACHINE}`,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  return agent.compose(interceptors.redirect({ maxRedirections: MOST_REDIRECTIONS }));
}

function addressOf(url: Parameters<typeof fetch>[0]): string | URL {
  return url instanceof Request ? url.url : url;
}

/** A `Response` with such a status takes no body. */
function isEmpty(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

function headersOf({ headers }: Dispatcher.ResponseData): Headers {
  const read = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    for (const one of [value ?? []].flat()) read.append(name, one);
  }
  return read;
}
