import { setFlagsFromString } from 'node:v8';
import { noopMetricMeter } from '@temporalio/common';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { NativeConnectionOptions } from '@temporalio/worker';
import { houseActivities, modelActivities } from '../../activities/index.ts';
import { metricsBy } from '../../activities/metrics.ts';
import { createWorld } from '../../activities/world.ts';
import type { SchemaRegistry } from '../../activities/world.ts';
import { WORKFLOW_TASK_QUEUE, providerTaskQueue } from '../core/contract.ts';
import type { Provider } from '../provider/provider.ts';
import { stackHome } from '../stack/home.ts';
import type { Environment } from '../stack/progress.ts';
import { openTracing } from '../telemetry/open-tracing.ts';
import { openStore } from '../store/open-store.ts';
import { showGates } from './gate-metrics.ts';
import { openGates } from './gates.ts';
import { searchability } from './search-attributes.ts';
import { workflowBundle } from './workflow-bundle.ts';

/** How long one model call may take by default. */
const CALL_TIMEOUT_MS = 120_000;
/** In-flight calls are let finish when a worker is stopped: an aborted call is paid for and lost. */
const SHUTDOWN_GRACE_MS = 20_000;
const MAX_CONCURRENT_CALLS = 1_000;
/** A call that finds a poller waiting is not written to the server's database first: with 10, as it comes, a fifth slower. */
const CALL_POLLERS = 50;

/** Workers that run in this process. */
export interface RunningWorkers {
  readonly taskQueues: readonly string[];
  /** Settles when they have ended; rejects when one fails. */
  readonly ended: Promise<void>;
  /** Takes no new work, lets what is in flight finish, and ends. */
  stop(): Promise<void>;
}

/**
 * Runs the workers of this process: one for workflows, one for each provider's model calls.
 *
 * @throws {InvalidSchemaError} for a registered schema that is wrong.
 */
export async function runWorkers(options: {
  readonly connection: NativeConnectionOptions;
  readonly namespace: string;
  readonly env: Environment;
  readonly providers: readonly Provider[];
  readonly schemas: SchemaRegistry;
  readonly callTimeoutMs?: number;
  readonly shutdownGraceMs?: number;
}): Promise<RunningWorkers> {
  const { namespace, providers } = options;
  const store = await openStore({ env: options.env, home: stackHome({ env: options.env }) });
  const graceMs = options.shutdownGraceMs ?? SHUTDOWN_GRACE_MS;
  const tracing = await openTracing(options.env, 'durable-extract-worker');
  const connection = await NativeConnection.connect(options.connection);
  const server = { connection, namespace };
  const { metricMeter } = Runtime.instance();
  const metrics = metricsBy(metricMeter);
  const world = createWorld({
    providers,
    schemas: options.schemas,
    callTimeoutMs: options.callTimeoutMs ?? CALL_TIMEOUT_MS,
    store,
    gates: await openGates({ server, providers, store, env: options.env }),
    metrics,
    isSearchable: searchability(server),
  });
  const isScraped = metricMeter !== noopMetricMeter;
  const endShowing = isScraped ? showGates({ providers, store, metrics }) : () => {};
  const shared = {
    connection,
    namespace,
    shutdownGraceTime: graceMs,
    shutdownForceTime: graceMs + 10_000,
    // The SDK holds heartbeats back for most of their timeout by itself; a cancellation would wait as long.
    maxHeartbeatThrottleInterval: 400,
    defaultHeartbeatThrottleInterval: 400,
    ...tracing?.ofWorker,
  };
  const workers = await withoutWorkflowStackTraces(async () =>
    Promise.all([
      Worker.create({
        ...shared,
        taskQueue: WORKFLOW_TASK_QUEUE,
        workflowBundle: {
          codePath: await workflowBundle(options.env, { isTraced: tracing !== undefined }),
        },
        activities: { ...houseActivities(world) },
      }),
      ...providers.map(({ name }) =>
        Worker.create({
          ...shared,
          taskQueue: providerTaskQueue(name),
          activities: { ...modelActivities(world) },
          maxConcurrentActivityTaskExecutions: MAX_CONCURRENT_CALLS,
          maxConcurrentActivityTaskPolls: CALL_POLLERS,
        }),
      ),
    ]),
  );
  const stopAll = (): void => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  const ended = runAll(workers, stopAll, async () => {
    endShowing();
    await connection.close();
    await store.close();
    await tracing?.end();
  });
  return {
    taskQueues: workers.map(({ options: { taskQueue } }) => taskQueue),
    ended,
    async stop() {
      stopAll();
      await ended;
    },
  };
}

/**
 * Creates workers whose workflows keep no stack traces. The SDK takes one for each promise, with its source map, for the Web
 * UI's call stack, which took two thirds of the time that a batch's workflows spent. What a workflow waits for is told by
 * its current details and its activities' summaries.
 *
 * A V8 flag holds for contexts that are made after it was set: the workflow threads', and not this process's own.
 */
async function withoutWorkflowStackTraces<T>(create: () => Promise<T>): Promise<T> {
  const limit = Error.stackTraceLimit;
  setFlagsFromString('--stack-trace-limit=0');
  try {
    return await create();
  } finally {
    setFlagsFromString(`--stack-trace-limit=${limit}`);
  }
}

/** When one worker fails, the others end too: half a worker would look alive and do nothing. */
async function runAll(
  workers: readonly Worker[],
  stopAll: () => void,
  letGo: () => Promise<void>,
): Promise<void> {
  const runs = workers.map(async (worker) => {
    try {
      await worker.run();
    } finally {
      stopAll();
    }
  });
  const results = await Promise.allSettled(runs);
  await letGo();
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
