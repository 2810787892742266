// Opens the store of DATABASE_URL as soon as there is a file `go`, and writes to its batch what this process alone does.
import { existsSync } from 'node:fs';
import { openStore } from '../../../src/store/open-store.ts';
import { until } from '../../stack/temp-home.ts';
import { answerOf, documentOf, failedOutcome } from '../rows.ts';

const [go = '', home = '', batchId = '', name = '', firstSeq = '0', count = '0'] = process.argv.slice(2);
console.log('ready');
await until(() => existsSync(go));

const store = await openStore({ env: process.env, home });
const seqs = Array.from({ length: Number(count) }, (_, index) => Number(firstSeq) + index);
const [shards] = await Promise.all([
  seqs.length === 0 ? [] : Promise.all(seqs.map(() => store.batches.takeShardNumber(batchId))),
  Promise.all(
    seqs.map((seq) => store.attempts.record(answerOf({ batchId, documentId: `d${seq}`, requestId: name }))),
  ),
  (async () => {
    for (const seq of seqs) {
      await store.documents.add(batchId, 'loader', [documentOf(seq)]);
      await store.outcomes.recordDocuments(batchId, 1, [{ seq, outcome: failedOutcome }]);
    }
  })(),
]);
await store.close();
console.log(JSON.stringify(shards));
