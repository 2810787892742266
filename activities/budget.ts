import type { Budget } from '../src/core/contract.ts';
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

/** Whether a call would take a conversation over its budget, by an estimate: the messages' text, and the longest answer so far. */
export function exceedsBudget(options: {
  readonly budget: Budget;
  readonly spent: Spent;
  readonly messages: readonly PromptMessage[];
  readonly settings: PreparedCall;
  /** The provider's own. Default: list prices alone. */
  readonly prices?: Provider['prices'] | undefined;
}): boolean {
  const { budget, spent, messages, settings, prices } = options;
  if (budget.maxTokens === undefined && budget.maxCostUsd === undefined) return false;
  const promptTokens = estimateTokens(messages.map(({ content }) => content).join(''));
  const { longestAnswerTokens } = spent;
  const tokens = spent.tokens + promptTokens + longestAnswerTokens;
  if (budget.maxTokens !== undefined && tokens > budget.maxTokens) return true;
  if (budget.maxCostUsd === undefined || settings.simulated) return false;
  const next = costUsd(settings.model, promptTokens, longestAnswerTokens, prices) ?? 0;
  return (spent.costUsd ?? 0) + next > budget.maxCostUsd;
}
