import type { Correction } from '../src/core/correction.ts';
import { NO_BATCH } from '../src/core/contract.ts';
import type { SchemaReference, Verdict } from '../src/core/contract.ts';
import { judgeRecord } from '../src/core/judge.ts';
import type { Json } from '../src/core/json.ts';
import type { World } from './world.ts';

/** What was entered by hand for a single extraction. */
export interface CorrectInput {
  readonly id: string;
  readonly round: number;
  readonly schema: SchemaReference;
  readonly coerce: boolean;
  readonly data: Json;
  readonly correction: Correction;
}

/** Judges what a person has entered, as an answer is judged; and writes it down where it is in the schema. */
export async function correct(world: World, input: CorrectInput): Promise<Verdict> {
  const { id, round, schema, coerce, data, correction } = input;
  const verdict = judgeRecord(data, world.schemas.compile(schema), { coerce });
  if (verdict.status === 'rejected') return verdict;
  await world.store.reviews.correct({
    batchId: NO_BATCH,
    documentId: id,
    round,
    data: verdict.data,
    correction,
  });
  return verdict;
}

/** The extraction does not wait for a person any more. */
export async function endReview(world: World, { id }: { readonly id: string }): Promise<void> {
  await world.store.reviews.giveUp(NO_BATCH, id);
}
