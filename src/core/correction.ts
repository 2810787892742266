/** What a person does where the model did not manage. */
import type { StopReason } from './contract.ts';
import type { Json } from './json.ts';

/** What becomes of an extraction that gives up: it fails, or waits for a person to enter the data. */
export const ON_EXHAUSTED = ['fail', 'review'] as const;
export type OnExhausted = (typeof ON_EXHAUSTED)[number];

/** That data was entered by hand. */
export interface Correction {
  /** Who did it, where they said so. */
  readonly by: string | null;
  /** ISO 8601. */
  readonly at: string;
}

/** What the update `correct` of an extraction takes. */
export interface CorrectionInput {
  readonly data: Json;
  readonly by?: string;
}

/** Stands for a review that never ends by itself. */
export const NO_DEADLINE = Number.MAX_SAFE_INTEGER;

/** Ends that a person with the document can do something about: it was the answers that were wrong. */
const REVIEWABLE: ReadonlySet<StopReason> = new Set<StopReason>([
  'attempts',
  'validation_error',
  'futile',
  'absent',
  'refused',
  'content_filter',
  'truncated',
  'budget',
]);

/** Until when an extraction that ended so waits for a person, in epoch milliseconds; undefined where it does not. */
export function reviewUntil(
  stopped: StopReason | null,
  review: { readonly deadlineMs?: number } | undefined,
  now: number,
): number | undefined {
  if (review === undefined || stopped === null || !REVIEWABLE.has(stopped)) return undefined;
  return review.deadlineMs === undefined ? NO_DEADLINE : now + review.deadlineMs;
}
