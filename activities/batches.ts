import { ApplicationFailure, Context, log } from '@temporalio/activity';
import { shardWorkflowId } from '../src/core/batch-contract.ts';
import type { BatchSettings, BatchState, RoundKind } from '../src/core/batch-contract.ts';
import type { NextRound } from '../src/core/batch-signals.ts';
import type { BatchLearning } from '../src/core/learning.ts';
import { mapBackOf } from '../src/core/compile-strict.ts';
import type { Budget } from '../src/core/contract.ts';
import { judge, judgeRecord } from '../src/core/judge.ts';
import type {
  OpenedBatch,
  PendingDocument,
  PreparedBatch,
  PreparedExtraction,
  ShardWork,
} from '../src/core/prepared.ts';
import type { DocumentOutcome, StoredOutcome } from '../src/core/stored-outcome.ts';
import { NO_USAGE } from '../src/core/usage.ts';
import type { StoredAttempt } from '../src/store/attempts.ts';
import type { StoredBatch } from '../src/store/batches.ts';
import { modesNotRefused, prepareSettings, searchableIn } from './prepare.ts';
import { invalidInput } from './world.ts';
import type { World } from './world.ts';

/** Documents a shard carries: about two thousand events of history, and a tail that is short against the whole. */
const DOCUMENTS_OF_A_SHARD = 500;
/** All of them travel to every shard. */
const MOST_OWN_SCHEMAS = 500;

/** Which batch, and which of its rounds. */
export interface RoundOfBatch {
  readonly batch: string;
  readonly round: number;
}

/**
 * Opens a batch: checks and resolves its settings, unless that was done in this round, and makes sure that no shard of an
 * earlier run, whose coordinator was terminated, goes on beside the new ones.
 *
 * @throws a non-retryable `invalid_input` failure for settings that are wrong.
 */
export async function openBatch(
  world: World,
  { batch: id, next }: { readonly batch: string; readonly next?: NextRound | undefined },
): Promise<OpenedBatch> {
  const stored = await world.store.batches.read(id);
  if (stored === undefined || stored.inputHash === null) {
    throw invalidInput(
      `id: expected a batch that was put into the store of this worker, got '${id}', which it does not have. ` +
        'Check DATABASE_URL and DURABLE_EXTRACT_HOME.',
    );
  }
  await endLeftShards(id);
  const { batch, prepared } = await openRound(world, stored, next);
  const { round, roundKind: kind, total, concurrency, state } = batch;
  const isPaused = state === 'paused';
  if (!isPaused) await world.store.batches.setState(id, 'running');
  const learning = prepared.settings.learns === true ? batch.learning : null;
  const { budget } = batch;
  return {
    ...prepared,
    settings: { ...prepared.settings, ...(await searchableIn(world)) },
    round,
    kind,
    total,
    concurrency,
    isPaused,
    ...(learning === null ? {} : { learning }),
    ...(budget === null ? {} : { budget }),
  };
}

/** A round that is asked for begins once its settings have been found right, so that a wrong one changes nothing. */
async function openRound(
  world: World,
  batch: StoredBatch,
  next: NextRound | undefined,
): Promise<{ readonly batch: StoredBatch; readonly prepared: PreparedBatch }> {
  const { batches } = world.store;
  const { id, round } = batch;
  if (next !== undefined && next.round > round) {
    const prepared = await prepare(world, id, next.settings);
    await batches.beginRound({ id, ...next, prepared });
    return { batch: { ...batch, round: next.round, roundKind: next.kind, state: 'running' }, prepared };
  }
  if (batch.prepared !== null) return { batch, prepared: batch.prepared };
  const prepared = await prepare(world, id, batch.settings);
  await batches.setPrepared(id, round, prepared);
  return { batch, prepared };
}

async function prepare(world: World, id: string, settings: BatchSettings): Promise<PreparedBatch> {
  const { store } = world;
  const { schema, ...rest } = prepareSettings(world, settings);
  const { jsonSchema } = world.schemas.compile(schema);
  const schemaHash = await store.schemas.save({ name: schema.name, jsonSchema });
  await resolveOwnSchemas(world, id);
  const hashes = await store.documents.schemaHashes(id);
  if (hashes.length > MOST_OWN_SCHEMAS) {
    throw invalidInput(
      `documents: expected at most ${MOST_OWN_SCHEMAS} different schemas of their own, got ${hashes.length}. ` +
        'Put documents of one kind into one batch.',
    );
  }
  const own = await Promise.all(hashes.map((hash) => world.schemas.stored(hash)));
  const mode = settings.mode ?? 'auto';
  const ownSchemas = own.map(({ name, jsonSchema: content }) => ({
    name,
    ...modesNotRefused(world, { mode, route: rest, jsonSchema: content }),
  }));
  return {
    settings: { ...rest, schema: { name: schema.name } },
    schemaHash,
    ownSchemas: Object.fromEntries(hashes.map((hash, index) => [hash, ownSchemas[index]!])),
  };
}

