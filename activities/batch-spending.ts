/**
 * What batches with a budget spend, as one worker sees it: what the store had counted a moment ago, its own calls since, and
 * those under way.
 */
import type { Budget, Usage } from '../src/core/contract.ts';
import type { BatchSpend } from '../src/store/spend.ts';
import { NO_EXPENSE, addExpense, expenseOf, isWithin } from '../src/core/expense.ts';
import type { Expense } from '../src/core/expense.ts';

/** What may be spent is looked after by each worker. */
export interface BatchSpending {
  /**
   * Sets aside what a call will cost, by an estimate; undefined where the budget does not cover it.
   *
   * @param estimate what it costs, for an answer of so many tokens.
   */
  reserve(
    batch: string,
    budget: Budget,
    estimate: (answerTokens: number) => Expense,
  ): Promise<Reservation | undefined>;
}

/** What is set aside for a call. */
export interface Reservation {
  /** Ends it, with what the call came to; nothing where it failed. */
  settle(usage: Usage | undefined): void;
}

/** Asks the store. */
export type ReadSpend = (batch: string) => Promise<BatchSpend>;

/** How old a count may be: other workers have spent since. */
const FRESH_MS = 1_000;
/** Where little is left, against what this worker alone has spent since or has under way, each call has a newer one. */
const FRESH_AT_END_MS = 20;
const LITTLE = 5;
/** Of a worker's time that may go into counting. */
const SHARE_OF_TIME = 0.05;

/** The spend of one batch. */
interface Ledger {
  counted: Expense;
  /** Of a mean answer so far. */
  answerTokens: number;
  /** When counting began, and how long it took; in milliseconds. */
  countedAt: number;
  tookMs: number;
  counting: Promise<void> | undefined;
  /** Own answers since: when they were written down, and what they came to. */
  since: { readonly at: number; readonly expense: Expense }[];
  readonly underWay: Set<Expense>;
}

const MOST_REMEMBERED = 100;

/** @param now a clock in milliseconds that only goes forward. */
export function batchSpending(read: ReadSpend, now: () => number = () => performance.now()): BatchSpending {
  const ledgers = new Map<string, Ledger>();

  const ledgerOf = (batch: string): Ledger => {
    const known = ledgers.get(batch);
    if (known !== undefined) return known;
    for (const [other, { underWay }] of ledgers) {
      if (ledgers.size >= MOST_REMEMBERED && underWay.size === 0) ledgers.delete(other);
    }
    const ledger: Ledger = {
      counted: NO_EXPENSE,
      answerTokens: 0,
      countedAt: Number.NEGATIVE_INFINITY,
      tookMs: 0,
      counting: undefined,
      since: [],
      underWay: new Set(),
    };
    ledgers.set(batch, ledger);
    return ledger;
  };

  const count = async (batch: string, ledger: Ledger): Promise<void> => {
    const startedAt = now();
    const { answers, usage } = await read(batch);
    ledger.counted = expenseOf(usage);
    ledger.answerTokens = answers === 0 ? 0 : Math.ceil(usage.completionTokens / answers);
    // What was written while it counted may be in it or not: rather twice than not at all.
    ledger.since = ledger.since.filter(({ at }) => at >= startedAt);
    ledger.countedAt = startedAt;
    ledger.tookMs = now() - startedAt;
  };

  const countAnew = async (batch: string, ledger: Ledger): Promise<void> => {
    ledger.counting ??= count(batch, ledger).finally(() => {
      ledger.counting = undefined;
    });
    await ledger.counting;
  };

  return {
    async reserve(batch, budget, estimate) {
      const ledger = ledgerOf(batch);
      for (const freshMs of [FRESH_MS, FRESH_AT_END_MS]) {
        const age = now() - ledger.countedAt;
        if (age > Math.max(freshMs, ledger.tookMs / SHARE_OF_TIME)) await countAnew(batch, ledger);
        const call = estimate(ledger.answerTokens);
        const own = sumOf([...ledger.since.map(({ expense }) => expense), ...ledger.underWay]);
        const all = addExpense(addExpense(ledger.counted, own), call);
        const isNearEnd = !isWithin(budget, addExpense(all, times(LITTLE, addExpense(own, call))));
        if (isNearEnd && freshMs !== FRESH_AT_END_MS) continue;
        if (!isWithin(budget, all)) return undefined;
        ledger.underWay.add(call);
        return {
          settle(usage) {
            if (!ledger.underWay.delete(call) || usage === undefined) return;
            ledger.since.push({ at: now(), expense: expenseOf(usage) });
          },
        };
      }
      return undefined;
    },
  };
}

function sumOf(expenses: readonly Expense[]): Expense {
  return expenses.reduce(addExpense, NO_EXPENSE);
}

function times(factor: number, { tokens, costUsd }: Expense): Expense {
  return { tokens: factor * tokens, costUsd: costUsd === null ? null : factor * costUsd };
}
