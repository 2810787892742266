import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { SchemaRegistry } from '../../activities/world.ts';
import { startScriptedProvider } from './scripted-provider.ts';
import type { Reply, Seen } from './scripted-provider.ts';
import type { TestStack } from './test-stack.ts';
import { withWorker } from './test-worker.ts';

/** Keeps the SDK's warnings, which these tests provoke, out of their output. Once a process, before any worker. */
export function quietRuntime(): void {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: 'OFF', forward: {} } },
  });
}

/** Runs a worker in this process, whose provider follows a script, for as long as `use` takes. */
export async function withScriptedWorker(
  stack: Pick<TestStack, 'home' | 'env'>,
  {
    script,
    schemas = {},
    ...options
  }: { readonly script: readonly Reply[]; readonly schemas?: SchemaRegistry; readonly gates?: 'on' },
  use: (seen: readonly Seen[]) => Promise<void>,
): Promise<void> {
  const server = await startScriptedProvider(script);
  try {
    await withWorker(stack, { provider: server.provider, schemas, ...options }, () => use(server.seen));
  } finally {
    await server.stop();
  }
}
