import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { OutcomeError, ProviderFailure, Verdict } from '../../src/core/contract.ts';
import type { Stats, StatsFilter } from '../../src/core/stats.ts';
import type { StoredAttempt } from '../../src/store/attempts.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/open-store.ts';
import { generalPath } from '../../src/store/tallies.ts';
import { cleanUp, temporaryFolder } from '../stack/temp-home.ts';
import { ensurePostgres, startPostgres } from '../support/postgres.ts';
import type { TestPostgres } from '../support/postgres.ts';
import { REJECTED, answerOf, documentOf, failedOutcome, succeededOutcome } from './rows.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const START = Date.UTC(2026, 0, 30, 22, 58);
const FAILURE: ProviderFailure = {
  attempt: 1,
  type: 'rate_limit',
  message: '429',
  status: 429,
  delayMs: 500,
};

const hasPostgres = (await ensurePostgres()) !== undefined;
const home = temporaryFolder('home');
let postgres: TestPostgres | undefined;
const opened: Store[] = [];

afterAll(async () => {
  await Promise.all(opened.map((store) => store.close()));
  await postgres?.stop();
  await cleanUp();
});

const DATABASES = [
  { name: 'SQLite', isHere: true, newUrl: async () => join(temporaryFolder('store'), 'store.db') },
  {
    name: 'PostgreSQL',
    isHere: hasPostgres,
    newUrl: async () => (postgres ??= await startPostgres()).newDatabase(),
  },
];

async function open(url: string): Promise<Store> {
  const store = await openStore({ env: { DATABASE_URL: url }, home });
  opened.push(store);
  return store;
}

const arbitraryAttempts: fc.Arbitrary<readonly StoredAttempt[]> = fc
  .uniqueArray(
    fc.record({
      batchId: fc.constantFrom('', 'b1', 'b2'),
      documentId: fc.constantFrom('d0', 'd1', 'd2', 'd3'),
      round: fc.integer({ min: 1, max: 2 }),
      attempt: fc.integer({ min: 1, max: 3 }),
      schemaName: fc.constantFrom('person', 'order'),
      model: fc.constantFrom('large', 'small'),
      askedAt: fc.integer({ min: START, max: START + 3 * DAY_MS }),
      verdict: fc.constantFrom<Verdict>(answerOf({ batchId: '', documentId: '' }).verdict, REJECTED),
      failures: fc.constantFrom([], [FAILURE]),
    }),
    {
      maxLength: 25,
      selector: ({ batchId, documentId, round, attempt }) => [batchId, documentId, round, attempt].join(),
    },
  )
  .map((all) =>
    all.map((given) =>
      answerOf({
        ...given,
        usage: { calls: 1 + given.failures.length, promptTokens: 10, completionTokens: 5, costUsd: 0.25 },
      }),
    ),
  );

const arbitraryFilter: fc.Arbitrary<StatsFilter> = fc.record(
  {
    since: fc.integer({ min: START, max: START + 3 * DAY_MS }),
    until: fc.integer({ min: START, max: START + 3 * DAY_MS }),
    schema: fc.constantFrom('person', 'order'),
    model: fc.constantFrom('openai/large', 'openai/small'),
    batch: fc.constantFrom('', 'b1', 'b2'),
  },
  { requiredKeys: [] },
);

