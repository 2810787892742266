/** What a command needs to run: server, simulated provider where there is no key, worker; and the dashboard. Left running for the next command. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Json } from '../core/json.ts';
import { externalConnection } from '../stack/connection.ts';
import { ensureProcess, fingerprintOf, withHomeLock } from '../stack/managed-process.ts';
import type { Environment, OnProgress } from '../stack/progress.ts';
import { readStackFile, writeStackFile } from '../stack/state-file.ts';
import { ensureStack } from '../stack/stack.ts';
import type { StackState } from '../stack/stack.ts';
import { readProviderConfig } from '../worker/provider-config/read-provider-config.ts';
import { readLogSettings } from '../telemetry/log-settings.ts';
import { METRICS_VARIABLE, readMetricsAddress } from '../worker/metrics-address.ts';
import { SIMULATED_URL_VARIABLE, providersOf } from '../worker/providers.ts';
import { readGateSwitch } from '../worker/read-gate-switch.ts';
import { codeFingerprint, fileStamp } from './code-fingerprint.ts';
import { DASHBOARD_TOKEN_VARIABLE } from './dashboard-token.ts';

const HERE = new URL('.', import.meta.url);
/** What `up --metrics` takes to forget an earlier one. */
const METRICS_OFF = 'off';
const EXTENSION = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
/** More than a worker gives the calls in flight. */
const WORKER_GRACE_MS = 35_000;

/** Variables that decide what a worker does: another value means another worker. Their hash alone is kept. */
const WORKER_VARIABLES = [
  'OPENAI_API_KEY',
  'OPENAI_BASE_URL',
  'DURABLE_EXTRACT_MODEL',
  'DURABLE_EXTRACT_SCHEMAS',
  'DURABLE_EXTRACT_CALL_TIMEOUT_MS',
  'DURABLE_EXTRACT_RPM',
  'DURABLE_EXTRACT_GATE',
  'DATABASE_URL',
  'DURABLE_EXTRACT_LOG',
  'DURABLE_EXTRACT_LOG_LEVEL',
  'OTEL_SDK_DISABLED',
  'OTEL_SERVICE_NAME',
  'OTEL_TRACES_EXPORTER',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_EXPORTER_OTLP_HEADERS',
  'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
] as const;

/** As {@link WORKER_VARIABLES}, of the dashboard. */
const DASHBOARD_VARIABLES = [DASHBOARD_TOKEN_VARIABLE, 'DURABLE_EXTRACT_WEB_UI', 'DATABASE_URL'] as const;

/** Starts what is missing. With `TEMPORAL_ADDRESS` set: starts nothing, and takes the workers that are there. */
export async function ensureRunning(options: {
  readonly home: string;
  readonly env: Environment;
  readonly onProgress: OnProgress;
  /** Where the worker is to serve its metrics from now on; `off` for nowhere. */
  readonly metrics?: string;
}): Promise<StackState> {
  const { home, env, onProgress } = options;
  readMetricsAddress(
    options.metrics === METRICS_OFF ? undefined : (options.metrics ?? env[METRICS_VARIABLE]),
  );
  // A worker would end at once over a bad configuration, in a log that nobody reads. One that is not started here has its own.
  if (externalConnection(env) === undefined) {
    providersOf(env);
    readGateSwitch(env);
    readLogSettings(env);
  }
  const stack = await ensureStack(options);
  if (stack.external) return stack;
  const common = { home, onProgress };
  const code = codeFingerprint();
  const simulated = await ensureProcess({
    ...common,
    name: 'simulated-provider',
    spec: processSpec({ script: 'simulated-provider-process', args: [], env, fingerprint: code }),
  });
  const metrics = await metricsAddress(options);
  const workerEnv = {
    ...env,
    [SIMULATED_URL_VARIABLE]: textOf(simulated.record.details['url']),
    [METRICS_VARIABLE]: metrics,
  };
  await ensureProcess({
    ...common,
    name: 'worker',
    spec: {
      ...processSpec({
        script: 'main',
        args: ['worker'],
        env: { ...workerEnv, DURABLE_EXTRACT_HOME: home },
        fingerprint: fingerprintOf([
          code,
          schemasStamp(env['DURABLE_EXTRACT_SCHEMAS']),
          stack.address,
          workerEnv[SIMULATED_URL_VARIABLE] ?? null,
          metrics ?? null,
          ...WORKER_VARIABLES.map((name) => env[name] ?? null),
          configuredProviders(env),
        ]),
      }),
      stopGraceMs: WORKER_GRACE_MS,
    },
  });
  return stack;
}

/** Starts the dashboard beside the worker, where it does not run: `up` does. Gives its address. */
export async function ensureDashboard(options: {
  readonly home: string;
  readonly env: Environment;
  readonly onProgress: OnProgress;
}): Promise<string> {
  const { home, env, onProgress } = options;
  const { record } = await ensureProcess({
    home,
    onProgress,
    name: 'dashboard',
    spec: processSpec({
      script: 'main',
      args: ['dashboard'],
      env: { ...env, DURABLE_EXTRACT_HOME: home },
      fingerprint: fingerprintOf([
        codeFingerprint(),
        ...DASHBOARD_VARIABLES.map((name) => env[name] ?? null),
      ]),
    }),
  });
  return textOf(record.details['url']);
}

/** What `up --metrics` said last goes for later commands too, which would start another worker otherwise; the environment goes before it. */
async function metricsAddress(options: {
  readonly home: string;
  readonly env: Environment;
  readonly onProgress: OnProgress;
  readonly metrics?: string;
}): Promise<string | undefined> {
  const { home, env, metrics: said, onProgress } = options;
  if (said !== undefined) {
    await withHomeLock({ home, purpose: 'setting where metrics are', onProgress }, async () => {
      const { metrics: _before, ...state } = readStackFile(home);
      writeStackFile(home, said === METRICS_OFF ? state : { ...state, metrics: said });
    });
  }
  return said === METRICS_OFF ? undefined : (said ?? env[METRICS_VARIABLE] ?? readStackFile(home).metrics);
}

/** Of the module of schemas that a worker loads once. What that module itself imports is not looked at. */
function schemasStamp(path: string | undefined): string | null {
  return path ? fileStamp(resolve(path)) : null;
}

/** What the configuration file says now, with the keys it names: a worker reads both once. */
function configuredProviders(env: Environment): Json {
  const config = readProviderConfig({ env });
  return config?.providers.map((provider) => [provider, env[provider.keyVariable] ?? null]) ?? null;
}

function processSpec(options: {
  readonly script: string;
  readonly args: readonly string[];
  readonly env: Environment;
  readonly fingerprint: string;
}) {
  const script = fileURLToPath(new URL(`${options.script}${EXTENSION}`, HERE));
  return {
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', script, ...options.args],
    env: options.env,
    cwd: process.cwd(),
    fingerprint: options.fingerprint,
    readiness: { kind: 'announced' },
  } as const;
}

/** What a process of ours announced is a string; anything else is a fault of our own. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new Error(`Expected a process to announce its url, got ${JSON.stringify(value)}.`);
}
