import { shortDocuments, withBatchStack } from '../batch-stack.ts';
import type { Figure } from '../figure.ts';
import { summarize, timeMs } from '../statistics.ts';

const RPM = 1_200;
const LATENCY_MS = 500;
/** Four times what the provider allows. */
const CONCURRENCY = (4 * RPM * LATENCY_MS) / 60_000;
const DOCUMENTS = 1_200;
const SINGLES = 10;

/** Whether a provider's limit is used, kept to, and no hindrance to single extractions. */
export const batchRate: Figure = {
  title: `Batch of ${DOCUMENTS}, provider that allows ${RPM} calls a minute, demand four times that`,
  measure: () =>
    withBatchStack(
      {
        provider: ['--rpm', String(RPM), '--latency-ms', String(LATENCY_MS)],
        env: { DURABLE_EXTRACT_RPM: `openai=${RPM}` },
      },
      async (stack) => {
        const { extractor } = stack;
        const options = { id: 'rate', schema: 'user', concurrency: CONCURRENCY };
        const batch = await extractor.batch(shortDocuments(DOCUMENTS), options);
        const done = timeMs(() => batch.done());
        const singles: number[] = [];
        for (let n = 0; n < SINGLES; n += 1) {
          await new Promise((resolve) => setTimeout(resolve, 1_000));
          const text = `Ada Lovelace ${n}, 36, ada@example.org`;
          singles.push(await timeMs(() => extractor.extract({ text, schema: 'user' })));
        }
        const ms = await done;
        const { answered, calls, byStatus } = await stack.stats();
        const allowed = (RPM * ms) / 60_000;
        const refused = byStatus['429'] ?? 0;
        const { median, p95 } = summarize(singles);
        return [
          {
            what: 'of the allowed rate used',
            figure: `${((100 * answered) / allowed).toFixed(1)} %`,
            details: `${answered} answers in ${(ms / 1_000).toFixed(1)} s; aim: at least 95 %`,
          },
          {
            what: 'calls answered with 429',
            figure: `${((100 * refused) / calls).toFixed(2)} %`,
            details: `${refused} of ${calls}; aim: less than 2 %`,
          },
          {
            what: 'a single extraction meanwhile',
            figure: `${median.toFixed(0)} ms`,
            details: `median of ${SINGLES}, p95 ${p95.toFixed(0)} ms, of which the provider takes ${LATENCY_MS} ms`,
          },
        ];
      },
    ),
};
