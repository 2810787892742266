import type { WorkflowExecutionDescription } from '@temporalio/client';
import { setTimeout as sleep } from 'node:timers/promises';
import { WORKFLOW_TASK_QUEUE } from '../core/contract.ts';

const EVERY_MS = 2_000;
/** A task that lies longer than this is taken by no worker. */
const LYING_MS = 5_000;
/** A model that thinks is let think this long before it is said. */
const SILENT_MS = 10_000;
/** Temporal's numbers for a pending activity's state. */
const SCHEDULED = 1;
const STARTED = 2;

type Raw = WorkflowExecutionDescription['raw'];
type Timestamp = NonNullable<NonNullable<Raw['pendingWorkflowTask']>['scheduledTime']>;

/**
 * Says why an extraction takes its time: what failed and when it is tried again, or that no worker takes it. Says each
 * thing once.
 *
 * @returns a function that ends it.
 */
export function watchExtraction(options: {
  readonly describe: () => Promise<Pick<WorkflowExecutionDescription, 'raw'>>;
  readonly say: (line: string) => void;
  /** Whether it waits for a person; absent where it never does. */
  readonly isInReview?: () => Promise<boolean>;
  /** What is said then. */
  readonly inReview?: string;
}): () => void {
  const { describe, say, isInReview, inReview = '' } = options;
  const ending = new AbortController();
  const { signal } = ending;
  const watch = async (): Promise<void> => {
    let said: string | undefined;
    for (;;) {
      await sleep(EVERY_MS, undefined, { signal, ref: false });
      const reason =
        whyItTakesTime((await describe()).raw, Date.now()) ??
        ((await isInReview?.()) ? { key: 'review', line: inReview } : undefined);
      if (reason === undefined || reason.key === said || signal.aborted) continue;
      said = reason.key;
      say(reason.line);
    }
  };
  // It only tells: the result's own error says what is wrong, and an abort is how it ends.
  watch().catch(() => {});
  return () => ending.abort();
}

/** What a running workflow waits for, where that is worth saying. `key` is the same as long as it waits for the same. */
export function whyItTakesTime(
  { pendingWorkflowTask, pendingActivities }: Pick<Raw, 'pendingWorkflowTask' | 'pendingActivities'>,
  now: number,
): { readonly key: string; readonly line: string } | undefined {
  const activity = pendingActivities?.[0];
  if (activity === undefined) {
    const isTaken = pendingWorkflowTask?.startedTime;
    if (!pendingWorkflowTask || isTaken || now - timeOf(pendingWorkflowTask.scheduledTime, now) < LYING_MS)
      return undefined;
    const line = `no worker takes it from the task queue '${WORKFLOW_TASK_QUEUE}': start one with durable-extract worker`;
    return { key: 'workflow', line };
  }
  const { attempt, lastFailure, activityId } = activity;
  const state: number = activity.state ?? 0;
  const key = `${activityId}/${attempt}/${state}`;
  const dueAt = timeOf(activity.scheduledTime, now);
  if (state === SCHEDULED && dueAt > now && lastFailure?.message) {
    return {
      key,
      line: `${lastFailure.message}; call ${attempt} follows in ${Math.ceil((dueAt - now) / 1_000)} s`,
    };
  }
  if (state === SCHEDULED && now - dueAt > LYING_MS) {
    return {
      key,
      line: "the model call waits for its turn: the provider's gate (see durable-extract gate status), its rate limit, or no worker that polls its task queue",
    };
  }
  if (state === STARTED && now - timeOf(activity.lastStartedTime, now) > SILENT_MS) {
    return { key, line: `waiting for the model's answer to call ${attempt}` };
  }
  return undefined;
}

function timeOf(timestamp: Timestamp | null | undefined, otherwise: number): number {
  if (!timestamp) return otherwise;
  return Number(timestamp.seconds ?? 0) * 1_000 + (timestamp.nanos ?? 0) / 1e6;
}
