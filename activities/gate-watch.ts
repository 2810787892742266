import { DEFAULT_RETRY } from '../src/core/contract.ts';
import type { ProviderFailureType } from '../src/core/contract.ts';
import { HEALTH_FAILURES, isKeyRefused, isShut } from '../src/core/gate-contract.ts';
import type { GateReport, GateStateName, GateStatus } from '../src/core/gate-contract.ts';
import type { ModelReply } from '../src/provider/provider.ts';
import type { ClassifiedFailure } from './failures.ts';
import type { Reachability } from './reachability.ts';

/** What a worker watches of one provider, to tell its gate. */
export interface GateWatch {
  /** A call is about to be made. */
  began(): void;
  /** @param begunAt Epoch milliseconds at which the call began. */
  answered(reply: ModelReply, begunAt: number): void;
  failed(failure: ClassifiedFailure): void;
  /**
   * For how long no call is to be made, in milliseconds. The provider said so, or calls fail one after the other: this worker
   * obeys before the gate has decided.
   */
  restMs(): number;
  /**
   * Whether a call can come to anything: not where the circuit is open and the provider, when it is asked now, is still not
   * there. Once a minute it is worth one all the same, since only a call can tell for certain.
   */
  isWorthACall(): Promise<boolean>;
  /** Whether the circuit is open or parked, as far as this worker knows. */
  isClosedToCalls(): boolean;
  /** Whether no rate is to be kept, as far as this worker knows, and its last calls did not fail. */
  isUntroubled(): boolean;
}

/** What is told soon, so that it is told together: a storm of failures is a handful of signals. */
const FIRST_REPORT_MS = 150;
const REPORT_EVERY_MS = 500;
/** How often tokens are told, where a limit on them is known. */
const TOKENS_EVERY_MS = 10_000;
/** So long after its last failure a row of failures holds calls back, unless the gate has decided by then. */
const GATE_DECIDES_WITHIN_MS = 3_000;
const LOCAL_REST_MS = 1_000;
/** So many failures in a row are a reason to ask whether the provider is there at all: it may be long before the circuit opens. */
const ASK_AFTER_FAILURES = 3;
/** How long calls wait, again and again, while it is asked. */
const ASKING_REST_MS = 50;
/** However often the provider is said to be out of reach. */
const CALL_AT_LEAST_EVERY_MS = 60_000;
/** A longer `Retry-After` is clamped to this, as it is for a single call. */
const LONGEST_PAUSE_MS = DEFAULT_RETRY.maxRetryAfterMs;
/** How often the store is asked how the gate stands: a row by its key. */
const LOOK_EVERY_MS = 5_000;
const LOOK_EVERY_IN_TROUBLE_MS = 500;
/** Over what the rate before a 429 is taken. */
const RATE_WINDOW_S = 5;

/** Watches nothing, and holds nothing back: where gates are switched off. */
export const NO_WATCH: GateWatch = {
  began() {},
  answered() {},
  failed() {},
  restMs: () => 0,
  isWorthACall: async () => true,
  isClosedToCalls: () => false,
  isUntroubled: () => true,
};

/** Counts since the last report. */
interface Counts {
  succeeded: number;
  answeredBegunAt: number | null;
  failed: Partial<Record<ProviderFailureType, number>>;
  isKeyRefused: boolean;
  isNearlyUsedUp: boolean;
  tokens: number;
  limits: { readonly rpm?: number; readonly tpm?: number };
}

/**
 * Watches a provider's calls in this worker. Nothing is sent while calls succeed, unless the gate waits for good news (it is
 * open, or half open, or failures have been told) or tokens are limited.
 *
 * @param options.send tells the gate; a report that cannot be sent is sent again with the next.
 * @param options.look reads how the gate stands.
 * @param options.reachability of the provider.
 * @param options.consecutiveFailures as in the gate's configuration.
 * @param options.tpm tokens a minute, where they are configured.
 */
