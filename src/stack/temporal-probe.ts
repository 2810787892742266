import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import protos from '@temporalio/proto';
import { missingSearchAttributes } from '../core/search-attributes.ts';
import { canConnect } from './ports.ts';

/** The namespace of the embedded stack. The dev server makes it at its first start. */
export const EMBEDDED_NAMESPACE = 'default';

const { IndexedValueType } = protos.temporal.api.enums.v1;
const INDEXED_TYPES = {
  KEYWORD: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
  INT: IndexedValueType.INDEXED_VALUE_TYPE_INT,
} as const;

/** What a Temporal server says of itself. */
export interface ServerFacts {
  readonly serverVersion: string;
  readonly namespaceId: string;
}

/** Options for `Connection.connect` to a server on this machine. */
export function loopbackConnectionOptions(address: string): {
  readonly address: string;
  readonly channelArgs: Readonly<Record<string, number>>;
} {
  // gRPC would send even loopback traffic through `http_proxy` when `no_proxy` does not name it.
  return { address, channelArgs: { 'grpc.enable_http_proxy': 0 } };
}

/**
 * Asks the server on a loopback port for its version and its `default` namespace. `undefined` when it does not
 * answer in time, or not yet for that namespace: for a server that starts this is the ordinary case.
 */
export async function probeServer(options: {
  readonly port: number;
  readonly timeoutMs: number;
}): Promise<ServerFacts | undefined> {
  // A refused gRPC connection backs off for a second before it tries again; a refused TCP one costs nothing.
  if (!(await canConnect(options))) return undefined;
  return withLoopbackConnection(options, async (connection) => {
    const system = await connection.workflowService.getSystemInfo({});
    const namespace = await connection.workflowService.describeNamespace({ namespace: EMBEDDED_NAMESPACE });
    return {
      serverVersion: system.serverVersion ?? 'unknown',
      namespaceId: namespace.namespaceInfo?.id ?? '',
    };
  }).catch(() => undefined);
}

/**
 * Sets how long the server keeps closed workflows of the `default` namespace: people resume batches later
 * than the one day the dev server starts with.
 */
export async function setRetention(options: {
  readonly port: number;
  readonly timeoutMs: number;
  readonly days: number;
}): Promise<void> {
  await withLoopbackConnection(options, async (connection) => {
    await connection.workflowService.updateNamespace({
      namespace: EMBEDDED_NAMESPACE,
      config: { workflowExecutionRetentionTtl: msToTs(`${options.days} days`) },
    });
  });
}

/** Gives the `default` namespace those of our search attributes that it lacks. */
export async function addSearchAttributes(options: {
  readonly port: number;
  readonly timeoutMs: number;
}): Promise<void> {
  await withLoopbackConnection(options, async ({ operatorService }) => {
    const namespace = EMBEDDED_NAMESPACE;
    const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
    const missing = missingSearchAttributes(customAttributes ?? {});
    if (missing.length === 0) return;
    await operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map(({ name, type }) => [name, INDEXED_TYPES[type]])),
    });
  });
}

async function withLoopbackConnection<T>(
  options: { readonly port: number; readonly timeoutMs: number },
  action: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await Connection.connect({
    ...loopbackConnectionOptions(`127.0.0.1:${options.port}`),
    connectTimeout: options.timeoutMs,
    // The client's own retries run on a timer that outlives `close`, and then throw where nobody can catch it.
    interceptors: [],
  });
  try {
    return await connection.withDeadline(Date.now() + options.timeoutMs, () => action(connection));
  } finally {
    await connection.close();
  }
}
