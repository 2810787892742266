/**
 * `npm run bench`: figures on an idle embedded stack in a temporary home. Nothing here passes or fails.
 *
 * `npm run bench -- [--samples N] [WORD…]`: only the figures whose title has one of the words.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureRunning } from '../src/cli/running-stack.ts';
import { DurableExtract } from '../src/client/index.ts';
import type { ProgressEvent } from '../src/stack/progress.ts';
import { stackStatus, stopStack } from '../src/stack/stack.ts';
import type { Bench, Figure, Row } from './figure.ts';
import { adaptiveBudget } from './figures/adaptive-budget.ts';
import { adaptiveLearning } from './figures/adaptive-learning.ts';
import { adaptiveRepair } from './figures/adaptive-repair.ts';
import { adaptive } from './figures/adaptive.ts';
import { batchBig } from './figures/batch-big.ts';
import { batchLatency } from './figures/batch-latency.ts';
import { batchRate } from './figures/batch-rate.ts';
import { batchTail } from './figures/batch-tail.ts';
import { batchThroughput } from './figures/batch-throughput.ts';
import { gateOutage } from './figures/gate-outage.ts';
import { gateRate } from './figures/gate-rate.ts';
import { judging } from './figures/judging.ts';
import { overhead } from './figures/overhead.ts';
import { stats } from './figures/stats.ts';

const FIGURES: readonly Figure[] = [
  overhead,
  judging,
  batchThroughput,
  batchLatency,
  batchRate,
  batchTail,
  batchBig,
  gateOutage,
  gateRate,
  adaptive,
  adaptiveRepair,
  adaptiveLearning,
  adaptiveBudget,
  stats,
];

const { values, positionals } = parseArgs({
  options: { samples: { type: 'string', default: '150' } },
  allowPositionals: true,
});
const chosen = FIGURES.filter(
  ({ title }) =>
    positionals.length === 0 || positionals.some((word) => title.toLowerCase().includes(word.toLowerCase())),
);

await withStack(async (bench) => {
  process.stdout.write(`Node ${process.versions.node}, ${cpus().length} cores, simulated provider\n`);
  for (const figure of chosen) print(figure, await figure.measure(bench));
});

function onProgress({ message }: ProgressEvent): void {
  process.stderr.write(`${message}\n`);
}

async function withStack(use: (bench: Bench) => Promise<void>): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'durable-extract-bench-'));
  // No key and no server of the user's: what is measured is ours alone.
  const env = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    DURABLE_EXTRACT_CACHE: process.env['DURABLE_EXTRACT_CACHE'],
    DURABLE_EXTRACT_HOME: home,
  };
  try {
    const { address } = await ensureRunning({ home, env, onProgress });
    const { processes } = await stackStatus(home);
    const providerUrl = processes.find(({ name }) => name === 'simulated-provider')?.details['url'];
    if (typeof providerUrl !== 'string') throw new Error('The simulated provider announced no url.');
    const extractor = await DurableExtract.connect({ env });
    try {
      await use({ extractor, address, providerUrl, samples: Number(values.samples) });
    } finally {
      await extractor.close();
    }
  } finally {
    await stopStack({ home, onProgress: () => {} });
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

function print({ title }: Figure, rows: readonly Row[]): void {
  const width = Math.max(...rows.map(({ what }) => what.length));
  const figureWidth = Math.max(...rows.map(({ figure }) => figure.length));
  process.stdout.write(`\n${title}\n`);
  for (const { what, figure, details = '' } of rows) {
    process.stdout.write(`  ${what.padEnd(width)}  ${figure.padStart(figureWidth)}  ${details}\n`);
  }
}
