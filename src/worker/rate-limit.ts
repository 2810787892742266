import protos from '@temporalio/proto';
import type { NativeConnection } from '@temporalio/worker';
import { providerTaskQueue } from '../core/contract.ts';
import type { GateStatus } from '../core/gate-contract.ts';
import type { Provider } from '../provider/provider.ts';
import { messageOf } from '../stack/error-facts.ts';

const { TASK_QUEUE_TYPE_ACTIVITY } = protos.temporal.api.enums.v1.TaskQueueType;
/** By these a limit of ours is known from one that an operator set by hand. */
const REASON = "the provider's rpm, as its workers are told";
const GATE_REASON = 'gate';

/** A server, and where on it our task queues are. */
export interface RateLimitedServer {
  readonly connection: NativeConnection;
  readonly namespace: string;
}

/**
 * Makes a provider's `rpm` the server's limit on its task queue, so that all workers together keep to it. A limit that we
 * set before and that is no longer asked for is taken away; one that somebody else set stays.
 *
 * Exact where the task queue has one partition; see docs/operators.md.
 */
export async function applyRateLimit(server: RateLimitedServer, { name, rpm }: Provider): Promise<void> {
  try {
    if (rpm === undefined && !(await isLimitOurs(server, name))) return;
    await setLimit(server, {
      provider: name,
      callsPerSecond: rpm === undefined ? null : rpm / 60,
      reason: REASON,
    });
  } catch (error) {
    if (rpm === undefined) return; // A server too old for limits has none of ours.
    throw new Error(
      `The rate limit of ${name} (${rpm} requests a minute) cannot be set on the task queue '${providerTaskQueue(name)}': ${messageOf(error)}. ` +
        'Expected a Temporal server 1.29 or newer that allows UpdateTaskQueueConfig. Unset rpm (DURABLE_EXTRACT_RPM) to run without.',
      { cause: error },
    );
  }
}

/** Makes the server hand out a provider's calls as its gate decided. */
export async function applyGateLimit(server: RateLimitedServer, status: GateStatus): Promise<void> {
  const { provider, state, reason, callsPerSecond } = status;
  await setLimit(server, { provider, callsPerSecond, reason: `${GATE_REASON} ${state}: ${reason}` });
}

async function isLimitOurs({ connection, namespace }: RateLimitedServer, provider: string): Promise<boolean> {
  const { config } = await connection.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: providerTaskQueue(provider) },
    taskQueueType: TASK_QUEUE_TYPE_ACTIVITY,
    reportConfig: true,
  });
  const reason = config?.queueRateLimit?.metadata?.reason;
  return reason === REASON || (reason?.startsWith(`${GATE_REASON} `) ?? false);
}

async function setLimit(
  { connection, namespace }: RateLimitedServer,
  limit: {
    readonly provider: string;
    readonly callsPerSecond: number | null;
    readonly reason: string;
  },
): Promise<void> {
  const { provider, callsPerSecond, reason } = limit;
  await connection.workflowService.updateTaskQueueConfig({
    namespace,
    identity: `durable-extract ${process.pid}`,
    taskQueue: providerTaskQueue(provider),
    taskQueueType: TASK_QUEUE_TYPE_ACTIVITY,
    updateQueueRateLimit: {
      rateLimit: callsPerSecond === null ? null : { requestsPerSecond: callsPerSecond },
      reason,
    },
  });
}
