import { setTimeout as sleep } from 'node:timers/promises';
import {
  CancelledFailure,
  ServiceError,
  TerminatedFailure,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  isGrpcServiceError,
} from '@temporalio/client';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { BATCH_PRIORITY, batchWorkflowId } from '../core/batch-contract.ts';
import type {
  BatchResult,
  BatchSettings,
  BatchState,
  BatchStatus,
  RoundKind,
} from '../core/batch-contract.ts';
import type { BatchInput, NextRound } from '../core/batch-signals.ts';
import { WORKFLOW_TASK_QUEUE } from '../core/contract.ts';
import type { Budget, SchemaReference, Verdict } from '../core/contract.ts';
import { budgetProblem, expenseOf, isSameBudget, isWithin, wordsOf, wordsOfBudget } from '../core/expense.ts';
import type { Json } from '../core/json.ts';
import { learntByBatch } from '../core/learning.ts';
import type { GateStatus } from '../core/gate-contract.ts';
import type { StoredBatch } from '../store/batches.ts';
import type { Store } from '../store/open-store.ts';
import type { Review } from '../store/reviews.ts';
import { requireConcurrency } from './batch-options.ts';
import { coordinatorOf, stateOf } from './coordinator.ts';
import { correctionsOf, waitingIn } from './corrections.ts';
import type { EnteredData } from './corrections.ts';
import { InvalidInputError } from './invalid-input-error.ts';
import { requireBatch, requireUnderWay } from './require-batch.ts';
import { resultOf } from './workflow-result.ts';

const RESULTS_TOGETHER = 200;
const LOOK_EVERY_MS = 250;
const UPDATE_TRIES = 5;
/** gRPC's number. */
const FAILED_PRECONDITION = 9;

/** A batch that was put into the store: what it comes to, and what can be done to it. */
export class BatchHandle<T = Json> {
  readonly id: string;
  readonly #client: Client;
  readonly #store: Store;
  readonly #read: (result: BatchResult) => BatchResult<T>;

  constructor(options: {
    readonly id: string;
    readonly client: Client;
    readonly store: Store;
    /** Makes a stored result what the caller's schema says. */
    readonly read: (result: BatchResult) => BatchResult<T>;
  }) {
    this.id = options.id;
    this.#client = options.client;
    this.#store = options.store;
    this.#read = options.read;
  }

  /** Where it stands, and what it has cost in all its rounds. */
  async status(): Promise<BatchStatus> {
    const batch = await this.#stored();
    return statusOf(this.#store, batch, await this.#stateOf(batch));
  }

  /** The gate that its calls go through; undefined before a worker has prepared it, or where gates are switched off. */
  async gate(): Promise<GateStatus | undefined> {
    const { prepared } = await this.#stored();
    return prepared === null ? undefined : this.#store.gates.read(prepared.settings.provider);
  }

  /** No further call is made; those under way are let finish. */
  async pause(): Promise<void> {
    await this.#update('pause');
  }

  /**
   * Goes on: after a pause, a cancellation, or the end of a coordinator that was terminated. Does nothing to one that runs,
   * but for its concurrency and its budget.
   *
   * A batch that was paused since its budget is spent needs a higher one.
   *
   * @throws {InvalidInputError} for a budget that is spent already.
   */
  async resume(options: { readonly concurrency?: number; readonly budget?: Budget } = {}): Promise<void> {
    const batch = await this.#stored();
    const state = await this.#stateOf(batch);
    const budget = await this.#nextBudget(batch, options.budget);
    if (options.concurrency !== undefined) await this.setConcurrency(options.concurrency);
    if (state === 'paused' || (state === 'running' && budget !== undefined)) {
      await this.#update('resume', ...(budget === undefined ? [] : [{ budget }]));
    } else if (budget !== undefined) await this.#store.batches.setBudget(this.id, budget);
    if (state !== 'cancelled' && state !== 'failed') return;
    if (await this.isAtWork()) await this.#ended();
    if (batch.state !== 'running') await this.#store.batches.setState(this.id, 'running');
    await this.#start();
  }

  /** What it may spend from now on: a cap that is not named stays. */
  async #nextBudget(batch: StoredBatch, given: Budget | undefined): Promise<Budget | undefined> {
    if (given === undefined && batch.pausedFor === null) return undefined;
    const budget = { ...batch.budget, ...given };
    const problem = budgetProblem(budget);
    if (problem !== undefined) throw new InvalidInputError(problem);
    const { usage } = await this.#store.batches.spend(this.id);
    const spent = expenseOf(usage);
    const isHigher = given !== undefined && !isSameBudget(budget, batch.budget ?? {});
    if (isWithin(budget, spent) && (isHigher || batch.pausedFor === null)) return budget;
    throw new InvalidInputError(
      `The batch '${this.id}' has spent ${wordsOf(spent)} of ${wordsOfBudget(batch.budget ?? {})}: ` +
        `expected a budget above that, got ${given === undefined ? 'none' : wordsOfBudget(budget)}. ` +
        'Give a higher one: batch resume --max-tokens N or --max-cost-usd X.',
    );
  }

