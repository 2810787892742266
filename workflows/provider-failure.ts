import { ActivityFailure, ApplicationFailure, TimeoutFailure, isCancellation } from '@temporalio/workflow';
import type { CallLedger } from '../activities/call-model.ts';
import { LOST_CALL_MESSAGE, PROVIDER_FAILURE_TYPES, WORKER_LOSSES } from '../src/core/contract.ts';
import type { ProviderFailure, ProviderFailureType } from '../src/core/contract.ts';

/** A call, with its retries, that got no answer. */
export interface FailedCall {
  readonly type: ProviderFailureType;
  readonly message: string;
  readonly ledger: CallLedger;
}

/** A provider failure whose retries are used up is an expected end. Anything else, a cancellation too, is thrown on. */
export function providerFailureOf(error: unknown, attempt: number): FailedCall {
  if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
  const { cause } = error;
  if (cause instanceof TimeoutFailure) {
    const message = LOST_CALL_MESSAGE;
    const failure: ProviderFailure = { attempt, type: 'timeout', message, delayMs: null };
    return { type: 'timeout', message, ledger: { failures: [failure], interrupted: WORKER_LOSSES } };
  }
  const type = PROVIDER_FAILURE_TYPES.find(
    (known) => cause instanceof ApplicationFailure && cause.type === known,
  );
  if (type === undefined || !(cause instanceof ApplicationFailure)) throw cause ?? error;
  return { type, message: cause.message, ledger: cause.details?.[0] as CallLedger };
}
