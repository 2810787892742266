import { request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';

/** An answer of the dashboard. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  json(): unknown;
}

/** What a request says besides its path. */
export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Asks as no browser would: `fetch` lets nobody choose `Host`, `Origin` and `Sec-Fetch-Site`. */
export async function ask(
  url: string,
  path: string,
  { method = 'GET', headers = {}, body }: Asked = {},
): Promise<Answer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, method, headers: { ...headers } }, (response) => {
      text(response).then(
        (received) =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: received,
            json: () => JSON.parse(received) as unknown,
          }),
        reject,
      );
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

/** What the dashboard's own pages send with an action. */
export const OWN_HEADERS = {
  'content-type': 'application/json',
  'x-durable-extract-dashboard': '1',
  'sec-fetch-site': 'same-origin',
} as const;

/** Does something, as the dashboard's own pages do. */
export function act(
  url: string,
  path: string,
  input: unknown,
  headers: Readonly<Record<string, string>> = {},
) {
  return ask(url, path, {
    method: 'POST',
    headers: { ...OWN_HEADERS, ...headers },
    body: JSON.stringify(input),
  });
}
