/**
 * The simulated provider as a process of its own, so that it outlives killed workers.
 * Prints one line of JSON, `{"url", "pid"}`, when it is ready. SIGTERM and SIGINT stop it.
 *
 * `node src/provider/simulated/main.ts [--port N] [--host H] [--log-file F] [--seed N] [--latency-ms N|MIN-MAX]
 * [--default-output-tokens N] [--most-output-tokens N] [--rejected-modes MODE,…]
 * [--rpm N] [--burst N] [--slow-ms N] [--retry-after N] [--failures-per-document N] [--hides-limits] [--honours-strict] [--faults JSON]`;
 * each option also as an environment variable: `SIMULATED_LOG_FILE` for `--log-file`.
 */
import { parseArgs } from 'node:util';
import type { FaultRates } from './faults.ts';
import type { RejectedMode, SimulatedProviderOptions } from './options.ts';
import { startSimulatedProvider } from './server.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    host: { type: 'string' },
    'log-file': { type: 'string' },
    seed: { type: 'string' },
    'latency-ms': { type: 'string' },
    rpm: { type: 'string' },
    burst: { type: 'string' },
    'slow-ms': { type: 'string' },
    'retry-after': { type: 'string' },
    'failures-per-document': { type: 'string' },
    'hides-limits': { type: 'boolean' },
    'honours-strict': { type: 'boolean' },
    'default-output-tokens': { type: 'string' },
    'most-output-tokens': { type: 'string' },
    'rejected-modes': { type: 'string' },
    faults: { type: 'string' },
  },
});

type Flag = Exclude<keyof typeof values, 'honours-strict' | 'hides-limits'>;

function given(flag: Flag): string | undefined {
  return values[flag] ?? process.env[`SIMULATED_${flag.replaceAll('-', '_').toUpperCase()}`];
}

/** An option of the server, where its flag is given. */
function numberOption<Key extends keyof SimulatedProviderOptions>(
  key: Key,
  flag: Flag,
): { [K in Key]?: number } {
  const text = given(flag);
  if (text === undefined) return {};
  const value = Number(text);
  if (!Number.isFinite(value))
    throw new RangeError(`--${flag}: expected a number, got ${JSON.stringify(text)}`);
  return { [key]: value } as { [K in Key]?: number };
}

function latencyOption(): Pick<SimulatedProviderOptions, 'latencyMs'> {
  const range = /^(\d+)-(\d+)$/.exec(given('latency-ms') ?? '');
  if (range === null) return numberOption('latencyMs', 'latency-ms');
  return { latencyMs: { min: Number(range[1]), max: Number(range[2]) } };
}

const faults = given('faults');
const logFile = given('log-file');
const host = given('host');
const rejectedModes = given('rejected-modes');
const provider = await startSimulatedProvider({
  ...numberOption('port', 'port'),
  ...numberOption('seed', 'seed'),
  ...numberOption('rpm', 'rpm'),
  ...numberOption('burst', 'burst'),
  ...numberOption('slowMs', 'slow-ms'),
  ...numberOption('defaultOutputTokens', 'default-output-tokens'),
  ...numberOption('mostOutputTokens', 'most-output-tokens'),
  ...numberOption('retryAfterSeconds', 'retry-after'),
  ...numberOption('failuresPerDocument', 'failures-per-document'),
  ...latencyOption(),
  ...(host !== undefined && { host }),
  ...(logFile !== undefined && { logFile }),
  ...(rejectedModes !== undefined && { rejectedModes: rejectedModes.split(',') as RejectedMode[] }),
  ...(faults !== undefined && { faults: JSON.parse(faults) as FaultRates }),
  hidesLimits: values['hides-limits'] ?? process.env['SIMULATED_HIDES_LIMITS'] === 'true',
  honoursStrict: values['honours-strict'] ?? process.env['SIMULATED_HONOURS_STRICT'] === 'true',
});
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => void provider.stop().then(() => process.exit(0)));
}
process.stdout.write(`${JSON.stringify({ url: provider.url, pid: process.pid })}\n`);
