import type { SchemaRegistry } from '../../activities/world.ts';
import type { Provider } from '../../src/provider/provider.ts';
import { resolveTemporalConnection } from '../../src/stack/connection.ts';
import { runWorkers } from '../../src/worker/run-workers.ts';
import type { TestStack } from './test-stack.ts';

/** Runs a worker in this process, asking the given provider, for as long as `use` takes. */
export async function withWorker<T>(
  { home, env }: Pick<TestStack, 'home' | 'env'>,
  options: {
    readonly provider: Provider;
    readonly others?: readonly Provider[];
    readonly schemas?: SchemaRegistry;
    readonly callTimeoutMs?: number;
    /** Off unless a test is about it: failures of one test would hold up the next. */
    readonly gates?: 'on';
  },
  use: () => Promise<T>,
): Promise<T> {
  const connection = resolveTemporalConnection({ env, home });
  if (connection === undefined) throw new Error(`Expected a server in ${home}`);
  const workers = await runWorkers({
    connection: connection.nativeOptions ?? {},
    namespace: connection.namespace,
    env: { ...env, DURABLE_EXTRACT_GATE: options.gates ?? 'off' },
    providers: [options.provider, ...(options.others ?? [])],
    schemas: options.schemas ?? {},
    callTimeoutMs: options.callTimeoutMs ?? 1_000,
    shutdownGraceMs: 100,
  });
  let result: T;
  try {
    result = await use();
  } catch (error) {
    // What it is that went wrong is said, and not that a call was still under way then.
    await workers.stop().catch(() => {});
    throw error;
  }
  await workers.stop();
  return result;
}
