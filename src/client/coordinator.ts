import { WorkflowNotFoundError } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import { batchWorkflowId } from '../core/batch-contract.ts';
import type { BatchState } from '../core/batch-contract.ts';
import type { StoredBatch } from '../store/batches.ts';

/** What has become of a batch's workflow. `none`: it was never started, or the server has forgotten it. */
export async function coordinatorOf(client: Client, id: string): Promise<'at work' | 'ended' | 'none'> {
  try {
    const { status } = await client.workflow.getHandle(batchWorkflowId(id)).describe();
    return status.name === 'RUNNING' ? 'at work' : 'ended';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'none';
    throw error;
  }
}

/** What the store says, unless the coordinator has ended without saying so. */
export async function stateOf(client: Client, { id, state }: StoredBatch): Promise<BatchState> {
  if (state === 'loading') return 'failed';
  if (state === 'completed' || state === 'cancelled') return state;
  return (await coordinatorOf(client, id)) === 'at work' ? state : 'failed';
}
