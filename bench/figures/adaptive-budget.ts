import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withBatchStack } from '../batch-stack.ts';
import type { BatchStack } from '../batch-stack.ts';
import { mixedDocuments } from '../documents.ts';
import type { Figure } from '../figure.ts';
import type { BatchStatus } from '../../src/core/batch-contract.ts';
import { costUsd } from '../../src/core/usage.ts';

const DOCUMENTS = 1_000;
const CONCURRENCY = 50;
const SHARE = 0.1;
const MODEL = 'clean';
/** What gpt-4o-mini costs. */
const PRICES = { [MODEL]: { promptUsdPerMillion: 0.15, completionUsdPerMillion: 0.6 } };

/** Whether a cap in US dollars holds, and what is paid again when the batch goes on with a higher one. */
export const adaptiveBudget: Figure = {
  title: `Budget: batch of ${DOCUMENTS}, ${CONCURRENCY} at once, capped at ${100 * SHARE} % of what it costs; then resumed`,
  measure: () =>
    withPrices((config) =>
      withBatchStack(
        { provider: ['--latency-ms=50-150'], env: { DURABLE_EXTRACT_CONFIG: config } },
        async (stack) => {
          await stack.setFaults({ wrong_type: 0.2, json_garbage: 0.1 });
          const whole = await run(stack, 'whole', undefined);
          const cap = SHARE * cost(whole);
          const capped = await run(stack, 'capped', cap);
          const batch = await stack.extractor.batchHandle('capped');
          await batch.resume({ budget: { maxCostUsd: 10 * cost(whole) } });
          const resumed = await batch.done();
          const dearest = dearestCall(await stack.calls());
          return [
            {
              what: 'spent when it was paused, of its cap',
              figure: `${((100 * cost(capped)) / cap).toFixed(1)} %`,
              details: `${capped.calls} calls, $${cost(capped).toFixed(6)} of $${cap.toFixed(6)}; ${capped.state}, for its ${capped.pausedFor}; aim: at most the calls in flight more (${CONCURRENCY} of $${dearest.toFixed(6)} at most)`,
            },
            {
              what: 'spent in all, resumed against never paused',
              figure: `${(cost(resumed) / cost(whole)).toFixed(3)} of the cost`,
              details: `${resumed.calls} calls for ${whole.calls}, ${resumed.succeeded} of ${resumed.total} extracted; aim: 1.000`,
            },
          ];
        },
      ),
    ),
};

/** A configuration file in which the simulated model has a price. */
async function withPrices<T>(use: (config: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'durable-extract-bench-'));
  const config = join(folder, 'config.json');
  const provider = { name: 'openai', keyVariable: 'OPENAI_API_KEY', models: [MODEL], prices: PRICES };
  writeFileSync(config, JSON.stringify({ providers: [provider] }));
  try {
    return await use(config);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function run(
  { extractor }: BatchStack,
  id: string,
  maxCostUsd: number | undefined,
): Promise<BatchStatus> {
  const given = mixedDocuments(DOCUMENTS).map(({ id: name, text, schema }) => ({ id: name, text, schema }));
  const batch = await extractor.batch(given, {
    id,
    schema: 'user',
    concurrency: CONCURRENCY,
    // What a batch learns depends on when: the two are to make the same calls.
    learn: false,
    ...(maxCostUsd === undefined ? {} : { batchBudget: { maxCostUsd } }),
  });
  return batch.done();
}

function cost({ costUsd: dollars }: BatchStatus): number {
  if (dollars === null) throw new Error(`Expected the price of ${MODEL} to be known.`);
  return dollars;
}

function dearestCall(calls: Awaited<ReturnType<BatchStack['calls']>>): number {
  return Math.max(
    ...calls.map(
      ({ promptTokens, completionTokens }) => costUsd(MODEL, promptTokens, completionTokens, PRICES) ?? 0,
    ),
  );
}
