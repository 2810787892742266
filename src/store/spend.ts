import type { ExpressionBuilder, Kysely } from 'kysely';
import type { Usage } from '../core/contract.ts';
import { NO_USAGE } from '../core/usage.ts';
import type { Tables } from './tables.ts';

/** What answers have cost, and how many they were. */
export interface BatchSpend {
  readonly usage: Usage;
  readonly answers: number;
}

/** What a batch has spent in all its rounds, as its answered attempts tell. */
export async function spendOfBatch(db: Kysely<Tables>, batchId: string): Promise<BatchSpend> {
  const sums = await db
    .selectFrom('attempts')
    .select(sumsOf)
    .where('batch_id', '=', batchId)
    .executeTakeFirstOrThrow();
  return { usage: usageOf(sums), answers: sums.attempts };
}

/** What some documents of a batch have cost in all its rounds, as their answered attempts tell; nothing where there is none. */
export async function spendOfDocuments(
  db: Kysely<Tables>,
  batchId: string,
  documentIds: readonly string[],
): Promise<(documentId: string) => Usage> {
  if (documentIds.length === 0) return () => NO_USAGE;
  const rows = await db
    .selectFrom('attempts')
    .select('document_id')
    .select(sumsOf)
    .where('batch_id', '=', batchId)
    .where('document_id', 'in', documentIds)
    .groupBy('document_id')
    .execute();
  const spend = new Map(rows.map(({ document_id: id, ...sums }) => [id, usageOf(sums)]));
  return (documentId) => spend.get(documentId) ?? NO_USAGE;
}

function sumsOf(of: ExpressionBuilder<Tables, 'attempts'>) {
  return [
    of.fn.sum<number | null>('calls').as('calls'),
    of.fn.sum<number | null>('prompt_tokens').as('promptTokens'),
    of.fn.sum<number | null>('completion_tokens').as('completionTokens'),
    of.fn.sum<number | null>('cost_usd').as('costUsd'),
    of.fn.countAll<number>().as('attempts'),
    of.fn.count<number>('cost_usd').as('priced'),
  ] as const;
}

/** Where the price of any answer is not known, that of all of them is not. */
function usageOf(sums: {
  readonly calls: number | null;
  readonly promptTokens: number | null;
  readonly completionTokens: number | null;
  readonly costUsd: number | null;
  readonly attempts: number;
  readonly priced: number;
}): Usage {
  return {
    calls: sums.calls ?? 0,
    promptTokens: sums.promptTokens ?? 0,
    completionTokens: sums.completionTokens ?? 0,
    costUsd: sums.priced < sums.attempts ? null : (sums.costUsd ?? 0),
  };
}
