import type { Client } from '@temporalio/client';
import { statusOf } from '../../client/batch-handle.ts';
import type { BatchHandle } from '../../client/batch-handle.ts';
import { stateOf } from '../../client/coordinator.ts';
import { DurableExtract } from '../../client/durable-extract.ts';
import type { BatchStatus } from '../../core/batch-contract.ts';
import { wordsOfBudget } from '../../core/expense.ts';
import { stackHome } from '../../stack/home.ts';
import { resolveTemporalConnection } from '../../stack/connection.ts';
import type { StoredBatch } from '../../store/batches.ts';
import { EXIT } from '../exit-codes.ts';
import { note, print } from '../output.ts';
import { withStore } from '../with-store.ts';
import type { BatchFlags } from './flags.ts';
import { grouped } from '../../core/grouped.ts';
import { spendOf } from './progress-line.ts';
import { reasonOf } from './watch.ts';
import { storedBatch } from './stored-batch.ts';

/** `batch status ID`: where it stands. Starts nothing: where no server answers, the store alone is asked. */
export async function statusCommand(id: string, { json }: BatchFlags): Promise<number> {
  const batch = await storedBatch(id);
  const status = (await withServer((extractor) => askedOf(extractor, id))) ?? (await readFromStore(batch));
  if (json) print(status);
  else process.stdout.write(`${linesOf(status).join('\n')}\n`);
  return EXIT.done;
}

/** `batch list`: all batches of this store, in the states that `batch status` tells. */
export async function listCommand({ json }: BatchFlags): Promise<number> {
  const all = await withStore((store) => store.batches.list());
  const batches = all.filter(({ inputHash }) => inputHash !== null);
  const states = (await withServer(({ client }) => statesOf(client, batches))) ?? statesInStore(batches);
  const rows = batches.map(({ id, total, createdAt }, index) => ({
    id,
    state: states[index],
    total,
    createdAt: new Date(createdAt).toISOString(),
  }));
  if (json) print(rows);
  else if (rows.length === 0)
    process.stdout.write('no batch yet; start one with: durable-extract batch run\n');
  else
    for (const { id, state, total, createdAt } of rows)
      process.stdout.write(`${id}  ${state}  ${grouped(total)} documents  ${createdAt}\n`);
  return EXIT.done;
}

/** Asks the server that runs; undefined where none answers. */
async function withServer<T>(ask: (extractor: DurableExtract) => Promise<T>): Promise<T | undefined> {
  const place = { env: process.env, home: stackHome({ env: process.env }) };
  if (resolveTemporalConnection(place) === undefined) return undefined;
  let extractor: DurableExtract;
  try {
    extractor = await DurableExtract.connect();
  } catch {
    // Nobody answers there: said below, by what the store knows.
    return undefined;
  }
  try {
    return await ask(extractor);
  } finally {
    await extractor.close();
  }
}

async function askedOf(extractor: DurableExtract, id: string): Promise<BatchStatus> {
  const batch = await extractor.batchHandle(id);
  const status = await batch.status();
  if (status.state === 'failed') await sayWhyItFailed(batch);
  return status;
}

/** Its workflow says why: settings that were wrong, for one. */
async function sayWhyItFailed(batch: BatchHandle): Promise<void> {
  try {
    await batch.done();
  } catch (error) {
    note(reasonOf(error));
  }
}

function statesOf(client: Client, batches: readonly StoredBatch[]): Promise<readonly string[]> {
  return Promise.all(batches.map((batch) => stateOf(client, batch)));
}

function statesInStore(batches: readonly StoredBatch[]): readonly string[] {
  if (batches.some(isUnderWay)) sayNothingIsDone('ID');
  return batches.map(({ state }) => state);
}

async function readFromStore(batch: StoredBatch): Promise<BatchStatus> {
  if (isUnderWay(batch)) sayNothingIsDone(batch.id);
  const state = batch.state === 'loading' ? 'failed' : batch.state;
  return withStore((store) => statusOf(store, batch, state));
}

function isUnderWay({ state }: StoredBatch): boolean {
  return state === 'running' || state === 'paused';
}

function sayNothingIsDone(id: string): void {
  note(
    `no Temporal server answers, so nothing is done just now. Go on with: durable-extract batch resume ${id}`,
  );
}

function linesOf(status: BatchStatus): readonly string[] {
  const { id, state, total, succeeded, failed, pending, retrying, round, concurrency, schema, model } =
    status;
  const { budget, pausedFor, inReview } = status;
  return [
    `${id}: ${state}${pausedFor === null ? '' : `, since its ${pausedFor} does not cover the next call`}`,
    `  documents    ${grouped(total)}`,
    `  extracted    ${grouped(succeeded)}`,
    `  failed       ${grouped(failed)}${inReview > 0 ? `, ${grouped(inReview)} of them wait for a person` : ''}`,
    `  to be done   ${grouped(pending)}${retrying > 0 ? `, ${grouped(retrying)} of them retrying` : ''}`,
    `  spent        ${spendOf(status)}`,
    `  schema       ${schema}`,
    `  model        ${model ?? 'not known yet'}${status.simulated ? ' (SIMULATED: no model is asked)' : ''}`,
    ...learntLines(status),
    ...(budget === null ? [] : [`  budget       ${wordsOfBudget(budget)}`]),
    `  concurrency  ${concurrency}`,
    `  round        ${round}`,
    `  begun        ${status.createdAt}`,
    ...(status.finishedAt === null ? [] : [`  ended        ${status.finishedAt}`]),
  ];
}

/** One line for each thing that documents are told, or do otherwise. */
function learntLines({ learnt }: BatchStatus): readonly string[] {
  if (learnt === null) return [];
  const { hints, modes, models, rejectedModes } = learnt;
  const lines = [
    ...hints.map((hint) => hint.replace(/^- /, '')),
    ...modes.map((mode) => `begins with ${mode}`),
    ...models.map((model) => `begins with ${model}`),
    ...rejectedModes.map((mode) => `the provider takes no ${mode}`),
  ];
  return lines.map((line, index) => `  ${index === 0 ? 'learnt' : '      '}       ${line}`);
}
