import type { Outcome } from '../src/core/contract.ts';
import { reviewUntil } from '../src/core/correction.ts';
import type { StoredOutcome } from '../src/core/stored-outcome.ts';
import type { Conversation } from './conversation.ts';

/** An outcome as the store keeps it: the data is in the attempt that was accepted. */
export function storedOutcome(
  { prepared, unansweredCalls }: Conversation,
  {
    data: _data,
    repairs: _repairs,
    partial: _partial,
    asks: _asks,
    correction: _correction,
    ...outcome
  }: Outcome,
): StoredOutcome {
  const until = reviewUntil(outcome.stopped, prepared.review, Date.now());
  return {
    ...outcome,
    ...(until === undefined ? {} : { reviewUntil: until }),
    acceptedAttempt: outcome.success ? outcome.attempts : null,
    unansweredCalls,
    schemaName: prepared.schema.name,
    strategy: prepared.strategy,
  };
}
