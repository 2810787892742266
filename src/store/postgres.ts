import { PostgresDialect } from 'kysely';
import { Pool, TypeOverrides } from 'pg';

/** A worker writes in bulk, so a few connections carry a thousand calls. */
const MOST_CONNECTIONS = 8;
const CONNECT_TIMEOUT_MS = 10_000;
/** PostgreSQL's type number of `bigint`, which the driver gives as text otherwise. */
const INT8 = 20;

/** PostgreSQL as Kysely sees it. Counts and times come as numbers: none of ours passes 2^53. */
export function postgresDialect(url: string): PostgresDialect {
  const types = new TypeOverrides();
  types.setTypeParser(INT8, Number);
  const pool = new Pool({
    connectionString: url,
    max: MOST_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    types,
  });
  // An idle connection that breaks is replaced at the next query, which then says what is wrong.
  pool.on('error', () => {});
  return new PostgresDialect({ pool });
}
