import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { Spent } from '../activities/budget.ts';
import type { ModelActivities } from '../activities/index.ts';
import { WORKER_LOSSES, providerTaskQueue } from '../src/core/contract.ts';
import type { PreparedCall, Route } from '../src/core/prepared.ts';
import type { Conversation } from './conversation.ts';
import type { CallPlan } from './through-gate.ts';

/** How soon a call whose worker was lost is made again. */
const HEARTBEAT_TIMEOUT_MS = 10_000;
/** Beyond the call's own timeout: time to judge, and to write the answer down. */
const JUDGING_MS = 30_000;
/** Tries that made no call, since the provider wanted none: they cost a conversation nothing, and are bounded all the same. */
const EARLY_TRIES = 1_000;

/** Model calls of one prepared conversation, on its provider's task queue, with its retry policy. */
export function modelActivitiesFor(
  { provider, retry, timeoutMs }: PreparedCall,
  {
    plan,
    ...options
  }: {
    readonly summary: string;
    readonly plan?: CallPlan;
    readonly priority?: { readonly priorityKey: number };
  },
): ModelActivities {
  return proxyActivities<ModelActivities>({
    taskQueue: providerTaskQueue(plan?.route.provider ?? provider),
    ...(plan?.startWithinMs === undefined ? {} : { scheduleToStartTimeout: plan.startWithinMs }),
    startToCloseTimeout: timeoutMs + JUDGING_MS,
    heartbeatTimeout: HEARTBEAT_TIMEOUT_MS,
    // A call that is under way says itself what became of it.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    ...options,
    retry: {
      initialInterval: Math.max(1, retry.baseDelayMs),
      maximumInterval: Math.max(1, retry.baseDelayMs, retry.maxDelayMs),
      backoffCoefficient: retry.exponentialBase,
      maximumAttempts: 1 + retry.maxProviderRetries + WORKER_LOSSES + EARLY_TRIES,
    },
  });
}

/** Whom to ask instead of the settings' provider; nothing where that one is asked. */
export function detourOf({ route }: CallPlan, { provider, model }: PreparedCall): { readonly route?: Route } {
  return route.provider === provider && route.model === model ? {} : { route };
}

/** What a conversation has spent so far, for the estimate of its next call. */
export function spentBy({ usage, rejected }: Conversation): Spent {
  return {
    tokens: usage.promptTokens + usage.completionTokens,
    costUsd: usage.costUsd,
    longestAnswerTokens: Math.max(0, ...rejected.map(({ completionTokens }) => completionTokens)),
  };
}
