import { compileSchema } from '../core/compile-schema.ts';
import type { CompiledSchema } from '../core/compile-schema.ts';
import type { Verdict } from '../core/contract.ts';
import { judgeRecord } from '../core/judge.ts';
import type { Json } from '../core/json.ts';
import type { StoredBatch } from '../store/batches.ts';
import type { Store } from '../store/open-store.ts';
import { InvalidInputError } from './invalid-input-error.ts';

/** Data that a person has entered for a document of a batch. */
export interface EnteredData {
  readonly id: string;
  readonly data: Json;
}

/** What is entered by hand for one batch: judged by the schemas of its documents. */
export interface Corrections {
  /**
   * Whether the data is in the document's schema.
   *
   * @throws {InvalidInputError} for a document that there is none of, that is not done yet, or that the model extracted.
   */
  judge(entered: EnteredData): Promise<Verdict>;
  /** Judges it, and writes it down where it is in the schema. @throws {InvalidInputError} as {@link judge}. */
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
  const correct = async (entered: EnteredData, by: string | undefined): Promise<Verdict> => {
    const verdict = await judge(entered);
    if (verdict.status === 'rejected') return verdict;
    const correction = { by: by ?? null, at: new Date().toISOString() };
    const { data } = verdict;
    await store.reviews.correct({ batchId, documentId: entered.id, round, data, correction });
    return verdict;
  };
  return {
    judge,
    correct,
    async correctAll(entered, by) {
      const wrong = new Map<number, string>();
      for (const [index, each] of entered.entries()) {
        const problem = await problemOf(judge, each);
        if (problem !== undefined) wrong.set(index, problem);
      }
      if (wrong.size === 0) for (const each of entered) await correct(each, by);
      return wrong;
    },
  };
}

async function problemOf(judge: Corrections['judge'], entered: EnteredData): Promise<string | undefined> {
  try {
    const verdict = await judge(entered);
    if (verdict.status === 'accepted') return undefined;
    return verdict.problem.details.map(({ path, message }) => `${path || '(data)'}: ${message}`).join('; ');
  } catch (error) {
    if (error instanceof InvalidInputError) return error.message;
    throw error;
  }
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
