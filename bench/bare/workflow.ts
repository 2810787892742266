import { proxyActivities } from '@temporalio/workflow';
import { BARE_ACTIVITY_QUEUE } from './names.ts';

const { nothing } = proxyActivities<{ nothing(): Promise<void> }>({
  taskQueue: BARE_ACTIVITY_QUEUE,
  startToCloseTimeout: '10 s',
});

/** One workflow, one activity, nothing else: what Temporal itself costs. */
export async function bare(): Promise<void> {
  await nothing();
}
