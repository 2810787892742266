/** What a person can do from the dashboard. Each is what the command line does, through the same client. */
import type { BatchHandle } from '../client/batch-handle.ts';
import type { GateHandle } from '../client/gates.ts';
import type { JsonObject } from '../core/json.ts';
import type { DashboardContext } from './context.ts';
import { optionalNumber, requireText } from './parameters.ts';

/** Does something, and gives what is said of it. */
export type Action = (context: DashboardContext, input: JsonObject) => Promise<{ readonly said: string }>;

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
