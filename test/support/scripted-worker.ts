import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { SchemaRegistry } from '../../activities/world.ts';
import { resolveTemporalConnection } from '../../src/stack/connection.ts';
import { runWorkers } from '../../src/worker/run-workers.ts';
import { startScriptedProvider } from './scripted-provider.ts';
import type { Reply, Seen } from './scripted-provider.ts';
import type { TestStack } from './test-stack.ts';

/** Keeps the SDK's warnings, which these tests provoke, out of their output. Once a process, before any worker. */
export function quietRuntime(): void {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: 'OFF', forward: {} } },
  });
}

/** Runs a worker in this process, whose provider follows a script, for as long as `use` takes. */
export async function withScriptedWorker(
  { home, env }: Pick<TestStack, 'home' | 'env'>,
  { script, schemas = {} }: { readonly script: readonly Reply[]; readonly schemas?: SchemaRegistry },
  use: (seen: readonly Seen[]) => Promise<void>,
): Promise<void> {
  const connection = resolveTemporalConnection({ env, home });
  if (connection === undefined) throw new Error(`Expected a server in ${home}`);
  const server = await startScriptedProvider(script);
  try {
    const workers = await runWorkers({
      connection: connection.nativeOptions ?? {},
      namespace: connection.namespace,
      env,
      providers: [server.provider],
      schemas,
      callTimeoutMs: 1_000,
      shutdownGraceMs: 100,
    });
    try {
      await use(server.seen);
    } finally {
      await workers.stop();
    }
  } finally {
    await server.stop();
  }
}
