import { ActivityFailure, isCancellation, proxyLocalActivities } from '@temporalio/workflow';
import type { PlanningActivities, StoreActivities } from '../activities/index.ts';

/** Local: they only compute, or talk to the store, and must not cost an extraction a round trip to the server. */
const planning = proxyLocalActivities<PlanningActivities>({ startToCloseTimeout: '60 s' });

/** Tried until the store is there: what is to be written is paid for. */
export const store = proxyLocalActivities<StoreActivities>({
  startToCloseTimeout: '60 s',
  retry: { initialInterval: '200 ms', maximumInterval: '20 s' },
});

/** @throws the `invalid_input` failure itself, without the activity around it. */
export const prepareExtraction: PlanningActivities['prepareExtraction'] = (input) =>
  unwrapped(planning.prepareExtraction(input));

/** @throws the `invalid_input` failure itself, without the activity around it. */
export const prepareCompletion: PlanningActivities['prepareCompletion'] = (input) =>
  unwrapped(planning.prepareCompletion(input));

/** @throws the `invalid_input` failure itself, without the activity around it. */
export const openBatch: PlanningActivities['openBatch'] = (input) => unwrapped(planning.openBatch(input));

async function unwrapped<T>(result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    if (!isCancellation(error) && error instanceof ActivityFailure && error.cause) throw error.cause;
    throw error;
  }
}
