import { costUsd, estimateTokens } from '../src/core/usage.ts';
import type { Conversation } from './conversation.ts';

/**
 * Whether the next call would take a conversation over its budget, by an estimate: the prompt's text, and an answer as
 * long as the longest so far.
 */
export function exceedsBudget({ prepared, text, turns, usage, rejected }: Conversation): boolean {
  const { budget, model, simulated, systemPrompt = '' } = prepared;
  const promptTokens = estimateTokens(
    systemPrompt + text + turns.map(({ answer, feedback }) => answer + feedback).join(''),
  );
  const completionTokens = Math.max(0, ...rejected.map((record) => record.completionTokens));
  const tokens = usage.promptTokens + usage.completionTokens + promptTokens + completionTokens;
  if (budget.maxTokens !== undefined && tokens > budget.maxTokens) return true;
  if (budget.maxCostUsd === undefined || simulated) return false;
  const next = costUsd(model, promptTokens, completionTokens) ?? 0;
  return (usage.costUsd ?? 0) + next > budget.maxCostUsd;
}
