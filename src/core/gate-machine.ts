/**
 * The gate before a provider, as a pure function of what it is told and when: a circuit breaker and a rate gate in one.
 *
 * | state | calls a second | leaves it |
 * |---|---|---|
 * | `closed` | `rpm / 60`, or no limit | 429: `throttled`; too many failures, or out of reach: `open`; quota or key: `parked` |
 * | `throttled` | the rate found to work | long clean: `closed`; as above |
 * | `open` | one each `waitDurationInOpenStateMs` | a call is answered: `half_open` |
 * | `half_open` | `permittedNumberOfCallsInHalfOpenState` | enough answered: `closed` or `throttled`; too many failed: `open` |
 * | `parked` | none | reset, or its time: `half_open` |
 *
 * Never more than the ceiling (`rpm / 60`, and what tokens a minute allow), and none before a `Retry-After` has passed.
 */
import type { GateConfig } from './gate-config.ts';
import { HEALTH_FAILURES } from './gate-contract.ts';
import type { GateReport, GateStateName, GateStatus } from './gate-contract.ts';
import {
  foundRate,
  grownRate,
  heldRate,
  isSettled,
  knownRate,
  loweredRate,
  raisedRate,
  restoredRate,
  toldRate,
} from './found-rate.ts';
import type { FoundRate } from './found-rate.ts';
import {
  counted,
  courseOfRaise,
  isForgotten,
  isOnTrial,
  isPatienceOver,
  isUnrelated,
  loweredFor,
  noRefusals,
  raisedFrom,
  raisedInVain,
  raisedWell,
} from './refusals.ts';
import type { Refusals } from './refusals.ts';

/** All that a gate remembers. Plain JSON: it is carried from run to run. */
export interface GateMemory {
  readonly state: GateStateName;
  readonly reason: string;
  /** Epoch milliseconds, as all times here. */
  readonly since: number;
  /** Of `parked`: when it ends by itself. */
  readonly parkedUntil: number | null;
  /** Why it is parked: a new worker may bring another key, but no worker brings money. */
  readonly parkedFor: 'quota' | 'key' | 'operator' | null;
  /** What the provider told with a 429. No call before that, whatever becomes of the gate meanwhile; only a reset drops it. */
  readonly pausedUntil: number | null;
  /** The rate found to work, and how it is sought; null where none had to be. */
  readonly found: FoundRate | null;
  /** Whether its 429s come of our rate; null where there were none. */
  readonly refusals: Refusals | null;
  /** Whether a higher rate may be tried in spite of them: not in runs that an earlier version began, which would be replayed otherwise. */
  readonly mayRaise: boolean;
  /** Seconds of the window that saw a call, oldest first. */
  readonly window: readonly WindowSecond[];
  readonly failuresInARow: number;
  /** Of `half_open`. */
  readonly probes: { readonly succeeded: number; readonly failed: number };
  /** How often it opened again after a probe was answered. */
  readonly reopenings: number;
  /** On average, of the calls that were reported; null before the first. */
  readonly tokensPerCall: number | null;
  /** Told by the provider's headers. */
  readonly limits: { readonly rpm?: number; readonly tpm?: number };
}

interface WindowSecond {
  readonly second: number;
  readonly calls: number;
  readonly failures: number;
}

/** What happens to a gate. */
export type GateEvent =
  | { readonly kind: 'report'; readonly report: GateReport }
  /** Its own time has come: see {@link nextMoment}. */
  | { readonly kind: 'time' }
  | { readonly kind: 'trip'; readonly reason: string; readonly forMs?: number }
  | { readonly kind: 'reset'; readonly reason: string }
  | { readonly kind: 'worker_started' };

/** As good as none: the server takes 0 for an error. */
const NO_CALLS_PER_SECOND = 0.001;
/** The weight of a new report in the average of tokens. */
const TOKENS_WEIGHT = 0.2;

const TOO_MUCH = 'the provider said that it was too much (429)';
const RAISED = '429s go on at lower and lower rates: seeing whether a higher one makes them more';

/** A gate nobody has told anything. */
export function newGate(now: number): GateMemory {
  return {
    state: 'closed',
    reason: 'nothing has failed',
    since: now,
    parkedUntil: null,
    parkedFor: null,
    pausedUntil: null,
    found: null,
    refusals: null,
    mayRaise: true,
    window: [],
    failuresInARow: 0,
    probes: { succeeded: 0, failed: 0 },
    reopenings: 0,
    tokensPerCall: null,
    limits: {},
  };
}

