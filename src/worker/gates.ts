import { Client } from '@temporalio/client';
import { NO_WATCH, gateWatch } from '../../activities/gate-watch.ts';
import type { GateWatch } from '../../activities/gate-watch.ts';
import { reachability } from '../../activities/reachability.ts';
import type { Gates } from '../../activities/world.ts';
import { WORKFLOW_TASK_QUEUE } from '../core/contract.ts';
import { DEFAULT_GATE } from '../core/gate-config.ts';
import type { GateConfig } from '../core/gate-config.ts';
import { gateWorkflowId } from '../core/gate-contract.ts';
import type { Provider } from '../provider/provider.ts';
import type { Environment } from '../stack/progress.ts';
import type { Store } from '../store/open-store.ts';
import { readGateSwitch } from './read-gate-switch.ts';
import { applyGateLimit, applyRateLimit } from './rate-limit.ts';
import type { RateLimitedServer } from './rate-limit.ts';

/** How a provider's gate decides: the defaults, what its configuration says otherwise, and its rates. */
function gateConfigOf({ gate, rpm, tpm }: Provider): GateConfig {
  return {
    ...DEFAULT_GATE,
    ...gate,
    ...(rpm === undefined ? {} : { rpm }),
    ...(tpm === undefined ? {} : { tpm }),
  };
}

/**
 * Ties a worker's calls to the gates of its providers. A gate that is not closed keeps its hold on the task queue when a worker
 * starts, and learns of the start.
 */
export async function openGates(options: {
  readonly server: RateLimitedServer;
  readonly providers: readonly Provider[];
  readonly store: Store;
  readonly env: Environment;
}): Promise<Gates> {
  const { server, providers, store } = options;
  if (readGateSwitch(options.env) === 'off') {
    await Promise.all(providers.map((provider) => applyRateLimit(server, provider)));
    return {
      isOn: false,
      watch: () => NO_WATCH,
      setCallsPerSecond: (status) => applyGateLimit(server, status),
    };
  }
  const client = new Client(server);
  const signal = async (
    provider: Provider,
    name: 'report' | 'workerStarted',
    message: object,
  ): Promise<void> => {
    const config = gateConfigOf(provider);
    await client.workflow.signalWithStart('gate', {
      workflowId: gateWorkflowId(provider.name),
      taskQueue: WORKFLOW_TASK_QUEUE,
      args: [{ provider: provider.name, config }],
      signal: name,
      signalArgs: [{ ...message, config }],
      staticSummary: `gate of ${provider.name}`,
    });
  };
  const watches = new Map(
    providers.map((provider): [string, GateWatch] => [
      provider.name,
      gateWatch({
        send: (report) => signal(provider, 'report', { report }),
        consecutiveFailures: gateConfigOf(provider).consecutiveFailures,
        look: () => store.gates.read(provider.name),
        reachability: reachability(provider.isReachable?.bind(provider)),
        ...(provider.tpm === undefined ? {} : { tpm: provider.tpm }),
      }),
    ]),
  );
  await Promise.all(
    providers.map(async (provider) => {
      const gate = await store.gates.read(provider.name);
      if (gate === undefined || gate.state === 'closed') await applyRateLimit(server, provider);
      await signal(provider, 'workerStarted', {});
    }),
  );
  return {
    isOn: true,
    watch: (provider) => watches.get(provider) ?? NO_WATCH,
    setCallsPerSecond: (status) => applyGateLimit(server, status),
  };
}
