/** What calls cost, held against what may be spent. */
import type { Budget, Usage } from './contract.ts';
import { grouped } from './grouped.ts';

/** Tokens, of prompts and answers together, and US dollars. */
export interface Expense {
  readonly tokens: number;
  /** Null where a price is not known. */
  readonly costUsd: number | null;
}

export const NO_EXPENSE: Expense = { tokens: 0, costUsd: 0 };

/** The sum of two. A cost that is not known makes the sum unknown. */
export function addExpense(a: Expense, b: Expense): Expense {
  const cost = a.costUsd === null || b.costUsd === null ? null : a.costUsd + b.costUsd;
  return { tokens: a.tokens + b.tokens, costUsd: cost };
}

/** What an answer came to. */
export function expenseOf({ promptTokens, completionTokens, costUsd }: Usage): Expense {
  return { tokens: promptTokens + completionTokens, costUsd };
}

/** Whether so much may be spent. A cost that is not known is within no cap. */
export function isWithin({ maxTokens, maxCostUsd }: Budget, { tokens, costUsd }: Expense): boolean {
  if (maxTokens !== undefined && tokens > maxTokens) return false;
  return maxCostUsd === undefined || (costUsd !== null && costUsd <= maxCostUsd);
}

/** Whether two budgets are the same. */
export function isSameBudget(a: Budget, b: Budget): boolean {
  return a.maxTokens === b.maxTokens && a.maxCostUsd === b.maxCostUsd;
}

/** What is wrong with a budget; undefined where nothing is. */
export function budgetProblem({ maxTokens, maxCostUsd }: Budget): string | undefined {
  if (maxTokens !== undefined && !(Number.isInteger(maxTokens) && maxTokens >= 1))
    return `maxTokens: expected a whole number from 1, got ${JSON.stringify(maxTokens)}.`;
  if (maxCostUsd !== undefined && !(Number.isFinite(maxCostUsd) && maxCostUsd > 0))
    return `maxCostUsd: expected a number of US dollars above 0, got ${JSON.stringify(maxCostUsd)}.`;
  return undefined;
}

/** `1,204 tokens, $0.12`. */
export function wordsOf({ tokens, costUsd }: Expense): string {
  const cost = costUsd === null ? ['cost unknown'] : costUsd > 0 ? [dollars(costUsd)] : [];
  return [`${grouped(tokens)} tokens`, ...cost].join(', ');
}

/** `20,000 tokens and $5.00`; `no limit`. */
export function wordsOfBudget({ maxTokens, maxCostUsd }: Budget): string {
  const caps = [
    ...(maxTokens === undefined ? [] : [`${grouped(maxTokens)} tokens`]),
    ...(maxCostUsd === undefined ? [] : [dollars(maxCostUsd)]),
  ];
  return caps.length === 0 ? 'no limit' : caps.join(' and ');
}

/** With as many digits as small amounts need. */
function dollars(amount: number): string {
  return `$${amount >= 1 ? amount.toFixed(2) : amount.toPrecision(2)}`;
}
