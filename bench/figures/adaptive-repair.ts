import { openStore } from '../../src/store/open-store.ts';
import type { StoredAttempt } from '../../src/store/attempts.ts';
import { isJsonObject } from '../../src/core/json.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { withBatchStack } from '../batch-stack.ts';
import type { BatchStack } from '../batch-stack.ts';
import { FLAT_SCHEMA, flatDocument } from '../documents.ts';
import type { Figure } from '../figure.ts';
import { summarize } from '../statistics.ts';

const DOCUMENTS = 200;
const WRONG_FIELDS = 2;

/** What it costs to mend two fields of sixty, and whether the other ones stay as they are. */
export const adaptiveRepair: Figure = {
  title: `Strategies: adaptive mends ${WRONG_FIELDS} wrong fields of a flat object with 60`,
  measure: () =>
    withBatchStack({ provider: [] }, async (stack) => {
      await stack.setFaults({ wrong_type: 1, several: 0.5 });
      const repairs = await repairsIn(stack);
      const shares = repairs.map(({ first, second }) => 100 * (tokens(second) / tokens(first)));
      const same = repairs.filter(({ first, data }) => keepsValidFields(first, data)).length;
      const { median, p95 } = summarize(shares);
      return [
        {
          what: 'output tokens of the second attempt',
          figure: `${median.toFixed(1)} % of the first`,
          details: `median of ${repairs.length} documents, p95 ${p95.toFixed(1)} %; aim: less than 15 %`,
        },
        {
          what: 'valid fields identical to the byte',
          figure: `${same} of ${repairs.length}`,
          details: 'documents; aim: all',
        },
      ];
    }),
};

/** A record that was accepted at the second attempt, and both answers. */
interface Repair {
  readonly first: StoredAttempt;
  readonly second: StoredAttempt;
  readonly data: JsonObject;
}

async function repairsIn({ extractor, env, home }: BatchStack): Promise<readonly Repair[]> {
  const batchId = 'repair';
  const documents = Array.from({ length: DOCUMENTS }, (_, n) => flatDocument(n));
  const schema = { name: 'pump', jsonSchema: FLAT_SCHEMA };
  const given = documents.map(({ id, text }) => ({ id, text }));
  const batch = await extractor.batch(given, { id: batchId, schema });
  const store = await openStore({ env, home });
  try {
    const repairs: Repair[] = [];
    for await (const { id, data, attempts } of batch.results()) {
      const key = { batchId, documentId: id, round: 1, attempt: attempts + 1 };
      const [first, second] = await store.attempts.before(key);
      if (first === undefined || second === undefined || !isJsonObject(data)) continue;
      if (wrongFields(first).length === WRONG_FIELDS) repairs.push({ first, second, data });
    }
    return repairs;
  } finally {
    await store.close();
  }
}

function wrongFields({ verdict }: StoredAttempt): readonly string[] {
  return verdict.status === 'rejected' ? verdict.problem.details.map(({ path }) => path) : [];
}

function tokens({ usage }: StoredAttempt): number {
  return usage.completionTokens;
}

/** Compared as the model wrote them: each field's JSON text. */
function keepsValidFields(first: StoredAttempt, data: JsonObject): boolean {
  const given = JSON.parse(first.answer) as JsonObject;
  const wrong = new Set(wrongFields(first));
  return Object.entries(given).every(
    ([name, value]) => wrong.has(name) || JSON.stringify(value) === JSON.stringify(data[name]),
  );
}
