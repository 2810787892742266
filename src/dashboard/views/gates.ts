import { gateWorkflowId } from '../../core/gate-contract.ts';
import type { DashboardContext } from '../context.ts';
import type { GatesData } from '../data.ts';

const CHANGES_SHOWN = 20;

/** As their workflows last told. */
export async function gatesView({ store, temporal }: DashboardContext): Promise<GatesData> {
  const gates = await store.gates.list();
  return {
    gates: await Promise.all(
      gates.map(async (status) => ({
        status,
        changes: await store.gates.changes(status.provider, CHANGES_SHOWN),
        webUi: temporal.webUiOf(gateWorkflowId(status.provider)),
      })),
    ),
  };
}
