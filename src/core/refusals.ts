/**
 * Whether 429s come of our rate. A limit refuses nothing below itself: calls that were slowed down to well below what was taken
 * are below it. A provider that is overloaded by others, or refuses at random, refuses as large a share of few calls as of many.
 *
 * What is compared is what was taken, and not what was allowed: where little is asked for, a lower rate changes nothing.
 */
export interface Refusals {
  /** At about what was taken when there were 429s first. */
  readonly fast: Counts & {
    /** Of one worker, on average over some seconds, where there were 429s. */
    readonly takenPerSecond: number;
  };
  /** At well below that. */
  readonly slow: Counts;
  /** Whether the last calls were slow ones. */
  readonly isSlow: boolean;
  /** The most that the gate has allowed to all workers together. */
  readonly allowedPerSecond: number;
  /** The share of calls that are refused at any rate; 0 where 429s come of ours. */
  readonly unrelatedShare: number;
  /** Since the rate was last lowered, or that share was found. */
  readonly latest: Counts;
  /** Since a rate was tried last in spite of them. */
  readonly untried: Counts;
  /** So many of these, and the next one is tried in spite of them. */
  readonly patience: number;
  /** A higher rate that is being tried, to see whether the share of 429s grows with it. */
  readonly raise: Raise | null;
  /** Epoch milliseconds of the last 429. */
  readonly refusedAt: number;
}

/** A higher rate, in spite of 429s. */
interface Raise {
  /** Of calls that were refused before it. */
  readonly share: number;
  /** To which the rate goes back if that share grows. */
  readonly fromPerSecond: number;
  /** 429s since it began: of the latest calls alone there are never enough where few are refused. */
  readonly refused: number;
}

interface Counts {
  readonly calls: number;
  readonly refused: number;
}

/** What a worker tells. */
interface Told extends Counts {
  /** On average over some seconds. */
  readonly takenPerSecond: number;
  /** By the gate, to all workers together. */
  readonly allowedPerSecond: number;
  /** Whether that is about what it has been for long, as far as 429s let it. */
  readonly isSettled: boolean;
}

/** Found by simulation (test/core/refusals.test.ts). */
const REFUSALS = {
  /** Calls are slow if less than so much of what was taken is asked for. */
  slowedTo: 0.7,
  /** So many 429s are needed to say anything. */
  leastRefused: 4,
  /** A larger share comes of our rate: so much is not refused at random. */
  mostUnrelated: 0.3,
  /** Shares that differ by no more than so many times are the same. */
  sameShare: 2.5,
  /** Older calls count for half whenever so many are counted. */
  mostCalls: 400,
  /** So many 429s more than are to be expected come by chance, of slow calls, which are few, */
  fewByChance: 1,
  /** and of all. */
  chance: 4,
  /** So many 429s that kept on coming, however often the rate was lowered, and a higher one is tried; twice as many each time in vain. */
  patience: 8,
  /** So many 429s at a share that has not grown tell that they do not come of our rate. */
  enoughRefused: 12,
  /** At so many times the rate before it: of that, a limit would refuse more than is ever borne. */
  raisedTo: 3,
  /** After so long without a 429 all this is over. */
  forgottenMs: 120_000,
} as const;

const NONE: Counts = { calls: 0, refused: 0 };

/** At the first 429. */
export function noRefusals(now: number): Refusals {
  return {
    fast: { ...NONE, takenPerSecond: 0 },
    slow: NONE,
    isSlow: false,
    allowedPerSecond: 0,
    unrelatedShare: 0,
    latest: NONE,
    untried: NONE,
    patience: REFUSALS.patience,
    raise: null,
    refusedAt: now,
  };
}

/** Counts what a worker tells of its calls. */
export function counted(refusals: Refusals, told: Told, now: number): Refusals {
  // What an earlier version did not know begins anew.
  const known = { ...noRefusals(now), ...(isForgotten(refusals, now) ? {} : refusals) };
  const next = {
    ...known,
    allowedPerSecond: Math.max(known.allowedPerSecond, told.allowedPerSecond),
    latest: halved(plus(known.latest, told)),
    raise: known.raise && { ...known.raise, refused: known.raise.refused + told.refused },
    untried: countedUntried(known, told),
    refusedAt: told.refused > 0 ? now : known.refusedAt,
  };
  // Its calls are faster from step to step: there is nothing to compare them with but those before it.
  if (next.raise !== null) return next;
  const { fast, slow, latest } = next;
  if (madePerSecond(told) < fast.takenPerSecond * REFUSALS.slowedTo) {
    return judged({ ...next, slow: plus(slow, told), isSlow: true }, now);
  }
  const isChanged =
    fast.refused >= REFUSALS.leastRefused &&
    latest.refused >= REFUSALS.leastRefused &&
    shareOf(latest) > shareOf(fast) * REFUSALS.sameShare;
  return isChanged ? begunAnew(next, now) : { ...next, fast: fastWith(fast, told), isSlow: false };
}

/** Those that were refused as well. */
function madePerSecond({ takenPerSecond, calls, refused }: Told): number {
  return calls === refused ? Number.POSITIVE_INFINITY : (takenPerSecond * calls) / (calls - refused);
}

/** Its pace is that of its first 429s: later ones are those of a lower rate. */
function fastWith(fast: Refusals['fast'], told: Told): Refusals['fast'] {
  const counts = halved(plus(fast, told));
  if (told.refused === 0 || fast.refused >= REFUSALS.leastRefused) return { ...fast, ...counts };
  const mean = fast.takenPerSecond * fast.refused + told.takenPerSecond * told.refused;
  return { ...counts, takenPerSecond: mean / (fast.refused + told.refused) };
}

