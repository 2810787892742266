import { pathToFileURL } from 'node:url';
import { Runtime } from '@temporalio/worker';
import type { Logger, RuntimeOptions } from '@temporalio/worker';
import type { SchemaRegistry } from '../../activities/world.ts';
import { exampleSchemas } from '../../examples/schemas/index.ts';
import { startSimulatedProvider } from '../provider/simulated.ts';
import { resolveTemporalConnection } from '../stack/connection.ts';
import { stackHome } from '../stack/home.ts';
import { announceReady } from '../stack/managed-process.ts';
import type { OnProgress } from '../stack/progress.ts';
import { ensureStack } from '../stack/stack.ts';
import { readLogSettings } from '../telemetry/log-settings.ts';
import { jsonNow, workerLogger } from '../telemetry/logger.ts';
import { boundHeapGrowth } from '../worker/heap-growth.ts';
import { installWithMetrics } from '../worker/install-with-metrics.ts';
import { METRICS_VARIABLE, readMetricsAddress } from '../worker/metrics-address.ts';
import type { MetricsAddress } from '../worker/metrics-address.ts';
import { SIMULATED_URL_VARIABLE, providersOf } from '../worker/providers.ts';
import { runWorkers } from '../worker/run-workers.ts';
import { EXIT, UsageError } from './exit-codes.ts';

/** The options of `worker`. */
export interface WorkerFlags {
  readonly metrics?: string;
}

/** `worker`: runs until it is told to end, then lets the calls in flight finish. */
export async function workerCommand(flags: WorkerFlags, onProgress: OnProgress): Promise<number> {
  boundHeapGrowth();
  const home = stackHome({ env: process.env });
  // First: what is wrong with them is said before anything is started.
  const given = providersOf(process.env);
  const metricsAddress = readMetricsAddress(flags.metrics ?? process.env[METRICS_VARIABLE]);
  const log = readLogSettings(process.env);
  const stopOnSignal = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopOnSignal.abort());
  // The embedded stack starts this command only once its server runs, and holds the home's lock meanwhile.
  const connection =
    resolveTemporalConnection({ env: process.env, home }) ??
    (await ensureStack({ home, env: process.env, onProgress }).then(() =>
      resolveTemporalConnection({ env: process.env, home }),
    ));
  if (connection === undefined) throw new Error(`No Temporal server for ${home}.`);

  const logger = workerLogger(log);
  const metrics = await installRuntime({ logger, isForwarded: log.form === 'json' }, metricsAddress);
  const simulated = given.length === 0 ? await startSimulatedProvider({}) : undefined;
  const env =
    simulated === undefined ? process.env : { ...process.env, [SIMULATED_URL_VARIABLE]: simulated.url };
  const workers = await runWorkers({
    connection: connection.nativeOptions ?? {},
    namespace: connection.namespace,
    env,
    providers: simulated === undefined ? given : providersOf(env),
    schemas: await loadSchemas(process.env['DURABLE_EXTRACT_SCHEMAS']),
    ...callTimeout(process.env['DURABLE_EXTRACT_CALL_TIMEOUT_MS']),
  });
  const { address } = connection;
  announceReady({ env: process.env, details: { address, ...(metrics === undefined ? {} : { metrics }) } });
  const ready = `worker ready on ${workers.taskQueues.join(', ')} at ${address}`;
  const said = metrics === undefined ? ready : `${ready}, metrics at ${metrics}`;
  process.stderr.write(`${log.form === 'json' ? jsonNow(said) : said}\n`);
  if (stopOnSignal.signal.aborted) void workers.stop();
  else stopOnSignal.signal.addEventListener('abort', () => void workers.stop());
  await workers.ended;
  await simulated?.stop();
  return EXIT.done;
}

/** Installs the SDK's runtime. @returns where its metrics are, if they are anywhere. */
async function installRuntime(
  { logger, isForwarded }: { readonly logger: Logger; readonly isForwarded: boolean },
  metrics: MetricsAddress | undefined,
): Promise<string | undefined> {
  const options: RuntimeOptions = {
    logger,
    shutdownSignals: [],
    // What the native part says would be lines of its own form.
    ...(isForwarded ? { telemetryOptions: { logging: { forward: {} } } } : {}),
  };
  if (metrics !== undefined) return installWithMetrics(options, metrics);
  Runtime.install(options);
  return undefined;
}

function callTimeout(given: string | undefined): { readonly callTimeoutMs?: number } {
  if (!given) return {};
  if (!/^[1-9]\d*$/.test(given)) {
    throw new UsageError(`DURABLE_EXTRACT_CALL_TIMEOUT_MS: expected whole milliseconds, got '${given}'.`);
  }
  return { callTimeoutMs: Number(given) };
}

/** `DURABLE_EXTRACT_SCHEMAS`: a module whose default export maps names to schemas. Without it: the examples'. */
async function loadSchemas(path: string | undefined): Promise<SchemaRegistry> {
  if (!path) return exampleSchemas;
  const module: unknown = await import(pathToFileURL(path).href);
  if (typeof module === 'object' && module !== null && 'default' in module)
    return module.default as SchemaRegistry;
  throw new UsageError(
    `DURABLE_EXTRACT_SCHEMAS: expected a module with a default export of schemas, got '${path}'.`,
  );
}