/** Names are resolved once, so that all of a batch is extracted by the same schemas. */
async function resolveOwnSchemas({ store, schemas }: World, id: string): Promise<void> {
  for (const { name, place } of await store.documents.unresolvedSchemas(id)) {
    try {
      const { jsonSchema } = schemas.compile({ name });
      await store.documents.resolveSchema(id, name, await store.schemas.save({ name, jsonSchema }));
    } catch (error) {
      if (!(error instanceof ApplicationFailure)) throw error;
      throw invalidInput(`${place}: ${error.message}`);
    }
  }
}

/** Shards outlive a terminated coordinator: they are ended before new ones take their documents. */
async function endLeftShards(id: string): Promise<void> {
  const { client } = Context.current();
  const query = `WorkflowType = 'shard' AND ExecutionStatus = 'Running' AND WorkflowId STARTS_WITH "${shardWorkflowId(id, 0).slice(0, -1).replaceAll('"', '\\"')}"`;
  for await (const { workflowId, runId } of client.workflow.list({ query })) {
    await client.workflow.getHandle(workflowId, runId).terminate('a new run of its batch begins');
  }
}

/** The next shard's documents, or those that were given back; null where none is left. */
export async function openShard(
  world: World,
  options: RoundOfBatch & {
    readonly kind: RoundKind;
    readonly afterSeq: number;
    readonly givenBack: readonly PendingDocument[];
  },
): Promise<ShardWork | null> {
  const { batch, round, kind, afterSeq, givenBack } = options;
  const { documents, batches } = world.store;
  const found =
    givenBack.length > 0
      ? givenBack.slice(0, DOCUMENTS_OF_A_SHARD)
      : await documents.pending({ batchId: batch, round, kind, afterSeq, limit: DOCUMENTS_OF_A_SHARD });
  if (found.length === 0) return null;
  return { shard: await batches.takeShardNumber(batch), documents: found };
}

/** How many documents of a round have no outcome yet. */
export async function countPending(
  world: World,
  { batch, round, kind }: RoundOfBatch & { readonly kind: RoundKind },
): Promise<number> {
  return world.store.documents.countPending({ batchId: batch, round, kind });
}

/** How many documents of a batch were not extracted, of those that are done. */
export async function countFailed(
  world: World,
  { batch, round, kind }: RoundOfBatch & { readonly kind: RoundKind },
): Promise<number> {
  const counts = await world.store.outcomes.count(batch, round);
  if (kind === 'first') return counts.failed;
  const { total = 0 } = (await world.store.batches.read(batch)) ?? {};
  const succeeded = kind === 'rejudge' ? counts.succeededInRound : counts.succeeded;
  return total - succeeded - (await countPending(world, { batch, round, kind }));
}

/** Writes outcomes; gives the places of documents that have to be done again. */
export async function recordOutcomes(
  world: World,
  { batch, round, outcomes }: RoundOfBatch & { readonly outcomes: readonly DocumentOutcome[] },
): Promise<readonly number[]> {
  const lost = await world.store.outcomes.recordDocuments(batch, round, outcomes);
  const again = new Set(lost);
  countEnded(
    world,
    'batch',
    outcomes
      .filter(({ seq }) => !again.has(seq))
      .map(({ seq, outcome }) => ({ outcome, place: { batch, seq } })),
  );
  return lost;
}

/** Tells those who watch the worker. */
function countEnded(
  { metrics }: World,
  of: 'single' | 'batch',
  ended: readonly { readonly outcome: StoredOutcome; readonly place: object }[],
): void {
  for (const { outcome, place } of ended) {
    const { success, stopped, schemaName: schema, attempts, usage, model } = outcome;
    metrics.ended({ of, schema, success, stopped });
    const how = { outcome: success ? 'success' : stopped, attempts, calls: usage.calls, schema, model };
    log.info('an extraction has ended', { ...place, ...how });
  }
}

/** Writes the outcome of a single extraction. */
export async function recordExtraction(
  world: World,
  { id, round, outcome }: { readonly id: string; readonly round: number; readonly outcome: StoredOutcome },
): Promise<void> {
  await world.store.outcomes.recordSingle(id, round, outcome);
  countEnded(world, 'single', [{ outcome, place: { documentId: id } }]);
}

/**
 * Judges what was entered by hand for documents, and else their stored answers, newest first, by the schema of the batch's
 * new round; writes the outcomes of those that pass.
 *
 * @returns the documents that none of their answers passes for, and so are to be asked about.
 */
