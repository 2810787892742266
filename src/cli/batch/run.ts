import type { BatchHandle } from '../../client/batch-handle.ts';
import { requireBatchId } from '../../client/batch-options.ts';
import { DEFAULT_CONCURRENCY } from '../../core/batch-contract.ts';
import type { Budget } from '../../core/contract.ts';
import { isSameBudget, wordsOfBudget } from '../../core/expense.ts';
import type { OnProgress } from '../../stack/progress.ts';
import { readBatchInput, requireBatchInput } from '../batch-input/read-batch-input.ts';
import { connectToRunning } from '../connect-to-running.ts';
import { EXIT, UsageError } from '../exit-codes.ts';
import { note, print } from '../output.ts';
import { adviceOnSchemaName, readSchema } from '../read-schema.ts';
import { readBudget, readSettings } from '../read-settings.ts';
import { readConcurrency } from './flags.ts';
import type { BatchRunFlags } from './flags.ts';
import { grouped } from '../../core/grouped.ts';
import { watchBatch } from './watch.ts';

const SAY_EVERY_DOCUMENTS = 25_000;

/** `batch run INPUT`: reads all of it, starts it or joins it, and watches it. */
export async function runBatch(path: string, flags: BatchRunFlags, onProgress: OnProgress): Promise<number> {
  const schema = readSchema('batch run', flags.schema);
  const settings = readSettings(flags);
  const batchBudget = readBudget(flags);
  const id = readBatchId(flags.id);
  const concurrency =
    flags.concurrency === undefined ? DEFAULT_CONCURRENCY : readConcurrency(flags.concurrency);
  const input = { path, ...columns(flags) };
  // First: what is wrong with it is said before anything is started.
  await requireBatchInput(input);
  const extractor = await connectToRunning(onProgress);
  try {
    const { batch, joined } = await extractor.batchOfEntries(readBatchInput(input), {
      ...settings,
      ...(batchBudget === undefined ? {} : { batchBudget }),
      ...(flags.learn === false ? { learn: false } : {}),
      schema,
      id,
      concurrency,
      skipBadLines: flags.skipBadLines ?? false,
      onProgress: sayHowMany(path),
    });
    if (joined)
      await sayJoined(batch, flags.concurrency === undefined ? undefined : concurrency, batchBudget);
    if (flags.detach) return await leave(batch, flags);
    return await watchBatch(batch, flags, onProgress);
  } catch (error) {
    throw adviceOnSchemaName(error, schema);
  } finally {
    await extractor.close();
  }
}

/** @param asked the concurrency and the budget that this command was given: those of a batch which is there already stay. */
async function sayJoined(
  batch: BatchHandle,
  asked: number | undefined,
  askedBudget: Budget | undefined,
): Promise<void> {
  const { id, state, pending, total, concurrency, budget } = await batch.status();
  note(`joins '${id}', which is ${state}: ${grouped(pending)} of ${grouped(total)} documents to be done`);
  if (askedBudget !== undefined && !isSameBudget(askedBudget, budget ?? {})) {
    note(
      `its budget stays ${wordsOfBudget(budget ?? {})}; change it with: durable-extract batch resume ${id} ${budgetFlags(askedBudget)}`,
    );
  }
  if (asked === undefined || asked === concurrency) return;
  note(
    `its concurrency stays ${concurrency}; change it with: durable-extract batch resume ${id} --concurrency ${asked}`,
  );
}

async function leave(batch: BatchHandle, { json }: BatchRunFlags): Promise<number> {
  const status = await batch.status();
  note(
    `'${batch.id}' is ${status.state}: ${grouped(status.total)} documents. See: durable-extract batch watch ${batch.id}`,
  );
  if (json) print(status);
  return EXIT.done;
}

function budgetFlags({ maxTokens, maxCostUsd }: Budget): string {
  return [
    ...(maxTokens === undefined ? [] : [`--max-tokens ${maxTokens}`]),
    ...(maxCostUsd === undefined ? [] : [`--max-cost-usd ${maxCostUsd}`]),
  ].join(' ');
}

function readBatchId(given: string | undefined): string {
  if (given === undefined) {
    throw new UsageError(
      'batch run: expected --id ID, got none. Give the batch a name: with it, the same command joins the batch after any crash.',
    );
  }
  requireBatchId(given);
  return given;
}

function columns({ textColumn, idColumn }: BatchRunFlags) {
  return {
    ...(textColumn === undefined ? {} : { textColumn }),
    ...(idColumn === undefined ? {} : { idColumn }),
  };
}

function sayHowMany(path: string): (documents: number) => void {
  let next = SAY_EVERY_DOCUMENTS;
  return (documents) => {
    if (documents < next) return;
    next = documents + SAY_EVERY_DOCUMENTS;
    note(`reading ${path}: ${grouped(documents)} documents`);
  };
}
