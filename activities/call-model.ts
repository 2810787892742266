import { ApplicationFailure, Context, log } from '@temporalio/activity';
import { ApplicationFailureCategory } from '@temporalio/common';
import { providerDelayMs } from '../src/core/backoff.ts';
import { LOST_CALL_MESSAGE, WORKER_LOSSES } from '../src/core/contract.ts';
import type { ProviderFailure, RetryConfig } from '../src/core/contract.ts';
import type { ModelReply, ModelRequest, Provider } from '../src/provider/provider.ts';
import { classifyFailure } from './failures.ts';
import type { ClassifiedFailure } from './failures.ts';
import type { GateWatch } from './gate-watch.ts';
import type { CallResult, Metrics } from './metrics.ts';
import { costOf } from './spent.ts';

/** Often, since a heartbeat's answer is the only way by which a cancellation reaches a call. */
const HEARTBEAT_INTERVAL_MS = 500;
/** Where a cancellation does not end the call anyway: each heartbeat is a write in the server's database. */
const SOFT_HEARTBEAT_INTERVAL_MS = 2_500;
/** How long a call may go on after its batch was cancelled: it is paid for, so its answer is worth keeping. */
const SOFT_CANCEL_MS = 30_000;
/** A longer one is the server's, which needs no slot of a worker for it. */
const LONGEST_REST_MS = 900;
/** After it, one waits for the server's next probe: it hands out few while a circuit is open. */
const VAIN_TRY_DELAY_MS = 1_000;
/** Those that were told the same do not come back together. */
const REST_JITTER = 0.1;
/** More than the clocks of two workers differ by. */
const EARLY_TOLERANCE_MS = 1_000;

/** What the calls of one attempt came to before the one that brought an answer. */
export interface CallLedger {
  readonly failures: readonly ProviderFailure[];
  /** Calls whose worker was lost in the middle: made, perhaps paid for, never answered to us. */
  readonly interrupted: number;
}

/** A call that was answered. */
export interface AnsweredCall {
  readonly reply: ModelReply;
  readonly ledger: CallLedger;
  readonly requestId: string;
  /** Epoch milliseconds. */
  readonly askedAt: number;
  readonly latencyMs: number;
}

/** What travels from try to try, in the heartbeat's details, because Temporal's history keeps only the last failure. */
interface Carried {
  readonly failures: readonly ProviderFailure[];
  /** Tries that made no call, because the server started them before the backoff had ended. */
  readonly early: number;
  /** The end of the backoff, in epoch milliseconds. */
  readonly dueAt: number;
}

/** The tries of an attempt that came before the one that is made now. */
export interface Tries extends Carried {
  readonly count: number;
}

/** Of an attempt that is made for the first time. */
export const NO_TRIES: Tries = { failures: [], early: 0, dueAt: 0, count: 0 };

/**
 * Calls the model once. A provider failure becomes an `ApplicationFailure` whose type is the failure's, whose
 * `nextRetryDelay` is `Retry-After` or the backoff, and whose details hold the ledger.
 *
 * The budget is counted in the ledger and not by Temporal's attempts, so that a lost worker costs no provider retry.
 */