  /** Ends it; what is done stays done, and {@link resume} can take up the rest. */
  async cancel(): Promise<void> {
    await this.#update('cancel');
  }

  /** How many documents are in work at once from now on. @throws {InvalidInputError} */
  async setConcurrency(concurrency: number): Promise<void> {
    requireConcurrency(concurrency);
    const state = await this.#stateOf(await this.#stored());
    if (state === 'running' || state === 'paused') await this.#update('concurrency', concurrency);
    else await this.#store.batches.setConcurrency(this.id, concurrency);
  }

  /**
   * Does the documents again that were not extracted; waits until a worker has begun.
   *
   * @returns whether there were any: else nothing is begun.
   * @throws {InvalidInputError} while the batch runs.
   */
  async retryFailed(): Promise<boolean> {
    const batch = await this.#stored();
    await this.#requireOver(batch);
    if ((await this.countRetryable()) === 0) return false;
    await this.#beginRound('failed', batch.settings);
    return true;
  }

  /**
   * Judges all answers again, by another schema; calls the model only for documents none of whose answers passes. Waits
   * until a worker has begun.
   *
   * @throws {InvalidInputError} while the batch runs; where no worker knows the schema: the batch then stays as it is.
   */
  async rejudge(options: { readonly schema: SchemaReference }): Promise<void> {
    const { settings } = await this.#stored();
    await this.#beginRound('rejudge', { ...settings, schema: options.schema });
  }

