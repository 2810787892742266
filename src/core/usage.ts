/** What a conversation spends: counted from what providers report, priced from a list, estimated before a call. */
import type { Usage } from './contract.ts';

/** Nothing spent yet. */
export const NO_USAGE: Usage = { calls: 0, promptTokens: 0, completionTokens: 0, costUsd: 0 };

/** What a model's tokens cost, in US dollars for a million. */
export interface ModelPrice {
  readonly promptUsdPerMillion: number;
  readonly completionUsdPerMillion: number;
}

/**
 * OpenAI's list prices (openai.com/api/pricing, autumn 2025), without discounts for cached prompts or batches.
 * Prices age: what is computed from them is a guide, not a bill.
 */
const LIST_PRICES: ReadonlyMap<string, ModelPrice> = new Map([
  ['gpt-4o', { promptUsdPerMillion: 2.5, completionUsdPerMillion: 10 }],
  ['gpt-4o-mini', { promptUsdPerMillion: 0.15, completionUsdPerMillion: 0.6 }],
  ['gpt-4.1', { promptUsdPerMillion: 2, completionUsdPerMillion: 8 }],
  ['gpt-4.1-mini', { promptUsdPerMillion: 0.4, completionUsdPerMillion: 1.6 }],
  ['gpt-4.1-nano', { promptUsdPerMillion: 0.1, completionUsdPerMillion: 0.4 }],
]);

const PROVIDER_PREFIX = /^openai\//;
/** `gpt-4o-mini-2024-07-18` costs what its family costs. */
const SNAPSHOT_SUFFIX = /-\d{4}-\d{2}-\d{2}$/;

/** English prose has about four characters a token (OpenAI's rule of thumb); other scripts have fewer. */
const CHARACTERS_PER_TOKEN = 4;

/** The sum of two spends. A cost that is not known makes the sum unknown: it is never taken for zero. */
export function addUsage(a: Usage, b: Usage): Usage {
  return {
    calls: a.calls + b.calls,
    promptTokens: a.promptTokens + b.promptTokens,
    completionTokens: a.completionTokens + b.completionTokens,
    costUsd: a.costUsd === null || b.costUsd === null ? null : a.costUsd + b.costUsd,
  };
}

/**
 * What tokens cost, in US dollars, by the given prices or else by list price; null for a model whose price is not known.
 *
 * @param model `gpt-4o-mini`, a dated snapshot of it, or `openai/gpt-4o-mini`.
 * @param prices By model. A snapshot that is not in them costs what its family does.
 */
export function costUsd(
  model: string,
  promptTokens: number,
  completionTokens: number,
  prices: Readonly<Record<string, ModelPrice>> = {},
): number | null {
  const family = model.replace(PROVIDER_PREFIX, '').replace(SNAPSHOT_SUFFIX, '');
  const priced = [model, family].find((name) => Object.hasOwn(prices, name));
  const price = priced === undefined ? LIST_PRICES.get(family) : prices[priced];
  if (price === undefined) return null;
  return (
    (promptTokens * price.promptUsdPerMillion + completionTokens * price.completionUsdPerMillion) / 1_000_000
  );
}

/** About how many tokens a text is, before a call tells: a quarter of its length in UTF-16 units, rounded up. */
export function estimateTokens(text: string): number {
  return Math.ceil(text.length / CHARACTERS_PER_TOKEN);
}
