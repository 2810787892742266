import { expect, test } from 'vitest';
import { estimateOf, exceedsBudget } from '../../activities/budget.ts';
import { DEFAULT_RETRY } from '../../src/core/contract.ts';

const TWO_DOLLARS_A_TOKEN = { promptUsdPerMillion: 2_000_000, completionUsdPerMillion: 2_000_000 };

/** A call with a prompt of 10 tokens and an answer of 5. */
function call(model: string) {
  return {
    answerTokens: 5,
    messages: [{ role: 'user', content: 'x'.repeat(40) }],
    settings: { provider: 'p', model, simulated: false, retry: DEFAULT_RETRY, timeoutMs: 1_000 },
    prices: { dear: TWO_DOLLARS_A_TOKEN, 'gpt-4o': TWO_DOLLARS_A_TOKEN },
  } as const;
}

test.each([
  ['dear', 29.9, true],
  ['dear', 30, false],
  ['gpt-4o', 29.9, true],
  ['gpt-4o-mini', 0.000004, true],
  ['gpt-4o-mini', 0.00001, false],
  ['unpriced', 0.000001, false],
])(
  "a call of %s under %d US dollars is judged by the provider's prices, then by the list",
  (model, maxCostUsd, expected) => {
    const spent = { tokens: 0, costUsd: 0, longestAnswerTokens: 5 };
    expect(exceedsBudget({ maxCostUsd }, spent, estimateOf(call(model)))).toBe(expected);
  },
);
