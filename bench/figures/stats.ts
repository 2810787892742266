import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/open-store.ts';
import { fillStore } from '../fill-store.ts';
import type { Figure, Row } from '../figure.ts';
import { summarize, timeMs } from '../statistics.ts';

const ATTEMPTS = 1_000_000;
const SAMPLES = 20;
const AIM_MS = 500;
const DAY_MS = 86_400_000;
/** The generator's documents begin then, and end 30 days later. */
const START = 1_790_000_000_000;

const VIEWS: readonly (readonly [string, (store: Store) => Promise<unknown>])[] = [
  ['figures of all time', (store) => store.stats.read()],
  [
    'figures of nine days and a bit',
    (store) => store.stats.read({ since: START + DAY_MS + 777_777, until: START + 10 * DAY_MS }),
  ],
  [
    'figures of a schema, model and batch',
    (store) => store.stats.read({ schema: 'schema-1', model: 'openai/model-1', batch: 'batch-3' }),
  ],
  ['extractions, newest', (store) => store.conversations.list({})],
  [
    'extractions by kind and path',
    (store) => store.conversations.list({ kind: 'wrong_type', path: 'items[].field7' }),
  ],
  [
    'extractions by kind, path, batch and outcome',
    (store) =>
      store.conversations.list({
        kind: 'missing',
        path: 'items[].field3',
        batch: 'batch-2',
        outcome: 'failed',
      }),
  ],
  [
    'extractions of an old batch that failed',
    (store) => store.conversations.list({ batch: 'batch-0', outcome: 'failed', schema: 'schema-1' }),
  ],
  ['a conversation', (store) => store.conversations.read({ batch: 'batch-0', document: 'document-1' })],
];

/** What the dashboard asks, beside one scan of the answers that sums their calls and nothing else. */
export const stats: Figure = {
  title: `Dashboard: each view of a SQLite store with ${ATTEMPTS.toLocaleString('en')} answers`,
  async measure() {
    const folder = mkdtempSync(join(tmpdir(), 'durable-extract-stats-'));
    const file = join(folder, 'store.db');
    try {
      const countedMs = await fillStore(file, ATTEMPTS);
      return [
        ...(await measureViews(file)),
        { what: 'counting them all in the migration', figure: `${(countedMs / 1_000).toFixed(1)} s` },
      ];
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function measureViews(file: string): Promise<readonly Row[]> {
  const store = await openStore({ env: { DATABASE_URL: file }, home: `${file}.home` });
  try {
    const scan = summarize(await scans(file));
    const rows: Row[] = [
      { what: 'a scan of all answers', figure: figureOf(scan.median, scan.p95), details: 'group by verdict' },
    ];
    for (const [what, view] of VIEWS) {
      const sample: number[] = [];
      for (let i = 0; i < SAMPLES; i += 1) sample.push(await timeMs(() => view(store)));
      const { median, p95 } = summarize(sample);
      const details = `${(median / scan.median).toFixed(3)} of the scan; aim: under ${AIM_MS} ms`;
      rows.push({ what, figure: figureOf(median, p95), details });
    }
    return rows;
  } finally {
    await store.close();
  }
}

async function scans(file: string): Promise<readonly number[]> {
  const database = new DatabaseSync(file);
  try {
    const query = database.prepare(
      'select verdict, count(*), sum(calls), sum(latency_ms) from attempts not indexed group by verdict',
    );
    const sample: number[] = [];
    for (let i = 0; i < 3; i += 1) sample.push(await timeMs(async () => query.all()));
    return sample;
  } finally {
    database.close();
  }
}

function figureOf(median: number, p95: number): string {
  return `${median.toFixed(1)} ms, p95 ${p95.toFixed(1)} ms`;
}
