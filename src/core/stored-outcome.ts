/** Outcomes as the store keeps them. */
import type { Outcome } from './contract.ts';

/** How an extraction ended. Its data is in the attempt that was accepted, and how it was asked in each attempt. */
export interface StoredOutcome extends Omit<Outcome, 'data' | 'repairs' | 'partial' | 'asks' | 'correction'> {
  readonly acceptedAttempt: number | null;
  /** Of `usage.calls`, those of attempts that got no answer, and so have no row. */
  readonly unansweredCalls: number;
  readonly schemaName: string;
  readonly strategy: string;
  /** Where it waits for a person: until when, in epoch milliseconds. */
  readonly reviewUntil?: number;
}

/** The outcome of one document of a batch. */
export interface DocumentOutcome {
  readonly seq: number;
  readonly outcome: StoredOutcome;
}