/** The provider is another than it was: it refuses more, or less. */
function begunAnew(refusals: Refusals, now: number): Refusals {
  const { unrelatedShare, latest, untried, patience, refusedAt } = refusals;
  return { ...noRefusals(now), unrelatedShare, latest, untried, patience, refusedAt };
}

/** Where as many are refused as there are when the rate is far too high, nothing needs to be tried. */
function countedUntried({ untried, raise }: Refusals, told: Told): Counts {
  if (raise !== null || !told.isSettled) return untried;
  const next = plus(untried, told);
  return next.refused >= REFUSALS.leastRefused && shareOf(next) > REFUSALS.mostUnrelated ? NONE : next;
}

/**
 * Whether 429s have kept on coming though the rate was lowered for them again and again. It may go down for ever for a share of them
 * that never changes: soon there are too few calls to tell that from a limit, except by trying.
 */
export function isPatienceOver({ untried, patience, raise }: Refusals): boolean {
  return raise === null && untried.refused >= patience;
}

/** While a higher rate is tried. */
export function raisedFrom(refusals: Refusals, fromPerSecond: number): Refusals {
  return {
    ...refusals,
    raise: { share: shareOf(refusals.untried), fromPerSecond, refused: 0 },
    untried: NONE,
    latest: NONE,
  };
}

/** What a higher rate has shown so far: a limit refuses most of what is beyond it. */
export function courseOfRaise(
  { raise, latest }: Refusals,
  allowedPerSecond: number,
): 'failed' | 'open' | 'succeeded' {
  const mostShare = mostShareLike(raise?.share ?? 0);
  if (latest.refused > latest.calls * mostShare + REFUSALS.chance) return 'failed';
  const isEnough =
    raise !== null &&
    raise.refused >= REFUSALS.enoughRefused &&
    allowedPerSecond >= REFUSALS.raisedTo * raise.fromPerSecond;
  return isEnough ? 'succeeded' : 'open';
}

/** After one in vain: 429s come of our rate. */
export function raisedInVain(refusals: Refusals): Refusals {
  return { ...refusals, raise: null, untried: NONE, latest: NONE, patience: 2 * refusals.patience };
}

/** After one that has shown that they do not. */
export function raisedWell(refusals: Refusals): Refusals {
  const unrelatedShare = Math.min(refusals.raise?.share ?? 0, shareOf(refusals.latest));
  return { ...refusals, raise: null, patience: REFUSALS.patience, slow: NONE, unrelatedShare };
}

/** Whether there was no 429 for so long that nothing is known of them any more. */
export function isForgotten({ refusedAt }: Refusals, now: number): boolean {
  return now - refusedAt > REFUSALS.forgottenMs;
}

/** Whether there are about as many 429s as are to be expected at any rate, so that slowing down would not help. */
export function isUnrelated({ unrelatedShare, latest }: Refusals): boolean {
  return (
    unrelatedShare > 0 && latest.refused <= latest.calls * mostShareLike(unrelatedShare) + REFUSALS.chance
  );
}

/** Whether calls are slow already, and it will soon be known whether that helps. */
export function isOnTrial({ fast, slow, isSlow }: Refusals): boolean {
  return isSlow && isNoMore(slow, fast, REFUSALS.fewByChance);
}

/** Whether no larger a share of slow calls is refused than of fast ones, and too small a one to come of our rate. */
function isNoMore(slow: Counts, fast: Counts, byChance: number): boolean {
  return fast.refused > 0 && slow.refused <= slow.calls * mostShareLike(shareOf(fast)) + byChance;
}

/** Up to which a share is about this one, and too small to come of our rate. */
function mostShareLike(share: number): number {
  return Math.min(REFUSALS.mostUnrelated, share * REFUSALS.sameShare);
}

/** After the rate was lowered: what was counted before says nothing of what comes now. */
export function loweredFor(refusals: Refusals): Refusals {
  const { latest, unrelatedShare } = refusals;
  return {
    ...refusals,
    latest: NONE,
    unrelatedShare: shareOf(latest) > REFUSALS.mostUnrelated ? 0 : unrelatedShare,
  };
}

/** Compares fast calls and slow ones, once there are enough 429s of these. */
function judged(refusals: Refusals, now: number): Refusals {
  const { fast, slow } = refusals;
  if (slow.refused < REFUSALS.leastRefused) return refusals;
  const isSame = isNoMore(slow, fast, 0) && shareOf(slow) * REFUSALS.sameShare >= shareOf(fast);
  // If it has made a difference, it is compared with how it is now.
  if (!isSame) return begunAnew(refusals, now);
  const unrelatedShare = Math.min(REFUSALS.mostUnrelated, shareOf(plus(fast, slow)));
  return { ...refusals, slow: NONE, latest: NONE, unrelatedShare };
}

function shareOf({ calls, refused }: Counts): number {
  return calls === 0 ? 0 : refused / calls;
}

function plus(a: Counts, b: Counts): Counts {
  return { calls: a.calls + b.calls, refused: a.refused + b.refused };
}

function halved({ calls, refused }: Counts): Counts {
  return calls <= REFUSALS.mostCalls ? { calls, refused } : { calls: calls / 2, refused: refused / 2 };
}
