/** What a shard writes down, and tells its coordinator, beside its conversations. */
import {
  condition,
  defineSignal,
  getExternalWorkflowHandle,
  log,
  setCurrentDetails,
} from '@temporalio/workflow';
import { batchWorkflowId } from '../src/core/batch-contract.ts';
import type { ShardProgress, ShardReport } from '../src/core/batch-signals.ts';
import type { Budget } from '../src/core/contract.ts';
import { store } from './house-activities.ts';
import type { Shard } from './shard-state.ts';

/** To the coordinator. */
export const reportSignal = defineSignal<[ShardReport]>('report');

/** Outcomes are written in bulk: so many together, or those of a second. */
const OUTCOMES_TOGETHER = 50;
const RECORD_EVERY_MS = 1_000;
/** A free slot waits at most this long for others, to be given up in one signal. */
const REPORT_EVERY_MS = 100;
/** What goes wrong in first answers is told so soon, or so many together; and each time half as readily. */
const TELL_LEARNT_AFTER_MS = 1_000;
const PROBLEMS_TOLD_TOGETHER = 20;
const MOST_PATIENCE = 64;

/** Writes outcomes in bulk, until the last one is written. */
export async function recordOutcomes(work: Shard): Promise<void> {
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
export async function giveUpSlots(work: Shard): Promise<void> {
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
export async function tellLearnt(work: Shard): Promise<void> {
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
export async function tellDrained(work: Shard): Promise<void> {
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

/** The coordinator pauses the batch then. One word is enough for all calls that are not covered at the time. */
export async function tellExceeded(work: Shard, budget: Budget): Promise<void> {
  if (work.exceeded !== undefined) return;
  work.exceeded = budget;
  await report(work, false);
}

export async function report(
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

export function progressOf({ input, inWork, turns, done }: Shard): ShardProgress {
  const retrying = [...inWork].filter(({ rejected }) => rejected.length > 0).length;
  return { documents: input.documents.length, inWork: turns.taken, retrying, done };
}

function showProgress(work: Shard): void {
  const { documents, inWork, retrying, done } = progressOf(work);
  setCurrentDetails(`**${done} of ${documents} done** · ${inWork} in work · ${retrying} retrying`);
}
