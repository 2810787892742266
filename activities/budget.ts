import type { Budget } from '../src/core/contract.ts';
import type { Expense } from '../src/core/expense.ts';
import { addExpense, isWithin } from '../src/core/expense.ts';
import type { PreparedCall } from '../src/core/prepared.ts';
import { costUsd, estimateTokens } from '../src/core/usage.ts';
import type { PromptMessage, Provider } from '../src/provider/provider.ts';

/** What a conversation has spent before a call. */
export interface Spent {
  readonly tokens: number;
  /** Null where a price is not known. */
  readonly costUsd: number | null;
  /** Of the longest answer so far: the next one is taken to be as long. */
  readonly longestAnswerTokens: number;
}

/** What a call will cost, by an estimate: the messages' text, and an answer of so many tokens. */
export function estimateOf(options: {
  readonly messages: readonly PromptMessage[];
  readonly answerTokens: number;
  readonly settings: PreparedCall;
  /** The provider's own. Default: list prices alone. */
  readonly prices?: Provider['prices'] | undefined;
}): Expense {
  const { messages, answerTokens, settings, prices } = options;
  const promptTokens = estimateTokens(messages.map(({ content }) => content).join(''));
  return {
    tokens: promptTokens + answerTokens,
    costUsd: settings.simulated ? 0 : costUsd(settings.model, promptTokens, answerTokens, prices),
  };
}

/** Whether a call would take a conversation over its budget. A price that is not known is taken for none. */
export function exceedsBudget(budget: Budget, spent: Spent, call: Expense): boolean {
  const known = { tokens: spent.tokens, costUsd: spent.costUsd ?? 0 };
  return !isWithin(budget, addExpense(known, { ...call, costUsd: call.costUsd ?? 0 }));
}
