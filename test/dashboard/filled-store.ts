import type { BatchSettings } from '../../src/core/batch-contract.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/open-store.ts';
import { answerOf, documentOf, failedOutcome, succeededOutcome } from '../store/rows.ts';

const settings: BatchSettings = { schema: { name: 'person' } };

/** Markup, a script, characters that are not seen or turn the direction of text, and half of one. */
export const HOSTILE =
  '<img src=x onerror="document.title=\'hacked\'"><script>document.title="hacked"</script>\u0000\u001b[31m\u202etxt.exe\ud800';

/** A home's store with a finished batch `hostile`: document `d0` is hostile, `d1` is not. */
export async function fillStore(home: string): Promise<void> {
  const store = await openStore({ env: {}, home });
  try {
    await putBatch(store, 'hostile');
    await putAnswers(store, 'hostile');
    await store.batches.setState('hostile', 'completed');
    await store.gates.record({
      provider: 'openai',
      state: 'open',
      reason: HOSTILE,
      since: 1_000,
      until: null,
      callsPerSecond: 0.13,
      at: 1_000,
    });
  } finally {
    await store.close();
  }
}

async function putBatch(store: Store, id: string): Promise<void> {
  await store.batches.begin({ id, loader: 'test', settings, concurrency: 5 });
  await store.documents.add(id, 'test', [documentOf(0, { text: HOSTILE }), documentOf(1)]);
  await store.batches.finishLoading({ id, loader: 'test', inputHash: 'hash', total: 2 });
}

async function putAnswers(store: Store, batchId: string): Promise<void> {
  const askedAt = Date.now();
  const bad = `{"age": ${JSON.stringify(HOSTILE)}, "more": "${'x'.repeat(50_000)}"}`;
  await store.attempts.record(
    answerOf({
      batchId,
      documentId: 'd0',
      answer: bad,
      askedAt,
      verdict: {
        status: 'rejected',
        problem: {
          type: 'validation_error',
          message: '1 problem',
          details: [{ path: 'age', kind: 'wrong_type', message: 'expected integer', received: HOSTILE }],
        },
      },
      failures: [{ attempt: 1, type: 'rate_limit', message: HOSTILE, status: 429, delayMs: 40 }],
    }),
  );
  await store.attempts.record(answerOf({ batchId, documentId: 'd0', attempt: 2, askedAt }));
  await store.attempts.record(answerOf({ batchId, documentId: 'd1', askedAt }));
  await store.outcomes.recordDocuments(batchId, 1, [
    { seq: 0, outcome: { ...succeededOutcome, attempts: 2, acceptedAttempt: 2 } },
    { seq: 1, outcome: succeededOutcome },
  ]);
  await store.outcomes.recordSingle('alone', 1, failedOutcome);
}
