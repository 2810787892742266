import { concurrencyProblem } from '../core/batch-contract.ts';
import { InvalidInputError } from './invalid-input-error.ts';

/** Temporal takes 1000 characters in a workflow's id. */
const MAX_BATCH_ID_CHARS = 200;

/** Ids go into workflow ids, keys and file names of people. @throws {InvalidInputError} */
export function requireBatchId(id: string): void {
  if (
    typeof id === 'string' &&
    id.length <= MAX_BATCH_ID_CHARS &&
    /^[^\s/\p{Cc}"'\\][^/\p{Cc}"\\]*$/u.test(id)
  )
    return;
  throw new InvalidInputError(
    `id: expected a name of 1 to ${MAX_BATCH_ID_CHARS} characters without slashes, quotes and control characters, got ${JSON.stringify(id)}.`,
  );
}

/** @throws {InvalidInputError} */
export function requireConcurrency(concurrency: number): void {
  const problem = concurrencyProblem(concurrency);
  if (problem !== undefined) throw new InvalidInputError(problem);
}
