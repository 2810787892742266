/**
 * The coordinator of a batch: gives documents to shards, a slice each, and shares the batch's concurrency out among them.
 *
 * Which documents are still to be done is asked of the store, so that no crash can make it forget one or do one twice.
 */
import {
  ApplicationFailure,
  CancellationScope,
  ParentClosePolicy,
  allHandlersFinished,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  getExternalWorkflowHandle,
  log,
  patched,
  setCurrentDetails,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type { ShardMessage } from '../activities/tell-shards.ts';
import { concurrencyProblem, shardWorkflowId } from '../src/core/batch-contract.ts';
import type {
  BatchInput,
  BatchProgress,
  BatchSummary,
  CarriedBatch,
  ShardInput,
  ShardReport,
} from '../src/core/batch-signals.ts';
import type { Budget } from '../src/core/contract.ts';
import { budgetProblem, isSameBudget } from '../src/core/expense.ts';
import { NOTHING_LEARNT, learnFrom, learntByBatch } from '../src/core/learning.ts';
import type { BatchLearning, Learnt } from '../src/core/learning.ts';
import type { OpenedBatch, PendingDocument, ShardWork } from '../src/core/prepared.ts';
import { allotSlots, firstSlots, isAsItSaid, isNextShardDue, withLimit } from '../src/core/slots.ts';
import type { ShardSlots } from '../src/core/slots.ts';
import { openBatch, store } from './house-activities.ts';
import { tellSearch } from './search-attributes.ts';

/** Done once every shard knows: from then on no call begins but those that the server has handed out already. */
export const pauseUpdate = defineUpdate<void>('pause');
/** Goes on; with another budget from now on, where one is given. */
export const resumeUpdate = defineUpdate<void, [{ readonly budget?: Budget }?]>('resume');
/** Ends the batch; what is done stays done. */
export const cancelUpdate = defineUpdate<void>('cancel');
/** How many documents are in work at once from now on. */
export const concurrencyUpdate = defineUpdate<void, [number]>('concurrency');
export const batchProgressQuery = defineQuery<BatchProgress | null>('progress');
const reportSignal = defineSignal<[ShardReport]>('report');

/** Far below the server's limits, and short to replay. */
const MOST_EVENTS = 4_000;
/** How often shards of an earlier run are looked after: only those that ended without a word are missed that long. */
const LOOK_EVERY = '30 s';
const INHERITED = 'before it looks after shards of an earlier run';
/** Documents that have no outcome after so many passes never get one by themselves. */
const MOST_PASSES = 5;

/** The coordinator at work. Mutable on purpose: it is the workflow's state. */
interface Desk {
  readonly id: string;
  /** False in a run that was begun by code that opened a shard after the other, and took a shard's last word for its end. */
  readonly opensEarly: boolean;
  readonly opened: OpenedBatch;
  concurrency: number;
  /** What all documents together may spend. */
  budget: Budget | undefined;
  /** Whether it does not cover the next call. */
  isOverBudget: boolean;
  /** Shards whose last calls are let finish, before it is said so. */
  draining: Set<number> | undefined;
  isPaused: boolean;
  /** Whether every shard knows of the pause. */
  isPauseTold: boolean;
  isCancelled: boolean;
  /** Whether nothing is left to be done. */
  isOver: boolean;
  /** Up to here, documents have been given to shards in this pass. */
  afterSeq: number;
  isAllOpened: boolean;
  pass: number;
  readonly givenBack: PendingDocument[];
  readonly shards: Map<number, ShardSlots>;
  /** Of shards of which the server has not said yet that they have begun: until then they hear nothing. */
  readonly starting: Map<number, Promise<unknown>>;
  /** Shards of an earlier run: their end is not announced by the server. */
  readonly inherited: Set<number>;
  readonly recorded: { succeeded: number; failed: number };
  /** From first answers. */
  learning: BatchLearning;
  /** How long calls take, in milliseconds, by the last report that said so. */
  callMs: number | undefined;
  /** Whether shards and store do not know yet what was learnt last. */
  isToTeach: boolean;
  /** Whether something has happened since it was last looked at. */
  hasChanged: boolean;
}

/**
 * A batch, from its first document to its last; round by round where some are done again.
 *
 * Fails with type `invalid_input`, before any call, where its settings are wrong.
 */
export async function batch({ id, next, carried }: BatchInput): Promise<BatchSummary> {
  let desk = carried === undefined ? undefined : deskOf(id, carried);
  handleMessages(() => desk);
  const { cancelRequested } = CancellationScope.current();
  return CancellationScope.nonCancellable(async () => {
    desk ??= newDesk(id, await openBatch({ batch: id, next }));
    cancelWhen(desk, cancelRequested);
    tellBeginning(desk);
    await carryOn(desk);
    desk.isOver = true;
    const state = desk.isCancelled ? 'cancelled' : 'completed';
    await store.setBatchState({ batch: id, state });
    await tellEnd(desk, state);
    await condition(allHandlersFinished);
    show(desk);
    return { id, state, round: desk.opened.round, ...desk.recorded };
  });
}

/** In every run, since one that continued as new begins with what the first one began with. */
function tellBeginning({ id, opened: { settings }, isPaused }: Desk): void {
  const { schema, provider, model } = settings;
  const outcome = isPaused ? 'paused' : undefined;
  tellSearch(settings, { batch: id, schema: schema.name, model: `${provider}/${model}`, outcome });
}

/** What it comes to is asked of the store: a run that took up another's work has not counted all of it. */
async function tellEnd({ id, opened }: Desk, outcome: BatchSummary['state']): Promise<void> {
  const { settings, round, kind } = opened;
  if (settings.searchable !== true) return;
  tellSearch(settings, { outcome, failed: await store.countFailed({ batch: id, round, kind }) });
}

function handleMessages(deskNow: () => Desk | undefined): void {
  const whenOpen =
    <A extends unknown[]>(change: (desk: Desk, ...args: A) => Promise<void>) =>
    (...args: A): Promise<void> =>
      // A cancelled workflow still hears what its shards say.
      CancellationScope.nonCancellable(async () => {
        await condition(() => deskNow() !== undefined);
        const desk = deskNow();
        if (desk === undefined) return;
        await change(desk, ...args);
        desk.hasChanged = true;
      });
  setHandler(
    reportSignal,
    whenOpen(async (desk, report) => takeReport(desk, report)),
  );
  setHandler(batchProgressQuery, () => {
    const desk = deskNow();
    return desk === undefined ? null : progressOf(desk);
  });
  setHandler(
    pauseUpdate,
    whenOpen(async (desk) => {
      await pause(desk);
      desk.hasChanged = true;
      await condition(() => desk.isPauseTold || !desk.isPaused || desk.isCancelled || desk.isOver);
    }),
  );
  setHandler(
    resumeUpdate,
    whenOpen(async (desk, { budget } = {}) => {
      if (budget !== undefined) {
        await store.setBatchBudget({ batch: desk.id, budget });
        desk.budget = budget;
      }
      await store.setBatchState({ batch: desk.id, state: 'running' });
      desk.isPaused = false;
      desk.isPauseTold = false;
      desk.isOverBudget = false;
      desk.draining = undefined;
      tellSearch(desk.opened.settings, { outcome: null });
    }),
    { validator: ({ budget } = {}) => requireBudget(budget) },
  );
  setHandler(
    cancelUpdate,
    whenOpen(async (desk) => {
      desk.isCancelled = true;
      await store.setBatchState({ batch: desk.id, state: 'cancelled' });
    }),
  );
  setHandler(
    concurrencyUpdate,
    whenOpen(async (desk, concurrency: number) => {
      desk.concurrency = concurrency;
      await store.setBatchConcurrency({ batch: desk.id, concurrency });
    }),
    { validator: requireConcurrency },
  );
}

/** An operator's cancellation of the workflow is the update by another name. */
function cancelWhen(desk: Desk, cancelRequested: Promise<never>): void {
  cancelRequested.catch(() => {
    desk.isCancelled = true;
    desk.hasChanged = true;
  });
}

/** Until nothing is left to do, or the batch is cancelled. */
async function carryOn(desk: Desk): Promise<void> {
  for (;;) {
    desk.hasChanged = false;
    if (desk.isCancelled) return cancelShards(desk);
    if (desk.isToTeach) await teach(desk);
    const isToDrain = desk.isOverBudget && !desk.isPaused;
    if (isToDrain) await pause(desk);
    const spare = await shareSlots(desk);
    if (isToDrain) await drain(desk);
    if (desk.draining?.size === 0) await sayBudgetIsSpent(desk);
    show(desk);
    if (hasDocuments(desk) && (spare > 0 || isNextDue(desk))) {
      await openNextShard(desk, spare);
      continue;
    }
    if (desk.shards.size === 0 && !desk.isPaused && !(await beginPass(desk))) return;
    await continueWhereDue(desk);
    if (desk.inherited.size === 0) await condition(() => desk.hasChanged);
    else if (!(await condition(() => desk.hasChanged, LOOK_EVERY, { summary: INHERITED })))
      await lookAfterInherited(desk);
  }
}

/** No further call is made. */
async function pause(desk: Desk): Promise<void> {
  desk.isPaused = true;
  await store.setBatchState({ batch: desk.id, state: 'paused' });
  tellSearch(desk.opened.settings, { outcome: 'paused' });
}

/** Waits for calls that are under way: they are paid for. */
async function drain(desk: Desk): Promise<void> {
  const shards = [...desk.shards.keys()];
  desk.draining = new Set(shards);
  await tell(
    desk,
    shards.map((shard) => ({ shard, signal: 'drain', args: [] })),
  );
}

/** All that was paid for is written down: whoever waits may look at it, and resume it with a higher budget. */
async function sayBudgetIsSpent(desk: Desk): Promise<void> {
  desk.draining = undefined;
  if (desk.isOverBudget) await store.setBatchState({ batch: desk.id, state: 'paused', pausedFor: 'budget' });
}

function hasDocuments({ isAllOpened, givenBack }: Desk): boolean {
  return !isAllOpened || givenBack.length > 0;
}

/** Tells every shard whose limit changes; gives the slots that none can use. */
async function shareSlots(desk: Desk): Promise<number> {
  const shards = [...desk.shards.values()];
  const { isPaused } = desk;
  const { limits, spare } = allotSlots({
    concurrency: isPaused ? 0 : desk.concurrency,
    shards,
    isAllOpened: !hasDocuments(desk),
  });
  const changed = shards.filter(({ shard, limit }) => limits.get(shard) !== limit);
  const messages: ShardMessage[] = [];
  for (const before of changed) {
    const now = withLimit(before, limits.get(before.shard) ?? 0);
    desk.shards.set(now.shard, now);
    if (desk.opensEarly && isAsItSaid(before, now)) continue;
    messages.push({ shard: now.shard, signal: 'allow', args: [now.limit] });
  }
  await tell(desk, messages);
  desk.isPauseTold = isPaused;
  return spare;
}

function isNextDue({ opensEarly, isPaused, isOverBudget, concurrency, shards }: Desk): boolean {
  return opensEarly && !isPaused && !isOverBudget && isNextShardDue(concurrency, [...shards.values()]);
}

async function openNextShard(desk: Desk, limit: number): Promise<void> {
  const { id, opened, givenBack, afterSeq } = desk;
  const { round, kind } = opened;
  const work = await store.openShard({ batch: id, round, kind, afterSeq, givenBack });
  if (work === null) {
    desk.isAllOpened = true;
    return;
  }
  const { shard, documents } = work;
  if (givenBack.length > 0) givenBack.splice(0, documents.length);
  else desk.afterSeq = documents.at(-1)?.seq ?? afterSeq;
  // What it may hold from the first: it would begin more at once, before it heard of a lower limit.
  const first = firstSlots(limit);
  const { lessons } = desk.learning;
  const taught = Object.keys(lessons).length === 0 ? {} : { lessons };
  const { callMs } = desk;
  const known = callMs === undefined ? taught : { ...taught, callMs };
  const input: ShardInput = { batch: id, shard, opened, documents, limit: first, ...known };
  desk.shards.set(shard, { shard, limit: first, most: first, wants: null });
  const child = startChild('shard', {
    workflowId: shardWorkflowId(id, shard),
    args: [input],
    // The coordinator continues as new; its shards go on meanwhile.
    parentClosePolicy: ParentClosePolicy.ABANDON,
    staticSummary: `batch ${id} · ${documents.length} documents`,
    staticDetails: detailsOf(work),
  });
  void followShard(desk, shard, child);
  const hasBegun = child.catch(() => {}).then(() => desk.starting.delete(shard));
  desk.starting.set(shard, hasBegun);
  if (!desk.opensEarly) await hasBegun;
}

async function followShard(
  desk: Desk,
  shard: number,
  child: Promise<{ result(): Promise<unknown> }>,
): Promise<void> {
  try {
    await (await child).result();
  } catch (error) {
    log.error('a shard failed; its documents are taken up again', { shard, error: String(error) });
  }
  endShard(desk, shard);
}

/** What is said to a shard before it has begun is lost. */
async function allHaveBegun({ starting }: Desk): Promise<void> {
  if (starting.size > 0) await Promise.all(starting.values());
}

/** In whole numbers, as the input's lines are counted: documents of a later pass are few, and scattered. */
function detailsOf({ documents }: ShardWork): string {
  const seqs = documents.map(({ seq }) => seq);
  return `${documents.length} of the documents ${Math.min(...seqs)} to ${Math.max(...seqs)}, by their place in the input, from 0`;
}

function takeReport(desk: Desk, report: ShardReport): void {
  const { shard, wants, givenBack, recorded, hasEnded, learnt, exceeded, isDrained, callMs } = report;
  const slots = desk.shards.get(shard);
  desk.recorded.succeeded += recorded.succeeded;
  desk.recorded.failed += recorded.failed;
  desk.givenBack.push(...givenBack);
  if (learnt !== undefined) learn(desk, learnt);
  if (callMs !== undefined) desk.callMs = callMs;
  // One that was raised meanwhile may cover it.
  if (exceeded !== undefined && isSameBudget(exceeded, desk.budget ?? {})) desk.isOverBudget = true;
  if (isDrained) desk.draining?.delete(shard);
  // To end before the server has said that a child did is refused, and costs a replay.
  if (hasEnded && (!desk.opensEarly || desk.inherited.has(shard))) endShard(desk, shard);
  else if (slots !== undefined) desk.shards.set(shard, { ...slots, wants });
  desk.hasChanged = true;
}

function learn(desk: Desk, counted: Learnt): void {
  const before = JSON.stringify(desk.learning.lessons);
  desk.learning = learnFrom(desk.learning, counted, desk.opened);
  if (JSON.stringify(desk.learning.lessons) !== before) desk.isToTeach = true;
}

/** Passes on what was learnt: to the shards at work, and to the store for later runs. */
async function teach(desk: Desk): Promise<void> {
  const { id, learning, shards } = desk;
  desk.isToTeach = false;
  await Promise.all([
    store.setBatchLearning({ batch: id, learning }),
    tell(
      desk,
      [...shards.keys()].map((shard) => ({ shard, signal: 'learnt', args: [learning.lessons] })),
    ),
  ]);
}

function endShard(desk: Desk, shard: number): void {
  desk.shards.delete(shard);
  desk.inherited.delete(shard);
  desk.draining?.delete(shard);
  desk.hasChanged = true;
}

/** Looks whether a document was left without an outcome: its shard was terminated, or the store lost its last moments. */
async function beginPass(desk: Desk): Promise<boolean> {
  const { round, kind } = desk.opened;
  const left = await store.countPending({ batch: desk.id, round, kind });
  if (left === 0) return false;
  if (desk.pass === MOST_PASSES) {
    throw ApplicationFailure.nonRetryable(
      `${left} documents have no outcome after ${MOST_PASSES} passes. Look at the shards in the Web UI, then resume the batch.`,
      'incomplete',
    );
  }
  desk.pass += 1;
  desk.afterSeq = -1;
  desk.isAllOpened = false;
  desk.hasChanged = true;
  return true;
}

async function cancelShards(desk: Desk): Promise<void> {
  await allHaveBegun(desk);
  await Promise.all([...desk.shards.keys()].map((shard) => cancelShard(desk, shard)));
  for (;;) {
    if (await condition(() => desk.shards.size === 0, LOOK_EVERY, { summary: INHERITED })) return;
    await lookAfterInherited(desk);
  }
}

/** Shards end by themselves; one that has just done so needs to be told nothing. */
async function cancelShard({ id }: Desk, shard: number): Promise<void> {
  try {
    await getExternalWorkflowHandle(shardWorkflowId(id, shard)).cancel();
  } catch (error) {
    log.info('a shard has ended meanwhile', { shard, error: String(error) });
  }
}

async function tell(desk: Desk, messages: readonly ShardMessage[]): Promise<void> {
  if (messages.length === 0) return;
  await allHaveBegun(desk);
  await store.tellShards({ batch: desk.id, messages });
}

async function lookAfterInherited(desk: Desk): Promise<void> {
  const shards = [...desk.inherited];
  if (shards.length === 0) return;
  for (const shard of await store.endedShards({ batch: desk.id, shards })) endShard(desk, shard);
}

async function continueWhereDue(desk: Desk): Promise<void> {
  const { historyLength, continueAsNewSuggested } = workflowInfo();
  if (historyLength < MOST_EVENTS && !continueAsNewSuggested) return;
  await allHaveBegun(desk);
  await condition(() => desk.hasChanged || allHandlersFinished());
  if (desk.hasChanged || desk.draining !== undefined) return;
  await continueAsNew<typeof batch>({ id: desk.id, carried: carriedOf(desk) });
}

function carriedOf(desk: Desk): CarriedBatch {
  const { opened, concurrency, isPaused, afterSeq, isAllOpened, pass, givenBack, shards, recorded } = desk;
  const { learning, budget, callMs } = desk;
  return {
    opened,
    concurrency,
    isPaused,
    afterSeq,
    isAllOpened,
    pass,
    givenBack: [...givenBack],
    shards: [...shards.values()],
    recorded: { ...recorded },
    ...(Object.keys(learning.learnt).length === 0 ? {} : { learning }),
    ...(budget === undefined ? {} : { budget }),
    ...(callMs === undefined ? {} : { callMs }),
  };
}

function newDesk(id: string, { learning = NOTHING_LEARNT, budget, ...opened }: OpenedBatch): Desk {
  return deskOf(id, {
    opened,
    learning,
    ...(budget === undefined ? {} : { budget }),
    concurrency: opened.concurrency,
    isPaused: opened.isPaused,
    afterSeq: -1,
    isAllOpened: false,
    pass: 1,
    givenBack: [],
    shards: [],
    recorded: { succeeded: 0, failed: 0 },
  });
}

function deskOf(id: string, carried: CarriedBatch): Desk {
  const { shards, givenBack, recorded, learning = NOTHING_LEARNT, budget, callMs } = carried;
  return {
    ...carried,
    id,
    opensEarly: patched('opens early'),
    budget,
    callMs,
    isOverBudget: false,
    draining: undefined,
    isPauseTold: false,
    isCancelled: false,
    isOver: false,
    givenBack: [...givenBack],
    shards: new Map(shards.map((slots) => [slots.shard, slots])),
    starting: new Map(),
    inherited: new Set(shards.map(({ shard }) => shard)),
    recorded: { ...recorded },
    learning,
    isToTeach: false,
    hasChanged: false,
  };
}

function progressOf({ opened, concurrency, shards, recorded, isPaused, isCancelled }: Desk): BatchProgress {
  return {
    ...recorded,
    state: isCancelled ? 'cancelled' : isPaused ? 'paused' : 'running',
    round: opened.round,
    concurrency,
    shards: [...shards.values()],
  };
}

function show(desk: Desk): void {
  const { opened, recorded, concurrency, shards } = desk;
  const { state } = progressOf(desk);
  setCurrentDetails(
    [
      `**${state}** · round ${opened.round} · ${opened.total} documents`,
      `${recorded.succeeded} extracted · ${recorded.failed} not extracted, as told by the shards that report`,
      `concurrency ${concurrency} · shards at work: ${[...shards.keys()].join(', ') || 'none'}`,
      ...learntLines(desk),
    ].join('\n\n'),
  );
}

function learntLines({ learning }: Desk): readonly string[] {
  const learnt = learntByBatch(learning.lessons);
  if (learnt === null) return [];
  const { hints, modes, models, rejectedModes } = learnt;
  const changes = [
    ...modes.map((mode) => `- begins with ${mode}`),
    ...models.map((model) => `- begins with ${model}`),
    ...rejectedModes.map((mode) => `- the provider takes no ${mode}`),
  ];
  return ['Learnt from first answers:', [...hints, ...changes].join('\n')];
}

function requireBudget(budget: Budget | undefined): void {
  const problem = budget === undefined ? undefined : budgetProblem(budget);
  if (problem !== undefined) throw ApplicationFailure.nonRetryable(problem, 'invalid_input');
}

function requireConcurrency(concurrency: number): void {
  const problem = concurrencyProblem(concurrency);
  if (problem !== undefined) throw ApplicationFailure.nonRetryable(problem, 'invalid_input');
}
