import { WorkflowFailedError } from '@temporalio/client';
import type { WorkflowHandle } from '@temporalio/client';
import { InvalidInputError } from './invalid-input-error.ts';

/** A workflow's result. @throws {InvalidInputError} where it refused its input. */
export async function resultOf(handle: WorkflowHandle): Promise<unknown> {
  try {
    return await handle.result();
  } catch (error) {
    const cause = error instanceof WorkflowFailedError ? error.cause : undefined;
    if (cause && 'type' in cause && cause.type === 'invalid_input') {
      throw new InvalidInputError(cause.message);
    }
    throw error;
  }
}
