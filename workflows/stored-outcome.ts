import type { Outcome } from '../src/core/contract.ts';
import type { StoredOutcome } from '../src/core/stored-outcome.ts';
import type { Conversation } from './conversation.ts';

/** An outcome as the store keeps it: the data is in the attempt that was accepted. */
export function storedOutcome(
  { prepared, unansweredCalls }: Conversation,
  { data: _data, repairs: _repairs, partial: _partial, asks: _asks, ...outcome }: Outcome,
): StoredOutcome {
  return {
    ...outcome,
    acceptedAttempt: outcome.success ? outcome.attempts : null,
    unansweredCalls,
    schemaName: prepared.schema.name,
    strategy: prepared.strategy,
  };
}
