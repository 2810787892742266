import protos from '@temporalio/proto';
import type { NativeConnection } from '@temporalio/worker';
import { providerTaskQueue } from '../core/contract.ts';
import type { Provider } from '../provider/provider.ts';
import { messageOf } from '../stack/error-facts.ts';

const { TASK_QUEUE_TYPE_ACTIVITY } = protos.temporal.api.enums.v1.TaskQueueType;
/** By this a limit of ours is known from one that an operator set by hand. */
const REASON = "the provider's rpm, as its workers are told";

/**
 * Makes a provider's `rpm` the server's limit on its task queue, so that all workers together keep to it. A limit that we
 * set before and that is no longer asked for is taken away; one that somebody else set stays.
 *
 * Exact where the task queue has one partition; see docs/operators.md.
 */
export async function applyRateLimits(
  connection: NativeConnection,
  namespace: string,
  providers: readonly Provider[],
): Promise<void> {
  await Promise.all(providers.map((provider) => applyRateLimit(connection, namespace, provider)));
}

async function applyRateLimit(
  { workflowService }: NativeConnection,
  namespace: string,
  { name, rpm }: Provider,
): Promise<void> {
  const taskQueue = providerTaskQueue(name);
  try {
    const { config } = await workflowService.describeTaskQueue({
      namespace,
      taskQueue: { name: taskQueue },
      taskQueueType: TASK_QUEUE_TYPE_ACTIVITY,
      reportConfig: true,
    });
    const isOurs = config?.queueRateLimit?.metadata?.reason === REASON;
    if (rpm === undefined && !isOurs) return;
    await workflowService.updateTaskQueueConfig({
      namespace,
      identity: `durable-extract ${process.pid}`,
      taskQueue,
      taskQueueType: TASK_QUEUE_TYPE_ACTIVITY,
      updateQueueRateLimit: {
        rateLimit: rpm === undefined ? null : { requestsPerSecond: rpm / 60 },
        reason: REASON,
      },
    });
  } catch (error) {
    if (rpm === undefined) return; // A server too old for limits has none of ours.
    throw new Error(
      `The rate limit of ${name} (${rpm} requests a minute) cannot be set on the task queue '${taskQueue}': ${messageOf(error)}. ` +
        'Expected a Temporal server 1.29 or newer that allows UpdateTaskQueueConfig. Unset DURABLE_EXTRACT_RPM to run without.',
      { cause: error },
    );
  }
}