  /**
   * Every document's result, in input order; waits for those that are not done yet. When the batch ends before
   * (cancelled, failed), or waits for a higher budget, the rest is given as `pending`.
   */
  async *results(): AsyncGenerator<BatchResult<T>, void, void> {
    let afterSeq = -1;
    for (;;) {
      const batch = await this.#stored();
      const isOver = isAtRest(batch, await this.#stateOf(batch));
      const page = await this.#store.outcomes.results({
        batchId: this.id,
        afterSeq,
        limit: RESULTS_TOGETHER,
      });
      if (page.length === 0) return;
      for (const { seq, ...result } of page) {
        if (result.stopped === 'pending' && !isOver) break;
        yield this.#read(result);
        afterSeq = seq;
      }
      if (afterSeq !== page.at(-1)?.seq) await sleep(LOOK_EVERY_MS);
    }
  }

  /**
   * Waits until it has ended, by itself or by somebody's hand, or waits for a higher budget: the state says which.
   *
   * @throws {InvalidInputError} where a worker refused its settings.
   */
  async done(): Promise<BatchStatus> {
    const batch = await this.#stored();
    if ((await this.isAtWork()) || batch.state === 'running') {
      const looking = new AbortController();
      try {
        await Promise.race([this.#ended(), this.#overBudget(looking.signal)]);
      } finally {
        looking.abort();
      }
    }
    return this.status();
  }

  /** Until it is paused since its budget is spent. */
  async #overBudget(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if ((await this.#stored()).pausedFor !== null) return;
      await sleep(LOOK_EVERY_MS, undefined, { ref: false });
    }
  }

  /** Whether its workflow is at work: that of a cancelled batch is until its last calls have ended. */
  async isAtWork(): Promise<boolean> {
    return (await coordinatorOf(this.#client, this.id)) === 'at work';
  }

  /**
   * The documents that wait for a person, in the order of their ids: those of a batch with `onExhausted: 'review'` whose
   * answers were wrong to the last, until their deadline.
   */
  review(): AsyncGenerator<Review, void, void> {
    return waitingIn(this.#store, this.id);
  }

  /**
   * Enters data by hand for a document that was not extracted; what was entered before is replaced. Judged as an answer is:
   * the verdict says what is wrong, and then nothing is changed.
   *
   * @throws {InvalidInputError} for a document that there is none of, that is not done yet, or that the model extracted.
   */
  async correct(documentId: string, data: Json, { by }: { readonly by?: string } = {}): Promise<Verdict> {
    const corrections = correctionsOf(this.#store, await this.#stored());
    return corrections.correct({ id: documentId, data }, by);
  }

  /**
   * Enters data for several documents: all of them, or none where any is not in its schema or cannot be corrected.
   *
   * @returns what is wrong, by the place in the list; empty where all was written down.
   */
  async correctAll(
    entered: readonly EnteredData[],
    { by }: { readonly by?: string } = {},
  ): Promise<ReadonlyMap<number, string>> {
    const corrections = correctionsOf(this.#store, await this.#stored());
    return corrections.correctAll(entered, by);
  }

  /** Leaves a document as it is: it waits for nobody any more. @returns whether it waited. */
  async giveUp(documentId: string): Promise<boolean> {
    return this.#store.reviews.giveUp(this.id, documentId);
  }

  /** How many documents {@link retryFailed} would do again: those that were not extracted, but for bad lines. */
  async countRetryable(): Promise<number> {
    const { round } = await this.#stored();
    return this.#store.documents.countPending({ batchId: this.id, round: round + 1, kind: 'failed' });
  }

  /** Makes sure that a batch which is not over has a coordinator. */
  async ensureStarted(): Promise<void> {
    if (await this.isAtWork()) return;
    // In this order: one that has just ended has written it down before, and must not be followed by another.
    const { state } = await this.#stored();
    if (state === 'running' || state === 'paused') await this.#start();
  }

  async #requireOver(batch: StoredBatch): Promise<void> {
    const state = await this.#stateOf(batch);
    if (state === 'running' || state === 'paused') throw this.#notOver(state);
  }

  async #beginRound(kind: RoundKind, settings: BatchSettings): Promise<void> {
    const batch = await this.#stored();
    await this.#requireOver(batch);
    if (await this.isAtWork()) await this.#ended();
    const round = batch.round + 1;
    try {
      await this.#start({ round, kind, settings });
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) throw this.#notOver('running');
      throw error;
    }
    await this.#begun(round);
  }

  /** Its worker looks at the settings first, and begins no round with wrong ones. */
  async #begun(round: number): Promise<void> {
    for (;;) {
      const isAtWork = await this.isAtWork();
      if ((await this.#stored()).round >= round) return;
      if (!isAtWork) {
        await this.#ended();
        throw new Error(
          `Round ${round} of the batch '${this.id}' was ended before it began. Begin it again.`,
        );
      }
      await sleep(LOOK_EVERY_MS);
    }
  }

  #notOver(state: BatchState): InvalidInputError {
    return new InvalidInputError(
      `The batch '${this.id}' is ${state}: expected one that has ended. Wait for it, or cancel it first.`,
    );
  }

  /** A coordinator that is at work goes on; a new round is not for it. */
  async #start(next?: NextRound): Promise<void> {
    const input: BatchInput = { id: this.id, next };
    const stored = await this.#stored();
    const { schema, model = "the worker's" } = next?.settings ?? stored.settings;
    await this.#client.workflow.start('batch', {
      taskQueue: WORKFLOW_TASK_QUEUE,
      workflowId: batchWorkflowId(this.id),
      args: [input],
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      workflowIdConflictPolicy: next === undefined ? 'USE_EXISTING' : 'FAIL',
      priority: BATCH_PRIORITY,
      staticSummary: `batch · ${stored.total} documents · ${schema.name}`,
      staticDetails: `- round: ${next?.round ?? stored.round}\n- model: ${model}\n- strategy: ${stored.settings.strategy ?? 'adaptive'}`,
    });
  }

  async #update(name: string, ...args: [] | [UpdateArgument]): Promise<void> {
    requireUnderWay(this.id, await this.#stateOf(await this.#stored()));
    for (let tries = 1; ; tries += 1) {
      try {
        const workflow = this.#workflow();
        if (args.length === 0) return await workflow.executeUpdate<void, []>(name);
        return await workflow.executeUpdate<void, [UpdateArgument]>(name, { args });
      } catch (error) {
        // All updates can be made twice.
        if (!isLostToNewRun(error) || tries === UPDATE_TRIES || !(await this.isAtWork())) throw error;
      }
    }
  }

  #workflow(): WorkflowHandle {
    return this.#client.workflow.getHandle(batchWorkflowId(this.id));
  }

  #stored(): Promise<StoredBatch> {
    return requireBatch(this.#store, this.id);
  }

  #stateOf(batch: StoredBatch): Promise<BatchState> {
    return stateOf(this.#client, batch);
  }

  /** A cancelled batch says so before its last calls have ended: a new coordinator must not begin beside it. */
  async #ended(): Promise<void> {
    try {
      await resultOf(this.#workflow());
    } catch (error) {
      const cause = error instanceof WorkflowFailedError ? error.cause : undefined;
      const isByHand = cause instanceof CancelledFailure || cause instanceof TerminatedFailure;
      if (!isByHand && !(error instanceof WorkflowNotFoundError)) throw error;
    }
  }
}

