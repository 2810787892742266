import { isShut } from '../src/core/gate-contract.ts';
import type { GateStatus } from '../src/core/gate-contract.ts';
import type { Route } from '../src/core/prepared.ts';
import type { World } from './world.ts';

/** Somebody has to notice when a provider is well again that all go round, or do not wait for. */
const PROBE_EVERY_MS = 5_000;

/** Makes the server hand calls out as the gate decided, and writes it down. What it returns is in the workflow's history. */
export async function applyGate(
  world: World,
  { status, at }: { readonly status: GateStatus; readonly at: number },
): Promise<GateStatus> {
  await world.gates.setCallsPerSecond(status);
  await world.store.gates.record({ ...status, at });
  return status;
}

/** Where a gate stood before; writes down how it stands where it is new. */
export async function openGate(
  world: World,
  { status, at }: { readonly status: GateStatus; readonly at: number },
): Promise<GateStatus> {
  const known = await world.store.gates.read(status.provider);
  if (known !== undefined) return known;
  await world.store.gates.record({ ...status, at });
  return status;
}

/** How a provider's gate stands; null where nothing ever failed. */
export async function gateStatus(
  world: World,
  { provider }: { readonly provider: string },
): Promise<GateStatus | null> {
  return (await world.store.gates.read(provider)) ?? null;
}

/** Which of several ways is open. */
export type ChosenRoute =
  | { readonly kind: 'open'; readonly index: number }
  /** The first, although its circuit is open: somebody has to try. */
  | { readonly kind: 'probing'; readonly index: 0 }
  /** None, and the caller waits for the first. */
  | { readonly kind: 'waiting'; readonly index: 0 }
  /** None: what keeps the first from being taken. */
  | { readonly kind: 'closed'; readonly status: GateStatus };

/** The first way whose gate lets calls through. Now and then the first of all, whatever its gate says: a probe. */
export async function chooseRoute(
  world: World,
  input: {
    readonly routes: readonly Pick<Route, 'provider'>[];
    readonly mayWait: boolean;
    readonly mayProbe: boolean;
  },
): Promise<ChosenRoute> {
  const { routes, mayWait, mayProbe } = input;
  const providers = [...new Set(routes.map(({ provider }) => provider))];
  const gates = await Promise.all(providers.map((provider) => world.store.gates.read(provider)));
  const shut = new Map(
    gates.flatMap((gate) => (gate !== undefined && isShut(gate.state) ? [[gate.provider, gate]] : [])),
  );
  const index = routes.findIndex(({ provider }) => !shut.has(provider));
  const first = routes[0] === undefined ? undefined : shut.get(routes[0].provider);
  if (first === undefined) return { kind: 'open', index: 0 };
  if (index < 0 && mayWait) return { kind: 'waiting', index: 0 };
  const mayTry = mayProbe && first.state === 'open' && isTimeToProbe(first.provider);
  if (mayTry && (await world.gates.watch(first.provider).isWorthACall()))
    return { kind: 'probing', index: 0 };
  return index < 0 ? { kind: 'closed', status: first } : { kind: 'open', index };
}

const probedAt = new Map<string, number>();

/** Of this worker: several together try as many times. */
function isTimeToProbe(provider: string): boolean {
  const isDue = Date.now() - (probedAt.get(provider) ?? 0) >= PROBE_EVERY_MS;
  if (isDue) probedAt.set(provider, Date.now());
  return isDue;
}
