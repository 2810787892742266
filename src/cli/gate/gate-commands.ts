import { requireGate } from '../../client/gates.ts';
import type { GateHandle } from '../../client/gates.ts';
import type { GateStatus } from '../../core/gate-contract.ts';
import type { OnProgress } from '../../stack/progress.ts';
import { connectToRunning } from '../connect-to-running.ts';
import { EXIT, UsageError } from '../exit-codes.ts';
import { note, print } from '../output.ts';
import { readDuration } from '../read-duration.ts';
import { withStore } from '../with-store.ts';
import { gateLine } from './gate-line.ts';

/** As commander gives them. */
export interface GateFlags {
  readonly json?: boolean;
  readonly reason?: string;
  readonly for?: string;
}

/** `gate status [PROVIDER]`: starts nothing. */
export async function gateStatusCommand(provider: string | undefined, { json }: GateFlags): Promise<number> {
  const gates = await withStore(async (store) =>
    provider === undefined ? store.gates.list() : [await requireGate(store, provider)],
  );
  if (json) print(provider === undefined ? gates : gates[0]);
  else if (gates.length === 0) note('no gates yet: each provider has one once a worker has started');
  else for (const gate of gates) process.stdout.write(`${gateLine(gate, Date.now())}\n`);
  return EXIT.done;
}

/** `gate trip PROVIDER`: no further calls, until it is reset or its time is over. */
export function gateTripCommand(provider: string, flags: GateFlags, onProgress: OnProgress): Promise<number> {
  const forMs = flags.for === undefined ? undefined : readDuration('gate trip: --for', flags.for);
  const reason = flags.reason ?? 'tripped by hand';
  if (reason.trim() === '') throw new UsageError('gate trip: expected words in --reason, got none.');
  return change(provider, flags, onProgress, (gate) =>
    gate.trip({ reason, ...(forMs === undefined ? {} : { forMs }) }),
  );
}

/** `gate reset PROVIDER`: lets calls through again. */
export function gateResetCommand(
  provider: string,
  flags: GateFlags,
  onProgress: OnProgress,
): Promise<number> {
  return change(provider, flags, onProgress, (gate) =>
    gate.reset({ reason: flags.reason ?? 'reset by hand' }),
  );
}

async function change(
  provider: string,
  { json }: GateFlags,
  onProgress: OnProgress,
  make: (gate: GateHandle) => Promise<GateStatus>,
): Promise<number> {
  await withStore((store) => requireGate(store, provider));
  const extractor = await connectToRunning(onProgress);
  try {
    const status = await make(await extractor.gate(provider));
    note(gateLine(status, Date.now()));
    if (json) print(status);
    return EXIT.done;
  } finally {
    await extractor.close();
  }
}
