/**
 * First attempts of several documents of a batch, one after the other in one slot: where calls are short, to hand each of them out
 * by itself would take the server longer than the calls do.
 */
import { Context, log } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { askHolding, recordedAnswer } from './ask.ts';
import type { AskInput, AskResult } from './ask.ts';
import { NO_TRIES } from './call-model.ts';
import type { CallLedger, Tries } from './call-model.ts';
import type { World } from './world.ts';

/** Tells a shard of a series that takes long what has become of its documents but the one that holds it up. */
export const HELD_UP_SIGNAL = 'heldUp';

/** What became of one document of a series, by its place in the batch. */
export interface Told {
  readonly seq: number;
  readonly result: SeriesResult;
}

/** Several documents of one batch, whose answers come from one provider. */
export interface AskSeriesInput {
  readonly asks: readonly AskInput[];
}

/** What became of one document of a series. */
export type SeriesResult =
  | Exclude<AskResult, { readonly status: 'no_slot' }>
  /** It got no answer here: it is to be asked by itself, which goes on from these tries; absent where there were none. */
  | { readonly status: 'left'; readonly tries?: Tries };

/** So long after its beginning, in milliseconds, a series asks about no further document; and nobody waits for a call so long. */
const LONGEST_SERIES_MS = 1_000;

/**
 * Asks about one document after the other as `ask` does, for as long as nothing is amiss. A call that fails is made again by an
 * activity of its own, and its retry policy waits it out: the others wait for nothing.
 *
 * @returns in the order of the asks, without those at the end that were left and not tried.
 */
export async function askSeries(world: World, { asks }: AskSeriesInput): Promise<readonly SeriesResult[]> {
  const { info } = Context.current();
  if (info.attempt > 1) return resultsOfLostTry(world, asks, info.attempt - 1);
  const shard = info.workflowExecution?.workflowId ?? '';
  const slot = world.slots.hold(shard);
  let isOver = false;
  const results: SeriesResult[] = [];
  const timer = setTimeout(() => {
    isOver = true;
    void tellHeldUp(shard, asks, results);
  }, LONGEST_SERIES_MS);
  try {
    for (const input of asks) {
      if (isOver || (results.length > 0 && !(await mayGoOn(world, input)))) break;
      const result = await askOne(world, input);
      results.push(result);
      isOver ||= result.status === 'left' || result.status === 'held';
    }
    return results;
  } finally {
    clearTimeout(timer);
    slot.letGo();
  }
}

/** The others do not wait for the end of a slow call. Where the shard cannot be told so, they do. */
async function tellHeldUp(
  shard: string,
  asks: readonly AskInput[],
  results: readonly SeriesResult[],
): Promise<void> {
  const told = asks.flatMap(({ document }, index): Told[] => {
    if (index === results.length || !('seq' in document)) return [];
    return [{ seq: document.seq, result: results[index] ?? { status: 'left' } }];
  });
  try {
    await Context.current().client.workflow.getHandle(shard).signal(HELD_UP_SIGNAL, told);
  } catch (error) {
    log.warn('documents wait for a slow one of their series', { error: String(error) });
  }
}

/** The worker was lost, in the middle of the first that has no answer. The others are not to be lost with it a second time. */
async function resultsOfLostTry(
  world: World,
  asks: readonly AskInput[],
  triesBefore: number,
): Promise<readonly SeriesResult[]> {
  const results: SeriesResult[] = [];
  for (const input of asks) {
    const recorded = await recordedAnswer(world, input);
    if (recorded === undefined)
      return [...results, { status: 'left', tries: { ...NO_TRIES, count: triesBefore } }];
    results.push(recorded);
  }
  return results;
}

async function askOne(world: World, input: AskInput): Promise<SeriesResult> {
  try {
    return await askHolding(world, input, NO_TRIES);
  } catch (error) {
    return { status: 'left', tries: triesAfter(error) };
  }
}

/** A failed call is one try, and so is one that was broken off. A fault of our own shows again where the document is asked by itself. */
function triesAfter(error: unknown): Tries {
  if (Context.current().cancellationSignal.aborted) return { ...NO_TRIES, count: 1 };
  const ledger = error instanceof ApplicationFailure ? error.details?.[0] : undefined;
  const { failures = [] } = (ledger ?? {}) as Partial<CallLedger>;
  const last = failures.at(-1);
  if (last !== undefined) {
    return { failures, early: 0, dueAt: Date.now() + (last.delayMs ?? 0), count: failures.length };
  }
  if (!(error instanceof ApplicationFailure))
    log.warn('a document is asked by itself', { error: String(error) });
  return NO_TRIES;
}

/**
 * Whether a call may be made for which the server has handed out no task: where a rate is to be kept, it is by tasks that the
 * server keeps it.
 */
async function mayGoOn(world: World, { route, document }: AskInput): Promise<boolean> {
  if (Context.current().cancellationSignal.aborted || 'text' in document) return false;
  const name = route?.provider ?? (await world.batch(document.batch)).prepared?.settings.provider;
  if (name === undefined) return false;
  const { rpm, tpm } = world.provider(name);
  return rpm === undefined && tpm === undefined && world.gates.watch(name).isUntroubled();
}