/**
 * A gate whose workflow is gone, from what the store last knew of it. It is tried a little rather than taken for closed: the
 * server still hands out calls as the one before decided.
 */
export function gateFrom({ state, reason, since, until }: GateStatus, now: number): GateMemory {
  const gate = newGate(now);
  switch (state) {
    case 'closed':
      return { ...gate, reason, since };
    case 'parked':
      return parked(gate, now, { reason, parkedFor: 'operator', parkedUntil: until });
    case 'open':
    case 'half_open':
    case 'throttled':
      return halfOpen(gate, now, `its workflow was gone; it was ${state}: ${reason}`);
  }
}

/** What a gate becomes by an event. */
export function nextGate(gate: GateMemory, event: GateEvent, now: number, config: GateConfig): GateMemory {
  switch (event.kind) {
    case 'report':
      return afterReport(gate, event.report, now, config);
    case 'time':
      return afterTime(gate, now, config);
    case 'trip':
      return parked(gate, now, {
        reason: event.reason,
        parkedFor: 'operator',
        parkedUntil: event.forMs === undefined ? null : now + event.forMs,
      });
    case 'reset':
      return {
        ...newGate(now),
        reason: event.reason,
        tokensPerCall: gate.tokensPerCall,
        limits: gate.limits,
        mayRaise: gate.mayRaise,
      };
    case 'worker_started':
      return gate.parkedFor === 'key'
        ? halfOpen(gate, now, 'a worker has started, perhaps with another key')
        : gate;
  }
}

/** Calls a second that the server is to hand out; null for no limit. */
export function callsPerSecond(gate: GateMemory, config: GateConfig, now: number): number | null {
  const isPaused = gate.pausedUntil !== null && gate.pausedUntil > now;
  return lowest(ceilingOf(gate, config), isPaused ? NO_CALLS_PER_SECOND : rateOf(gate, config));
}

/** What the state allows; null for no limit. */
function rateOf(gate: GateMemory, config: GateConfig): number | null {
  const found = gate.found?.callsPerSecond ?? null;
  switch (gate.state) {
    case 'closed':
      return null;
    case 'throttled':
      return found;
    case 'open':
      return 1_000 / openTimeMs(gate, config);
    case 'half_open':
      return lowest(found, config.permittedNumberOfCallsInHalfOpenState);
    case 'parked':
      return NO_CALLS_PER_SECOND;
  }
}

/** When the gate is to be told `time`; null where it waits for others. */
export function nextMoment(gate: GateMemory, config: GateConfig): number | null {
  if (gate.state === 'parked') return gate.parkedUntil;
  if (gate.pausedUntil !== null) return gate.pausedUntil;
  switch (gate.state) {
    case 'closed':
    case 'open':
      return null;
    case 'throttled':
      return gate.found?.nextStepAt ?? null;
    case 'half_open':
      return gate.since + config.maxWaitDurationInHalfOpenStateMs;
  }
}

function afterReport(gate: GateMemory, report: GateReport, now: number, config: GateConfig): GateMemory {
  const told = remember(gate, report, now, config);
  if (gate.state === 'parked') return told;
  if (report.failed.quota_exhausted) {
    return parked(told, now, {
      reason: 'the quota is exhausted: check plan and billing, then reset the gate',
      parkedFor: 'quota',
    });
  }
  if (report.isKeyRefused) {
    return parked(told, now, {
      reason:
        "the key was refused: correct it in the workers' environment and start them again, or reset the gate",
      parkedFor: 'key',
    });
  }
  switch (gate.state) {
    case 'open':
      if (isRateLimited(report)) return throttled(told, report, now, config);
      return isAnsweredSince(gate, report) ? halfOpen(told, now, 'a probe was answered') : told;
    case 'half_open':
      if (isRateLimited(report)) return throttled(told, report, now, config);
      if (isAway(report)) return opened(told, now, awayReason(told), gate.reopenings + 1);
      // In a pause come only answers to calls made before.
      return told.pausedUntil === null ? decide(told, now, config) : told;
    case 'closed':
    case 'throttled': {
      if (isAway(report)) return opened(told, now, awayReason(told), 0);
      // Old successes leave the window as well as old failures: only a failure may open.
      const trouble = healthFailures(report) > 0 ? troubleOf(told, config) : null;
      if (trouble !== null) return opened(told, now, trouble, 0);
      if (isRateLimited(report)) return throttled(told, report, now, config);
      return gate.state === 'closed' && report.isNearlyUsedUp ? forestalled(told, now, config) : told;
    }
  }
}

