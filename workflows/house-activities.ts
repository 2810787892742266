import { ActivityFailure, isCancellation, proxyLocalActivities } from '@temporalio/workflow';
import type { PlanningActivities, StoreActivities } from '../activities/index.ts';

/** Local: they only compute, or talk to the store, and must not cost an extraction a round trip to the server. */
const planning = proxyLocalActivities<PlanningActivities>({
  startToCloseTimeout: '60 s',
  summary: 'checks the settings',
});

/** What a person reads beside them in the Web UI. */
const SUMMARIES: Readonly<Record<keyof StoreActivities, string>> = {
  openShard: 'takes the next documents',
  countPending: 'counts documents without an outcome',
  countFailed: 'counts documents that were not extracted',
  recordOutcomes: 'writes outcomes',
  recordExtraction: 'writes the outcome',
  correct: 'judges what a person has entered',
  endReview: 'writes that nobody corrects it any more',
  rejudge: 'judges stored answers again',
  setBatchState: 'writes the state of the batch',
  setBatchConcurrency: 'writes the concurrency of the batch',
  setBatchBudget: 'writes the budget of the batch',
  setBatchLearning: 'writes what the batch has learnt',
  tellShards: 'tells shards of slots, lessons or the budget',
  endedShards: 'looks after shards of an earlier run',
  openGate: 'looks where the gate stood before',
  applyGate: 'tells the server how to hand out calls',
  gateStatus: 'looks how the gate stands',
  chooseRoute: 'looks which provider can be asked',
};

/** Tried until the store is there: what is to be written is paid for. */
export const store = summarized(SUMMARIES);

function summarized(summaries: Readonly<Record<keyof StoreActivities, string>>): StoreActivities {
  const named = (Object.keys(summaries) as (keyof StoreActivities)[]).map((name) => {
    const activities = proxyLocalActivities<StoreActivities>({
      startToCloseTimeout: '60 s',
      retry: { initialInterval: '200 ms', maximumInterval: '20 s' },
      summary: summaries[name],
    });
    return [name, activities[name]] as const;
  });
  return Object.fromEntries(named) as unknown as StoreActivities;
}

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
