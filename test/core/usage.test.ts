import { expect, test } from 'vitest';
import { addUsage, costUsd, estimateTokens, NO_USAGE } from '../../src/core/usage.ts';

const spent = { calls: 2, promptTokens: 900, completionTokens: 120, costUsd: 0.5 };

test('spends add up', () => {
  expect(addUsage(spent, { calls: 1, promptTokens: 1, completionTokens: 2, costUsd: 0.25 })).toEqual({
    calls: 3,
    promptTokens: 901,
    completionTokens: 122,
    costUsd: 0.75,
  });
  expect(addUsage(NO_USAGE, spent)).toEqual(spent);
});

test('one cost that is not known makes the sum unknown', () => {
  const unpriced = { ...spent, costUsd: null };
  expect(addUsage(spent, unpriced).costUsd).toBeNull();
  expect(addUsage(unpriced, spent).costUsd).toBeNull();
});

test.each([
  ['gpt-4o-mini', 0.75],
  ['gpt-4o-mini-2024-07-18', 0.75],
  ['openai/gpt-4o', 12.5],
  ['gpt-4.1', 10],
  ['gpt-4.1-mini', 2],
  ['gpt-4.1-nano', 0.5],
])('a million tokens each way of %s cost %s US dollars', (model, usd) => {
  expect(costUsd(model, 1_000_000, 1_000_000)).toBeCloseTo(usd, 9);
});

test.each(['simulated', 'gpt-4o-audio', 'azure/gpt-4o'])('what %s costs is not known', (model) => {
  expect(costUsd(model, 1, 1)).toBeNull();
});

const PRICES = {
  'gpt-4o': { promptUsdPerMillion: 1, completionUsdPerMillion: 2 },
  'org/open-model': { promptUsdPerMillion: 0, completionUsdPerMillion: 0 },
  'small-2025-01-01': { promptUsdPerMillion: 3, completionUsdPerMillion: 4 },
};

test.each([
  ['gpt-4o', 3],
  ['gpt-4o-2024-08-06', 3],
  ['gpt-4o-mini', 0.75],
  ['org/open-model', 0],
  ['small-2025-01-01', 7],
  ['small-2026-01-01', null],
  ['constructor', null],
])("a provider's own prices go before the list: %s", (model, usd) => {
  expect(costUsd(model, 1_000_000, 1_000_000, PRICES)).toBe(usd);
});

test('a token is about four characters', () => {
  expect([estimateTokens(''), estimateTokens('abcd'), estimateTokens('abcde')]).toEqual([0, 1, 2]);
});
