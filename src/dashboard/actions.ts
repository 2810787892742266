/** What a person can do from the dashboard. Each is what the command line does, through the same client. */
import { WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import type { BatchHandle } from '../client/batch-handle.ts';
import type { GateHandle } from '../client/gates.ts';
import { correctionsOf } from '../client/corrections.ts';
import { InvalidInputError } from '../client/invalid-input-error.ts';
import { requireBatch } from '../client/require-batch.ts';
import { NO_BATCH, extractWorkflowId } from '../core/contract.ts';
import type { ProblemDetail, Verdict } from '../core/contract.ts';
import type { JsonObject } from '../core/json.ts';
import { messageOf } from '../stack/error-facts.ts';
import type { DashboardContext } from './context.ts';
import { optionalNumber, requireText } from './parameters.ts';

/** What came of it. */
export interface Done {
  readonly said: string;
  /** Of data that is not in its schema: nothing was changed. */
  readonly problems?: readonly ProblemDetail[];
}

/** Does something, and gives what is said of it. */
export type Action = (context: DashboardContext, input: JsonObject) => Promise<Done>;

/** By name: `POST /api/act/<name>`. */
export const ACTIONS: ReadonlyMap<string, Action> = new Map<string, Action>([
  [
    'pause',
    ofBatch(async (batch) => {
      await batch.pause();
      return `Batch '${batch.id}' is paused: calls under way are let finish.`;
    }),
  ],
  [
    'resume',
    ofBatch(async (batch) => {
      await batch.resume();
      return `Batch '${batch.id}' goes on.`;
    }),
  ],
  [
    'cancel',
    ofBatch(async (batch) => {
      await batch.cancel();
      return `Batch '${batch.id}' is cancelled: what is done is kept, and 'resume' takes up the rest.`;
    }),
  ],
  [
    'concurrency',
    (context, input) => {
      const concurrency = optionalNumber(input, 'concurrency') ?? Number.NaN;
      return ofBatch(async (batch) => {
        await batch.setConcurrency(concurrency);
        return `Batch '${batch.id}': ${concurrency} documents in work at once from now on.`;
      })(context, input);
    },
  ],
  [
    'retry-failed',
    ofBatch(async (batch) => {
      const documents = await batch.countRetryable();
      await batch.retryFailed();
      return `Batch '${batch.id}': ${documents} documents are done again.`;
    }),
  ],
  [
    'trip',
    (context, input) => {
      const reason = requireText(input, 'reason');
      const forMs = optionalNumber(input, 'forMs');
      return ofGate(async (gate) => {
        await gate.trip({ reason, ...(forMs === undefined ? {} : { forMs }) });
        return `No further call is made to ${gate.provider}: documents wait.`;
      })(context, input);
    },
  ],
  [
    'reset',
    ofGate(async (gate) => {
      await gate.reset({ reason: 'reset by hand, on the dashboard' });
      return `Calls go to ${gate.provider} again.`;
    }),
  ],
  ['correct', correct],
  ['give-up', giveUp],
]);

function ofBatch(change: (batch: BatchHandle) => Promise<string>): Action {
  return async ({ temporal }, input) => {
    const id = requireText(input, 'id');
    return temporal.act(async (extractor) => ({
      said: await change(await extractor.batchHandle(id)),
    }));
  };
}

function ofGate(change: (gate: GateHandle) => Promise<string>): Action {
  return async ({ temporal }, input) => {
    const provider = requireText(input, 'provider');
    return temporal.act(async (extractor) => ({ said: await change(await extractor.gate(provider)) }));
  };
}

/** Enters data by hand: judged as an answer is, and written down only where it is in the schema. */
async function correct({ store, temporal }: DashboardContext, input: JsonObject): Promise<Done> {
  const id = requireText(input, 'id');
  const { batch, data = null, by } = input;
  const name = typeof by === 'string' && by.trim() !== '' ? by.trim() : undefined;
  const verdict =
    typeof batch === 'string' && batch !== NO_BATCH
      ? await correctionsOf(store, await requireBatch(store, batch)).correct({ id, data }, name)
      : await temporal.act(({ client }) =>
          updateOf<Verdict>(client, id, 'correct', name === undefined ? { data } : { data, by: name }),
        );
  if (verdict.status === 'accepted') return { said: `'${id}' is corrected by hand.` };
  const { message, details } = verdict.problem;
  return { said: `Nothing was written down: ${message}`, problems: details };
}

/** Leaves an extraction as it is: it waits for nobody any more. */
async function giveUp({ store, temporal }: DashboardContext, input: JsonObject): Promise<Done> {
  const id = requireText(input, 'id');
  const { batch } = input;
  if (typeof batch === 'string' && batch !== NO_BATCH) await store.reviews.giveUp(batch, id);
  else await temporal.act(({ client }) => updateOf<void>(client, id, 'giveUp'));
  return { said: `'${id}' stays as it is.` };
}

/** @throws {InvalidInputError} where it waits for nobody. */
async function updateOf<T>(
  client: Client,
  id: string,
  update: string,
  ...args: [] | [JsonObject]
): Promise<T> {
  try {
    const workflow = client.workflow.getHandle(extractWorkflowId(id));
    if (args.length === 0) return await workflow.executeUpdate<T, []>(update);
    return await workflow.executeUpdate<T, [JsonObject]>(update, { args });
  } catch (error) {
    if (error instanceof WorkflowNotFoundError)
      throw new InvalidInputError(
        `id: expected an extraction that waits for a person, got '${id}', which does not run.`,
      );
    if (error instanceof WorkflowUpdateFailedError)
      throw new InvalidInputError(messageOf(error.cause ?? error));
    throw error;
  }
}
