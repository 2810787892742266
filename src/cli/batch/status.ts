import { statusOf } from '../../client/batch-handle.ts';
import type { BatchHandle } from '../../client/batch-handle.ts';
import { DurableExtract } from '../../client/durable-extract.ts';
import type { BatchStatus } from '../../core/batch-contract.ts';
import { stackHome } from '../../stack/home.ts';
import { resolveTemporalConnection } from '../../stack/connection.ts';
import { openStore } from '../../store/open-store.ts';
import { EXIT, UsageError } from '../exit-codes.ts';
import { note, print } from '../output.ts';
import type { BatchFlags } from './flags.ts';
import { grouped, spendOf } from './progress-line.ts';
import { reasonOf } from './watch.ts';

/** `batch status ID`: where it stands. Starts nothing: where no server answers, the store alone is asked. */
export async function statusCommand(id: string, { json }: BatchFlags): Promise<number> {
  const status = (await askedOfServer(id)) ?? (await readFromStore(id));
  if (json) print(status);
  else process.stdout.write(`${linesOf(status).join('\n')}\n`);
  return EXIT.done;
}

/** `batch list`: all batches of this store. */
export async function listCommand({ json }: BatchFlags): Promise<number> {
  const store = await openStore({ env: process.env, home: stackHome({ env: process.env }) });
  try {
    const batches = (await store.batches.list()).filter(({ inputHash }) => inputHash !== null);
    const rows = batches.map(({ id, state, total, createdAt }) => ({
      id,
      state,
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
  } finally {
    await store.close();
  }
}

async function askedOfServer(id: string): Promise<BatchStatus | undefined> {
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
    const batch = await extractor.batchHandle(id);
    const status = await batch.status();
    if (status.state === 'failed') await sayWhyItFailed(batch);
    return status;
  } finally {
    await extractor.close();
  }
}

/** Its workflow says why: settings that were wrong, for one. */
async function sayWhyItFailed(batch: BatchHandle): Promise<void> {
  try {
    await batch.done();
  } catch (error) {
    note(reasonOf(error));
  }
}

async function readFromStore(id: string): Promise<BatchStatus> {
  const store = await openStore({ env: process.env, home: stackHome({ env: process.env }) });
  try {
    const batch = await store.batches.read(id);
    if (batch === undefined || batch.state === 'loading') {
      throw new UsageError(
        `expected the id of a batch of this store, got '${id}'. See: durable-extract batch list`,
      );
    }
    const status = await statusOf(store, batch, batch.state);
    if (status.state === 'running' || status.state === 'paused') {
      note(
        `no Temporal server answers, so nothing is done just now. Go on with: durable-extract batch resume ${id}`,
      );
    }
    return status;
  } finally {
    await store.close();
  }
}

function linesOf(status: BatchStatus): readonly string[] {
  const { id, state, total, succeeded, failed, pending, retrying, round, concurrency, schema, model } =
    status;
  return [
    `${id}: ${state}`,
    `  documents    ${grouped(total)}`,
    `  extracted    ${grouped(succeeded)}`,
    `  failed       ${grouped(failed)}`,
    `  to be done   ${grouped(pending)}${retrying > 0 ? `, ${grouped(retrying)} of them retrying` : ''}`,
    `  spent        ${spendOf(status)}`,
    `  schema       ${schema}`,
    `  model        ${model ?? 'not known yet'}${status.simulated ? ' (SIMULATED: no model is asked)' : ''}`,
    `  concurrency  ${concurrency}`,
    `  round        ${round}`,
    `  begun        ${status.createdAt}`,
    ...(status.finishedAt === null ? [] : [`  ended        ${status.finishedAt}`]),
  ];
}
