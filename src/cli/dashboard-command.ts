import { once } from 'node:events';
import { startDashboard } from '../dashboard/dashboard-server.ts';
import type { DashboardOptions, RunningDashboard } from '../dashboard/dashboard-server.ts';
import { codeOf, messageOf } from '../stack/error-facts.ts';
import { stackHome } from '../stack/home.ts';
import { announceReady } from '../stack/managed-process.ts';
import { freePort } from '../stack/ports.ts';
import { DASHBOARD_TOKEN_VARIABLE, readDashboardToken } from './dashboard-token.ts';
import { EXIT, UsageError } from './exit-codes.ts';
import { note } from './output.ts';

/** As commander gives them. */
export interface DashboardFlags {
  readonly host?: string;
  readonly port?: string;
  readonly allowHost?: readonly string[];
}

const USUAL_PORTS = [8480, 8490, 8500, 8510, 8520, 8530, 8540, 8550, 8560, 8570] as const;

/** What the system says of an address that cannot be listened on. */
const ADDRESS_CODES = new Set(['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EACCES', 'EINVAL']);

/** To whom it is served. */
type Access = Pick<DashboardOptions, 'host' | 'token' | 'allowedHosts'>;

/** `dashboard`: serves it until it is told to end. Starts nothing else. */
export async function dashboardCommand(flags: DashboardFlags): Promise<number> {
  const { host = '127.0.0.1', allowHost: allowedHosts = [] } = flags;
  const token = readDashboardToken(process.env, host);
  const dashboard = await serve(
    { host, token, allowedHosts },
    flags.port === undefined ? undefined : readPort(flags.port),
  );
  const { url } = dashboard;
  announceReady({ env: process.env, details: { url, healthUrl: new URL('health', url).href } });
  note(
    `dashboard at ${url}${token === undefined ? '' : `: sign in with the token in ${DASHBOARD_TOKEN_VARIABLE}`}`,
  );
  await Promise.race((['SIGTERM', 'SIGINT'] as const).map((signal) => once(process, signal)));
  await dashboard.stop();
  return EXIT.done;
}

const PORT_TRIES = 5;

/** On the port that was asked for, or not at all; without one, on the first usual one that is free. */
async function serve(access: Access, port: number | undefined): Promise<RunningDashboard> {
  const place = { env: process.env, home: stackHome({ env: process.env }), log: note };
  for (let tries = 1; ; tries += 1) {
    const chosen = port ?? (await freePort({ preferred: USUAL_PORTS }));
    try {
      return await startDashboard({ ...place, ...access, port: chosen });
    } catch (error) {
      // Somebody else took it at the last moment.
      if (port === undefined && codeOf(error) === 'EADDRINUSE' && tries < PORT_TRIES) continue;
      throw adviceOnAddress(error, access.host, chosen);
    }
  }
}

function adviceOnAddress(error: unknown, host: string, port: number): unknown {
  const code = codeOf(error) ?? '';
  if (code === 'EADDRINUSE') {
    return new UsageError(`--port: expected a free port, got ${port}, which is taken. Choose another.`, {
      cause: error,
    });
  }
  if (!ADDRESS_CODES.has(code)) return error;
  return new UsageError(
    `--host, --port: expected an address of this machine and a port that may be used, got ${host} and ${port}: ${messageOf(error)}.`,
    { cause: error },
  );
}

function readPort(given: string): number {
  const port = Number(given);
  if (/^\d+$/.test(given) && port <= 65_535) return port;
  throw new UsageError(`--port: expected a whole number from 0 (any free one) to 65535, got '${given}'.`);
}
