/** The simulated provider as a process of the embedded stack: it outlives killed workers. */
import { startSimulatedProvider } from '../provider/simulated.ts';
import { announceReady } from '../stack/managed-process.ts';

const provider = await startSimulatedProvider({});
announceReady({
  env: process.env,
  details: { url: provider.url, healthUrl: new URL('/health', provider.url).href },
});
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    void provider.stop();
  });
}
