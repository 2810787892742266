/** An extraction that waits for a person. */
import {
  ApplicationFailure,
  allHandlersFinished,
  condition,
  defineUpdate,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import type { Outcome, Verdict } from '../src/core/contract.ts';
import { NO_DEADLINE } from '../src/core/correction.ts';
import type { CorrectionInput } from '../src/core/correction.ts';
import type { PreparedExtraction } from '../src/core/prepared.ts';
import { store } from './house-activities.ts';

/** Enters data by hand. What it gives says whether the data is in the schema, and else what is wrong with it. */
export const correctUpdate = defineUpdate<Verdict, [CorrectionInput]>('correct');
/** Lets the extraction end as it is. */
export const giveUpUpdate = defineUpdate<void>('giveUp');

/** What there is to correct. */
export interface Waiting {
  readonly outcome: Outcome;
  readonly settings: PreparedExtraction;
  readonly id: string;
  readonly round: number;
}

/** What is decided of an extraction that was given up. */
export interface Review {
  /** As long as a person can do something. */
  waiting: Waiting | undefined;
  decided: 'given up' | Outcome | undefined;
}

/** Listens from the first, so that whoever comes too early or too late is told so. */
export function listenForReview(review: Review): void {
  const requireWaiting = (): Waiting => {
    if (review.waiting !== undefined && review.decided === undefined) return review.waiting;
    throw ApplicationFailure.nonRetryable(
      'Expected an extraction that waits for a person, got one that does not, or not any more. See its outcome.',
      'invalid_input',
    );
  };
  setHandler(
    correctUpdate,
    async ({ data, by }: CorrectionInput): Promise<Verdict> => {
      const { outcome, settings, id, round } = requireWaiting();
      const correction = { by: by ?? null, at: new Date().toISOString() };
      const { schema, coerce } = settings;
      const verdict = await store.correct({ id, round, schema, coerce, data, correction });
      if (verdict.status === 'accepted') {
        review.decided = {
          ...outcome,
          success: true,
          data: verdict.data,
          partial: null,
          stopped: null,
          repairs: verdict.repairs,
          correction,
        };
      }
      return verdict;
    },
    { validator: (_entered: CorrectionInput) => void requireWaiting() },
  );
  setHandler(
    giveUpUpdate,
    async () => {
      await store.endReview({ id: requireWaiting().id });
      review.decided ??= 'given up';
    },
    { validator: () => void requireWaiting() },
  );
}

/**
 * Waits until a person has entered the data, or given up, or the deadline has passed.
 *
 * @param until epoch milliseconds.
 * @returns the outcome as it is then.
 */
export async function awaitReview(review: Review, waiting: Waiting, until: number): Promise<Outcome> {
  const { outcome } = waiting;
  review.waiting = waiting;
  const last = outcome.errors.at(-1)?.message ?? '';
  setCurrentDetails(
    `**Waits for a person** (${outcome.stopped}): the update \`correct\` with the data, or \`giveUp\`\n\n${last}`,
  );
  const isDecided = (): boolean => review.decided !== undefined;
  if (until === NO_DEADLINE) await condition(isDecided);
  else
    await condition(isDecided, Math.max(1, until - Date.now()), { summary: 'until nobody may correct it' });
  review.waiting = undefined;
  // What is being written down when the deadline passes has come in time.
  await condition(allHandlersFinished);
  const { decided } = review;
  if (decided === undefined || decided === 'given up') {
    setCurrentDetails(`**Not corrected** (${decided ?? 'the deadline has passed'}): ${outcome.stopped}`);
    return outcome;
  }
  setCurrentDetails('**Corrected by hand**');
  return decided;
}
