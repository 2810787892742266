import { shortDocuments, withBatchStack } from '../batch-stack.ts';
import type { Figure } from '../figure.ts';
import { timeMs } from '../statistics.ts';

const DOCUMENTS = 1_500;
const CONCURRENCY = 50;
const LATENCY_MS = 400;
const SLOW_TIMES = 100;

/** Whether slow documents hold others up: against a schedule in which every slot takes the next document at once. */
export const batchTail: Figure = {
  title: `Batch of ${DOCUMENTS}, 1 % of them ${SLOW_TIMES} times as slow as the others, ${CONCURRENCY} at once`,
  measure: () =>
    withBatchStack(
      {
        provider: [
          `--latency-ms=${LATENCY_MS}`,
          `--slow-ms=${LATENCY_MS * (SLOW_TIMES - 1)}`,
          `--faults=${JSON.stringify({ slow: 0.01 })}`,
        ],
      },
      async (stack) => {
        const { extractor } = stack;
        const options = { id: 'tail', schema: 'user', concurrency: CONCURRENCY };
        const batch = await extractor.batch(shortDocuments(DOCUMENTS), options);
        const ms = await timeMs(() => batch.done());
        const durations = (await stack.calls())
          .toSorted((a, b) => a.time.localeCompare(b.time))
          .map(({ durationMs }) => durationMs);
        const idealMs = listSchedule(durations, CONCURRENCY);
        const slow = durations.filter((duration) => duration > LATENCY_MS * 10).length;
        return [
          { what: 'batch', figure: `${(ms / 1_000).toFixed(1)} s`, details: `${slow} slow documents` },
          {
            what: 'more than the ideal schedule',
            figure: `${(100 * (ms / idealMs - 1)).toFixed(1)} %`,
            details: `of ${(idealMs / 1_000).toFixed(1)} s for the same calls in the same order; aim: at most 15 %`,
          },
        ];
      },
    ),
};

/** How long it takes when each slot takes the next call as soon as it is free. */
function listSchedule(durations: readonly number[], slots: number): number {
  const freeAt = Array.from({ length: slots }, () => 0);
  for (const duration of durations) {
    const earliest = freeAt.indexOf(Math.min(...freeAt));
    freeAt[earliest] = (freeAt[earliest] ?? 0) + duration;
  }
  return Math.max(...freeAt);
}
