import { Connection } from '@temporalio/client';
import { WORKFLOW_TASK_QUEUE } from '../core/contract.ts';
import { messageOf } from '../stack/error-facts.ts';
import { resolveTemporalConnection } from '../stack/connection.ts';
import type { Environment } from '../stack/progress.ts';

const CONNECT_TIMEOUT_MS = 4_000;
/** A worker asks again after a minute at the latest; the server remembers one for five after it has gone. */
const POLLED_WITHIN_MS = 150_000;

/**
 * Makes sure that somebody else's server answers and has a worker of ours, since nothing is started there: without one,
 * an extraction would wait for ever.
 *
 * @throws with what to do, after a few seconds at most.
 */
export async function requireExternalWorker(options: {
  readonly env: Environment;
  readonly home: string;
}): Promise<void> {
  const resolved = resolveTemporalConnection(options);
  if (resolved === undefined) return;
  const { address, namespace, clientOptions } = resolved;
  const connection = await connect(address, clientOptions);
  try {
    const deadline = Date.now() + CONNECT_TIMEOUT_MS;
    // Of workflow tasks, where the request names no type.
    const { pollers } = await connection.withDeadline(deadline, () =>
      connection.workflowService.describeTaskQueue({
        namespace,
        taskQueue: { name: WORKFLOW_TASK_QUEUE },
      }),
    );
    const isPolled = (pollers ?? []).some(
      ({ lastAccessTime }) => Date.now() - Number(lastAccessTime?.seconds ?? 0) * 1_000 < POLLED_WITHIN_MS,
    );
    if (isPolled) return;
  } catch (error) {
    throw new Error(
      `The Temporal server at ${address} (TEMPORAL_ADDRESS) answers, but not for the namespace '${namespace}': ` +
        `${saidBy(error)}. Check TEMPORAL_NAMESPACE and TEMPORAL_API_KEY.`,
      { cause: error },
    );
  } finally {
    await connection.close();
  }
  throw new Error(
    `No worker polls the task queue '${WORKFLOW_TASK_QUEUE}' at ${address}, namespace '${namespace}': expected one, since ` +
      'TEMPORAL_ADDRESS is set and so nothing is started here. Start one with `durable-extract worker` in this environment, ' +
      'or unset TEMPORAL_ADDRESS to use the embedded server.',
  );
}

async function connect(
  address: string,
  options: Parameters<typeof Connection.connect>[0],
): Promise<Connection> {
  try {
    return await Connection.connect({ ...options, connectTimeout: CONNECT_TIMEOUT_MS });
  } catch (error) {
    throw new Error(
      `No Temporal server answers at ${address}, which TEMPORAL_ADDRESS names: ${saidBy(error)}. ` +
        'Start it or correct the address; or unset TEMPORAL_ADDRESS to use the embedded server.',
      { cause: error },
    );
  }
}

/** gRPC's own words, without its numbers. */
function saidBy(error: unknown): string {
  const isService = error instanceof Error && 'details' in error && typeof error.details === 'string';
  return (isService ? String(error.details) : messageOf(error)).replace(/\.+$/, '');
}
