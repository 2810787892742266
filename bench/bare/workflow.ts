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

/** Many activities at a steady concurrency in one workflow: what a batch's calls cost Temporal alone. */
export async function bareMany({
  count,
  concurrency,
}: {
  readonly count: number;
  readonly concurrency: number;
}): Promise<void> {
  let left = count;
  const lane = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await nothing();
    }
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
}
