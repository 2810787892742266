import type { BatchHandle } from '../../client/batch-handle.ts';
import { requireUnderWay } from '../../client/require-batch.ts';
import type { OnProgress } from '../../stack/progress.ts';
import { connectToRunning } from '../connect-to-running.ts';
import { EXIT } from '../exit-codes.ts';
import { note, print } from '../output.ts';
import { adviceOnSchemaName, readSchema } from '../read-schema.ts';
import { readBudget } from '../read-settings.ts';
import type { BudgetFlags } from '../read-settings.ts';
import { readConcurrency } from './flags.ts';
import type { BatchFlags } from './flags.ts';
import { grouped } from '../../core/grouped.ts';
import { CALLS_ARE_LET_FINISH, watchBatch } from './watch.ts';
import { storedBatch } from './stored-batch.ts';

/** `batch watch ID`. */
export function watchCommand(id: string, flags: BatchFlags, onProgress: OnProgress): Promise<number> {
  return withBatch(id, onProgress, async (batch) => {
    await batch.ensureStarted();
    return watchBatch(batch, flags, onProgress);
  });
}

/** `batch pause ID`. */
export async function pauseCommand(id: string, flags: BatchFlags, onProgress: OnProgress): Promise<number> {
  requireUnderWay(id, (await storedBatch(id)).state);
  return change(id, flags, onProgress, (batch) => batch.pause());
}

/** The options of `batch resume`, as they are typed. */
export interface ResumeFlags extends BatchFlags, BudgetFlags {
  readonly concurrency?: string;
}

/** `batch resume ID`: after a pause, a cancellation, or the loss of its coordinator; also with another concurrency or budget. */
export function resumeCommand(id: string, flags: ResumeFlags, onProgress: OnProgress): Promise<number> {
  const budget = readBudget(flags);
  const options = {
    ...(flags.concurrency === undefined ? {} : { concurrency: readConcurrency(flags.concurrency) }),
    ...(budget === undefined ? {} : { budget }),
  };
  return change(id, flags, onProgress, (batch) => batch.resume(options));
}

/** `batch cancel ID`: and waits for the calls under way, which count. */
export async function cancelCommand(id: string, flags: BatchFlags, onProgress: OnProgress): Promise<number> {
  requireUnderWay(id, (await storedBatch(id)).state);
  return change(id, flags, onProgress, async (batch) => {
    await batch.cancel();
    note(CALLS_ARE_LET_FINISH);
    await batch.done();
  });
}

/** `batch retry-failed ID`: and watches it. */
export function retryFailedCommand(id: string, flags: BatchFlags, onProgress: OnProgress): Promise<number> {
  return withBatch(id, onProgress, async (batch) => {
    if (!(await batch.retryFailed()))
      note(
        'no document is to be done again: all were extracted, but for bad lines, which have no text to ask about',
      );
    return watchBatch(batch, flags, onProgress);
  });
}

/** `batch rejudge ID --schema NEW`: and watches it. */
export function rejudgeCommand(
  id: string,
  flags: BatchFlags & { readonly schema?: string },
  onProgress: OnProgress,
): Promise<number> {
  const schema = readSchema('batch rejudge', flags.schema);
  return withBatch(id, onProgress, async (batch) => {
    try {
      await batch.rejudge({ schema: typeof schema === 'string' ? { name: schema } : schema });
    } catch (error) {
      throw adviceOnSchemaName(error, schema);
    }
    return watchBatch(batch, flags, onProgress);
  });
}

async function change(
  id: string,
  { json }: BatchFlags,
  onProgress: OnProgress,
  make: (batch: BatchHandle) => Promise<void>,
): Promise<number> {
  return withBatch(id, onProgress, async (batch) => {
    await make(batch);
    const status = await batch.status();
    const { state, pending, total } = status;
    note(`'${id}' is ${state}: ${grouped(pending)} of ${grouped(total)} documents to be done`);
    if (json) print(status);
    return EXIT.done;
  });
}

/** What can be refused by the store alone is refused before anything is started. */
async function withBatch(
  id: string,
  onProgress: OnProgress,
  use: (batch: BatchHandle) => Promise<number>,
): Promise<number> {
  await storedBatch(id);
  const extractor = await connectToRunning(onProgress);
  try {
    return await use(await extractor.batchHandle(id));
  } finally {
    await extractor.close();
  }
}
