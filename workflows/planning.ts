import { ActivityFailure, isCancellation, proxyLocalActivities } from '@temporalio/workflow';
import type { PlanningActivities } from '../activities/index.ts';

/** Local: they only compute, and must not cost an extraction a round trip to the server. */
const planning = proxyLocalActivities<PlanningActivities>({ startToCloseTimeout: '10 s' });

/** @throws the `invalid_input` failure itself, without the activity around it. */
export const prepareExtraction: PlanningActivities['prepareExtraction'] = (input) =>
  unwrapped(planning.prepareExtraction(input));

/** @throws the `invalid_input` failure itself, without the activity around it. */
export const prepareCompletion: PlanningActivities['prepareCompletion'] = (input) =>
  unwrapped(planning.prepareCompletion(input));

async function unwrapped<T>(result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    if (!isCancellation(error) && error instanceof ActivityFailure && error.cause) throw error.cause;
    throw error;
  }
}
