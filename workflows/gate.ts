/**
 * The gate before one provider, for all workers and all conversations: a circuit breaker and a rate gate that no crash resets.
 *
 * It is told of failures by the workers, decides by `src/core/gate`, and has the server hand out calls accordingly. While
 * nothing fails it sleeps.
 */
import {
  ApplicationFailure,
  allHandlersFinished,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  patched,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { GateConfig } from '../src/core/gate-config.ts';
import type { GateInput, GateSignal, GateStatus, ResetInput, TripInput } from '../src/core/gate-contract.ts';
import { callsPerSecond, gateFrom, newGate, nextGate, nextMoment } from '../src/core/gate-machine.ts';
import type { GateEvent, GateMemory } from '../src/core/gate-machine.ts';
import { store } from './house-activities.ts';

/** From a worker: what it saw. */
export const reportSignal = defineSignal<[GateSignal]>('report');
/** From a worker that has started. */
export const workerStartedSignal = defineSignal<[{ readonly config: GateConfig }]>('workerStarted');
/** Parks the gate: no calls, until it is reset or a time is over. */
export const tripUpdate = defineUpdate<GateStatus, [TripInput]>('trip');
/** Opens the gate, and forgets what it was closed for. */
export const resetUpdate = defineUpdate<GateStatus, [ResetInput]>('reset');
export const gateStatusQuery = defineQuery<GateStatus>('status');

const MOST_EVENTS = 4_000;
/** Changes that the Web UI shows. */
const CHANGES_SHOWN = 10;
/** A rate that differs by less is the same. */
const SAME_RATE = 0.02;

/** A gate at work. Mutable on purpose: it is the workflow's state. */
interface Valve {
  readonly provider: string;
  config: GateConfig;
  memory: GateMemory;
  /** As the server and the store have it; null before they have been told. */
  applied: GateStatus | null;
  readonly changes: string[];
  /** What was told before it knew where it stands; null from then on. */
  backlog: GateEvent[] | null;
  hasChanged: boolean;
}

/** What a gate hands on when it continues as new. */
interface CarriedGate {
  readonly memory: GateMemory;
  readonly applied: GateStatus | null;
  readonly changes: readonly string[];
}

/** Runs for ever, as long as its provider is used. */
export async function gate({ provider, config, carried }: GateInput<CarriedGate>): Promise<void> {
  const valve: Valve = {
    provider,
    config,
    // What an earlier version did not know begins anew.
    memory: { ...newGate(Date.now()), ...carried?.memory, mayRaise: patched('raise') },
    applied: carried?.applied ?? null,
    changes: [...(carried?.changes ?? [])],
    backlog: carried === undefined ? [] : null,
    hasChanged: true,
  };
  handleMessages(valve);
  if (carried === undefined) await takeUp(valve);
  for (;;) {
    valve.hasChanged = false;
    await apply(valve);
    if (isHistoryLong() && !valve.hasChanged) await goOnAnew(valve);
    await nextThing(valve);
  }
}

function handleMessages(valve: Valve): void {
  setHandler(reportSignal, ({ config, report }) => {
    valve.config = config;
    tell(valve, { kind: 'report', report });
  });
  setHandler(workerStartedSignal, ({ config }) => {
    valve.config = config;
    tell(valve, { kind: 'worker_started' });
  });
  setHandler(tripUpdate, (trip) => byHand(valve, { kind: 'trip', ...trip }), { validator: requireTrip });
  setHandler(resetUpdate, ({ reason }) => byHand(valve, { kind: 'reset', reason }));
  setHandler(gateStatusQuery, () => statusOf(valve));
}

/** From where a gate of this provider stood before, if there was one. What the server does is left as it is until something happens. */
async function takeUp(valve: Valve): Promise<void> {
  const status = statusOf(valve);
  const known = await store.openGate({ status, at: Date.now() });
  const told = valve.backlog;
  valve.backlog = null;
  valve.memory = { ...gateFrom(known, Date.now()), mayRaise: valve.memory.mayRaise };
  valve.applied = known.state === 'closed' ? statusOf(valve) : known;
  for (const event of told ?? []) tell(valve, event);
}

/** Done once the server obeys. */
async function byHand(valve: Valve, event: GateEvent): Promise<GateStatus> {
  await condition(() => valve.backlog === null);
  tell(valve, event);
  const status = statusOf(valve);
  await condition(() => valve.applied !== null && valve.applied.since >= status.since);
  return status;
}

function tell(valve: Valve, event: GateEvent): void {
  if (valve.backlog !== null) {
    valve.backlog.push(event);
    return;
  }
  valve.memory = nextGate(valve.memory, event, Date.now(), valve.config);
  valve.hasChanged = true;
}

/** Sleeps until somebody says something, or its own time has come. */
async function nextThing(valve: Valve): Promise<void> {
  const moment = nextMoment(valve.memory, valve.config);
  if (moment === null) return condition(() => valve.hasChanged);
  const hasHeard = await condition(() => valve.hasChanged, Math.max(1, moment - Date.now()), {
    summary: `${valve.memory.state}: looks again`,
  });
  if (!hasHeard) tell(valve, { kind: 'time' });
}

/** Has the server hand out calls as was decided, and writes the decision down. */
async function apply(valve: Valve): Promise<void> {
  const status = statusOf(valve);
  if (valve.applied !== null && isSame(valve.applied, status)) return;
  // Signals that come meanwhile are told, and applied in the next round.
  valve.applied = await store.applyGate({ status, at: Date.now() });
  const rate = status.callsPerSecond === null ? '' : ` · ${rounded(status.callsPerSecond)} calls/s`;
  valve.changes.unshift(
    `- ${new Date(Date.now()).toISOString()} **${status.state}**${rate}: ${status.reason}`,
  );
  valve.changes.splice(CHANGES_SHOWN);
  setCurrentDetails(valve.changes.join('\n'));
}

function isSame(a: GateStatus, b: GateStatus): boolean {
  if (a.state !== b.state || a.since !== b.since || a.until !== b.until) return false;
  if (a.callsPerSecond === null || b.callsPerSecond === null) return a.callsPerSecond === b.callsPerSecond;
  return Math.abs(a.callsPerSecond / b.callsPerSecond - 1) < SAME_RATE;
}

function statusOf({ provider, memory, config }: Valve): GateStatus {
  const { state, reason, since, parkedUntil, pausedUntil } = memory;
  return {
    provider,
    state,
    reason,
    since,
    until: parkedUntil ?? pausedUntil,
    callsPerSecond: callsPerSecond(memory, config, Date.now()),
  };
}

function rounded(rate: number): string {
  return rate >= 10 ? rate.toFixed(0) : rate.toPrecision(2);
}

function isHistoryLong(): boolean {
  const { historyLength, continueAsNewSuggested } = workflowInfo();
  return continueAsNewSuggested || historyLength > MOST_EVENTS;
}

async function goOnAnew({ provider, config, memory, applied, changes }: Valve): Promise<void> {
  await condition(allHandlersFinished);
  const carried: CarriedGate = { memory, applied, changes };
  await continueAsNew<typeof gate>({ provider, config, carried });
}

function requireTrip({ reason, forMs }: TripInput): void {
  if (reason === '') throw invalid('reason: expected some words for those who come after, got none.');
  if (forMs !== undefined && !(Number.isFinite(forMs) && forMs > 0)) {
    throw invalid(`forMs: expected milliseconds above 0, got ${JSON.stringify(forMs)}.`);
  }
}

function invalid(message: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, 'invalid_input');
}
