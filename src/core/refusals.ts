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
  /** Epoch milliseconds of the last 429. */
  readonly refusedAt: number;
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
    refusedAt: now,
  };
}

/** Counts what a worker tells of its calls. */
export function counted(refusals: Refusals, told: Told, now: number): Refusals {
  const known = isForgotten(refusals, now) ? noRefusals(now) : refusals;
  const next = {
    ...known,
    allowedPerSecond: Math.max(known.allowedPerSecond, told.allowedPerSecond),
    latest: halved(plus(known.latest, told)),
    refusedAt: told.refused > 0 ? now : known.refusedAt,
  };
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
function begunAnew({ unrelatedShare, latest, refusedAt }: Refusals, now: number): Refusals {
  return { ...noRefusals(now), unrelatedShare, latest, refusedAt };
}

/** Whether there was no 429 for so long that nothing is known of them any more. */
export function isForgotten({ refusedAt }: Refusals, now: number): boolean {
  return now - refusedAt > REFUSALS.forgottenMs;
}

/** Whether there are about as many 429s as are to be expected at any rate, so that slowing down would not help. */
export function isUnrelated({ unrelatedShare, latest }: Refusals): boolean {
  const expected = unrelatedShare * latest.calls;
  return unrelatedShare > 0 && latest.refused <= expected * REFUSALS.sameShare + REFUSALS.chance;
}

/** Whether calls are slow already, and it will soon be known whether that helps. */
export function isOnTrial({ fast, slow, isSlow }: Refusals): boolean {
  return isSlow && isNoMore(slow, fast, REFUSALS.fewByChance);
}

/** Whether no larger a share of slow calls is refused than of fast ones, and too small a one to come of our rate. */
function isNoMore(slow: Counts, fast: Counts, byChance: number): boolean {
  const mostShare = Math.min(REFUSALS.mostUnrelated, shareOf(fast) * REFUSALS.sameShare);
  return fast.refused > 0 && slow.refused <= slow.calls * mostShare + byChance;
}

/** After the rate was lowered: what was counted before says nothing of what comes now. */
export function loweredFor(refusals: Refusals): Refusals {
  return { ...refusals, latest: NONE };
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
