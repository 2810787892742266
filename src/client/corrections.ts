import { compileSchema } from '../core/compile-schema.ts';
import type { CompiledSchema } from '../core/compile-schema.ts';
import type { Rejection, Verdict } from '../core/contract.ts';
import type { Correction } from '../core/correction.ts';
import { judgeRecord } from '../core/judge.ts';
import type { Json } from '../core/json.ts';
import type { StoredBatch } from '../store/batches.ts';
import type { Store } from '../store/open-store.ts';
import type { CorrectedDocument, Review } from '../store/reviews.ts';
import { InvalidInputError } from './invalid-input-error.ts';

const READ_TOGETHER = 200;

/** What waits for a person in a batch, in the order of the documents' ids. */
export async function* waitingIn(store: Store, batchId: string): AsyncGenerator<Review, void, void> {
  for (let afterId = ''; ;) {
    const page = await store.reviews.waiting({ batchId, afterId, limit: READ_TOGETHER, now: Date.now() });
    const last = page.at(-1);
    if (last === undefined) return;
    afterId = last.documentId;
    yield* page;
  }
}

/** Data that a person has entered for a document of a batch. */
export interface EnteredData {
  readonly id: string;
  readonly data: Json;
}

/** What is entered by hand for one batch: judged by the schemas of its documents. */
export interface Corrections {
  /**
   * Judges data by the document's schema, and writes it down where it is in it.
   *
   * @throws {InvalidInputError} for a document that there is none of, that is not done yet, or that the model extracted.
   */
  correct(entered: EnteredData, by: string | undefined): Promise<Verdict>;
  /**
   * Corrects all of them, or none where any cannot be corrected or is not in its schema.
   *
   * @returns what is wrong, by the place in the list; empty where all was written down.
   */
  correctAll(entered: readonly EnteredData[], by: string | undefined): Promise<ReadonlyMap<number, string>>;
}

/** Keeps the schemas that it has compiled. */
export function correctionsOf(store: Store, batch: StoredBatch): Corrections {
  const { id: batchId, prepared, round } = batch;
  const schemas = new Map<string, Promise<CompiledSchema>>();
  const schema = (hash: string): Promise<CompiledSchema> => {
    const known = schemas.get(hash);
    if (known !== undefined) return known;
    const compiled = store.schemas.read(hash).then(({ jsonSchema }) => compileSchema(jsonSchema));
    schemas.set(hash, compiled);
    return compiled;
  };
  const judge = async ({ id, data }: EnteredData): Promise<Verdict> => {
    const found = await store.reviews.find(batchId, id);
    const problem = found === undefined ? 'which it does not have' : whyNot(found);
    const hash = found?.schemaHash ?? prepared?.schemaHash;
    if (problem !== undefined || hash === undefined || prepared === null) {
      throw new InvalidInputError(
        `id: expected a document of the batch '${batchId}' that was not extracted, got '${id}', ` +
          `${problem ?? 'and no worker has prepared the batch yet'}. See batch review ${batchId}.`,
      );
    }
    return judgeRecord(data, await schema(hash), prepared.settings);
  };
  return {
    async correct(entered, by) {
      const verdict = await judge(entered);
      if (verdict.status === 'rejected') return verdict;
      const document = { documentId: entered.id, data: verdict.data, correction: correctionBy(by) };
      await store.reviews.correct({ ...document, batchId, round });
      return verdict;
    },
    async correctAll(entered, by) {
      const correction = correctionBy(by);
      const documents: CorrectedDocument[] = [];
      const wrong = new Map<number, string>();
      for (const [index, each] of entered.entries()) {
        const verdict = await verdictOrProblem(judge(each));
        if (typeof verdict === 'string') wrong.set(index, verdict);
        else if (verdict.status === 'rejected') wrong.set(index, problemsIn(verdict));
        else documents.push({ documentId: each.id, data: verdict.data, correction });
      }
      if (wrong.size === 0) await store.reviews.correctAll({ batchId, round, documents });
      return wrong;
    },
  };
}

function correctionBy(by: string | undefined): Correction {
  return { by: by ?? null, at: new Date().toISOString() };
}

async function verdictOrProblem(judged: Promise<Verdict>): Promise<Verdict | string> {
  try {
    return await judged;
  } catch (error) {
    if (error instanceof InvalidInputError) return error.message;
    throw error;
  }
}

function problemsIn({ problem }: Rejection): string {
  return problem.details.map(({ path, message }) => `${path || '(data)'}: ${message}`).join('; ');
}

function whyNot({
  success,
  isByHand,
}: {
  readonly success: boolean | null;
  readonly isByHand: boolean;
}): string | undefined {
  if (success === null) return 'which is not done yet';
  return success && !isByHand ? 'which the model has extracted' : undefined;
}
