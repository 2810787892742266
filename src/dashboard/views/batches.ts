import { stateOf } from '../../client/coordinator.ts';
import { requireBatch } from '../../client/require-batch.ts';
import { batchWorkflowId } from '../../core/batch-contract.ts';
import type { BatchState } from '../../core/batch-contract.ts';
import type { StoredBatch } from '../../store/batches.ts';
import type { DashboardContext } from '../context.ts';
import type { BatchData, BatchesData, ServerState } from '../data.ts';
import { requireParameter } from '../parameters.ts';

const BATCHES_SHOWN = 50;

/** All batches, newest first; `?limit=` for more of them. */
export async function batchesView(
  context: DashboardContext,
  parameters: URLSearchParams,
): Promise<BatchesData> {
  const limit = Number(parameters.get('limit')) || BATCHES_SHOWN;
  const all = (await context.store.batches.list()).filter(({ inputHash }) => inputHash !== null).toReversed();
  const shown = all.slice(0, limit);
  const { server, states } = await statesOf(context, shown);
  const batches = await Promise.all(
    shown.map((batch, index) => context.batches.read(batch, states[index] ?? 'failed')),
  );
  return { server, batches, more: all.length - shown.length };
}

/** `?id=`. */
export async function batchView(context: DashboardContext, parameters: URLSearchParams): Promise<BatchData> {
  const stored = await requireBatch(context.store, requireParameter(parameters, 'id'));
  const { server, states } = await statesOf(context, [stored]);
  const provider = stored.prepared?.settings.provider;
  return {
    server,
    batch: await context.batches.read(stored, states[0] ?? 'failed'),
    webUi: context.temporal.webUiOf(batchWorkflowId(stored.id)),
    gate: provider === undefined ? null : ((await context.store.gates.read(provider)) ?? null),
  };
}

/** As the server tells; where it does not answer, as the store has them. */
async function statesOf(
  { temporal }: DashboardContext,
  batches: readonly StoredBatch[],
): Promise<{ readonly server: ServerState; readonly states: readonly BatchState[] }> {
  const states = await temporal.look(({ client }) =>
    Promise.all(batches.map((batch) => stateOf(client, batch))),
  );
  if (states !== undefined) return { server: 'answers', states };
  return { server: 'silent', states: batches.map(({ state }) => (state === 'loading' ? 'failed' : state)) };
}
