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
  isCancellation,
  log,
  setHandler,
} from '@temporalio/workflow';
import type { Told } from '../activities/ask-series.ts';
import type { ShardInput, ShardProgress } from '../src/core/batch-signals.ts';
import type { Fault, Outcome } from '../src/core/contract.ts';
import { startOf } from '../src/core/learning.ts';
import type { Lessons } from '../src/core/learning.ts';
import type { PendingDocument, PreparedExtraction } from '../src/core/prepared.ts';
import { converse, openConversation } from './conversation.ts';
import type { Conversation } from './conversation.ts';
import { store } from './house-activities.ts';
import { tellSearch } from './search-attributes.ts';
import { askInTurn, beginSeries, endTurn, lengthOfNext } from './shard-asking.ts';
import { giveUpSlots, progressOf, recordOutcomes, report, tellDrained, tellLearnt } from './shard-reports.ts';
import { HistoryIsLong, isHistoryLong, openShard, schemaHashOf, settingsFor } from './shard-state.ts';
import type { Begun, Shard } from './shard-state.ts';
import { storedOutcome } from './stored-outcome.ts';

/** How many documents may be in work at once from now on. */
export const allowSignal = defineSignal<[number]>('allow');
/** What all shards together have learnt, whenever that has changed. */
export const learntSignal = defineSignal<[Lessons]>('learnt');
/** Asks for a report once nothing is under way. Follows a limit of 0. */
export const drainSignal = defineSignal('drain');
/** From a worker, of a series in which one document takes long. */
export const slowSeriesSignal = defineSignal<[readonly Told[]]>('slowSeries');
export const shardProgressQuery = defineQuery<ShardProgress>('progress');

/** Carries conversations about its documents, writes their outcomes, and tells the coordinator what slots it can spare. */
export async function shard(input: ShardInput): Promise<void> {
  const work = openShard(input);
  setHandler(allowSignal, (limit) => work.turns.allow(limit));
  setHandler(learntSignal, (lessons) => work.learning?.hear(lessons));
  setHandler(slowSeriesSignal, (told) => {
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

/** A shard has many conversations, and one place to tell of them. */
function show(): void {}
