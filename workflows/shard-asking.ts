/** How the documents of a shard are asked about: in turns of their own, in one turn with others, or ahead of one. */
import { sleep } from '@temporalio/workflow';
import type { AskInput, AskResult } from '../activities/ask.ts';
import type { SeriesResult } from '../activities/ask-series.ts';
import type { CallLedger } from '../activities/call-model.ts';
import { BATCH_PRIORITY } from '../src/core/batch-contract.ts';
import type { Verdict } from '../src/core/contract.ts';
import type { PendingDocument } from '../src/core/prepared.ts';
import { modeOfModel } from '../src/core/strategy.ts';
import type { Ask } from '../src/core/strategy.ts';
import { detourOf, modelActivitiesFor, spentBy } from './model-activities.ts';
import { Series } from './series.ts';
import { tellExceeded } from './shard-reports.ts';
import { HistoryIsLong, isHistoryTooLong, schemaHashOf } from './shard-state.ts';
import type { Begun, Shard } from './shard-state.ts';
import type { CallPlan } from './through-gate.ts';

/** How soon a held call asks whether the batch goes on. */
const HELD_MS = 500;

export interface HowToCall {
  readonly how: Ask;
  readonly plan: CallPlan;
}

function summaryOf([first, ...others]: readonly AskInput[]): string {
  const seq = first !== undefined && 'seq' in first.document ? first.document.seq : '';
  return `document ${seq} and ${others.length} after it · ${first?.ask.why}`;
}

/** In the turn that was taken for it. */
export function beginSeries(work: Shard, documents: readonly PendingDocument[]): Series {
  const { settings } = work.input.opened;
  const seqs = documents.map(({ seq }) => seq);
  return new Series(seqs, {
    async ask(asks, provider) {
      let isInVain = true;
      try {
        const results = await modelActivitiesFor(
          { ...settings, provider },
          { summary: summaryOf(asks), priority: BATCH_PRIORITY },
        ).askSeries({ asks });
        isInVain = results.length < asks.length || results.some(({ status }) => status === 'left');
        return results;
      } finally {
        work.seriesLength?.ended(isInVain, work.turns.limit);
      }
    },
    end: () => work.turns.give(),
  });
}

export function lengthOfNext({ seriesLength, turns, ahead }: Shard, left: number): number {
  return seriesLength?.next({ left, slots: turns.limit, callMs: ahead?.callMs }) ?? 1;
}

/** Makes one attempt, in its turn, and again while the batch is held. */
export async function askInTurn(work: Shard, begun: Begun, options: HowToCall): Promise<AskResult> {
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

/** With others in one turn, which it shares until its conversation has ended, or goes on. Undefined where it is to be asked by itself. */
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
  // What was tried in a series would be forgotten.
  if (begun.earlier === undefined && isHistoryTooLong()) throw new HistoryIsLong();
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

export function endTurn(work: Shard, { document: { seq }, hasTurn, isAhead, handedTo }: Begun): void {
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

async function call(work: Shard, begun: Begun, options: HowToCall): Promise<AskResult> {
  const { how, plan } = options;
  const summary = `document ${begun.document.seq} · ${how.why}`;
  const input = askInputOf(work, begun, options);
  const { prepared } = begun.conversation;
  const { earlier } = begun;
  begun.earlier = undefined;
  const result = await modelActivitiesFor(prepared, { summary, plan, priority: BATCH_PRIORITY }).ask(input);
  if (result.status === 'held' && isNothing(result.ledger)) begun.earlier = earlier;
  return result;
}

function isNothing({ failures, interrupted }: CallLedger): boolean {
  return failures.length + interrupted === 0;
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
