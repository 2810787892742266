import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { Spent } from '../activities/budget.ts';
import type { ModelActivities } from '../activities/index.ts';
import { providerTaskQueue } from '../src/core/contract.ts';
import type { PreparedCall } from '../src/core/prepared.ts';
import type { Conversation } from './conversation.ts';

/** How soon a call whose worker was lost is made again. */
const HEARTBEAT_TIMEOUT_MS = 10_000;
/** Beyond the call's own timeout: time to judge, and to write the answer down. */
const JUDGING_MS = 30_000;
/** Lost workers cost no provider retry, but a document that kills every worker must end some time. */
export const WORKER_LOSSES = 10;

/** Model calls of one prepared conversation, on its provider's task queue, with its retry policy. */
export function modelActivitiesFor(
  { provider, retry, timeoutMs }: PreparedCall,
  options: { readonly summary: string; readonly priority?: { readonly priorityKey: number } },
): ModelActivities {
  return proxyActivities<ModelActivities>({
    taskQueue: providerTaskQueue(provider),
    startToCloseTimeout: timeoutMs + JUDGING_MS,
    heartbeatTimeout: HEARTBEAT_TIMEOUT_MS,
    // A call that is under way says itself what became of it.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    ...options,
    retry: {
      initialInterval: Math.max(1, retry.baseDelayMs),
      maximumInterval: Math.max(1, retry.baseDelayMs, retry.maxDelayMs),
      backoffCoefficient: retry.exponentialBase,
      maximumAttempts: 1 + retry.maxProviderRetries + WORKER_LOSSES,
    },
  });
}

/** What a conversation has spent so far, for the estimate of its next call. */
export function spentBy({ usage, rejected }: Conversation): Spent {
  return {
    tokens: usage.promptTokens + usage.completionTokens,
    costUsd: usage.costUsd,
    longestAnswerTokens: Math.max(0, ...rejected.map(({ completionTokens }) => completionTokens)),
  };
}
