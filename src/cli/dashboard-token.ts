import { isLoopback } from '../dashboard/access.ts';
import type { Environment } from '../stack/progress.ts';
import { UsageError } from './exit-codes.ts';

/** Holds the token that the dashboard demands. The environment alone: command lines are seen by all users of a machine. */
export const DASHBOARD_TOKEN_VARIABLE = 'DURABLE_EXTRACT_DASHBOARD_TOKEN';
const SHORTEST_TOKEN = 16;

/** The token; undefined where none is demanded. @throws {UsageError} where there must be one, and for one that can be guessed. */
export function readDashboardToken(env: Environment, host: string): string | undefined {
  const token = env[DASHBOARD_TOKEN_VARIABLE];
  if (!token && isLoopback(host)) return undefined;
  if (token && token.length >= SHORTEST_TOKEN) return token;
  const got = token ? `one of ${token.length}` : 'none';
  const why = isLoopback(host) ? '' : `--host ${host} can be reached from other machines: `;
  throw new UsageError(
    `${why}${DASHBOARD_TOKEN_VARIABLE}: expected a secret of at least ${SHORTEST_TOKEN} characters, got ${got}. ` +
      `Make one with: export ${DASHBOARD_TOKEN_VARIABLE}=$(openssl rand -hex 24)`,
  );
}
