import { once } from 'node:events';
import { startDashboard } from '../dashboard/dashboard-server.ts';
import type { RunningDashboard } from '../dashboard/dashboard-server.ts';
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

/** A port that was asked for is taken or refused; without one, the first usual one that is free. */
async function serve(
  access: {
    readonly host: string;
    readonly token: string | undefined;
    readonly allowedHosts: readonly string[];
  },
  port: number | undefined,
): Promise<RunningDashboard> {
  const place = { env: process.env, home: stackHome({ env: process.env }), log: note };
  try {
    return await startDashboard({
      ...place,
      ...access,
      port: port ?? (await freePort({ preferred: USUAL_PORTS })),
    });
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EADDRINUSE')
      throw new UsageError(`--port: expected a free port, got ${port}, which is taken. Choose another.`, {
        cause: error,
      });
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EACCES' || code === 'EAI_AGAIN')
      throw new UsageError(
        `--host, --port: expected an address of this machine and a port that may be used, got ${access.host} and ${port}: ${messageOf(error)}.`,
        { cause: error },
      );
    throw error;
  }
}

function readPort(given: string): number {
  const port = Number(given);
  if (/^\d+$/.test(given) && port <= 65_535) return port;
  throw new UsageError(`--port: expected a whole number from 0 (any free one) to 65535, got '${given}'.`);
}
