/** Who may ask the dashboard, and from where. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** Whoever may ask without a token is on this machine. */
const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '::1'] as const;
const SESSION_MS = 12 * 3_600_000;
/** Makes guessing slow: one guess after the other, for all who guess. */
const WRONG_TOKEN_DELAY_MS = 500;
/** What no form and no link of another site can send without being asked by the browser first. */
const ACTION_HEADER = 'x-durable-extract-dashboard';

/** A request that is not answered, and why. */
export interface Refusal {
  readonly status: 400 | 401 | 403 | 415 | 421;
  readonly message: string;
}

/** Decides on requests. */
export interface Guard {
  /** Whether a token is demanded. */
  readonly isLocked: boolean;
  /** Of any request: its `Host` must be ours, so that no other site's name leads here. */
  refuseHost(request: IncomingMessage): Refusal | undefined;
  /** Of requests that read data or act: another site's page must not make them. */
  refuseCrossSite(request: IncomingMessage): Refusal | undefined;
  /** Of requests that act. */
  refuseAction(request: IncomingMessage): Refusal | undefined;
  isSignedIn(request: IncomingMessage): boolean;
  /** The `Set-Cookie` of a new session; undefined for a wrong token. */
  signIn(token: string): Promise<string | undefined>;
  /** Ends the request's session. Gives the `Set-Cookie` that removes it. */
  signOut(request: IncomingMessage): string;
}

/** Whether an address is reached from this machine alone. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** A guard for a dashboard that listens on `host`. Sessions are lost when the process ends. */
export function accessGuard(options: {
  readonly host: string;
  readonly port: number;
  readonly token: string | undefined;
  /** Further names by which it is reached: a proxy's. */
  readonly allowedHosts: readonly string[];
}): Guard {
  const { token, port } = options;
  const isKnownHost = hostCheck(options);
  // Browsers keep cookies by host, whatever the port: two dashboards of one machine must not overwrite each other's.
  const cookieName = `durable_extract_session_${port}`;
  const cookieFlags = 'Path=/; HttpOnly; SameSite=Strict';
  const sessions = new Map<string, number>();
  let guesses: Promise<unknown> = Promise.resolve();

  const sessionOf = (request: IncomingMessage): string | undefined =>
    cookiesOf(request)
      .filter(([name]) => name === cookieName)
      .map(([, value]) => digestOf(value))[0];

  return {
    isLocked: token !== undefined,
    refuseHost({ headers: { host } }) {
      if (isKnownHost(host ?? '')) return undefined;
      return {
        status: 421,
        message: `Host: expected the name under which this dashboard is served, got ${JSON.stringify(host ?? '')}. Use its address, or start it with --allow-host NAME.`,
      };
    },
    refuseCrossSite({ headers }) {
      const site = headers['sec-fetch-site'];
      const isOurs = site === undefined || site === 'same-origin' || site === 'none';
      if (isOurs && isOwnOrigin(headers.origin, headers.host)) return undefined;
      return { status: 403, message: "This request comes from another site's page: it is not answered." };
    },
    refuseAction({ headers }) {
      const type = headers['content-type']?.split(';')[0]?.trim();
      if (type !== 'application/json')
        return { status: 415, message: 'Content-Type: expected application/json.' };
      if (headers[ACTION_HEADER] === '1') return undefined;
      return {
        status: 403,
        message: `Expected the header ${ACTION_HEADER}: 1, which this dashboard's own pages send.`,
      };
    },
    isSignedIn(request) {
      if (token === undefined) return true;
      const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
      if (bearer !== undefined) return isSame(bearer, token);
      return (sessions.get(sessionOf(request) ?? '') ?? 0) > Date.now();
    },
    async signIn(given) {
      if (token === undefined) return undefined;
      if (!isSame(given, token)) {
        guesses = guesses.then(() => sleep(WRONG_TOKEN_DELAY_MS));
        await guesses;
        return undefined;
      }
      const session = randomBytes(32).toString('base64url');
      for (const [old, until] of sessions) if (until <= Date.now()) sessions.delete(old);
      sessions.set(digestOf(session), Date.now() + SESSION_MS);
      return `${cookieName}=${session}; ${cookieFlags}; Max-Age=${SESSION_MS / 1_000}`;
    },
    signOut(request) {
      sessions.delete(sessionOf(request) ?? '');
      return `${cookieName}=; ${cookieFlags}; Max-Age=0`;
    },
  };
}

/**
 * A page of another site can have its own name point here (DNS rebinding), and would then be of our origin. It has a name for
 * that: the addresses of this machine are not anybody else's. Any port will do, for tunnels.
 */
function hostCheck(options: {
  readonly host: string;
  readonly allowedHosts: readonly string[];
}): (header: string) => boolean {
  const isLocal = isLoopback(options.host);
  const names = new Set<string>(
    [...LOOPBACK_NAMES, options.host, ...options.allowedHosts, ...(isLocal ? [] : [hostname()])].map((name) =>
      name.toLowerCase(),
    ),
  );
  return (header) => {
    const name = nameOf(header);
    return name !== undefined && (names.has(name) || (!isLocal && isIP(name) !== 0));
  };
}

/** The host of a `Host` header, without its port. */
function nameOf(header: string): string | undefined {
  const [, bracketed, plain] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/?#@[\]]+))(?::\d{1,5})?$/.exec(header) ?? [];
  return (bracketed ?? plain)?.toLowerCase();
}

function isOwnOrigin(origin: string | undefined, host: string | undefined): boolean {
  return origin === undefined || origin === `http://${host}` || origin === `https://${host}`;
}

function cookiesOf({ headers }: IncomingMessage): readonly (readonly [name: string, value: string])[] {
  return (headers.cookie ?? '').split(';').map((pair) => {
    const [name = '', value = ''] = pair.trim().split('=', 2);
    return [name, value];
  });
}

/** In a time that does not depend on where they differ, nor on the length. */
function isSame(given: string, expected: string): boolean {
  return timingSafeEqual(Buffer.from(digestOf(given)), Buffer.from(digestOf(expected)));
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
