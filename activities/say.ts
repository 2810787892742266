import { Context } from '@temporalio/activity';
import type { ChatMessage, RetryConfig, Usage } from '../src/core/contract.ts';
import { callModel, triesSoFar } from './call-model.ts';
import type { CallLedger } from './call-model.ts';
import { usageOf } from './spent.ts';
import type { World } from './world.ts';

/** A plain chat completion. */
export interface SayInput {
  readonly provider: string;
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly retry: RetryConfig;
  readonly timeoutMs: number;
}

/** What the model said, and why it ended. */
export interface SayResult {
  readonly text: string;
  readonly finish: 'stop' | 'length' | 'content_filter' | 'refusal';
  readonly usage: Usage;
  readonly ledger: CallLedger;
}

/** Asks for plain text: no schema, no verdict, the same provider retries. */
export async function say(world: World, input: SayInput): Promise<SayResult> {
  const { model, messages, retry, timeoutMs } = input;
  const provider = world.provider(input.provider);
  const { reply, ledger } = await callModel({
    provider,
    place: Context.current().info.workflowExecution?.workflowId ?? 'complete',
    attempt: 1,
    tries: triesSoFar(),
    retry,
    isSoftlyCancelled: false,
    watch: world.gates.watch(provider.name),
    metrics: world.metrics,
    failsOnOutage: false,
    request: { model, messages, mode: 'text', timeoutMs },
  });
  return {
    text: reply.refusal ?? reply.text,
    finish: reply.finish,
    usage: usageOf({ provider, model, reply, ledger }),
    ledger,
  };
}