type UpdateArgument = number | { readonly budget: Budget };

/** Whether nothing more comes of it until somebody does something. */
function isAtRest({ pausedFor }: StoredBatch, state: BatchState): boolean {
  return (state !== 'running' && state !== 'paused') || (state === 'paused' && pausedFor !== null);
}

/** The update came just when the coordinator continued as new. */
function isLostToNewRun(error: unknown): boolean {
  if (error instanceof WorkflowNotFoundError) return true;
  const cause = error instanceof ServiceError ? error.cause : undefined;
  if (!isGrpcServiceError(cause)) return false;
  const code: number = cause.code;
  return code === FAILED_PRECONDITION;
}

/** Where a batch stands by its store, in a state that is known. */
export async function statusOf(store: Store, batch: StoredBatch, state: BatchState): Promise<BatchStatus> {
  const { id, round, roundKind: kind, total, prepared, settings, learning } = batch;
  const [counts, { usage }, inReview, retrying] = await Promise.all([
    store.outcomes.count(id, round),
    store.batches.spend(id),
    store.reviews.count(id, Date.now()),
    state === 'running' || state === 'paused' ? store.batches.countRetrying(id, round) : 0,
  ]);
  const pending =
    kind === 'first'
      ? total - counts.succeeded - counts.failed
      : await store.documents.countPending({ batchId: id, round, kind });
  const succeeded = kind === 'rejudge' ? counts.succeededInRound : counts.succeeded;
  return {
    id,
    state,
    total,
    succeeded,
    failed: total - succeeded - pending,
    pending,
    inReview,
    retrying,
    ...usage,
    calls: usage.calls + counts.unansweredCalls,
    round,
    concurrency: batch.concurrency,
    budget: batch.budget,
    pausedFor: state === 'paused' ? batch.pausedFor : null,
    learnt: learntByBatch(learning?.lessons ?? {}),
    schema: settings.schema.name,
    model: prepared === null ? null : `${prepared.settings.provider}/${prepared.settings.model}`,
    simulated: prepared?.settings.simulated ?? null,
    createdAt: new Date(batch.createdAt).toISOString(),
    finishedAt: batch.finishedAt === null ? null : new Date(batch.finishedAt).toISOString(),
  };
}
