import { BARE_QUEUE } from '../bare/names.ts';
import { withBareWorker } from '../bare/start.ts';
import { shortDocuments } from '../batch-stack.ts';
import type { Bench, Figure } from '../figure.ts';
import { summarize, timeMs } from '../statistics.ts';

const DOCUMENTS = 2_000;
const CONCURRENCY = 50;
const ROUNDS = 3;
const AIM = 0.7;

/** A batch beside one workflow that runs as many empty activities at the same concurrency, in turn, on the same server. */
export const batchThroughput: Figure = {
  title: `Batch of ${DOCUMENTS} short documents, provider without latency, ${CONCURRENCY} at once`,
  async measure(bench) {
    await oneBatch(bench, 'warm-up', 500);
    return withBareWorker(bench.address, async () => {
      await bare(bench, 'warm-up', 500);
      const batchRates: number[] = [];
      const bareRates: number[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        bareRates.push(perSecond(await bare(bench, String(round), DOCUMENTS)));
        batchRates.push(perSecond(await oneBatch(bench, String(round), DOCUMENTS)));
      }
      const ratios = batchRates.map((perSec, index) => perSec / (bareRates[index] ?? perSec));
      return [
        { what: 'batch', figure: medianRate(batchRates), details: spread(batchRates) },
        {
          what: 'bare workflow with empty activities',
          figure: medianRate(bareRates),
          details: spread(bareRates),
        },
        {
          what: 'ratio',
          figure: `${summarize(ratios).median.toFixed(2)} of the bare one`,
          details: `median of ${ROUNDS} pairs; aim: at least ${AIM}`,
        },
      ];
    });
  },
};

async function oneBatch({ extractor }: Bench, name: string, count: number): Promise<number> {
  const id = `throughput-${Date.now()}-${name}`;
  const model = 'simulated/clean';
  const batch = await extractor.batch(shortDocuments(count), {
    id,
    schema: 'user',
    concurrency: CONCURRENCY,
    model,
  });
  return timeMs(() => batch.done());
}

async function bare({ extractor }: Bench, name: string, count: number): Promise<number> {
  const workflowId = `bare-many/${Date.now()}/${name}`;
  const args = [{ count, concurrency: CONCURRENCY }];
  return timeMs(() =>
    extractor.client.workflow.execute('bareMany', { taskQueue: BARE_QUEUE, workflowId, args }),
  );
}

function perSecond(ms: number): number {
  return (DOCUMENTS / ms) * 1_000;
}

function medianRate(rates: readonly number[]): string {
  return `${summarize(rates).median.toFixed(0)} documents a second`;
}

function spread(rates: readonly number[]): string {
  return `median of ${rates.length}: ${rates.map((value) => value.toFixed(0)).join(', ')}`;
}
