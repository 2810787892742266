/**
 * First attempts of several documents of a batch, one after the other in one slot: where calls are short, to hand each of them out
 * by itself would take the server longer than the calls do.
 */
import { Context, log } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { askNext, recordedAnswer } from './ask.ts';
import type { AskInput, AskResult } from './ask.ts';
import { NO_TRIES, triesSoFar } from './call-model.ts';
import type { CallLedger, Tries } from './call-model.ts';
import type { StoredBatch } from '../src/store/batches.ts';
import type { World } from './world.ts';

/** Tells a shard of a series that takes long what has become of its documents but the one that is slow. */
export const SLOW_SERIES_SIGNAL = 'slowSeries';

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

/** So long after its beginning, in milliseconds, a series goes to no further document: it was planned to be over long ago. */
const LONGEST_SERIES_MS = 4_000;
/** So long after the beginning of one document, in milliseconds, none of the others waits for it. */
const LONGEST_WAIT_MS = 1_000;

/**
 * Asks about one document after the other as `ask` does, for as long as nothing is amiss. A call that fails is made again by an
 * activity of its own, and its retry policy waits it out: the others wait for nothing.
 *
 * @returns in the order of the asks, without those at the end that were left and not tried.
 */
export async function askSeries(world: World, { asks }: AskSeriesInput): Promise<readonly SeriesResult[]> {
  const { info } = Context.current();
  if (info.attempt > 1) return resultsOfFirstTry(world, asks);
  const shard = info.workflowExecution?.workflowId ?? '';
  const concurrency = asks[0] && (await batchOf(world, asks[0].document))?.concurrency;
  const slot = world.slots.hold(shard);
  const until = Date.now() + LONGEST_SERIES_MS;
  let isOver = false;
  const results: SeriesResult[] = [];
  const patience = setTimeout(() => {
    isOver = true;
    void tellSlow(shard, asks, results);
  }, LONGEST_WAIT_MS);
  try {
    for (const input of asks) {
      if (results.length > 0 && !(await mayGoOn(world, input, concurrency))) break;
      if (isOver || Date.now() >= until) break;
      const result = await askOne(world, input);
      results.push(result);
      isOver ||= result.status === 'left' || result.status === 'held';
      if (!isOver) patience.refresh();
    }
    return results;
  } finally {
    clearTimeout(patience);
    slot.letGo();
  }
}

/** The others do not wait for the end of a slow call. Where the shard cannot be told so, they do. */
async function tellSlow(
  shard: string,
  asks: readonly AskInput[],
  results: readonly SeriesResult[],
): Promise<void> {
  const told = asks.flatMap(({ document }, index): Told[] => {
    if (index === results.length || !('seq' in document)) return [];
    return [{ seq: document.seq, result: results[index] ?? { status: 'left' } }];
  });
  try {
    await Context.current().client.workflow.getHandle(shard).signal(SLOW_SERIES_SIGNAL, told);
  } catch (error) {
    log.warn('documents wait for a slow one of their series', { error: String(error) });
  }
}

/**
 * The first try did not come to its end: mostly since its worker was lost, in the middle of the first that has no answer. The others are
 * not to be lost with it a second time.
 */
async function resultsOfFirstTry(world: World, asks: readonly AskInput[]): Promise<readonly SeriesResult[]> {
  const results: SeriesResult[] = [];
  for (const input of asks) {
    const recorded = await recordedAnswer(world, input);
    if (recorded === undefined) return [...results, { status: 'left', tries: triesOfFirst() }];
    results.push(recorded);
  }
  return results;
}

/** A call that failed came to a heartbeat, and ended its series; any other that was made was lost. */
function triesOfFirst(): Tries {
  const { failures, dueAt } = triesSoFar();
  return failures.length > 0
    ? { failures, early: 0, dueAt, count: failures.length }
    : { ...NO_TRIES, count: 1 };
}

async function askOne(world: World, input: AskInput): Promise<SeriesResult> {
  try {
    return await askNext(world, input, NO_TRIES);
  } catch (error) {
    return { status: 'left', tries: triesAfter(error) };
  }
}

/** A call that failed is one try, and so is one that was broken off, or came to a fault of our own: as where it is asked by itself. */
function triesAfter(error: unknown): Tries {
  const isFailure = error instanceof ApplicationFailure && !Context.current().cancellationSignal.aborted;
  if (!isFailure) return { ...NO_TRIES, count: 1 };
  const { failures = [] } = (error.details?.[0] ?? {}) as Partial<CallLedger>;
  const last = failures.at(-1);
  if (last === undefined) return NO_TRIES;
  return { failures, early: 0, dueAt: Date.now() + (last.delayMs ?? 0), count: failures.length };
}

/**
 * Whether a call may be made for which the server has handed out no task: where a rate is to be kept, it is by tasks that the
 * server keeps it. And not where fewer are to be under way than when the series began.
 *
 * @param concurrency of the batch, when it began.
 */
async function mayGoOn(
  world: World,
  { route, document }: AskInput,
  concurrency: number | undefined,
): Promise<boolean> {
  const batch = await batchOf(world, document);
  const name = route?.provider ?? batch?.prepared?.settings.provider;
  const isStopped = Context.current().cancellationSignal.aborted;
  if (isStopped || batch === undefined || name === undefined) return false;
  if (concurrency === undefined || batch.concurrency < concurrency) return false;
  const { rpm, tpm } = world.provider(name);
  return rpm === undefined && tpm === undefined && world.gates.watch(name).isUntroubled();
}

/** Undefined too where the store is away for a moment: nothing more is begun then. */
async function batchOf(world: World, document: AskInput['document']): Promise<StoredBatch | undefined> {
  if ('text' in document) return undefined;
  try {
    return await world.batch(document.batch);
  } catch {
    return undefined;
  }
}
