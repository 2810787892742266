/** The dashboard's HTTP server: pages, views, actions. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { InvalidInputError } from '../client/invalid-input-error.ts';
import { codeOf, messageOf } from '../stack/error-facts.ts';
import type { Environment } from '../stack/progress.ts';
import { openStore } from '../store/open-store.ts';
import { StoreError } from '../store/store-errors.ts';
import { accessGuard } from './access.ts';
import type { Guard, Refusal } from './access.ts';
import { ACTIONS } from './actions.ts';
import { batchCache } from './batch-cache.ts';
import type { DashboardContext } from './context.ts';
import { SECURITY_HEADERS } from './headers.ts';
import { liveViews } from './live.ts';
import type { LiveViews } from './live.ts';
import { readJson } from './read-json.ts';
import { NotFoundError } from './request-errors.ts';
import { sendResults } from './results.ts';
import { loadStaticFiles } from './static-files.ts';
import type { StaticFiles } from './static-files.ts';
import { UnreachableError, temporalLink } from './temporal-link.ts';
import { VIEWS } from './views.ts';

/** A dashboard that is served. */
export interface RunningDashboard {
  /** `http://127.0.0.1:8480/` */
  readonly url: string;
  stop(): Promise<void>;
}

/** Where and to whom it is served. */
export interface DashboardOptions {
  readonly env: Environment;
  readonly home: string;
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  /** Demanded of all who ask; without it, nothing is. */
  readonly token?: string | undefined;
  readonly allowedHosts?: readonly string[];
  /** One line for each thing that was done. */
  readonly log?: (line: string) => void;
}

/** Paths of the one page that shows all views. */
const PAGES = new Set([
  '/',
  '/batches',
  '/batch',
  '/extractions',
  '/extraction',
  '/gates',
  '/review',
  '/correct',
]);

interface Served extends DashboardContext {
  readonly guard: Guard;
  readonly files: StaticFiles;
  readonly live: LiveViews;
  readonly log: (line: string) => void;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
}

/**
 * Serves the dashboard of a home's store. Starts nothing else: without a Temporal server it shows what the store knows.
 *
 * @throws {StoreError} where the store cannot be opened; whatever `listen` fails with where the port is taken.
 */
export async function startDashboard(options: DashboardOptions): Promise<RunningDashboard> {
  const { env, home, host, token, allowedHosts = [], log = () => {} } = options;
  const store = await openStore({ env, home });
  const temporal = temporalLink({ env, home });
  const live = liveViews();
  const server = createServer();
  const close = async (): Promise<void> => {
    live.stop();
    await ended(server);
    await temporal.close();
    await store.close();
  };
  try {
    const port = await listen(server, host, options.port);
    const guard = accessGuard({ host, port, token, allowedHosts });
    const served = {
      store,
      temporal,
      batches: batchCache(store),
      guard,
      live,
      log,
      files: loadStaticFiles(),
    };
    server.on('request', (request, response) => {
      void answer(served, request, response);
    });
    return { url: `http://${host.includes(':') ? `[${host}]` : host}:${port}/`, stop: close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function listen(server: Server, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, exclusive: true }, resolve);
  });
  const bound = server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : port;
}

async function ended(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise((resolve) => {
    server.close(resolve);
  });
  server.closeAllConnections();
  await closed;
}

async function answer(served: Served, request: IncomingMessage, response: ServerResponse): Promise<void> {
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value);
  try {
    const refused = served.guard.refuseHost(request);
    if (refused !== undefined) return refuse(response, refused);
    await route(served, { request, response, url: new URL(request.url ?? '/', 'http://dashboard') });
  } catch (error) {
    const { status, message } = failureOf(error);
    if (status === 500) served.log(`internal fault: ${messageOf(error)}`);
    if (response.headersSent) response.destroy();
    else refuse(response, { status, message });
  }
}