export async function callModel(options: {
  readonly provider: Provider;
  readonly request: Omit<ModelRequest, 'requestId'>;
  /** What is asked about, for the provider's log. */
  readonly place: string;
  readonly attempt: number;
  /** Of this attempt, before. */
  readonly tries: Tries;
  readonly retry: RetryConfig;
  /** Whether a call that is under way outlives a cancellation, for a while. */
  readonly isSoftlyCancelled: boolean;
  /** Of the provider's gate. */
  readonly watch: GateWatch;
  readonly metrics: Metrics;
  /** Whether an open circuit ends the attempt at its first failure. */
  readonly failsOnOutage: boolean;
  /** Told when the provider refuses the request's mode, or its schema in that mode. */
  readonly onModeRefused?: (about: 'mode' | 'schema') => void;
}): Promise<AnsweredCall> {
  const { provider, request, attempt, place, tries, watch, metrics } = options;
  const context = Context.current();
  const { count: triesBefore, ...carried } = tries;
  const ledger = ledgerOf(tries);
  refuseEndlessLoss(ledger);
  await refuseEarlyTry({ tries, carried, ledger, context });
  if (!options.failsOnOutage) await refuseVainTry({ watch, carried, ledger, context });
  // Last of all: what is asked meanwhile may take its time.
  await rest({ watch, carried, ledger, context });
  const requestId = `${place}/${attempt}/${triesBefore + 1}`;
  const beatMs = options.isSoftlyCancelled ? SOFT_HEARTBEAT_INTERVAL_MS : HEARTBEAT_INTERVAL_MS;
  const beat = setInterval(() => context.heartbeat(carried), beatMs);
  const signal = options.isSoftlyCancelled ? softly(context.cancellationSignal) : context.cancellationSignal;
  const askedAt = Date.now();
  const startedAt = performance.now();
  const asked = { provider: provider.name, model: request.model };
  const count = (result: CallResult): number => {
    const latencyMs = performance.now() - startedAt;
    metrics.called({ ...asked, result, latencyMs });
    return latencyMs;
  };
  watch.began();
  try {
    const reply = await provider.call({ ...request, requestId }, signal);
    watch.answered(reply, askedAt);
    const latencyMs = count('answered');
    metrics.used({ ...asked, ...reply.usage, costUsd: costOf({ provider, model: request.model, reply }) });
    return { reply, ledger, requestId, askedAt, latencyMs };
  } catch (error) {
    if (context.cancellationSignal.aborted) {
      count('cancelled');
      throw context.cancellationSignal.reason;
    }
    const failure = classifyFailure(error, Date.now());
    count(failure?.type ?? 'internal_error');
    if (failure === undefined) throw error;
    throw providerFailure({ ...options, ...asked, requestId, failure, carried, ledger, context });
  } finally {
    clearInterval(beat);
  }
}

/** Fires later than the given signal where that is a cancellation; at once where the worker ends or the call's time is up. */
function softly(signal: AbortSignal): AbortSignal {
  const late = new AbortController();
  const abort = (): void => late.abort(signal.reason);
  signal.addEventListener('abort', () => {
    const isCancelled = signal.reason instanceof Error && signal.reason.message === 'CANCELLED';
    if (isCancelled) setTimeout(abort, SOFT_CANCEL_MS).unref();
    else abort();
  });
  if (signal.aborted) abort();
  return late.signal;
}

/**
 * The tries of the attempt that the current activity makes.
 *
 * @param earlier those that were made of it in a series, where it was.
 */
export function triesSoFar(earlier: Tries = NO_TRIES): Tries {
  const { attempt, heartbeatDetails } = Context.current().info;
  const { failures, early, dueAt } = { ...earlier, ...(heartbeatDetails as Partial<Carried> | undefined) };
  return { failures, early, dueAt, count: earlier.count + attempt - 1 };
}

/** What came of them. Every one failed and was entered, came too early, or was lost, perhaps before its first heartbeat. */
export function ledgerOf({ failures, early, count }: Tries): CallLedger {
  return { failures, interrupted: Math.max(0, count - failures.length - early) };
}

function refuseEndlessLoss(ledger: CallLedger): void {
  if (ledger.interrupted <= WORKER_LOSSES) return;
  throw ApplicationFailure.create({
    type: 'timeout' satisfies ProviderFailure['type'],
    message: LOST_CALL_MESSAGE,
    nonRetryable: true,
    details: [ledger],
  });
}

/** The last try, in a series, has settled that there is no other: it ends as that one would have. */
export function refuseGivenUp(ledger: CallLedger): void {
  const last = ledger.failures.at(-1);
  if (last === undefined || last.delayMs !== null) return;
  throw failureOf(last, ledger);
}

/**
 * A server that was killed starts what it had begun lately once more, so that everything in a backoff would call the
 * provider at once (Temporal 1.29: the transfer queue's progress is saved every 30 s, and a retry does not void its tasks).
 * And the server knows nothing of the backoff after a try that was made in a series.
 */
async function refuseEarlyTry(options: {
  readonly tries: Tries;
  readonly carried: Carried;
  readonly ledger: CallLedger;
  readonly context: Context;
}): Promise<void> {
  const { tries, context } = options;
  const restMs = Math.ceil(tries.dueAt - Date.now());
  const last = tries.failures.at(-1);
  if (last === undefined || restMs <= 0) return;
  if (restMs > EARLY_TOLERANCE_MS) {
    throw tooEarly({ ...options, type: last.type, message: last.message, delayMs: restMs });
  }
  if (context.info.heartbeatDetails === undefined) await context.sleep(restMs);
}

