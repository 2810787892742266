import type { Metrics } from '../../activities/metrics.ts';
import type { Provider } from '../provider/provider.ts';
import type { Store } from '../store/open-store.ts';

/** A row by its key, for each provider: as often as calls look at it. */
const LOOK_EVERY_MS = 5_000;

/**
 * Shows how the gates of these providers stand. Every worker does, from the store: the gate itself runs in whichever worker
 * has its workflow just now, and would leave its last word standing in all the others.
 *
 * @returns its end.
 */
export function showGates(options: {
  readonly providers: readonly Provider[];
  readonly store: Store;
  readonly metrics: Metrics;
}): () => void {
  const { providers, store, metrics } = options;
  const look = async (): Promise<void> => {
    try {
      const gates = await Promise.all(providers.map(({ name }) => store.gates.read(name)));
      for (const gate of gates) if (gate !== undefined) metrics.gate(gate);
    } catch {
      // The store is away: the next look is soon, and calls say what is wrong with it.
    }
  };
  void look();
  const timer = setInterval(() => void look(), LOOK_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}
