import { Context } from '@temporalio/activity';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import { shardWorkflowId } from '../src/core/batch-contract.ts';
import type { Lessons } from '../src/core/learning.ts';

/** What a coordinator says to one of its shards: the signals of `workflows/shard.ts`. Each may be said twice. */
export type ShardMessage = { readonly shard: number } & (
  | { readonly signal: 'allow'; readonly args: readonly [limit: number] }
  | { readonly signal: 'learnt'; readonly args: readonly [Lessons] }
  | { readonly signal: 'drain'; readonly args: readonly [] }
);

/**
 * Signals shards from outside of any workflow. The server delivers a workflow's own signal while it holds that workflow's lock, so
 * that a coordinator and a shard that signal each other at the same moment wait for each other: half a second each time (Temporal
 * 1.29), in which the slots that are to change hands lie idle. A shard that has ended meanwhile needs to be told nothing.
 */
export async function tellShards(options: {
  readonly batch: string;
  readonly messages: readonly ShardMessage[];
}): Promise<void> {
  const { client } = Context.current();
  await Promise.all(options.messages.map((message) => tellShard(client, options.batch, message)));
}

async function tellShard(
  client: Client,
  batch: string,
  { shard, signal, args }: ShardMessage,
): Promise<void> {
  try {
    await client.workflow.getHandle(shardWorkflowId(batch, shard)).signal(signal, ...args);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}