/** What the answers say, one by one. */
function naive(attempts: readonly StoredAttempt[], filter: StatsFilter) {
  const { since = 0, until = Number.MAX_SAFE_INTEGER, schema, model, batch } = filter;
  const counted = attempts.filter(
    (it) =>
      it.askedAt >= Math.floor(since / MINUTE_MS) * MINUTE_MS &&
      it.askedAt < Math.ceil(until / MINUTE_MS) * MINUTE_MS &&
      (schema === undefined || it.schemaName === schema) &&
      (model === undefined || `${it.provider}/${it.model}` === model) &&
      (batch === undefined || it.batchId === batch),
  );
  const sum = (of: (it: StoredAttempt) => number): number => counted.reduce((all, it) => all + of(it), 0);
  const wrong = counted.filter(({ verdict }) => verdict.status === 'rejected');
  const failures = sum((it) => it.failures.length);
  return {
    calls: sum((it) => it.usage.calls),
    promptTokens: sum((it) => it.usage.promptTokens),
    completionTokens: sum((it) => it.usage.completionTokens),
    costUsd: sum((it) => it.usage.costUsd ?? 0),
    wastedCalls: sum((it) => it.usage.calls) - (counted.length - wrong.length),
    errors: wrong.length === 0 ? [] : [{ kind: 'wrong_type', path: 'age', count: wrong.length }],
    providerFailures: failures === 0 ? [] : [{ type: 'rate_limit', count: failures }],
    successByAttempt: [1, 2, 3].flatMap((attempt) => {
      const answers = counted.filter((it) => it.attempt === attempt);
      const accepted = answers.filter(({ verdict }) => verdict.status === 'accepted').length;
      if (answers.length === 0) return [];
      return [{ attempt, answers: answers.length, accepted, share: accepted / answers.length }];
    }),
  };
}

function comparable(stats: Stats) {
  const { calls, promptTokens, completionTokens, costUsd, wastedCalls, providerFailures, successByAttempt } =
    stats;
  const errors = stats.errors.map(({ kind, path, count }) => ({ kind, path, count }));
  return {
    calls,
    promptTokens,
    completionTokens,
    costUsd,
    wastedCalls,
    errors,
    providerFailures,
    successByAttempt,
  };
}