/** Told by a worker that has asked since its last answered call. */
function isAway({ isUnreachable, failuresInARow }: GateReport): boolean {
  return isUnreachable && failuresInARow > 0;
}

function awayReason({ failuresInARow }: GateMemory): string {
  return `the provider cannot be reached; ${failuresInARow} calls in a row failed`;
}

/** Calls that were under way when the circuit opened are no probes. */
function isAnsweredSince({ since }: GateMemory, { answeredBegunAt }: GateReport): boolean {
  return answeredBegunAt !== null && answeredBegunAt > since;
}

/** Keeps to the limit that the provider's headers tell, before it says 429. */
function forestalled(gate: GateMemory, now: number, config: GateConfig): GateMemory {
  const { rpm } = gate.limits;
  if (rpm === undefined || config.rpm !== undefined) return gate;
  const reason = `little is left of the ${rpm} requests a minute that the provider's headers tell`;
  return { ...fresh(gate), state: 'throttled', reason, since: now, found: toldRate(rpm / 60, now) };
}

/** A provider that says so is well, whatever it was before. */
function isRateLimited({ failed }: GateReport): boolean {
  return (failed.rate_limit ?? 0) > 0;
}

/** Adds a report to what the gate knows, in whatever state it is. */
function remember(gate: GateMemory, report: GateReport, now: number, config: GateConfig): GateMemory {
  const failures = healthFailures(report);
  const { succeeded } = report;
  const limited = report.failed.rate_limit ?? 0;
  // Answers to calls from before the trouble interrupt no row of failures.
  const isInterrupted = succeeded > 0 && report.failuresInARow <= failures;
  const average = succeeded > 0 ? report.tokens / succeeded : null;
  const known = gate.tokensPerCall;
  return {
    ...gate,
    window: windowWith(gate.window, now, succeeded + limited + failures, failures, config),
    failuresInARow: isInterrupted ? report.failuresInARow : gate.failuresInARow + failures,
    probes: {
      succeeded: gate.probes.succeeded + succeeded + limited,
      failed: gate.probes.failed + failures,
    },
    tokensPerCall:
      average === null || average === 0
        ? known
        : known === null
          ? average
          : known + TOKENS_WEIGHT * (average - known),
    limits: { ...gate.limits, ...report.limits },
    refusals: refusalsWith(gate, report, now),
    pausedUntil: limited > 0 ? later(gate.pausedUntil, report.notBefore, now) : gate.pausedUntil,
  };
}

/** Counted from the first 429 on: before, nothing is told of calls. */
function refusalsWith({ refusals, found }: GateMemory, report: GateReport, now: number): Refusals | null {
  const refused = report.failed.rate_limit ?? 0;
  const calls = report.succeeded + refused + healthFailures(report);
  if (calls === 0) return refusals;
  if (found === null) return refused > 0 ? noRefusals(now) : refusals;
  const { takenPerSecond: taken } = report;
  const told = {
    calls,
    refused,
    takenPerSecond: taken,
    allowedPerSecond: found.callsPerSecond,
    isSettled: isSettled(found),
  };
  return counted(refusals ?? noRefusals(now), told, now);
}

function healthFailures({ failed }: GateReport): number {
  return HEALTH_FAILURES.reduce((sum, type) => sum + (failed[type] ?? 0), 0);
}

function windowWith(
  window: readonly WindowSecond[],
  now: number,
  calls: number,
  failures: number,
  { slidingWindowSize }: GateConfig,
): readonly WindowSecond[] {
  const second = Math.floor(now / 1_000);
  const recent = window.filter((entry) => entry.second > second - slidingWindowSize);
  if (calls === 0) return recent;
  const last = recent.at(-1);
  if (last === undefined || last.second !== second) return [...recent, { second, calls, failures }];
  return [...recent.slice(0, -1), { second, calls: last.calls + calls, failures: last.failures + failures }];
}

