import { findTemporalCli } from '../../src/stack/temporal-cli.ts';

/** Gets the Temporal CLI before any test asks for it: on a new machine that takes minutes, and no test's time limit has room for it. */
export default async function getTemporalCli(): Promise<void> {
  await findTemporalCli({
    env: process.env,
    onProgress: ({ message }) => process.stderr.write(`${message}\n`),
  });
}
