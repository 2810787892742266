import { WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import { extractWorkflowId } from '../core/contract.ts';
import type { Verdict } from '../core/contract.ts';
import type { CorrectionInput } from '../core/correction.ts';
import { messageOf } from '../stack/error-facts.ts';
import type { OnProgress } from '../stack/progress.ts';
import { connectToRunning } from './connect-to-running.ts';
import { EXIT, UsageError } from './exit-codes.ts';
import { note } from './output.ts';
import { readEntered } from './read-entered.ts';

/** The options of `correct`, as they are typed. */
export interface CorrectFlags {
  readonly data?: string;
  readonly giveUp?: true;
  readonly by?: string;
}

/** `correct ID --data JSON`, `correct ID --give-up`: of an extraction without a batch that waits for a person. */
export async function correctCommand(
  id: string,
  flags: CorrectFlags,
  onProgress: OnProgress,
): Promise<number> {
  if ((flags.data === undefined) === (flags.giveUp === undefined))
    throw new UsageError('correct: expected ID --data JSON or ID --give-up.');
  const data = flags.data === undefined ? null : readEntered(flags.data);
  const extractor = await connectToRunning(onProgress);
  try {
    const workflow = extractor.client.workflow.getHandle(extractWorkflowId(id));
    if (flags.giveUp) {
      await workflow.executeUpdate<void, []>('giveUp');
      note(`'${id}' stays as it is`);
      return EXIT.done;
    }
    const verdict = await workflow.executeUpdate<Verdict, [CorrectionInput]>('correct', {
      args: [flags.by === undefined ? { data } : { data, by: flags.by }],
    });
    if (verdict.status === 'rejected') throw new UsageError(wordsOf(verdict.problem.details));
    note(`'${id}' is corrected by hand`);
    return EXIT.done;
  } catch (error) {
    throw adviceOnWaiting(id, error);
  } finally {
    await extractor.close();
  }
}

function wordsOf(details: readonly { readonly path: string; readonly message: string }[]): string {
  const problems = details.map(({ path, message }) => `  ${path || '(data)'}: ${message}`);
  return [
    "--data: expected data in the extraction's schema, got:",
    ...problems,
    'Nothing was written down.',
  ].join('\n');
}

function adviceOnWaiting(id: string, error: unknown): unknown {
  if (error instanceof WorkflowNotFoundError)
    return new UsageError(
      `correct: expected an extraction that waits for a person, got '${id}', which does not run.`,
    );
  if (error instanceof WorkflowUpdateFailedError)
    return new UsageError(`correct: ${messageOf(error.cause ?? error)}`, { cause: error });
  return error;
}