/** Why the circuit opens; null where it does not. */
function troubleOf(gate: GateMemory, config: GateConfig): string | null {
  if (gate.failuresInARow >= config.consecutiveFailures) {
    return `${gate.failuresInARow} calls in a row failed`;
  }
  const calls = gate.window.reduce((sum, entry) => sum + entry.calls, 0);
  const failures = gate.window.reduce((sum, entry) => sum + entry.failures, 0);
  if (calls < config.minimumNumberOfCalls || failures * 100 < calls * config.failureRateThreshold)
    return null;
  return `${failures} of ${calls} calls failed in ${config.slidingWindowSize} s`;
}

/** Less from now on, since the provider said that it was too much. */
function throttled(gate: GateMemory, report: GateReport, now: number, config: GateConfig): GateMemory {
  const before = gate.state === 'throttled' ? gate : { ...fresh(gate), since: now };
  const { found, refusals } = gate;
  if (found !== null && refusals !== null && refusals.raise !== null) {
    return { ...before, state: 'throttled', ...afterRaise(found, refusals, now) };
  }
  if (found !== null && refusals !== null && isUnrelated(refusals)) {
    const reason = anywayReason(refusals);
    const isNews = refusals.latest.calls === 0;
    const rate = isNews ? restoredRate(found, refusals.allowedPerSecond, now) : found;
    return { ...before, state: 'throttled', reason, found: rate };
  }
  if (found !== null && refusals !== null && gate.mayRaise && isPatienceOver(refusals)) {
    return {
      ...before,
      state: 'throttled',
      reason: RAISED,
      found: raisedRate(found, now),
      refusals: raisedFrom(refusals, found.callsPerSecond),
    };
  }
  const reason = TOO_MUCH;
  if (found !== null && refusals !== null && isOnTrial(refusals)) {
    return { ...before, state: 'throttled', reason, found: heldRate(found, now) };
  }
  const rate = lowered(gate, report, now, config);
  const isLowered = rate !== found;
  return {
    ...before,
    state: 'throttled',
    reason,
    found: rate,
    refusals: refusals !== null && isLowered ? loweredFor(refusals) : refusals,
  };
}

/** While a higher rate is tried, after a 429 more. */
function afterRaise(
  found: FoundRate,
  refusals: Refusals,
  now: number,
): Pick<GateMemory, 'reason' | 'found' | 'refusals'> {
  switch (courseOfRaise(refusals, found.callsPerSecond)) {
    case 'open':
      return { reason: RAISED, found, refusals };
    case 'succeeded': {
      const known = raisedWell(refusals);
      return { reason: anywayReason(known), found, refusals: known };
    }
    case 'failed': {
      const from = refusals.raise?.fromPerSecond ?? found.callsPerSecond;
      return { reason: TOO_MUCH, found: knownRate(from, now), refusals: raisedInVain(refusals) };
    }
  }
}

function anywayReason({ unrelatedShare }: Refusals): string {
  return `the provider says 429 to ${percent(unrelatedShare)} of calls at any rate: slowing down did not help`;
}

function isRefusingAnyway({ refusals }: GateMemory, now: number): boolean {
  return refusals !== null && isUnrelated(refusals) && !isForgotten(refusals, now);
}

/** Of a trickle, what was taken says nothing: the probes that would close the circuit are a better guess. */
function takenPerSecond({ state }: GateMemory, report: GateReport, config: GateConfig): number {
  const isTrickle = state === 'open' || state === 'half_open';
  const least = isTrickle ? config.permittedNumberOfCallsInHalfOpenState : 0;
  return Math.max(report.takenPerSecond, least);
}

/** The rate after a 429, whether or not one was found before. */
function lowered(gate: GateMemory, report: GateReport, now: number, config: GateConfig): FoundRate {
  const ceiling = ceilingOf(gate, config);
  if (gate.found !== null) return loweredRate(gate.found, now, ceiling);
  const { rpm } = gate.limits;
  const first = rpm === undefined ? takenPerSecond(gate, report, config) : rpm / 60;
  const tried = Math.min(first, ceiling ?? first);
  return rpm === undefined ? foundRate(tried, now) : toldRate(tried, now);
}