export function gateWatch(options: {
  readonly send: (report: GateReport) => Promise<void>;
  readonly look: () => Promise<Pick<GateStatus, 'state' | 'callsPerSecond'> | undefined>;
  readonly reachability: Reachability;
  readonly consecutiveFailures: number;
  readonly tpm?: number;
}): GateWatch {
  const { reachability } = options;
  let counts = noCounts();
  let failuresInARow = 0;
  let rowBegunAt = 0;
  let failedAt = 0;
  /** When the provider was found to be out of reach; null where it was not, or has answered since. */
  let awayAt: number | null = null;
  let calledAt = Date.now();
  let hasToldFailures = false;
  let notBefore = 0;
  let state: GateStateName = 'closed';
  /** A closed gate may have one, by the tokens that calls use. */
  let isRateLimited = false;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let sentAt = Number.NEGATIVE_INFINITY;
  let hasReported = false;
  let isSending = false;
  let sendingAt = 0;
  let sending: NodeJS.Timeout | undefined;
  const begun = new RecentCounts();

  const isInTrouble = (): boolean => state !== 'closed' || hasToldFailures;
  const awaitsGoodNews = (): boolean => state === 'open' || state === 'half_open' || hasToldFailures;

  const schedule = (everyMs: number): void => {
    const now = Date.now();
    const at = Math.max(now + FIRST_REPORT_MS, sentAt + everyMs);
    // What is urgent does not wait for what is not. A report on its way looks for news when it is there.
    if (isSending || (sending !== undefined && sendingAt <= at)) return;
    clearTimeout(sending);
    sendingAt = at;
    sending = setTimeout(() => void report(), at - now);
    // A worker that ends tells nothing more.
    sending.unref();
  };
  const report = async (): Promise<void> => {
    const told = counts;
    counts = noCounts();
    sending = undefined;
    isSending = true;
    sentAt = Date.now();
    const hasToldFailed = hasFailed(told);
    const hadToldFailures = hasToldFailures;
    hasToldFailures ||= hasToldFailed;
    try {
      await options.send({
        ...told,
        failuresInARow,
        isUnreachable: isFoundAway(),
        takenPerSecond: begun.perSecond(),
        notBefore: notBefore > Date.now() ? notBefore : null,
      });
      hasToldFailures = failuresInARow > 0 || (hadToldFailures && told.succeeded === 0) || hasToldFailed;
      hasReported = true;
      if (hasToldFailed || told.isNearlyUsedUp || awaitsGoodNews()) void look();
    } catch {
      // The server is away: nothing is lost but time, since the counts go on.
      hasToldFailures = hadToldFailures;
      counts = sum(told, counts);
    }
    isSending = false;
    // What happened meanwhile, or could not be told.
    const hasNews = hasFailed(counts) || (counts.succeeded > 0 && awaitsGoodNews());
    if (hasNews) schedule(REPORT_EVERY_MS);
  };
  /** Just now: what was found earlier may have changed. */
  const isFoundAway = (): boolean => awayAt !== null && Date.now() - awayAt < GATE_DECIDES_WITHIN_MS;
  const isLookDue = (): boolean => {
    const everyMs = isInTrouble() ? LOOK_EVERY_IN_TROUBLE_MS : LOOK_EVERY_MS;
    return Date.now() - lookedAt >= everyMs;
  };
  const look = async (): Promise<void> => {
    lookedAt = Date.now();
    try {
      const gate = await options.look();
      state = gate?.state ?? 'closed';
      isRateLimited = typeof gate?.callsPerSecond === 'number';
    } catch {
      // The store is away: what was known is still the best guess, and the next look is soon.
    }
  };
  const askWhetherItIsThere = async (): Promise<void> => {
    const isThere = await reachability.ask();
    // A call may have been answered meanwhile.
    awayAt = isThere || failuresInARow === 0 ? null : Date.now();
    if (awayAt !== null) schedule(REPORT_EVERY_MS);
  };

  return {
    began() {
      begun.add(1);
      calledAt = Date.now();
      if (isLookDue()) void look();
    },
    answered({ usage, rateLimits }, begunAt) {
      // An answer to a call from before the trouble says nothing of it.
      if (begunAt >= rowBegunAt) {
        failuresInARow = 0;
        awayAt = null;
        void reachability.modelAnswered();
      }
      counts.succeeded += 1;
      counts.answeredBegunAt = Math.max(counts.answeredBegunAt ?? 0, begunAt);
      counts.tokens += usage.promptTokens + usage.completionTokens;
      if (rateLimits !== undefined) {
        const { isNearlyUsedUp, ...limits } = rateLimits;
        counts.limits = limits;
        counts.isNearlyUsedUp ||= isNearlyUsedUp;
      }
      if (awaitsGoodNews()) schedule(REPORT_EVERY_MS);
      else if (options.tpm !== undefined || counts.isNearlyUsedUp) {
        // Until the first report, the gate does not know what a call uses.
        schedule(hasReported ? TOKENS_EVERY_MS : REPORT_EVERY_MS);
      }
    },
    failed({ type, status, retryAfterMs, rateLimits }) {
      if (type === 'client_error' && !isKeyRefused(status)) return;
      if (type === 'rate_limit') begun.add(-1);
      counts.failed[type] = (counts.failed[type] ?? 0) + 1;
      counts.isKeyRefused ||= isKeyRefused(status);
      if (rateLimits !== undefined) {
        const { isNearlyUsedUp: _known, ...limits } = rateLimits;
        counts.limits = limits;
      }
      if (HEALTH_FAILURES.includes(type)) {
        failedAt = Date.now();
        if (failuresInARow === 0) rowBegunAt = failedAt;
        failuresInARow += 1;
        if (failuresInARow >= ASK_AFTER_FAILURES && state !== 'open') void askWhetherItIsThere();
      }
      if (retryAfterMs !== undefined) {
        notBefore = Math.max(notBefore, Date.now() + Math.min(retryAfterMs, LONGEST_PAUSE_MS));
      }
      schedule(REPORT_EVERY_MS);
    },
    restMs() {
      const now = Date.now();
      const isUndecided = state === 'closed' && now - failedAt < GATE_DECIDES_WITHIN_MS;
      const isRow = isUndecided && failuresInARow >= options.consecutiveFailures;
      const isAway = state !== 'open' && isFoundAway();
      const askingMs = state !== 'open' && reachability.isAsking() ? ASKING_REST_MS : 0;
      return Math.max(isRow || isAway ? LOCAL_REST_MS : askingMs, notBefore - now);
    },
    async isWorthACall() {
      if (isLookDue()) await look();
      if (state !== 'open' || Date.now() - calledAt >= CALL_AT_LEAST_EVERY_MS) return true;
      return reachability.ask();
    },
    isClosedToCalls: () => isShut(state),
    isUntroubled: () => !isInTrouble() && !isRateLimited && !hasFailed(counts) && !counts.isNearlyUsedUp,
  };
}

