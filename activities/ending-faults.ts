import { ApplicationFailure, TemporalFailure } from '@temporalio/common';
import { WORKER_LOSSES } from '../src/core/contract.ts';
import { ledgerOf, triesSoFar } from './call-model.ts';
import type { Tries } from './call-model.ts';

/** Lets a fault of our own be tried again, as often as a lost worker is, and then ends the attempt with it. */
export async function endingFaults<T>(work: () => Promise<T>, earlier?: Tries): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const isFault =
      error instanceof Error && !(error instanceof TemporalFailure) && error.name !== 'AbortError';
    if (!isFault || ledgerOf(triesSoFar(earlier)).interrupted < WORKER_LOSSES) throw error;
    throw ApplicationFailure.create({
      type: 'internal_error',
      message: error.message,
      nonRetryable: true,
      cause: error,
    });
  }
}
