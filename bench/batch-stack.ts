import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ensureRunning } from '../src/cli/running-stack.ts';
import { DurableExtract } from '../src/client/index.ts';
import type { GivenDocument } from '../src/client/index.ts';
import type { CallRecord, CallStats, FaultRates } from '../src/provider/simulated.ts';
import type { Environment } from '../src/stack/progress.ts';
import { stopStack } from '../src/stack/stack.ts';

/** A stack of a figure's own, whose provider behaves as the figure needs it. */
export interface BatchStack {
  readonly extractor: DurableExtract;
  readonly home: string;
  readonly env: Environment;
  stats(): Promise<CallStats>;
  calls(): Promise<readonly CallRecord[]>;
  /** Of every model of the provider from now on; null gives the models their own again. */
  setFaults(faults: FaultRates | null): Promise<void>;
  /** Whether the whole provider is down, and not only its models. */
  setDown(isDown: boolean): Promise<void>;
}

/**
 * Starts a provider with the options of `src/provider/simulated/main.ts`, which stands for OpenAI, and a stack that asks it;
 * ends both.
 */
export async function withBatchStack<T>(
  options: { readonly provider: readonly string[]; readonly env?: Environment },
  use: (stack: BatchStack) => Promise<T>,
): Promise<T> {
  const home = mkdtempSync(join(tmpdir(), 'durable-extract-bench-'));
  const main = fileURLToPath(new URL('../src/provider/simulated/main.ts', import.meta.url));
  const provider = spawn(process.execPath, [main, ...options.provider], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [line] = (await once(createInterface({ input: provider.stdout }), 'line')) as [string];
    const { url } = JSON.parse(line) as { readonly url: string };
    const env = {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      DURABLE_EXTRACT_CACHE: process.env['DURABLE_EXTRACT_CACHE'],
      DURABLE_EXTRACT_HOME: home,
      OPENAI_API_KEY: 'bench',
      OPENAI_BASE_URL: url,
      DURABLE_EXTRACT_MODEL: 'clean',
      ...options.env,
    };
    await ensureRunning({ home, env, onProgress: () => {} });
    const extractor = await DurableExtract.connect({ env });
    const set = async (what: string, value: unknown): Promise<void> => {
      const body = JSON.stringify(value);
      const { ok, status } = await fetch(new URL(`/v1/simulated/${what}`, url), { method: 'PUT', body });
      if (!ok) throw new Error(`The simulated provider refused the ${what} ${body}: HTTP ${status}.`);
    };
    const asked = async (what: string): Promise<unknown> =>
      (await fetch(new URL(`/v1/simulated/${what}`, url))).json();
    try {
      return await use({
        extractor,
        home,
        env,
        stats: async () => (await asked('stats')) as CallStats,
        calls: async () => (await asked('log')) as readonly CallRecord[],
        setFaults: (faults) => set('faults', faults),
        setDown: (isDown) => set('down', isDown),
      });
    } finally {
      await extractor.close();
    }
  } finally {
    await stopStack({ home, onProgress: () => {} });
    provider.kill('SIGTERM');
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Short documents, each another. */
export function* shortDocuments(count: number): Generator<GivenDocument> {
  for (let n = 0; n < count; n += 1) {
    yield {
      id: `doc-${n}`,
      text: `Grace Hopper, number ${n}, is ${20 + (n % 60)} years old. Write to grace${n}@example.org.`,
    };
  }
}