export async function rejudge(
  world: World,
  { batch, round, documents }: RoundOfBatch & { readonly documents: readonly PendingDocument[] },
): Promise<{ readonly left: readonly PendingDocument[]; readonly accepted: number }> {
  const { store } = world;
  const prepared = (await store.batches.read(batch))?.prepared;
  if (!prepared) throw new Error(`Expected batch '${batch}' to be prepared for round ${round}.`);
  const seqs = documents.map(({ seq }) => seq);
  const ids = await store.documents.idsOf(batch, seqs);
  const documentIds = [...ids.values()];
  const answers = await store.attempts.ofEarlierRounds({ batchId: batch, round, documentIds });
  const byHand = await store.reviews.corrected({ batchId: batch, round, documentIds });
  let kept = 0;
  const left: PendingDocument[] = [];
  const passed: StoredAttempt[] = [];
  const outcomes: DocumentOutcome[] = [];
  for (const document of documents) {
    const schema = await world.schemas.stored(document.schemaHash ?? prepared.schemaHash);
    const compiled = world.schemas.compile(schema);
    const corrected = byHand.get(ids.get(document.seq) ?? '');
    if (corrected !== undefined) {
      const verdict = judgeRecord(corrected.data, compiled, prepared.settings);
      if (verdict.status === 'accepted') {
        await store.reviews.correct({ ...corrected, batchId: batch, round, data: verdict.data });
        kept += 1;
        continue;
      }
    }
    const judged = (answers.get(ids.get(document.seq) ?? '') ?? []).map((answer): StoredAttempt => ({
      ...answer,
      round,
      attempt: 1,
      kind: 'rejudged',
      ask: null,
      verdict: judge({ text: answer.answer, finish: answer.finish }, compiled, {
        coerce: prepared.settings.coerce,
        ...(answer.mode === 'json_schema' ? { mapBack: mapBackOf(compiled.jsonSchema) } : {}),
      }),
      schemaName: schema.name,
      usage: NO_USAGE,
      failures: [],
      interrupted: 0,
    }));
    const accepted = judged.find(({ verdict }) => verdict.status === 'accepted');
    if (accepted === undefined) {
      left.push(document);
      continue;
    }
    passed.push(accepted);
    outcomes.push({ seq: document.seq, outcome: rejudgedOutcome(prepared.settings, accepted) });
  }
  await Promise.all(passed.map((attempt) => store.attempts.record(attempt)));
  await store.outcomes.recordDocuments(batch, round, outcomes);
  countEnded(
    world,
    'batch',
    outcomes.map(({ seq, outcome }) => ({ outcome, place: { batch, seq } })),
  );
  return { left, accepted: outcomes.length + kept };
}

/** An answer that was paid for in an earlier round. */
function rejudgedOutcome(
  { simulated, strategy }: PreparedExtraction,
  { provider, model, schemaName }: StoredAttempt,
): StoredOutcome {
  return {
    success: true,
    attempts: 1,
    errors: [],
    usage: NO_USAGE,
    stopped: null,
    model: `${provider}/${model}`,
    simulated,
    acceptedAttempt: 1,
    unansweredCalls: 0,
    schemaName,
    strategy,
  };
}

/** Writes down where a batch stands; calls that are under way look at it. */
export async function setBatchState(
  world: World,
  {
    batch,
    state,
    pausedFor = null,
  }: {
    readonly batch: string;
    readonly state: Exclude<BatchState, 'failed'>;
    readonly pausedFor?: StoredBatch['pausedFor'];
  },
): Promise<void> {
  await world.store.batches.setState(batch, state, { pausedFor });
}

/** Writes down what a batch may spend from now on. */
export async function setBatchBudget(
  world: World,
  { batch, budget }: { readonly batch: string; readonly budget: Budget },
): Promise<void> {
  await world.store.batches.setBudget(batch, budget);
}

/** Writes down how many documents are in work at once, for the next run of the coordinator. */
export async function setBatchConcurrency(
  world: World,
  { batch, concurrency }: { readonly batch: string; readonly concurrency: number },
): Promise<void> {
  await world.store.batches.setConcurrency(batch, concurrency);
}

/** Writes down what a batch has learnt, for its next run and its next round. */
export async function setBatchLearning(
  world: World,
  { batch, learning }: { readonly batch: string; readonly learning: BatchLearning },
): Promise<void> {
  await world.store.batches.setLearning(batch, learning);
}

/** Of some shards, those that have ended, however they did. */
export async function endedShards(options: {
  readonly batch: string;
  readonly shards: readonly number[];
}): Promise<readonly number[]> {
  const { client } = Context.current();
  const ended: number[] = [];
  for (const shard of options.shards) {
    const { status } = await client.workflow.getHandle(shardWorkflowId(options.batch, shard)).describe();
    if (status.name !== 'RUNNING') ended.push(shard);
  }
  return ended;
}
