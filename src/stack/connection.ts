import type { ConnectionOptions } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { ClientConnectConfig } from '@temporalio/envconfig';
import { SERVER_PROCESS, serverRecordOf } from './dev-server.ts';
import type { Environment } from './progress.ts';
import { readStackFile } from './state-file.ts';
import { EMBEDDED_NAMESPACE, loopbackConnectionOptions } from './temporal-probe.ts';

/** How to reach a Temporal server. */
export interface TemporalConnection {
  readonly external: boolean;
  readonly address: string;
  readonly namespace: string;
  /** For `Connection.connect` of `@temporalio/client`. May hold an API key: never print it. */
  readonly clientOptions: ConnectionOptions;
  /** For `NativeConnection.connect` of `@temporalio/worker`. May hold an API key: never print it. */
  readonly nativeOptions: ClientConnectConfig['connectionOptions'];
}

/** The variables any of which means: use that server, start none. */
const EXTERNAL_VARIABLES = ['TEMPORAL_ADDRESS', 'TEMPORAL_PROFILE', 'TEMPORAL_CONFIG_FILE'] as const;

/**
 * The external server that the environment names, or `undefined` where the embedded one is meant. A
 * `temporal.toml` that merely lies in its usual place names none: it has to be asked for.
 */
export function externalConnection(
  env: Environment,
): { readonly address: string; readonly namespace: string } | undefined {
  const connection = loadExternal(env);
  return connection && { address: connection.address, namespace: connection.namespace };
}

/**
 * The connection to use: what `TEMPORAL_*` says (address, namespace, API key, TLS, profiles, as
 * `@temporalio/envconfig` reads them), or the embedded server of this home. `undefined` when neither is there:
 * call `ensureStack` first. Does not connect, and does not look whether the embedded one still runs.
 *
 * @throws when `TEMPORAL_*` or the configuration file cannot be read.
 */
export function resolveTemporalConnection(options: {
  readonly env: Environment;
  readonly home: string;
}): TemporalConnection | undefined {
  const external = loadExternal(options.env);
  if (external !== undefined) return external;
  const record = readStackFile(options.home).processes[SERVER_PROCESS];
  if (record === undefined) return undefined;
  const { address } = serverRecordOf(record);
  return {
    external: false,
    address,
    namespace: EMBEDDED_NAMESPACE,
    clientOptions: loopbackConnectionOptions(address),
    nativeOptions: { address },
  };
}

function loadExternal(env: Environment): TemporalConnection | undefined {
  if (!EXTERNAL_VARIABLES.some((name) => env[name])) return undefined;
  const set = Object.entries(env).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  const config = loadClientConnectConfig({ overrideEnvVars: Object.fromEntries(set) });
  // The address every Temporal client takes where its profile names none.
  const address = config.connectionOptions.address ?? 'localhost:7233';
  const nativeOptions = { ...config.connectionOptions, address };
  return {
    external: true,
    address,
    namespace: config.namespace ?? EMBEDDED_NAMESPACE,
    clientOptions: nativeOptions,
    nativeOptions,
  };
}
