import { InvalidInputError } from '../client/invalid-input-error.ts';
import { LoadingElsewhereError, StoreError } from '../store/store-errors.ts';

/** The command line's exit codes. */
export const EXIT = { done: 0, fault: 1, badInput: 2, notExtracted: 3 } as const;

/** Wrong usage or bad input, found by the command line itself. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The exit code for an error that ended a command. */
export function exitCodeOf(error: unknown): number {
  const isInput = [UsageError, InvalidInputError, StoreError, LoadingElsewhereError].some(
    (kind) => error instanceof kind,
  );
  return isInput ? EXIT.badInput : EXIT.fault;
}
