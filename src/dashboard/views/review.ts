import { requireBatch } from '../../client/require-batch.ts';
import { NO_BATCH, extractWorkflowId } from '../../core/contract.ts';
import { NO_DEADLINE } from '../../core/correction.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Review } from '../../store/reviews.ts';
import type { DashboardContext } from '../context.ts';
import type { ReviewData, ReviewsData } from '../data.ts';
import { requireParameter } from '../parameters.ts';
import { NotFoundError } from '../request-errors.ts';
import { inputText } from './extraction.ts';

const LISTED = 100;

/** What waits for a person; `?batch=` for those of one batch. */
export async function reviewsView(
  { store }: DashboardContext,
  parameters: URLSearchParams,
): Promise<ReviewsData> {
  const now = Date.now();
  const batch = parameters.get('batch');
  const batches = batch === null ? await store.reviews.batches(now) : [batch];
  const waiting: Review[] = [];
  for (const batchId of batches) {
    const limit = LISTED + 1 - waiting.length;
    if (limit > 0) waiting.push(...(await store.reviews.waiting({ batchId, limit, now })));
  }
  return { waiting: waiting.slice(0, LISTED).map(listedOf), hasMore: waiting.length > LISTED };
}

/** `?batch=&id=`: one of them. */
export async function reviewView(
  { store, temporal }: DashboardContext,
  parameters: URLSearchParams,
): Promise<ReviewData> {
  const id = requireParameter(parameters, 'id');
  const batch = parameters.get('batch') || NO_BATCH;
  const review = await waitingOne({ store, batch, id });
  const text =
    batch === NO_BATCH
      ? await temporal.look(({ client }) => inputText(client.workflow.getHandle(extractWorkflowId(id))))
      : await store.documents.textById(batch, id);
  return {
    batch,
    id,
    schema: review.schemaName,
    jsonSchema: batch === NO_BATCH ? null : await schemaOf({ store, batch, id }),
    text: text ?? null,
    stopped: review.stopped,
    record: review.record,
    problem: review.problem,
  };
}

interface Place extends Pick<DashboardContext, 'store'> {
  readonly batch: string;
  readonly id: string;
}

/** @throws {NotFoundError} */
async function waitingOne({ store, batch, id }: Place): Promise<Review> {
  const [found] = await store.reviews.waiting({ batchId: batch, documentId: id, limit: 1, now: Date.now() });
  if (found !== undefined) return found;
  throw new NotFoundError(`'${id}' waits for nobody: somebody was faster, or it never did.`);
}

async function schemaOf({ store, batch, id }: Place): Promise<JsonObject | null> {
  const { prepared } = await requireBatch(store, batch);
  const hash = (await store.reviews.find(batch, id))?.schemaHash ?? prepared?.schemaHash;
  return hash === undefined ? null : (await store.schemas.read(hash)).jsonSchema;
}

function listedOf({
  batchId,
  documentId,
  schemaName,
  stopped,
  problem,
  until,
}: Review): ReviewsData['waiting'][number] {
  return {
    batch: batchId,
    id: documentId,
    schema: schemaName,
    stopped,
    problems: problem === null ? 0 : Math.max(1, problem.details.length),
    until: until === NO_DEADLINE ? null : until,
  };
}
