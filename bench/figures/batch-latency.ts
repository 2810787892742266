import { shortDocuments, withBatchStack } from '../batch-stack.ts';
import type { Figure } from '../figure.ts';
import { timeMs } from '../statistics.ts';

const DOCUMENTS = 2_000;
const CONCURRENCY = 100;
const LATENCY_MS = 1_000;

/** Whether the concurrency is used: against the time that calls alone would take. */
export const batchLatency: Figure = {
  title: `Batch of ${DOCUMENTS}, provider with ${LATENCY_MS / 1_000} s latency, ${CONCURRENCY} at once`,
  measure: () =>
    withBatchStack({ provider: ['--latency-ms', String(LATENCY_MS)] }, async ({ extractor }) => {
      const run = async (id: string, count: number): Promise<number> => {
        const options = { id, schema: 'user', concurrency: CONCURRENCY };
        const batch = await extractor.batch(shortDocuments(count), options);
        return timeMs(() => batch.done());
      };
      await run('warm-up', 200);
      const ms = await run('measured', DOCUMENTS);
      const perSecond = (DOCUMENTS / ms) * 1_000;
      const ideal = (CONCURRENCY / LATENCY_MS) * 1_000;
      return [
        {
          what: 'batch',
          figure: `${perSecond.toFixed(1)} documents a second`,
          details: `${(ms / 1_000).toFixed(1)} s in all`,
        },
        {
          what: 'of the ideal',
          figure: `${((100 * perSecond) / ideal).toFixed(1)} %`,
          details: `of ${ideal} a second; aim: at least 90 %`,
        },
      ];
    }),
};