describe.each(DATABASES)('the figures in $name', ({ isHere, newUrl }) => {
  describe.skipIf(!isHere)('as they are counted', () => {
    it('are those of the answers one by one, whatever was written twice and whatever is asked for', async () => {
      await fc.assert(
        fc.asyncProperty(arbitraryAttempts, arbitraryFilter, async (attempts, filter) => {
          const store = await openStore({ env: { DATABASE_URL: await newUrl() }, home });
          try {
            await Promise.all(attempts.map((attempt) => store.attempts.record(attempt)));
            await Promise.all(attempts.slice(0, 5).map((attempt) => store.attempts.record(attempt)));
            expect(comparable(await store.stats.read(filter))).toEqual(naive(attempts, filter));
            const spans = (await store.stats.read()).overTime.spans;
            expect(spans.reduce((all, { calls }) => all + calls, 0)).toBe(naive(attempts, {}).calls);
          } finally {
            await store.close();
          }
        }),
        { numRuns: 8 },
      );
    });

    it('count the latest outcome of each extraction, and every call that brought no answer', async () => {
      const store = await open(await newUrl());
      await store.batches.begin({
        id: 'b1',
        loader: 'l',
        settings: { schema: { name: 'person' } },
        concurrency: 1,
      });
      await store.documents.add('b1', 'l', [documentOf(0), documentOf(1)]);
      await store.batches.finishLoading({ id: 'b1', loader: 'l', inputHash: 'h', total: 2 });
      const unanswered: OutcomeError[] = [FAILURE, { ...FAILURE, attempt: 2, type: 'timeout' }];
      await store.attempts.record(answerOf({ batchId: 'b1', documentId: 'd0', failures: [FAILURE] }));
      const failed = { ...failedOutcome, unansweredCalls: 1, errors: unanswered };
      const ends = [
        { seq: 0, outcome: failed },
        { seq: 1, outcome: failedOutcome },
      ];
      await store.outcomes.recordDocuments('b1', 1, ends);
      await store.outcomes.recordDocuments('b1', 1, ends);
      await store.attempts.record(answerOf({ batchId: 'b1', documentId: 'd0', round: 2 }));
      await store.outcomes.recordDocuments('b1', 2, [{ seq: 0, outcome: succeededOutcome }]);
      const stats = await store.stats.read({ batch: 'b1' });
      expect(stats).toMatchObject({
        extractions: 2,
        succeeded: 1,
        successRate: 0.5,
        averageAttempts: 1,
        firstTryRate: 0.5,
        calls: 3,
        wastedCalls: 1,
        stoppedReasons: [{ reason: 'attempts', count: 1 }],
        attemptsHistogram: [{ attempts: 1, extractions: 2, succeeded: 1 }],
      });
      expect(stats.providerFailures).toEqual([
        { type: 'rate_limit', count: 1 },
        { type: 'timeout', count: 1 },
      ]);
      expect(stats.known).toEqual({ schemas: ['person'], models: ['openai/gpt-4o-mini'], batches: ['b1'] });
    });

    it('count a second answer to the same attempt by what it cost', async () => {
      const store = await open(await newUrl());
      const first = answerOf({ batchId: '', documentId: 'd0' });
      await store.attempts.record(first);
      const usage = { ...first.usage, calls: 2 };
      await store.attempts.record({ ...first, requestId: 'request-2', usage });
      expect(await store.stats.read()).toMatchObject({
        calls: 2,
        promptTokens: 20,
        costUsd: 0.5,
        wastedCalls: 1,
        successByAttempt: [{ attempt: 1, answers: 1, accepted: 1 }],
      });
    });

    it('name the newest example of a problem, and list the extractions that met it, page by page', async () => {
      const store = await open(await newUrl());
      for (const seq of [0, 1, 2]) {
        const documentId = `d${seq}`;
        await store.attempts.record(
          answerOf({ batchId: '', documentId, verdict: REJECTED, askedAt: START + seq }),
        );
        const problem = REJECTED.status === 'rejected' ? REJECTED.problem : undefined;
        const errors = [{ attempt: 1, ...problem! }];
        await store.outcomes.recordSingle(documentId, 1, { ...failedOutcome, errors });
      }
      await store.outcomes.recordSingle('fine', 1, succeededOutcome);
      const { errors } = await store.stats.read();
      expect(errors).toEqual([
        {
          kind: 'wrong_type',
          path: 'age',
          count: 3,
          example: { batch: '', document: 'd2', round: 1, attempt: 1, message: 'expected number' },
        },
      ]);
      const filter = { kind: 'wrong_type', path: 'age', limit: 2 };
      const page = await store.conversations.list(filter);
      const rest = await store.conversations.list({ ...filter, after: page.next ?? '' });
      expect(rest.next).toBeNull();
      const listed = [...page.extractions, ...rest.extractions].map(({ document }) => document);
      expect(listed).toEqual(['d2', 'd1', 'd0']);
      expect((await store.conversations.list({ outcome: 'succeeded' })).extractions).toHaveLength(1);
      expect(
        (await store.conversations.list({ kind: 'wrong_type', outcome: 'succeeded' })).extractions,
      ).toEqual([]);
      const conversation = await store.conversations.read({ batch: '', document: 'd0' });
      expect(conversation?.turns[0]?.feedback).toContain("- Field 'age': expected number");
      expect(conversation?.outcome?.success).toBe(false);
      expect(await store.conversations.read({ batch: '', document: 'none' })).toBeUndefined();
    });
  });
});

it('are filled from what was there before, also when that was interrupted', async () => {
  const file = join(temporaryFolder('store'), 'store.db');
  const before = await openStore({ env: { DATABASE_URL: file }, home });
  await before.attempts.record(answerOf({ batchId: '', documentId: 'd0', failures: [FAILURE] }));
  await before.attempts.record(answerOf({ batchId: '', documentId: 'd1', verdict: REJECTED }));
  await before.outcomes.recordSingle('d0', 1, succeededOutcome);
  const expected = await before.stats.read();
  await before.close();
  const database = new DatabaseSync(file);
  database.exec(
    "delete from kysely_migration where name >= '010-stats'; delete from tallies where n % 2 = 0",
  );
  database.exec('drop table outcome_problems');
  database.close();
  const store = await open(file);
  expect(await store.stats.read()).toEqual(expected);
});

it.each([
  ['items[0].price', 'items[].price'],
  ['[3]', '[]'],
  ['a[0][12].b["odd [1] key"]', 'a[][].b["odd [1] key"]'],
  ['', ''],
])('the path %s is counted as %s', (path, general) => {
  expect(generalPath(path)).toBe(general);
});