/** For a try that makes no call, and costs no provider retry: the server is to make another one later. */
function tooEarly(options: {
  readonly carried: Carried;
  readonly ledger: CallLedger;
  readonly context: Context;
  readonly type: ProviderFailure['type'];
  readonly message: string;
  readonly delayMs: number;
}): ApplicationFailure {
  const { carried, ledger, context, type, message, delayMs } = options;
  context.heartbeat({ ...carried, early: carried.early + 1 } satisfies Carried);
  return ApplicationFailure.create({
    type,
    message,
    nextRetryDelay: delayMs,
    details: [ledger],
    category: ApplicationFailureCategory.BENIGN,
  });
}

/** Waits where no call is to be made: the server hands tasks out until the gate has been told and has decided. */
async function rest(options: {
  readonly watch: GateWatch;
  readonly carried: Carried;
  readonly ledger: CallLedger;
  readonly context: Context;
}): Promise<void> {
  const { watch, context } = options;
  for (let restMs = watch.restMs(); restMs > 0; restMs = watch.restMs()) {
    const delayMs = Math.ceil(restMs * (1 + Math.random() * REST_JITTER));
    if (restMs > LONGEST_REST_MS) {
      const message = 'held back: the provider asked for a pause, or fails every call';
      throw tooEarly({ ...options, type: 'rate_limit', message, delayMs });
    }
    await context.sleep(delayMs);
  }
}

/** A probe of a provider that is not even there brings nothing but a failed call. */
async function refuseVainTry(options: {
  readonly watch: GateWatch;
  readonly carried: Carried;
  readonly ledger: CallLedger;
  readonly context: Context;
}): Promise<void> {
  if (await options.watch.isWorthACall()) return;
  const message = 'held back: the provider cannot be reached';
  throw tooEarly({ ...options, type: 'connection_error', message, delayMs: VAIN_TRY_DELAY_MS });
}

function providerFailure(options: {
  readonly provider: string;
  readonly model: string;
  readonly requestId: string;
  readonly failure: ClassifiedFailure;
  readonly carried: Carried;
  readonly ledger: CallLedger;
  readonly attempt: number;
  readonly retry: RetryConfig;
  readonly context: Context;
  readonly watch: GateWatch;
  readonly failsOnOutage: boolean;
  readonly onModeRefused?: (about: 'mode' | 'schema') => void;
}): ApplicationFailure {
  const { provider, model, requestId, failure, carried, ledger, attempt, retry } = options;
  const { context, watch, failsOnOutage } = options;
  watch.failed(failure);
  if (failure.refuses === 'mode') options.onModeRefused?.(failure.isAboutSchema ? 'schema' : 'mode');
  const count = ledger.failures.length + 1;
  const isGivenUp = failsOnOutage && watch.isClosedToCalls();
  const goesOn = failure.retryable && count <= retry.maxProviderRetries && !isGivenUp;
  const delayMs = goesOn ? providerDelayMs(retry, count, failure.retryAfterMs, Math.random()) : null;
  const { type, message, status, refuses } = failure;
  const entry: ProviderFailure = {
    attempt,
    type,
    message,
    ...(status === undefined ? {} : { status }),
    ...(refuses === undefined ? {} : { refuses }),
    delayMs: delayMs === null ? null : Math.round(delayMs),
  };
  log.info('a call failed', { provider, model, failure: type, status, delayMs: entry.delayMs, requestId });
  const next: CallLedger = { ...ledger, failures: [...ledger.failures, entry] };
  const dueAt = Date.now() + (delayMs ?? 0);
  context.heartbeat({ ...carried, failures: next.failures, dueAt } satisfies Carried);
  return failureOf(entry, next);
}

/** With which an activity fails: its retry policy does the rest. */
function failureOf({ type, message, delayMs }: ProviderFailure, ledger: CallLedger): ApplicationFailure {
  return ApplicationFailure.create({
    type,
    message,
    nonRetryable: delayMs === null,
    ...(delayMs === null ? {} : { nextRetryDelay: Math.max(1, delayMs) }),
    details: [ledger],
    category: ApplicationFailureCategory.BENIGN,
  });
}
