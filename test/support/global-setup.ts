import { findTemporalCli } from '../../src/stack/temporal-cli.ts';
import { ensurePostgres } from './postgres.ts';

/** Gets the Temporal CLI and PostgreSQL before any test asks for them: on a new machine that takes minutes, and no test's time limit has room for it. */
export default async function getServers(): Promise<void> {
  await findTemporalCli({ env: process.env, onProgress: ({ message }) => say(message) });
  try {
    await ensurePostgres();
  } catch (error) {
    say(`PostgreSQL cannot be installed, so its tests are skipped: ${String(error)}`);
  }
}

function say(message: string): void {
  process.stderr.write(`${message}\n`);
}
