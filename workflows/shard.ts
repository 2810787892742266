/**
 * A slice of a batch: many conversations at once inside one workflow, which is several times as fast as a workflow each.
 *
 * Its texts, answers and data are in the store; what passes through here is decisions.
 */
import {
  ApplicationFailure,
  CancellationScope,
  condition,
  defineQuery,
  defineSignal,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  patched,
  setCurrentDetails,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { AskInput, AskResult } from '../activities/ask.ts';
import type { SeriesResult, Told } from '../activities/ask-series.ts';
import type { Tries } from '../activities/call-model.ts';
import { BATCH_PRIORITY, batchWorkflowId } from '../src/core/batch-contract.ts';
import type { ShardInput, ShardProgress, ShardReport } from '../src/core/batch-signals.ts';
import type { Budget, Fault, Outcome, Verdict } from '../src/core/contract.ts';
import { startOf } from '../src/core/learning.ts';
import type { Lesson, Lessons } from '../src/core/learning.ts';
import type { PendingDocument, PreparedExtraction } from '../src/core/prepared.ts';
import { modeOfModel } from '../src/core/strategy.ts';
import type { Ask } from '../src/core/strategy.ts';
import type { DocumentOutcome } from '../src/core/stored-outcome.ts';
import { converse, openConversation } from './conversation.ts';
import type { Conversation } from './conversation.ts';
import { store } from './house-activities.ts';
import { detourOf, modelActivitiesFor, spentBy } from './model-activities.ts';
import { tellSearch } from './search-attributes.ts';
import { SentAhead } from './sent-ahead.ts';
import { Series, SeriesLength } from './series.ts';
import { ShardLearning } from './shard-learning.ts';
import { storedOutcome } from './stored-outcome.ts';
import type { CallPlan } from './through-gate.ts';
import { Turns } from './turns.ts';

/** How many documents may be in work at once from now on. */
export const allowSignal = defineSignal<[number]>('allow');
/** What all shards together have learnt, whenever that has changed. */
export const learntSignal = defineSignal<[Lessons]>('learnt');
/** To the coordinator. */
export const reportSignal = defineSignal<[ShardReport]>('report');
/** Asks for a report once nothing is under way. Follows a limit of 0. */
export const drainSignal = defineSignal('drain');
/** From a worker, of a series in which one document takes long. */
export const heldUpSignal = defineSignal<[readonly Told[]]>('heldUp');
export const shardProgressQuery = defineQuery<ShardProgress>('progress');

/** Far below the server's limits of 51,200 events and 50 MB: no further document is begun. */
const MOST_EVENTS = 4_000;
const MOST_HISTORY_BYTES = 4_000_000;
/** Conversations that are still at it then go on in another shard. */
const LAST_EVENTS = 8_000;
const LAST_HISTORY_BYTES = 8_000_000;
/** Outcomes are written in bulk: so many together, or those of a second. */
const OUTCOMES_TOGETHER = 50;
const RECORD_EVERY_MS = 1_000;
/** A free slot waits at most this long for others, to be given up in one signal. */
const REPORT_EVERY_MS = 100;
/** What goes wrong in first answers is told so soon, or so many together; and each time half as readily. */
const TELL_LEARNT_AFTER_MS = 1_000;
const PROBLEMS_TOLD_TOGETHER = 20;
const MOST_PATIENCE = 64;
/** How soon a held call asks whether the batch goes on. */
const HELD_MS = 500;

/** A shard at work. Mutable on purpose: it is the workflow's state. */
interface Shard {
  readonly input: ShardInput;
  readonly turns: Turns;
  /** Undefined in a shard that was begun by code that sent none. */
  readonly ahead: SentAhead | undefined;
  /** Undefined where each document is asked by itself. */
  readonly seriesLength: SeriesLength | undefined;
  /** By the document's place in the batch, as long as it shares the turn of its series. */
  readonly inSeries: Map<number, Series>;
  /** Undefined where the batch does not learn. */
  readonly learning: ShardLearning | undefined;
  readonly conversations: Promise<void>[];
  readonly inWork: Set<Conversation>;
  /** Outcomes that are not written yet. */
  readonly finished: DocumentOutcome[];
  readonly givenBack: PendingDocument[];
  readonly recorded: { succeeded: number; failed: number };
  done: number;
  /** The budget of the batch that did not cover a call, until the coordinator has been told. */
  exceeded: Budget | undefined;
  /** Whether the coordinator waits for the end of what is under way. */
  isToDrain: boolean;
  /** Whether outcomes are being written. */
  isRecording: boolean;
  /** Whether every document was begun, or given back. */
  isExhausted: boolean;
  /** Whether no conversation goes on. */
  isOver: boolean;
}

/** A document in work. */
interface Begun {
  readonly document: PendingDocument;
  /** Whether it has a turn of its shard, as far as that knows; a document that is sent ahead is to get another's. */
  hasTurn: boolean;
  /** Whether its first call waits in the worker for a slot. */
  isAhead: boolean;
  /** The document that has got its slot in the worker. */
  handedTo?: number | undefined;
  /** What was tried of its first attempt in the series. */
  earlier?: Tries | undefined;
  readonly conversation: Conversation;
  /** What it was told of the documents before it. */
  readonly lesson: Lesson | undefined;
}

interface HowToCall {
  readonly how: Ask;
  readonly plan: CallPlan;
}

/** Carries conversations about its documents, writes their outcomes, and tells the coordinator what slots it can spare. */
export async function shard(input: ShardInput): Promise<void> {
  const work = openShard(input);
  setHandler(allowSignal, (limit) => work.turns.allow(limit));
  setHandler(learntSignal, (lessons) => work.learning?.hear(lessons));
  setHandler(heldUpSignal, (told) => {
    for (const one of told) work.inSeries.get(one.seq)?.tell(one);
  });
  setHandler(drainSignal, () => {
    work.isToDrain = true;
  });
  setHandler(shardProgressQuery, () => progressOf(work));

  CancellationScope.current().cancelRequested.catch((error: unknown) => work.turns.abandon(error));

  const { settings } = input.opened;
  tellSearch(settings, { batch: input.batch, schema: settings.schema.name, model: modelOf(settings) });
  const aside = CancellationScope.nonCancellable(() =>
    Promise.all([recordOutcomes(work), giveUpSlots(work), tellLearnt(work), tellDrained(work)]),
  );
  try {
    await beginConversations(work);
  } catch (error) {
    if (!isCancellation(error)) throw error;
  }
  work.isExhausted = true;
  await Promise.all(work.conversations);
  work.isOver = true;
  await aside;
  await CancellationScope.nonCancellable(() => report(work, true));
}

function modelOf({ provider, model }: PreparedExtraction): string {
  return `${provider}/${model}`;
}

function openShard(input: ShardInput): Shard {
  const turns = new Turns(input.limit);
  return {
    input,
    turns,
    ahead: patched('sent ahead')
      ? new SentAhead(turns, { startedAt: Date.now(), callMs: input.callMs })
      : undefined,
    seriesLength:
      patched('series') && mayShareTurns(input.opened.settings)
        ? new SeriesLength({ isTaught: input.callMs !== undefined })
        : undefined,
    inSeries: new Map(),
    learning: input.opened.settings.learns ? new ShardLearning(input.opened, input.lessons) : undefined,
    conversations: [],
    inWork: new Set(),
    finished: [],
    givenBack: [],
    recorded: { succeeded: 0, failed: 0 },
    done: 0,
    exceeded: undefined,
    isToDrain: false,
    isRecording: false,
    isExhausted: false,
    isOver: false,
  };
}

/** Documents that have a time of their own, or may go elsewhere while they wait, are asked one by one. */
function mayShareTurns({ deadlineMs, gate }: PreparedExtraction): boolean {
  return deadlineMs === undefined && gate?.onOutage !== 'fail' && (gate?.fallbacks ?? []).length === 0;
}

/** Begins one conversation after the other, as turns come free. */
async function beginConversations(work: Shard): Promise<void> {
  const documents = [...(await stillToAsk(work))];
  while (documents.length > 0) {
    const isAhead = (await placeFor(work)) === 'ahead';
    if (isHistoryLong()) {
      if (!isAhead) work.turns.give();
      work.givenBack.push(...documents);
      break;
    }
    const next = documents.splice(0, isAhead ? 1 : lengthOfNext(work, documents.length));
    const series = next.length > 1 ? beginSeries(work, next) : undefined;
    for (const document of next) {
      if (isAhead) work.ahead?.send(document.seq);
      if (series !== undefined) work.inSeries.set(document.seq, series);
      work.conversations.push(carry(work, document, isAhead));
    }
  }
}

function lengthOfNext({ seriesLength, turns, ahead }: Shard, left: number): number {
  return seriesLength?.next({ left, slots: turns.limit, callMs: ahead?.callMs }) ?? 1;
}

/** In the turn that was taken for it. */
function beginSeries(work: Shard, documents: readonly PendingDocument[]): Series {
  const { settings } = work.input.opened;
  const seqs = documents.map(({ seq }) => seq);
  return new Series(seqs, {
    async ask(asks, provider) {
      const [first] = asks;
      const summary = `${asks.length} documents from ${seqs[0]} on · ${first?.ask.why}`;
      const results = await modelActivitiesFor(
        { ...settings, provider },
        { summary, priority: BATCH_PRIORITY },
      ).askSeries({ asks });
      const isInVain = results.length < asks.length || results.some(({ status }) => status === 'left');
      work.seriesLength?.ended(isInVain, work.turns.limit);
      return results;
    },
    end: () => work.turns.give(),
  });
}

/** Waits until a further document may be begun: in a turn, or else ahead of one. */
async function placeFor({ turns, ahead }: Shard): Promise<'turn' | 'ahead'> {
  for (;;) {
    if (turns.tryTake()) return 'turn';
    if (ahead === undefined) {
      await turns.take('new');
      return 'turn';
    }
    if (ahead.mayGo(Date.now())) return 'ahead';
    await condition(() => turns.isFree || ahead.mayGo(Date.now()));
  }
}

/** After a change of the schema, answers that are there already are judged first. */
async function stillToAsk(work: Shard): Promise<readonly PendingDocument[]> {
  const { batch, documents, opened } = work.input;
  if (opened.kind !== 'rejudge') return documents;
  const { left, accepted } = await store.rejudge({ batch, round: opened.round, documents });
  work.recorded.succeeded += accepted;
  work.done += accepted;
  return left;
}

/** One conversation, from its turn to its outcome. Whatever goes wrong with it costs the others nothing. */
async function carry(work: Shard, document: PendingDocument, isAhead: boolean): Promise<void> {
  const lesson = work.learning?.lessonFor(schemaHashOf(work.input, document));
  const conversation = openConversation(settingsFor(work.input, document), startOf(lesson));
  const hasTurn = !isAhead && !work.inSeries.has(document.seq);
  const begun: Begun = { document, conversation, lesson, hasTurn, isAhead };
  work.inWork.add(conversation);
  try {
    const outcome = await outcomeOf(work, begun);
    if (outcome !== 'given back') learnOfModels(work, begun);
    if (outcome === 'given back') work.givenBack.push(document);
    else work.finished.push({ seq: document.seq, outcome: storedOutcome(conversation, outcome) });
  } catch (error) {
    // Cancelled: it stays without an outcome, to be taken up again.
    if (!isCancellation(error)) throw error;
  } finally {
    work.learning?.reject(schemaHashOf(work.input, document), conversation.refused.modes);
    work.inWork.delete(conversation);
    endTurn(work, begun);
  }
}

function endTurn(work: Shard, { document: { seq }, hasTurn, isAhead, handedTo }: Begun): void {
  const { turns, ahead } = work;
  leaveSeries(work, seq);
  // It has ended before its first call.
  if (isAhead) ahead?.cameBack(seq);
  if (!hasTurn) return;
  if (ahead === undefined) turns.give();
  else ahead.end(seq, handedTo);
}

function leaveSeries({ inSeries }: Shard, seq: number): void {
  inSeries.get(seq)?.leave(seq);
  inSeries.delete(seq);
}

async function outcomeOf(work: Shard, begun: Begun): Promise<Outcome | 'given back'> {
  const { conversation } = begun;
  try {
    return await converse(conversation, {
      ask: (_, how, plan) => askInTurn(work, begun, { how, plan }),
      show,
    });
  } catch (error) {
    if (isCancellation(error)) throw error;
    if (error instanceof HistoryIsLong) return 'given back';
    return faulty(conversation, error);
  }
}

/** Makes one attempt, in its turn, and again while the batch is held. */
async function askInTurn(work: Shard, begun: Begun, options: HowToCall): Promise<AskResult> {
  const { how, plan } = options;
  const series = work.inSeries.get(begun.document.seq);
  const inSeries = series === undefined ? undefined : await askInSeries(work, begun, series, options);
  const result = inSeries ?? (await askAlone(work, begun, options));
  if (result.status === 'held') {
    if (result.budget !== undefined) await tellExceeded(work, result.budget);
    await sleep(HELD_MS, { summary: 'the batch is held' });
  } else if (result.status === 'judged') {
    begun.handedTo = result.handedTo;
    work.ahead?.heard(Date.now(), result.latencyMs);
    work.seriesLength?.heard();
    if (how.attempt === 1) {
      learn(work, begun, { verdict: result.verdict, mode: modeOfModel(plan.route, how.mode) });
    }
  }
  return result;
}

/** With others in one turn, which it shares until its conversation has ended, or goes on. Undefined where it got no answer. */
async function askInSeries(
  work: Shard,
  begun: Begun,
  series: Series,
  options: HowToCall,
): Promise<Exclude<SeriesResult, { readonly status: 'left' }> | undefined> {
  const { seq } = begun.document;
  const result = await series.ask(seq, askInputOf(work, begun, options), options.plan.route.provider);
  const isAccepted = result.status === 'judged' && result.verdict.status === 'accepted';
  if (!isAccepted) leaveSeries(work, seq);
  if (result.status !== 'left') return result;
  begun.earlier = result.tries;
  return undefined;
}

async function askAlone(work: Shard, begun: Begun, options: HowToCall): Promise<AskResult> {
  if (!begun.isAhead) await takeTurn(work, begun);
  if (isHistoryTooLong()) throw new HistoryIsLong();
  return (begun.isAhead ? callAhead : call)(work, begun, options);
}

/** Makes sure that there is a turn to go on in, which is given back first where too many are out. */
async function takeTurn({ turns, ahead }: Shard, begun: Begun): Promise<void> {
  const { seq } = begun.document;
  if (begun.hasTurn && (!turns.isCrowded || ahead?.isOnCredit(seq) === true)) return;
  if (begun.hasTurn) turns.give();
  begun.hasTurn = false;
  await turns.take('begun');
  begun.hasTurn = true;
}

async function call(work: Shard, begun: Begun, options: HowToCall): Promise<AskResult> {
  const { how, plan } = options;
  const summary = `document ${begun.document.seq} · ${how.why}`;
  const input = askInputOf(work, begun, options);
  begun.earlier = undefined;
  const { prepared } = begun.conversation;
  return modelActivitiesFor(prepared, { summary, plan, priority: BATCH_PRIORITY }).ask(input);
}

function askInputOf(
  { input }: Shard,
  { document: { seq }, conversation, isAhead, earlier }: Begun,
  { how, plan }: HowToCall,
): AskInput {
  return {
    document: { id: '', batch: input.batch, seq },
    round: input.opened.round,
    ask: how,
    ...detourOf(plan, conversation.prepared),
    turns: [],
    spent: spentBy(conversation),
    ...(isAhead ? { isAhead } : {}),
    ...(earlier === undefined ? {} : { earlier }),
  };
}

/** The first call of a document that was sent ahead: once only, whatever comes of it. */
async function callAhead(work: Shard, begun: Begun, options: HowToCall): Promise<AskResult> {
  const { ahead } = work;
  const { seq } = begun.document;
  let isAnswered = false;
  try {
    const result = await call(work, begun, options);
    isAnswered = result.status === 'judged';
    if (result.status === 'no_slot') ahead?.wasInVain();
    return result;
  } finally {
    begun.isAhead = false;
    if (isAnswered) ahead?.answered(seq);
    begun.hasTurn = isAnswered || ahead?.cameBack(seq) === true;
  }
}

/** The coordinator pauses the batch then. One word is enough for all calls that are not covered at the time. */
async function tellExceeded(work: Shard, budget: Budget): Promise<void> {
  if (work.exceeded !== undefined) return;
  work.exceeded = budget;
  await report(work, false);
}

/** At once, and not when its conversation has ended: the next document begins before that. */
function learn(
  { learning, input }: Shard,
  { document, conversation, lesson }: Begun,
  answer: { readonly verdict: Verdict; readonly mode: string },
): void {
  if (learning === undefined) return;
  const schemaHash = schemaHashOf(input, document);
  learning.reject(schemaHash, conversation.refused.modes);
  learning.count({ ...answer, schemaHash, warnings: lesson?.warnings ?? [] });
}

/** Where there are models to go to, counts which of them was right about a document, and which were not. */
function learnOfModels({ learning, input }: Shard, { document, conversation, lesson }: Begun): void {
  const { prepared, rejected, route, outcome } = conversation;
  if (learning === undefined || prepared.nextModels === undefined || outcome === undefined) return;
  const start = lesson?.route ?? prepared;
  const asked = new Set(rejected.map(({ ask }) => nameOf(ask.route ?? start)));
  if (outcome.success) asked.add(nameOf(route));
  const accepted = outcome.success ? nameOf(route) : undefined;
  const models = [...asked].map(
    (name) => [name, { documents: 1, accepted: name === accepted ? 1 : 0 }] as const,
  );
  learning.countModels(schemaHashOf(input, document), Object.fromEntries(models));
}

function nameOf({ provider, model }: { readonly provider: string; readonly model: string }): string {
  return `${provider}/${model}`;
}

/** What no strategy can do anything about: a fault of this one document, which its outcome tells. */
function faulty(conversation: Conversation, error: unknown): Outcome {
  const isInput = error instanceof ApplicationFailure && error.type === 'invalid_input';
  const type = isInput ? 'invalid_input' : 'internal_error';
  const message = error instanceof Error ? error.message : String(error);
  const { prepared, rejected, errors, usage } = conversation;
  if (!isInput) log.error('a document could not be asked about', { message });
  const fault: Fault = { attempt: rejected.length + 1, type, message, details: [] };
  return {
    success: false,
    data: null,
    attempts: rejected.length,
    errors: [...errors, fault],
    usage,
    stopped: type,
    repairs: [],
    model: `${prepared.provider}/${prepared.model}`,
    simulated: prepared.simulated,
  };
}

function settingsFor({ opened }: ShardInput, { schemaHash }: PendingDocument): PreparedExtraction {
  const own = schemaHash === undefined ? undefined : opened.ownSchemas[schemaHash];
  if (own === undefined) return opened.settings;
  const { name, ...modes } = own;
  const { weakerModes: _ofTheBatch, ...settings } = opened.settings;
  return { ...settings, schema: { name }, ...modes };
}

function schemaHashOf({ opened }: ShardInput, { schemaHash }: PendingDocument): string {
  return schemaHash ?? opened.schemaHash;
}

/** Writes outcomes in bulk, until the last one is written. */
async function recordOutcomes(work: Shard): Promise<void> {
  const { batch, opened } = work.input;
  const { finished } = work;
  for (;;) {
    await condition(() => finished.length > 0 || work.isOver);
    if (finished.length === 0) return;
    await condition(() => finished.length >= OUTCOMES_TOGETHER || work.isOver, RECORD_EVERY_MS, {
      summary: 'gathers outcomes to write',
    });
    const outcomes = finished.splice(0);
    work.isRecording = true;
    const lost = new Set(await store.recordOutcomes({ batch, round: opened.round, outcomes }));
    work.isRecording = false;
    for (const { seq, outcome } of outcomes) {
      if (lost.has(seq)) continue;
      work.done += 1;
      work.recorded[outcome.success ? 'succeeded' : 'failed'] += 1;
    }
    showProgress(work);
  }
}

/** Once no document waits, tells the coordinator of slots that have come free, several at a time. */
async function giveUpSlots(work: Shard): Promise<void> {
  await condition(() => work.isExhausted);
  const { inWork, turns, ahead } = work;
  let told = inWork.size;
  // Those that have no turn yet may be more than it has slots. Looked at each time: a pause takes all, and gives them back.
  const given = (): number => (ahead === undefined ? told : Math.min(told, turns.limit)) - inWork.size;
  await report(work, false);
  while (!work.isOver && told > 0) {
    const atOnce = Math.ceil(told / 20);
    await condition(() => given() > 0 || work.isOver);
    await condition(() => given() >= atOnce || work.isOver, REPORT_EVERY_MS, {
      summary: 'gathers free slots to give up',
    });
    if (work.isOver) return;
    told = inWork.size;
    await report(work, false);
  }
}

/** Tells the coordinator what goes wrong in first answers. A shard in which nothing does so tells nothing, and sets no timer. */
async function tellLearnt(work: Shard): Promise<void> {
  const { learning } = work;
  if (learning === undefined) return;
  for (let patience = 1; ; patience = Math.min(2 * patience, MOST_PATIENCE)) {
    await condition(() => learning.untoldProblems > 0 || work.isOver);
    if (work.isOver) return;
    const together = patience * PROBLEMS_TOLD_TOGETHER;
    await condition(
      () => learning.untoldProblems >= together || work.isOver,
      patience * TELL_LEARNT_AFTER_MS,
      { summary: 'gathers what was learnt' },
    );
    if (work.isOver) return;
    await report(work, false);
  }
}

/** Tells the coordinator, each time it asks, once nothing is under way. */
async function tellDrained(work: Shard): Promise<void> {
  for (;;) {
    await condition(() => work.isToDrain || work.isOver);
    await condition(() => isIdle(work) || work.isOver);
    if (work.isOver) return;
    work.isToDrain = false;
    await report(work, false, { isDrained: true });
  }
}

function isIdle({ turns, ahead, finished, isRecording }: Shard): boolean {
  return turns.taken === 0 && ahead?.isAnyOut !== true && finished.length === 0 && !isRecording;
}

async function report(
  work: Shard,
  hasEnded: boolean,
  more: Pick<ShardReport, 'isDrained'> = {},
): Promise<void> {
  const { recorded, givenBack, input } = work;
  const learnt = work.learning?.takeUntold();
  const { exceeded } = work;
  const callMs = work.ahead?.callMs;
  work.exceeded = undefined;
  const message: ShardReport = {
    shard: input.shard,
    wants: hasEnded ? 0 : work.isExhausted ? work.inWork.size : null,
    givenBack: givenBack.splice(0),
    recorded: { ...recorded },
    hasEnded,
    ...(learnt === undefined ? {} : { learnt }),
    ...(exceeded === undefined ? {} : { exceeded }),
    ...(callMs === undefined ? {} : { callMs: Math.round(callMs) }),
    ...more,
  };
  recorded.succeeded = 0;
  recorded.failed = 0;
  try {
    await getExternalWorkflowHandle(batchWorkflowId(input.batch)).signal(reportSignal, message);
  } catch (error) {
    // The coordinator was terminated: what is done is in the store, and the rest is taken up by its successor.
    log.warn('the coordinator does not take the report', { error: String(error) });
  }
}

class HistoryIsLong extends Error {}

function isHistoryLong(): boolean {
  const { historyLength, historySize, continueAsNewSuggested } = workflowInfo();
  return continueAsNewSuggested || historyLength > MOST_EVENTS || historySize > MOST_HISTORY_BYTES;
}

function isHistoryTooLong(): boolean {
  const { historyLength, historySize } = workflowInfo();
  return historyLength > LAST_EVENTS || historySize > LAST_HISTORY_BYTES;
}

function progressOf({ input, inWork, turns, done }: Shard): ShardProgress {
  const retrying = [...inWork].filter(({ rejected }) => rejected.length > 0).length;
  return { documents: input.documents.length, inWork: turns.taken, retrying, done };
}

function showProgress(work: Shard): void {
  const { documents, inWork, retrying, done } = progressOf(work);
  setCurrentDetails(`**${done} of ${documents} done** · ${inWork} in work · ${retrying} retrying`);
}

/** A shard has many conversations, and one place to tell of them. */
function show(): void {}