async function route(served: Served, exchange: Exchange): Promise<void> {
  const { request, response, url } = exchange;
  const { guard, files } = served;
  const isPost = request.method === 'POST';
  if (!isPost && request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD, POST');
    return refuse(response, { status: 405, message: 'Expected GET or POST.' });
  }
  const { pathname } = url;
  if (isPost) return routePost(served, exchange);
  if (pathname === '/health') return sendJson(response, { ok: true });
  if (pathname === '/login') return files.send(response, 'login.html');
  if (pathname.startsWith('/assets/')) return files.send(response, pathname.slice('/assets/'.length));
  const isPage = PAGES.has(pathname);
  if (!guard.isSignedIn(request)) {
    if (!isPage) return refuse(response, SIGN_IN);
    response.writeHead(303, { location: `/login?next=${encodeURIComponent(url.pathname + url.search)}` });
    response.end();
    return;
  }
  if (isPage) return files.send(response, 'index.html');
  const refused = guard.refuseCrossSite(request);
  if (refused !== undefined) return refuse(response, refused);
  return routeData(served, exchange);
}

/** `GET /api/…`. */
async function routeData(served: Served, { response, url }: Exchange): Promise<void> {
  const [, api, kind = '', name = ''] = url.pathname.split('/');
  const parameters = url.searchParams;
  if (url.pathname === '/api/access') return sendJson(response, { isLocked: served.guard.isLocked });
  if (api === 'api' && kind === 'results') return sendResults(served, response, parameters);
  const view = api === 'api' && (kind === 'view' || kind === 'live') ? VIEWS.get(name) : undefined;
  if (view === undefined) throw new NotFoundError(`There is nothing at ${url.pathname}.`);
  const read = () => view(served, parameters);
  if (kind === 'view') return sendJson(response, await read());
  served.live.stream(response, `${name}?${parameters.toString()}`, read);
}

/** What changes something; and signing in and out. */
async function routePost(served: Served, { request, response, url }: Exchange): Promise<void> {
  const { guard, live, log } = served;
  const refused = guard.refuseCrossSite(request) ?? guard.refuseAction(request);
  if (refused !== undefined) return refuse(response, refused);
  if (url.pathname === '/login') return signIn(guard, request, response);
  if (!guard.isSignedIn(request)) return refuse(response, SIGN_IN);
  if (url.pathname === '/logout') {
    response.setHeader('set-cookie', guard.signOut(request));
    return sendJson(response, { ok: true });
  }
  const name = /^\/api\/act\/([a-z-]+)$/.exec(url.pathname)?.[1] ?? '';
  const act = ACTIONS.get(name);
  if (act === undefined) throw new NotFoundError(`There is nothing to do at ${url.pathname}.`);
  const input = await readJson(request);
  const result = await act(served, input);
  log(`${name} ${JSON.stringify(input['id'] ?? input['provider'] ?? null)}`);
  served.batches.forget();
  live.refresh();
  return sendJson(response, result);
}

const SIGN_IN: Refusal = { status: 401, message: 'Sign in first: open /login.' };

async function signIn(guard: Guard, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { token } = await readJson(request);
  const cookie = typeof token === 'string' ? await guard.signIn(token) : undefined;
  if (cookie === undefined) {
    return refuse(response, {
      status: 401,
      message:
        'That is not the token. It is what DURABLE_EXTRACT_DASHBOARD_TOKEN held when the dashboard was started.',
    });
  }
  response.setHeader('set-cookie', cookie);
  return sendJson(response, { ok: true });
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify(value));
}

function refuse(response: ServerResponse, { status, message }: { status: number; message: string }): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify({ error: message }));
}

/** How an error is told. */
function failureOf(error: unknown): { readonly status: number; readonly message: string } {
  const message = messageOf(error);
  if (error instanceof NotFoundError) return { status: 404, message };
  if (error instanceof InvalidInputError) return { status: 400, message };
  if (error instanceof UnreachableError || error instanceof StoreError) return { status: 503, message };
  if (codeOf(error) === 'ERR_INVALID_URL') return { status: 400, message: 'Expected a path and a query.' };
  return { status: 500, message: `${message}. This is a fault of the dashboard: see its log.` };
}