function noCounts(): Counts {
  return {
    succeeded: 0,
    answeredBegunAt: null,
    failed: {},
    isKeyRefused: false,
    isNearlyUsedUp: false,
    tokens: 0,
    limits: {},
  };
}

function hasFailed({ failed }: Counts): boolean {
  return Object.keys(failed).length > 0;
}

function sum(a: Counts, b: Counts): Counts {
  const failed = { ...a.failed };
  for (const [type, count] of Object.entries(b.failed) as [ProviderFailureType, number][]) {
    failed[type] = (failed[type] ?? 0) + count;
  }
  return {
    succeeded: a.succeeded + b.succeeded,
    answeredBegunAt: b.answeredBegunAt ?? a.answeredBegunAt,
    failed,
    isKeyRefused: a.isKeyRefused || b.isKeyRefused,
    isNearlyUsedUp: a.isNearlyUsedUp || b.isNearlyUsedUp,
    tokens: a.tokens + b.tokens,
    limits: { ...a.limits, ...b.limits },
  };
}

/** Calls by the second, of the last few seconds. Those that were turned away are taken out again. */
class RecentCounts {
  readonly #seconds = new Map<number, number>();

  add(count: number): void {
    const second = Math.floor(Date.now() / 1_000);
    this.#seconds.set(second, (this.#seconds.get(second) ?? 0) + count);
    for (const old of this.#seconds.keys()) if (old <= second - RATE_WINDOW_S) this.#seconds.delete(old);
  }

  /** On average, since the first of them. */
  perSecond(): number {
    const now = Date.now() / 1_000;
    const recent = [...this.#seconds].filter(([second]) => second > now - 1 - RATE_WINDOW_S);
    const first = Math.min(...recent.map(([second]) => second));
    const total = recent.reduce((all, [, count]) => all + count, 0);
    return recent.length === 0 ? 0 : Math.max(0, total) / Math.max(1, now - first);
  }
}
