// Finds the Temporal CLI with the environment it was given.
import { findTemporalCli } from '../../../src/stack/temporal-cli.ts';

const cli = await findTemporalCli({ env: process.env, onProgress: ({ message }) => console.error(message) });
console.log(JSON.stringify(cli));
