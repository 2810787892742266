/**
 * One attempt, made through the gates of its providers: to a provider whose circuit is open no call goes, a conversation waits
 * for it, goes to another, or says at once that it cannot be had.
 */
import {
  ActivityFailure,
  CancellationScope,
  TimeoutFailure,
  isCancellation,
  sleep,
} from '@temporalio/workflow';
import type { AskResult } from '../activities/ask.ts';
import type { CallLedger } from '../activities/call-model.ts';
import { isKeyRefused } from '../src/core/gate-contract.ts';
import type { PreparedExtraction, PreparedGate, Route } from '../src/core/prepared.ts';
import { store } from './house-activities.ts';
import type { FailedCall } from './provider-failure.ts';
import { providerFailureOf } from './provider-failure.ts';

/** How one call is to be made. */
export interface CallPlan {
  readonly route: Route;
  /** A call that no worker has begun by then is not made: the way is chosen anew. */
  readonly startWithinMs?: number;
}

/** What became of an attempt. */
export type GatedResult =
  | { readonly kind: 'answered'; readonly result: AskResult; readonly route: Route }
  | { readonly kind: 'failed'; readonly failed: FailedCall }
  | { readonly kind: 'stopped'; readonly stopped: 'outage' | 'deadline'; readonly message: string };

/** So long a call waits for a worker before it is looked whether its circuit is still closed, */
const START_WITHIN_MS = 10_000;
/** and where there is another way, or an answer is wanted at once. */
const GO_ROUND_WITHIN_MS = 3_000;
/** The same where there is no other way than to wait. */
const LOOK_AGAIN_MS = 60_000;
/** A gate hears of failures within a second. */
const GATE_DECIDES_AFTER_MS: readonly number[] = [0, 1_000, 2_000];

/**
 * Calls until there is an answer, or a failure that is the conversation's own and not an outage.
 *
 * @param options.countFailed is told of calls that were in vain before the one that this returns.
 */
export async function callThroughGate(options: {
  readonly prepared: PreparedExtraction;
  /** Epoch milliseconds. */
  readonly deadlineAt: number | undefined;
  readonly attempt: number;
  readonly call: (plan: CallPlan) => Promise<AskResult>;
  readonly countFailed: (failed: Pick<FailedCall, 'ledger'>) => void;
}): Promise<GatedResult> {
  const { prepared, attempt, deadlineAt, countFailed } = options;
  const { provider, model, simulated, gate } = prepared;
  const first = { provider, model, simulated };
  for (let tries = 1; ; tries += 1) {
    // Where there is nothing to choose, nothing is asked of the store, and nothing is waited for.
    const plan = isChoice(gate) ? await chooseWay(first, gate, { mayProbe: tries === 1 }) : { route: first };
    if ('stopped' in plan) return plan;
    try {
      const result = await beforeDeadline(deadlineAt, () => options.call(plan));
      if (result === 'late') return late(prepared);
      return { kind: 'answered', result, route: plan.route };
    } catch (error) {
      const notBegun = notBegunOf(error);
      if (notBegun !== undefined) {
        countFailed(notBegun);
        continue;
      }
      const failed = providerFailureOf(error, attempt);
      const isOutage = await beforeDeadline(deadlineAt, () => isOfOutage(prepared, plan.route, failed));
      if (isOutage === 'late') {
        countFailed(failed);
        return late(prepared);
      }
      if (!isOutage) return { kind: 'failed', failed };
      countFailed(failed);
    }
  }
}

function isChoice(gate: PreparedGate | undefined): gate is PreparedGate {
  return gate !== undefined && (gate.onOutage === 'fail' || gate.fallbacks.length > 0);
}

/**
 * Whom to ask.
 *
 * @param options.mayProbe whether it may be the one that tries a provider whose circuit is open: no conversation is that twice.
 */
async function chooseWay(
  first: Route,
  { onOutage, fallbacks }: PreparedGate,
  { mayProbe }: { readonly mayProbe: boolean },
): Promise<CallPlan | Stopped> {
  const routes = [first, ...fallbacks];
  const chosen = await store.chooseRoute({
    routes: routes.map((route) => ({ provider: route.provider })),
    mayWait: onOutage === 'wait',
    mayProbe,
  });
  if (chosen.kind === 'closed') {
    const { reason, state, provider: name } = chosen.status;
    return { kind: 'stopped', stopped: 'outage', message: `the gate of ${name} is ${state}: ${reason}` };
  }
  const isQuick = fallbacks.length > 0 || chosen.kind === 'probing';
  const ownMs = isQuick ? GO_ROUND_WITHIN_MS : START_WITHIN_MS;
  const startWithinMs = chosen.kind === 'waiting' ? LOOK_AGAIN_MS : ownMs;
  return { route: routes[chosen.index] ?? first, startWithinMs };
}

type Stopped = Extract<GatedResult, { readonly kind: 'stopped' }>;

function late({ deadlineMs }: PreparedExtraction): Stopped {
  return { kind: 'stopped', stopped: 'deadline', message: `the ${deadlineMs} ms that it was given are over` };
}

/** Whether calls fail because the provider is down, is out of money, or refuses our key: nothing that this conversation did. */
async function isOfOutage(
  { gate }: PreparedExtraction,
  { provider }: Route,
  { type, ledger }: FailedCall,
): Promise<boolean> {
  if (gate === undefined || gate.onOutage === 'fail') return false;
  if (type === 'client_error' && !isKeyRefused(ledger.failures.at(-1)?.status)) return false;
  for (const waitMs of GATE_DECIDES_AFTER_MS) {
    if (waitMs > 0) await sleep(waitMs, { summary: 'until the gate has decided' });
    const found = await store.gateStatus({ provider });
    if (found !== null && found.state !== 'closed') return true;
  }
  return false;
}

/**
 * What came before a call that was given up since no worker took it in time: the server held it back. Its tries before that,
 * if there were any, are in the details of its last heartbeat. Undefined for any other failure.
 */
function notBegunOf(error: unknown): Pick<FailedCall, 'ledger'> | undefined {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  if (!(cause instanceof TimeoutFailure) || cause.timeoutType !== 'SCHEDULE_TO_START') return undefined;
  const { failures = [] } = (cause.lastHeartbeatDetails ?? {}) as Partial<CallLedger>;
  return { ledger: { failures, interrupted: 0 } };
}

/** Cancels what is not done by then. A cancellation from outside is thrown on. */
function beforeDeadline<T>(deadlineAt: number | undefined, work: () => Promise<T>): Promise<T | 'late'> {
  // A promise more for each call of a batch is time.
  return deadlineAt === undefined ? work() : cancelAt(deadlineAt, work);
}

async function cancelAt<T>(deadlineAt: number, work: () => Promise<T>): Promise<T | 'late'> {
  const restMs = deadlineAt - Date.now();
  if (restMs <= 0) return 'late';
  const outside = CancellationScope.current();
  try {
    return await CancellationScope.withTimeout(restMs, work);
  } catch (error) {
    if (isCancellation(error) && !outside.consideredCancelled && Date.now() >= deadlineAt) return 'late';
    throw error;
  }
}
