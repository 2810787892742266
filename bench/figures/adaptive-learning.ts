import { withBatchStack } from '../batch-stack.ts';
import type { BatchStack } from '../batch-stack.ts';
import { userDocument } from '../documents.ts';
import type { Figure, Row } from '../figure.ts';

const DOCUMENTS = 1_000;
const HUNDRED = 100;
const WRONG_SHARE = 0.4;
const AIM = '; aim: -20 %';
/** Of the first hundred, half are asked about when the others have taught already. */
const WITHIN = '; learns within the first hundred';

/** Whether what first answers teach saves the documents that follow their second calls. */
export const adaptiveLearning: Figure = {
  title: `Strategies: adaptive learns; batch of ${DOCUMENTS}, a field wrong in ${100 * WRONG_SHARE} % of first answers unless warned`,
  measure: () =>
    withBatchStack({ provider: ['--latency-ms=50-150'] }, async (stack) => {
      await stack.setFaults({ unless_warned: WRONG_SHARE });
      return [
        ...rowsOf(
          '100 at once',
          await callsOf(stack, { id: 'learning-100', learn: true, concurrency: 100 }),
          AIM,
        ),
        ...rowsOf(
          '50 at once',
          await callsOf(stack, { id: 'learning-50', learn: true, concurrency: 50 }),
          WITHIN,
        ),
        ...rowsOf('--no-learn', await callsOf(stack, { id: 'not-learning', learn: false, concurrency: 50 })),
      ];
    }),
};

/** Of each document, in the order in which they were begun: several shards begin at several places of the input. */
async function callsOf(
  stack: BatchStack,
  options: { readonly id: string; readonly learn: boolean; readonly concurrency: number },
): Promise<readonly number[]> {
  const documents = Array.from({ length: DOCUMENTS }, (_, n) => userDocument(n));
  const given = documents.map(({ id: name, text }) => ({ id: name, text }));
  const batch = await stack.extractor.batch(given, { ...options, schema: 'user' });
  await batch.done();
  const byDocument = new Map<string, number>();
  const byTime = (await stack.calls()).toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time));
  for (const { requestId } of byTime) {
    const document = requestId?.split(`batch/${options.id}/document/`)[1]?.split('/')[0];
    if (document !== undefined) byDocument.set(document, (byDocument.get(document) ?? 0) + 1);
  }
  return [...byDocument.values()];
}

function rowsOf(name: string, calls: readonly number[], note = ''): readonly Row[] {
  const first = mean(calls.slice(0, HUNDRED));
  const last = mean(calls.slice(-HUNDRED));
  return [
    {
      what: `${name}: last hundred against first hundred`,
      figure: change(first, last),
      details: `${first.toFixed(2)} calls for each document, then ${last.toFixed(2)}; ${mean(calls).toFixed(3)} in all${note}`,
    },
  ];
}

function change(from: number, to: number): string {
  return `${to > from ? '+' : ''}${(100 * (to / from - 1)).toFixed(0)} %`;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