function afterTime(gate: GateMemory, now: number, config: GateConfig): GateMemory {
  const due = nextMoment(gate, config);
  if (due === null || due > now) return gate;
  switch (gate.state) {
    case 'closed':
      return gate;
    case 'parked':
      return halfOpen(gate, now, 'its time has come');
    case 'open':
      return resumed(gate, now);
    case 'half_open':
      return gate.pausedUntil === null ? concluded(gate, now, config) : halfOpen(gate, now, gate.reason);
    case 'throttled': {
      if (gate.pausedUntil !== null) return resumed(gate, now);
      const found = gate.found === null ? null : grownRate(gate.found, now);
      if (found === null && gate.found !== null && gate.refusals?.raise) {
        return { ...gate, found: raisedRate(gate.found, now) };
      }
      // Closed, it would forget what it has learnt of them.
      if (found === null && gate.found !== null && isRefusingAnyway(gate, now)) {
        return { ...gate, found: heldRate(gate.found, now) };
      }
      return found === null
        ? closed({ ...gate, found }, now, 'no 429 for long, at several times the rate that once was too much')
        : { ...gate, found };
    }
  }
}

/** After a pause: what was not tried cannot have gone well, so the rate stays for one more step. */
function resumed(gate: GateMemory, now: number): GateMemory {
  const found = gate.found === null ? null : heldRate(gate.found, now);
  return { ...gate, pausedUntil: null, found };
}

/** Of `half_open`: as soon as its calls say something. */
function decide(gate: GateMemory, now: number, config: GateConfig): GateMemory {
  const { succeeded, failed } = gate.probes;
  const permitted = config.permittedNumberOfCallsInHalfOpenState;
  const isLost = failed * 100 >= permitted * config.failureRateThreshold;
  return isLost || succeeded + failed >= permitted ? concluded(gate, now, config) : gate;
}

function concluded(gate: GateMemory, now: number, config: GateConfig): GateMemory {
  const { succeeded, failed } = gate.probes;
  const calls = succeeded + failed;
  if (calls > 0 && failed * 100 >= calls * config.failureRateThreshold) {
    return opened(gate, now, `${failed} of ${calls} probes failed`, gate.reopenings + 1);
  }
  const reason =
    calls === 0
      ? 'nothing failed since it was opened a little'
      : `${succeeded} of ${calls} probes were answered`;
  if (gate.found !== null) {
    return {
      ...fresh(gate),
      state: 'throttled',
      reason,
      since: now,
      found: heldRate(gate.found, now),
    };
  }
  return closed(gate, now, reason);
}

function opened(gate: GateMemory, now: number, reason: string, reopenings: number): GateMemory {
  return { ...fresh(gate), state: 'open', reason, since: now, reopenings };
}

function halfOpen(gate: GateMemory, now: number, reason: string): GateMemory {
  const pausedUntil = later(gate.pausedUntil, null, now);
  return { ...fresh(gate), state: 'half_open', reason, since: now, pausedUntil };
}

function closed(gate: GateMemory, now: number, reason: string): GateMemory {
  return { ...fresh(gate), state: 'closed', reason, since: now, reopenings: 0, refusals: null };
}

function parked(
  gate: GateMemory,
  now: number,
  why: {
    readonly reason: string;
    readonly parkedFor: GateMemory['parkedFor'];
    readonly parkedUntil?: number | null;
  },
): GateMemory {
  const { reason, parkedFor, parkedUntil = null } = why;
  return { ...fresh(gate), state: 'parked', reason, since: now, parkedFor, parkedUntil };
}

/** Without what was counted in the state that is left. */
function fresh(gate: GateMemory): GateMemory {
  return {
    ...gate,
    parkedUntil: null,
    parkedFor: null,
    window: [],
    failuresInARow: 0,
    probes: { succeeded: 0, failed: 0 },
  };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.01 ? 1 : 0)} %`;
}

function openTimeMs({ reopenings }: GateMemory, config: GateConfig): number {
  const grown = config.waitDurationInOpenStateMs * config.waitDurationMultiplier ** reopenings;
  return Math.min(grown, Math.max(config.maxWaitDurationInOpenStateMs, config.waitDurationInOpenStateMs));
}

/** The calls a second that are allowed for certain, by requests and by tokens. */
function ceilingOf({ tokensPerCall, limits }: GateMemory, { rpm, tpm }: GateConfig): number | null {
  const tokens = tpm ?? limits.tpm;
  const byTokens = tokens === undefined || tokensPerCall === null ? null : tokens / 60 / tokensPerCall;
  return lowest(rpm === undefined ? null : rpm / 60, byTokens);
}

function lowest(a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null ? a : Math.min(a, b);
}

/** The later of two times, either of which may be none; null where it is over. */
function later(a: number | null, b: number | null, now: number): number | null {
  const time = Math.max(a ?? 0, b ?? 0);
  return time > now ? time : null;
}
