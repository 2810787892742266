import { WithStartWorkflowOperation, WorkflowUpdateFailedError } from '@temporalio/client';
import type { Client, Workflow } from '@temporalio/client';
import { WORKFLOW_TASK_QUEUE } from '../core/contract.ts';
import { DEFAULT_GATE } from '../core/gate-config.ts';
import { gateWorkflowId } from '../core/gate-contract.ts';
import type { GateStatus, ResetInput, TripInput } from '../core/gate-contract.ts';
import type { Store } from '../store/open-store.ts';
import { InvalidInputError } from './invalid-input-error.ts';

/** The gate before one provider, in an operator's hands. */
export interface GateHandle {
  readonly provider: string;
  status(): Promise<GateStatus>;
  /** The newest first. */
  changes(limit?: number): Promise<readonly (GateStatus & { readonly at: number })[]>;
  /** Makes no further call: documents wait. Until it is reset, or for `forMs`. Calls under way are let finish. */
  trip(options: TripInput): Promise<GateStatus>;
  /** Lets calls through again, and forgets why none were. */
  reset(options?: ResetInput): Promise<GateStatus>;
}

/** The gate of a provider that some worker has, or had. @throws {InvalidInputError} where no worker ever had it. */
export async function gateHandle(
  { client, store }: { readonly client: Client; readonly store: Store },
  provider: string,
): Promise<GateHandle> {
  const status = () => requireGate(store, provider);
  await status();
  const change = async (update: 'trip' | 'reset', input: TripInput | ResetInput): Promise<GateStatus> => {
    // One that was terminated is started again, as the store knows it.
    const startWorkflowOperation = new WithStartWorkflowOperation('gate', {
      workflowId: gateWorkflowId(provider),
      taskQueue: WORKFLOW_TASK_QUEUE,
      args: [{ provider, config: DEFAULT_GATE }],
      workflowIdConflictPolicy: 'USE_EXISTING',
      staticSummary: `gate of ${provider}`,
    });
    try {
      return await client.workflow.executeUpdateWithStart<Workflow, GateStatus, [TripInput | ResetInput]>(
        update,
        { args: [input], startWorkflowOperation },
      );
    } catch (error) {
      const cause = error instanceof WorkflowUpdateFailedError ? error.cause : undefined;
      throw cause === undefined ? error : new InvalidInputError(cause.message);
    }
  };
  return {
    provider,
    status,
    changes: (limit = 20) => store.gates.changes(provider, limit),
    trip: (options) => change('trip', options),
    reset: (options = { reason: 'reset by hand' }) => change('reset', options),
  };
}

/** A gate as the store has it. @throws {InvalidInputError} */
export async function requireGate(store: Store, provider: string): Promise<GateStatus> {
  const gate = await store.gates.read(provider);
  if (gate !== undefined) return gate;
  const known = (await store.gates.list()).map((each) => each.provider);
  throw new InvalidInputError(
    `gate: expected a provider that a worker has or had (${known.join(', ') || 'none so far'}), got '${provider}'. ` +
      'See them with `durable-extract gate status`; a gate is there once a worker has started.',
  );
}
