/** What a batch made of documents whose truth is known. */
import { isDeepStrictEqual } from 'node:util';
import type { BatchStack } from './batch-stack.ts';
import type { KnownDocument } from './documents.ts';
import type { StrategyName } from '../src/core/contract.ts';

/** Sums over a batch. */
export interface Recovery {
  readonly documents: number;
  readonly recovered: number;
  /** Of the documents, those whose data is the truth. */
  readonly correct: number;
  readonly calls: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
}

export const NOTHING_RECOVERED: Recovery = {
  documents: 0,
  recovered: 0,
  correct: 0,
  calls: 0,
  promptTokens: 0,
  completionTokens: 0,
};

/** Runs a batch through the stack, with every setting but these at its default, and compares its results with the truth. */
export async function recover(
  { extractor }: BatchStack,
  documents: readonly KnownDocument[],
  options: { readonly id: string; readonly strategy: StrategyName },
): Promise<Recovery> {
  const given = documents.map(({ id, text, schema }) => ({ id, text, schema }));
  const batch = await extractor.batch(given, { ...options, schema: 'user' });
  const truths = new Map(documents.map(({ id, truth }) => [id, truth]));
  let sum = NOTHING_RECOVERED;
  for await (const { id, success, data, usage } of batch.results()) {
    sum = added(sum, {
      documents: 1,
      recovered: success ? 1 : 0,
      correct: success && isDeepStrictEqual(data, truths.get(id)) ? 1 : 0,
      calls: usage.calls,
      promptTokens: usage.promptTokens,
      completionTokens: usage.completionTokens,
    });
  }
  return sum;
}

/** The sum of two. */
export function added(one: Recovery, other: Recovery): Recovery {
  return {
    documents: one.documents + other.documents,
    recovered: one.recovered + other.recovered,
    correct: one.correct + other.correct,
    calls: one.calls + other.calls,
    promptTokens: one.promptTokens + other.promptTokens,
    completionTokens: one.completionTokens + other.completionTokens,
  };
}

/** Prompt and completion together. */
export function tokensOf({ promptTokens, completionTokens }: Recovery): number {
  return promptTokens + completionTokens;
}
