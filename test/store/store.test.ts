import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import type { BatchSettings, RoundKind } from '../../src/core/batch-contract.ts';
import { DEFAULT_RETRY, NO_BATCH } from '../../src/core/contract.ts';
import type { PreparedBatch } from '../../src/core/prepared.ts';
import type { DocumentOutcome } from '../../src/core/stored-outcome.ts';
import { freePort } from '../../src/stack/ports.ts';
import type { StoredAttempt } from '../../src/store/attempts.ts';
import { LoadingElsewhereError, StoreError } from '../../src/store/store-errors.ts';
import type { NewDocument } from '../../src/store/documents.ts';
import { MIGRATIONS } from '../../src/store/migrations.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/open-store.ts';
import { cleanUp, runChild, temporaryFolder, until } from '../stack/temp-home.ts';
import type { TestChild } from '../stack/temp-home.ts';
import { ensurePostgres, startPostgres } from '../support/postgres.ts';
import type { TestPostgres } from '../support/postgres.ts';
import { REJECTED, answerOf, documentOf, failedOutcome, succeededOutcome } from './rows.ts';

interface TestDatabase {
  readonly name: string;
  readonly isHere: boolean;
  /** A `DATABASE_URL` of a database that is new. */
  newUrl(): Promise<string>;
  /** What a query past the store gives, row by row. */
  ask(url: string, sql: string): Promise<readonly unknown[]>;
}

const hasPostgres = (await ensurePostgres()) !== undefined;
if (!hasPostgres) {
  console.warn(
    'The store is tested with SQLite only: expected postgres and initdb on PATH or under /usr/lib/postgresql, found none. ' +
      'Install PostgreSQL, or set DURABLE_EXTRACT_POSTGRES_BIN to the folder of its programs.',
  );
}
const home = temporaryFolder('home');
const opened: Store[] = [];
let postgres: TestPostgres | undefined;

const SQLITE: TestDatabase = {
  name: 'SQLite',
  isHere: true,
  newUrl: async () => join(temporaryFolder('store'), 'store.db'),
  async ask(url, sql) {
    const database = new DatabaseSync(url);
    try {
      return database.prepare(sql).all();
    } finally {
      database.close();
    }
  },
};

const POSTGRES: TestDatabase = {
  name: hasPostgres ? 'PostgreSQL' : 'PostgreSQL (skipped: none here)',
  isHere: hasPostgres,
  async newUrl() {
    postgres ??= await startPostgres();
    return postgres.newDatabase();
  },
  async ask(url, sql) {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query<object>(sql)).rows;
    } finally {
      await client.end();
    }
  },
};

afterAll(async () => {
  await Promise.all(opened.map((store) => store.close()));
  await postgres?.stop();
  await cleanUp();
});

describe.each([SQLITE, POSTGRES])('the store in $name', (database) => {
  describe.skipIf(!database.isHere)('as its callers see it', () => {
    let url: string;
    let store: Store;
    /** As another process has it. */
    let other: Store;

    beforeAll(async () => {
      url = await database.newUrl();
      store = await open(url);
      other = await open(url);
    });

    /** A batch that has been read in, with documents `d0`, `d1`, … */
    async function batchOf(documents: number | readonly NewDocument[]): Promise<string> {
      const all =
        typeof documents === 'number'
          ? Array.from({ length: documents }, (_, seq) => documentOf(seq))
          : documents;
      const id = newId();
      await store.batches.begin({ id, loader: 'loader', settings, concurrency: 10 });
      expect(await store.documents.add(id, 'loader', all)).toEqual([]);
      await store.batches.finishLoading({ id, loader: 'loader', inputHash: 'hash', total: all.length });
      return id;
    }

    /** Documents 0 failed, 1 succeeded, 2 bad, 3 open, 4 failed, 5 open, 6 succeeded; all in round 1. */
    async function halfDone(): Promise<string> {
      const bad = documentOf(2, { bad: 'docs.jsonl line 3: no text' });
      const id = await batchOf([0, 1, 2, 3, 4, 5, 6].map((seq) => (seq === 2 ? bad : documentOf(seq))));
      for (const seq of [1, 6]) {
        await store.attempts.record(answerOf({ batchId: id, documentId: `d${seq}` }));
      }
      await store.outcomes.recordDocuments(id, 1, [
        ...[0, 2, 4].map((seq) => ({ seq, outcome: failedOutcome })),
        ...[1, 6].map((seq) => ({ seq, outcome: succeededOutcome })),
      ]);
      return id;
    }

    const begin = (id: string, loader: string, concurrency = 10) =>
      store.batches.begin({ id, loader, settings, concurrency });
    const finish = (id: string, loader: string) =>
      store.batches.finishLoading({ id, loader, inputHash: 'hash', total: 2 });
    const resultsOf = (batchId: string) => store.outcomes.results({ batchId, afterSeq: -1, limit: 1_000 });

    describe('when it is opened', () => {
      it('makes its tables once, however many open a new database at the same time', async () => {
        const fresh = await database.newUrl();
        const stores = await Promise.all(Array.from({ length: 5 }, () => open(fresh)));
        expect(await migrationsOf(database, fresh)).toEqual(Object.keys(MIGRATIONS));
        const hashes = await Promise.all(stores.map((one) => one.schemas.save(PERSON)));
        expect(new Set(hashes).size).toBe(1);
      });

      it('makes its tables once when several processes open a new database at the same time', async () => {
        const fresh = await database.newUrl();
        await runTogether(Array.from({ length: 4 }, (_, index) => ({ url: fresh, name: `p${index}` })));
        expect(await migrationsOf(database, fresh)).toEqual(Object.keys(MIGRATIONS));
      });

      it('has what was written before it was closed', async () => {
        const fresh = await database.newUrl();
        const first = await openStore({ env: { DATABASE_URL: fresh }, home });
        const hash = await first.schemas.save(PERSON);
        await first.batches.begin({ id: 'b', loader: 'l', settings, concurrency: 3 });
        await first.close();
        const second = await open(fresh);
        expect(second.kind).toBe(database === SQLITE ? 'sqlite' : 'postgres');
        expect(await second.schemas.read(hash)).toEqual(PERSON);
        expect(await second.batches.read('b')).toMatchObject({ id: 'b', state: 'loading', concurrency: 3 });
        expect(await migrationsOf(database, fresh)).toEqual(Object.keys(MIGRATIONS));
      });
    });

    describe('schemas', () => {
      it('are kept by name and content, whoever saves them', async () => {
        const hashes = await Promise.all([store, other, store, other].map((one) => one.schemas.save(PERSON)));
        expect(new Set(hashes).size).toBe(1);
        const renamed = await store.schemas.save({ ...PERSON, name: 'human' });
        const changed = await store.schemas.save({ ...PERSON, jsonSchema: { type: 'array' } });
        expect(new Set([...hashes, renamed, changed]).size).toBe(3);
        expect(await other.schemas.read(hashes[0] ?? '')).toEqual(PERSON);
        expect(await other.schemas.read(changed)).toEqual({ name: 'person', jsonSchema: { type: 'array' } });
      });

      it('that are not there are named', async () => {
        await expect(store.schemas.read('feed')).rejects.toThrow("no schema 'feed'");
      });
    });

    describe('documents', () => {
      it('keep their order, texts and metadata, however they are added', async () => {
        const metadata = { source: 'mail', nested: [1, null, { größe: '數' }], note: 'a\0b\ud83d' };
        const documents = Array.from({ length: 1_000 }, (_, seq) =>
          documentOf(seq, { metadata: { ...metadata, seq } }),
        );
        const id = newId();
        await store.batches.begin({ id, loader: 'loader', settings, concurrency: 10 });
        await store.documents.add(id, 'loader', documents.slice(500));
        await store.documents.add(id, 'loader', []);
        await store.documents.add(id, 'loader', documents.slice(0, 500));
        const results = await resultsOf(id);
        expect(results.map(({ seq }) => seq)).toEqual(documents.map(({ seq }) => seq));
        expect(results.map(({ metadata: kept }) => kept)).toEqual(documents.map((given) => given.metadata));
        expect(results[77]).toMatchObject({ id: 'd77' });
        expect(await store.documents.textOf({ id: 'd77', batch: id, seq: 77 })).toBe('text 77');
      });

      it('keep texts of a megabyte, and put � where a database takes no character', async () => {
        const long = 'größe 數 👍 '.repeat(90_000);
        const odd = "NUL \0, lone \ud83d and \udc4d, quote ', \\, ${x}, \r\n\t\u0001";
        const id = await batchOf([
          ...[0, 1, 2].map((seq) => documentOf(seq, { text: `${seq}${long}` })),
          documentOf(3, { text: odd }),
          documentOf(4, { text: '' }),
          documentOf(5, { bad: "expected a JSON object: unexpected '\0'" }),
        ]);
        const texts = await Promise.all(
          [0, 1, 2, 3, 4].map((seq) => store.documents.read({ batchId: id, seq, round: 1, attempt: 1 })),
        );
        expect(texts.slice(0, 3).map(({ text }, seq) => text === `${seq}${long}`)).toEqual([
          true,
          true,
          true,
        ]);
        expect(texts[3]?.text).toBe(odd.toWellFormed().replace('\0', '\uFFFD'));
        expect(texts[4]?.text).toBe('');
      });

      it('with an id that another one has are named with both places, and all the others are added', async () => {
        const id = newId();
        await store.batches.begin({ id, loader: 'loader', settings, concurrency: 10 });
        const twiceInOneCall = await store.documents.add(id, 'loader', [
          documentOf(0),
          documentOf(1, { id: 'd0' }),
          documentOf(2),
        ]);
        const twiceInTwo = await store.documents.add(id, 'loader', [
          documentOf(3),
          documentOf(4, { id: 'd2' }),
          documentOf(5, { id: 'd3' }),
          documentOf(6),
        ]);
        expect(twiceInOneCall).toEqual([
          { id: 'd0', place: 'docs.jsonl line 2', earlierPlace: 'docs.jsonl line 1' },
        ]);
        expect(twiceInTwo).toEqual([
          { id: 'd2', place: 'docs.jsonl line 5', earlierPlace: 'docs.jsonl line 3' },
          { id: 'd3', place: 'docs.jsonl line 6', earlierPlace: 'docs.jsonl line 4' },
        ]);
        expect((await resultsOf(id)).map((result) => result.seq)).toEqual([0, 2, 3, 6]);
      });

      it('of two batches can have the same ids', async () => {
        const [one, two] = [await batchOf(2), await batchOf(2)];
        expect(await resultsOf(one)).toEqual(await resultsOf(two));
      });

      it('are found by their place, and named where they are not there', async () => {
        const id = await batchOf(3);
        expect(await store.documents.idsOf(id, [2, 0, 9])).toEqual(
          new Map([
            [0, 'd0'],
            [2, 'd2'],
          ]),
        );
        const missing = `no document 9 of batch '${id}'`;
        await expect(store.documents.textOf({ id: '', batch: id, seq: 9 })).rejects.toThrow(missing);
        const read = store.documents.read({ batchId: id, seq: 9, round: 1, attempt: 1 });
        await expect(read).rejects.toThrow(missing);
      });

      it('with a schema of their own wait for its name to be resolved', async () => {
        const id = await batchOf([
          documentOf(0, { schemaName: 'person' }),
          documentOf(1, { schemaName: 'invoice' }),
          documentOf(2, { schemaName: 'person' }),
          documentOf(3, { schemaHash: 'h3' }),
          documentOf(4),
        ]);
        const unresolved = await store.documents.unresolvedSchemas(id);
        expect(unresolved.toSorted((a, b) => a.name.localeCompare(b.name))).toEqual([
          { name: 'invoice', place: 'docs.jsonl line 2' },
          { name: 'person', place: 'docs.jsonl line 1' },
        ]);
        await store.documents.resolveSchema(id, 'person', 'h1');
        await store.documents.resolveSchema(id, 'invoice', 'h2');
        expect(await store.documents.unresolvedSchemas(id)).toEqual([]);
        expect((await store.documents.schemaHashes(id)).toSorted()).toEqual(['h1', 'h2', 'h3']);
        const round = { batchId: id, round: 1, kind: 'first' } as const;
        expect(await store.documents.pending({ ...round, afterSeq: -1, limit: 9 })).toEqual([
          { seq: 0, schemaHash: 'h1' },
          { seq: 1, schemaHash: 'h2' },
          { seq: 2, schemaHash: 'h1' },
          { seq: 3, schemaHash: 'h3' },
          { seq: 4 },
        ]);
      });

      it('come with the answer to that very round and attempt, in many batches at once', async () => {
        const [one, two] = [await batchOf(30), await batchOf(30)];
        const asked = [
          answerOf({ batchId: one, documentId: 'd1', answer: 'one' }),
          answerOf({ batchId: one, documentId: 'd1', attempt: 2, answer: 'two' }),
          answerOf({ batchId: one, documentId: 'd1', round: 2, answer: 'later' }),
          answerOf({ batchId: two, documentId: 'd2', verdict: REJECTED, answer: 'elsewhere' }),
        ];
        await Promise.all(asked.map((attempt) => store.attempts.record(attempt)));
        const places = [one, two].flatMap((batchId) =>
          [1, 2].flatMap((round) =>
            [1, 2].flatMap((attempt) =>
              Array.from({ length: 30 }, (_, seq) => ({ batchId, seq, round, attempt })),
            ),
          ),
        );
        const documents = await Promise.all(places.map((place) => store.documents.read(place)));
        for (const [index, { batchId, seq, round, attempt }] of places.entries()) {
          const recorded = asked.find(
            (answer) =>
              answer.batchId === batchId &&
              answer.documentId === `d${seq}` &&
              answer.round === round &&
              answer.attempt === attempt,
          );
          expect(documents[index]).toEqual({
            id: `d${seq}`,
            text: `text ${seq}`,
            schemaHash: null,
            recorded,
          });
        }
      });
    });

    describe('a batch that is being read in', () => {
      it('is a batch once its loader has finished, and is given to whoever begins it again', async () => {
        const id = newId();
        expect(await store.batches.read(id)).toBeUndefined();
        expect(await begin(id, 'a')).toBeUndefined();
        const loading = await store.batches.read(id);
        expect(loading).toMatchObject({
          id,
          state: 'loading',
          inputHash: null,
          round: 1,
          roundKind: 'first',
        });
        await finish(id, 'a');
        const there = await begin(id, 'b', 99);
        expect(there).toEqual({ ...loading, state: 'running', inputHash: 'hash', total: 2 });
        expect(there).toMatchObject({ settings, prepared: null, finishedAt: null, concurrency: 10 });
        await expect(store.documents.add(id, 'a', [documentOf(7)])).rejects.toThrow(LoadingElsewhereError);
      });

      it('is begun anew by a later loader, and nothing of the earlier one is left', async () => {
        const id = newId();
        await begin(id, 'earlier');
        await store.documents.add(id, 'earlier', [documentOf(0), documentOf(1, { bad: 'no text' })]);
        await store.outcomes.recordDocuments(id, 1, [{ seq: 1, outcome: failedOutcome }]);
        expect(await begin(id, 'later', 20)).toBeUndefined();
        expect(await resultsOf(id)).toEqual([]);
        expect(await store.outcomes.count(id, 1)).toMatchObject({ failed: 0 });
        await expect(store.documents.add(id, 'earlier', [documentOf(0)])).rejects.toThrow(
          `batch '${id}' is being read in`,
        );
        expect(await store.documents.add(id, 'later', [documentOf(0)])).toEqual([]);
        await expect(finish(id, 'earlier')).rejects.toThrow(LoadingElsewhereError);
        await finish(id, 'later');
        expect(await store.batches.read(id)).toMatchObject({ state: 'running', concurrency: 20 });
        expect(await resultsOf(id)).toHaveLength(1);
      });

      it('is abandoned by its own loader only, and never once it has been read in', async () => {
        const id = newId();
        await begin(id, 'earlier');
        await begin(id, 'later');
        await store.documents.add(id, 'later', [documentOf(0)]);
        await store.batches.abandon(id, 'earlier');
        expect(await resultsOf(id)).toHaveLength(1);
        await store.batches.abandon(id, 'later');
        expect(await resultsOf(id)).toEqual([]);
        expect(await store.batches.read(id)).toBeUndefined();

        const finished = await batchOf(1);
        await store.batches.abandon(finished, 'loader');
        expect(await resultsOf(finished)).toHaveLength(1);
        expect(await store.batches.read(finished)).toMatchObject({ state: 'running' });
      });

      it('makes room for another where no worker has prepared it, and only then', async () => {
        const id = await batchOf(2);
        const { createdAt } = (await store.batches.read(id))!;
        await store.batches.forget({ id, createdAt: createdAt - 1 });
        expect(await begin(id, 'later')).toMatchObject({ id, total: 2 });
        await store.batches.forget({ id, createdAt });
        expect(await begin(id, 'later')).toBeUndefined();
        expect(await store.documents.add(id, 'later', [documentOf(0), documentOf(1)])).toEqual([]);
        await finish(id, 'later');

        await store.batches.setPrepared(id, 1, preparedAs('first'));
        const prepared = (await store.batches.read(id))!;
        await store.batches.forget(prepared);
        expect(await begin(id, 'last')).toEqual(prepared);
      });

      it('has one loader of many that begin at once', async () => {
        const id = newId();
        const loaders = Array.from({ length: 10 }, (_, index) => `loader ${index}`);
        await Promise.all(
          loaders.map((loader, index) =>
            (index % 2 ? store : other).batches.begin({ id, loader, settings, concurrency: 1 }),
          ),
        );
        const finished = await Promise.allSettled(loaders.map((loader) => finish(id, loader)));
        expect(finished.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      });
    });

    describe('a batch', () => {
      it('is over when it is completed or cancelled, and not when it goes on', async () => {
        const id = await batchOf(1);
        await store.batches.setState(id, 'completed');
        expect((await store.batches.read(id))?.finishedAt).toBeGreaterThan(Date.UTC(2026, 0));
        await store.batches.setState(id, 'paused');
        await store.batches.setConcurrency(id, 77);
        expect(await other.batches.read(id)).toMatchObject({
          state: 'paused',
          finishedAt: null,
          concurrency: 77,
        });
      });

      it('keeps what it has learnt, also in its next round', async () => {
        const id = await batchOf(1);
        expect((await store.batches.read(id))?.learning).toBeNull();
        const warnings = [{ path: 'age', kind: 'wrong_type', message: 'expected number' }] as const;
        const learning = { learnt: {}, lessons: { hash: { warnings, rejectedModes: [] } } };
        await store.batches.setLearning(id, learning);
        const round = { id, round: 2, kind: 'failed', settings, prepared: preparedAs('second') } as const;
        await store.batches.beginRound(round);
        expect(await other.batches.read(id)).toMatchObject({ round: 2, learning });
      });

      it('begins a round once', async () => {
        const id = await batchOf(1);
        const prepared = preparedAs('second');
        const changed = { ...settings, model: 'gpt-4o' };
        const round = { id, round: 2, kind: 'failed', settings: changed, prepared } as const;
        await store.batches.setPrepared(id, 1, preparedAs('first'));
        await store.batches.setState(id, 'completed');
        await store.batches.beginRound(round);
        const begun = await store.batches.read(id);
        expect(begun).toMatchObject({ round: 2, roundKind: 'failed', settings: round.settings });
        expect(begun).toMatchObject({ state: 'running', prepared, finishedAt: null });

        await store.batches.setState(id, 'paused');
        await store.batches.beginRound({ ...round, settings, prepared: preparedAs('another') });
        await store.batches.beginRound({ ...round, round: 1, kind: 'rejudge' });
        expect(await store.batches.read(id)).toEqual({ ...begun, state: 'paused' });
      });

      it('is prepared for its current round only', async () => {
        const id = await batchOf(1);
        await store.batches.setPrepared(id, 2, preparedAs('too early'));
        expect((await store.batches.read(id))?.prepared).toBeNull();
        await store.batches.setPrepared(id, 1, preparedAs('in time'));
        expect((await store.batches.read(id))?.prepared).toEqual(preparedAs('in time'));
        const second = preparedAs('second');
        await store.batches.beginRound({ id, round: 2, kind: 'failed', settings, prepared: second });
        await store.batches.setPrepared(id, 1, preparedAs('too late'));
        expect((await store.batches.read(id))?.prepared).toEqual(second);
      });

      it('never gives a shard number twice', async () => {
        const id = await batchOf(1);
        const taken = await Promise.all(
          Array.from({ length: 40 }, (_, index) => (index % 2 ? store : other).batches.takeShardNumber(id)),
        );
        expect(taken.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
        const prepared = preparedAs('second');
        await store.batches.beginRound({ id, round: 2, kind: 'failed', settings, prepared });
        expect(await store.batches.takeShardNumber(id)).toBe(41);
      });

      it('is listed with all the others, in the order they were begun', async () => {
        const ids = [await batchOf(1), await batchOf(0)];
        const list = await store.batches.list();
        expect(list.map(({ id }) => id)).toEqual(expect.arrayContaining(ids));
        const times = list.map(({ createdAt }) => createdAt);
        expect(times).toEqual(times.toSorted((a, b) => a - b));
        expect(list).toContainEqual(await store.batches.read(ids[0] ?? ''));
      });
    });

    describe('answers', () => {
      it('come back as they were written, accepted or rejected', async () => {
        const batchId = newId();
        const accepted = answerOf({
          batchId,
          documentId: 'größe/數',
          verdict: {
            status: 'accepted',
            data: { text: 'a\0b\ud83d', big: 1e300, none: null },
            repairs: [{ kind: 'coercion', path: 'age', message: '"30" → 30' }],
          },
          failures: [{ attempt: 1, type: 'rate_limit', message: 'slow down', status: 429, delayMs: 1_000 }],
          interrupted: 2,
          usage: { calls: 4, promptTokens: 1_000_000, completionTokens: 0, costUsd: null },
        });
        const rejected = answerOf({ batchId, documentId: 'd', verdict: REJECTED, finish: 'length' });
        for (const attempt of [accepted, rejected]) {
          expect(await store.attempts.record(attempt)).toEqual(attempt);
          expect(await other.attempts.read(attempt)).toEqual(attempt);
        }
        expect(await store.attempts.read({ ...accepted, attempt: 2 })).toBeUndefined();
        expect(await store.attempts.read({ ...accepted, round: 2 })).toBeUndefined();
      });

      it('that are the data null are accepted ones', async () => {
        const verdict = { status: 'accepted', data: null, repairs: [] } as const;
        const attempt = answerOf({ batchId: newId(), documentId: 'd', verdict });
        await store.attempts.record(attempt);
        expect((await store.attempts.read(attempt))?.verdict).toEqual(verdict);
      });

      it('keep their text, with � where a database takes no character, and round their times', async () => {
        const attempt = answerOf({
          batchId: newId(),
          documentId: 'd',
          answer: `\0\ud83d${'數'.repeat(400_000)}`,
          latencyMs: 12.6,
          askedAt: 1_767_225_600_000.4,
        });
        await store.attempts.record(attempt);
        const read = await store.attempts.read(attempt);
        expect(read?.answer).toBe(`\uFFFD\uFFFD${'數'.repeat(400_000)}`);
        expect(read).toMatchObject({ latencyMs: 13, askedAt: 1_767_225_600_000 });
      });

      it('are written once: the same write again changes nothing, and no spend is added', async () => {
        const attempt = answerOf({ batchId: newId(), documentId: 'd' });
        await store.attempts.record(attempt);
        expect(await store.attempts.record(attempt)).toEqual(attempt);
        expect(await other.attempts.record(attempt)).toEqual(attempt);
        expect(await store.attempts.read(attempt)).toEqual(attempt);
        expect((await store.batches.spend(attempt.batchId)).usage).toEqual(attempt.usage);
      });

      it('that came second are paid for, and the first one stays', async () => {
        const first = answerOf({ batchId: newId(), documentId: 'd', answer: 'first', requestId: 'r1' });
        const second: StoredAttempt = {
          ...first,
          answer: 'second',
          requestId: 'r2',
          verdict: REJECTED,
          usage: { calls: 3, promptTokens: 100, completionTokens: 50, costUsd: 0.5 },
        };
        const both: StoredAttempt = {
          ...first,
          // The later try of the activity has counted the earlier ones.
          usage: { calls: 3, promptTokens: 110, completionTokens: 55, costUsd: 0.75 },
        };
        await store.attempts.record(first);
        expect(await other.attempts.record(second)).toEqual(both);
        expect(await store.attempts.read(first)).toEqual(both);
        await store.attempts.record(first);
        expect(await store.attempts.read(first)).toEqual(both);
      });

      it('of unknown price make the price of both unknown', async () => {
        const first = answerOf({ batchId: newId(), documentId: 'd', requestId: 'r1' });
        await store.attempts.record(first);
        const usage = { ...first.usage, costUsd: null };
        const kept = await store.attempts.record({ ...first, requestId: 'r2', usage });
        expect(kept.usage).toEqual({ calls: 1, promptTokens: 20, completionTokens: 10, costUsd: null });
      });

      it('of one attempt that come in one burst are one answer, and all are paid for', async () => {
        const first = answerOf({ batchId: newId(), documentId: 'd', requestId: 'r1' });
        const burst = ['r1', 'r2', 'r1', 'r3'].map((requestId) => ({
          ...first,
          requestId,
          answer: requestId,
        }));
        const kept = await Promise.all(burst.map((attempt) => store.attempts.record(attempt)));
        expect(kept.map(({ answer }) => answer)).toEqual(['r1', 'r1', 'r1', 'r1']);
        expect((await store.attempts.read(first))?.usage).toMatchObject({ promptTokens: 30, costUsd: 0.75 });
      });

      it('all land, five hundred at once and from two sides', async () => {
        const batchId = newId();
        const attempts = Array.from({ length: 500 }, (_, index) =>
          answerOf({ batchId, documentId: `d${index}`, answer: `answer ${index}`, requestId: `r${index}` }),
        );
        const kept = await Promise.all(
          attempts.map((attempt, index) => (index % 2 ? store : other).attempts.record(attempt)),
        );
        expect(kept).toEqual(attempts);
        expect(await Promise.all(attempts.map((key) => store.attempts.read(key)))).toEqual(attempts);
        expect((await store.batches.spend(batchId)).usage).toMatchObject({ calls: 500, promptTokens: 5_000 });
      });

      it('of the same attempts land from two sides in opposite orders, and neither waits for the other for ever', async () => {
        for (let time = 0; time < 5; time += 1) {
          const batchId = newId();
          const attempts = Array.from({ length: 100 }, (_, index) =>
            answerOf({ batchId, documentId: `d${index}` }),
          );
          await Promise.all([
            ...attempts.map((one) => store.attempts.record({ ...one, requestId: 'one' })),
            ...attempts.toReversed().map((one) => other.attempts.record({ ...one, requestId: 'other' })),
          ]);
          expect((await store.batches.spend(batchId)).usage).toMatchObject({
            calls: 100,
            promptTokens: 2_000,
          });
        }
      });

      it('before one are those of its round, in order', async () => {
        const batchId = newId();
        const key = { batchId, documentId: 'd' };
        for (const [round, attempt] of [
          [2, 3],
          [1, 1],
          [2, 1],
          [2, 2],
          [3, 1],
        ] as const) {
          await store.attempts.record(answerOf({ ...key, round, attempt, verdict: REJECTED }));
        }
        const before = await store.attempts.before({ ...key, round: 2, attempt: 3 });
        expect(before.map(({ round, attempt }) => [round, attempt])).toEqual([
          [2, 1],
          [2, 2],
        ]);
        expect(await store.attempts.before({ ...key, round: 2, attempt: 1 })).toEqual([]);
      });

      it('of earlier rounds are given newest first, by document, and only those a model was asked for', async () => {
        const batchId = newId();
        for (const [documentId, round, attempt, kind] of [
          ['a', 1, 1, 'asked'],
          ['a', 1, 2, 'asked'],
          ['a', 2, 1, 'rejudged'],
          ['a', 3, 1, 'asked'],
          ['a', 4, 1, 'asked'],
          ['b', 2, 1, 'asked'],
          ['c', 1, 1, 'asked'],
        ] as const) {
          await store.attempts.record(answerOf({ batchId, documentId, round, attempt, kind }));
        }
        const documentIds = ['a', 'b', 'nobody'];
        const earlier = await store.attempts.ofEarlierRounds({ batchId, round: 4, documentIds });
        const places = [...earlier].map(([id, answers]) => [
          id,
          answers.map((one) => [one.round, one.attempt]),
        ]);
        expect(Object.fromEntries(places)).toEqual({
          a: [
            [3, 1],
            [1, 2],
            [1, 1],
          ],
          b: [[2, 1]],
        });
      });
    });

    describe('outcomes', () => {
      it('written twice are written once', async () => {
        const id = await batchOf(1);
        const outcome = { ...failedOutcome, unansweredCalls: 2 };
        for (let time = 0; time < 2; time += 1) {
          expect(await store.outcomes.recordDocuments(id, 1, [{ seq: 0, outcome }])).toEqual([]);
        }
        await store.outcomes.recordDocuments(id, 1, [{ seq: 0, outcome: { ...outcome, attempts: 9 } }]);
        expect(await resultsOf(id)).toMatchObject([{ attempts: 1, stopped: 'attempts' }]);
        expect(await store.outcomes.count(id, 1)).toMatchObject({ failed: 1, unansweredCalls: 2 });
      });

      it('of a later round take the place of an earlier one, and never the other way round', async () => {
        const id = await batchOf(1);
        await store.outcomes.recordDocuments(id, 2, failedAfter(2));
        await store.outcomes.recordDocuments(id, 1, failedAfter(1));
        expect(await resultsOf(id)).toMatchObject([{ attempts: 2 }]);
        await other.outcomes.recordDocuments(id, 3, failedAfter(3));
        expect(await resultsOf(id)).toMatchObject([{ attempts: 3 }]);
      });

      it('are refused, and named, where the answer that was accepted is not there', async () => {
        const id = await batchOf(5);
        for (const attempt of [
          answerOf({ batchId: id, documentId: 'd0' }),
          answerOf({ batchId: id, documentId: 'd1', verdict: REJECTED }),
          answerOf({ batchId: id, documentId: 'd2', attempt: 2 }),
          answerOf({ batchId: id, documentId: 'd3', round: 2 }),
        ]) {
          await store.attempts.record(attempt);
        }
        const refused = await store.outcomes.recordDocuments(id, 1, [
          ...[0, 1, 2, 3].map((seq) => ({ seq, outcome: succeededOutcome })),
          { seq: 4, outcome: failedOutcome },
        ]);
        expect(refused).toEqual([1, 2, 3]);
        expect((await resultsOf(id)).map(({ stopped }) => stopped)).toEqual([
          null,
          'pending',
          'pending',
          'pending',
          'attempts',
        ]);
        expect(await store.outcomes.recordDocuments(id, 1, [{ seq: 3, outcome: succeededOutcome }])).toEqual([
          3,
        ]);
      });

      it('of single extractions are written once, and replaced by those of a later run', async () => {
        const id = newId();
        const rows = () =>
          database.ask(
            url,
            `SELECT round, attempts FROM outcomes WHERE batch_id = '' AND document_id = '${id}'`,
          );
        const now = Date.UTC(2026, 0, 31);
        await store.outcomes.recordSingle(id, now, failedOutcome);
        await store.outcomes.recordSingle(id, now, { ...failedOutcome, attempts: 2 });
        expect(await rows()).toMatchObject([{ attempts: 1 }]);
        await store.outcomes.recordSingle(id, now + 1, { ...failedOutcome, attempts: 3 });
        await store.outcomes.recordSingle(id, now, failedOutcome);
        expect(await rows()).toMatchObject([{ attempts: 3 }]);
        expect(Number((await rows()).map((row) => (row as { round: unknown }).round))).toBe(now + 1);

        const attempt = answerOf({ batchId: NO_BATCH, documentId: id, round: now });
        await store.attempts.record(attempt);
        expect(await store.attempts.read(attempt)).toEqual(attempt);
      });

      it('are counted, in all and in the round, with the calls that brought no answer', async () => {
        const id = await batchOf(5);
        for (const round of [1, 2]) {
          await store.attempts.record(answerOf({ batchId: id, documentId: `d${round}`, round }));
        }
        const unanswered = { ...failedOutcome, unansweredCalls: 3 };
        await store.outcomes.recordDocuments(id, 1, [
          { seq: 0, outcome: unanswered },
          { seq: 1, outcome: succeededOutcome },
          { seq: 2, outcome: unanswered },
        ]);
        await store.outcomes.recordDocuments(id, 2, [
          { seq: 2, outcome: { ...succeededOutcome, unansweredCalls: 1 } },
          { seq: 0, outcome: failedOutcome },
        ]);
        // Those of the first round were made too.
        const counts = { succeeded: 2, failed: 1, unansweredCalls: 3 + 3 + 1 };
        expect(await store.outcomes.count(id, 2)).toEqual({ ...counts, succeededInRound: 1 });
        expect(await store.outcomes.count(id, 3)).toEqual({ ...counts, succeededInRound: 0 });
        expect(await store.outcomes.count(newId(), 1)).toEqual({
          succeeded: 0,
          failed: 0,
          succeededInRound: 0,
          unansweredCalls: 0,
        });
      });

      it('are results in input order, page by page, the pending ones marked', async () => {
        const id = await batchOf([0, 1, 2, 3, 4].map((seq) => documentOf(seq, { metadata: { line: seq } })));
        const error = { attempt: 1, type: 'timeout', message: 'no answer', delayMs: null } as const;
        const verdict = { status: 'accepted', data: { age: 5 }, repairs: [] } as const;
        await store.attempts.record(answerOf({ batchId: id, documentId: 'd3' }));
        await store.attempts.record(answerOf({ batchId: id, documentId: 'd3', round: 2, verdict }));
        await store.attempts.record(answerOf({ batchId: id, documentId: 'd0' }));
        const unpriced = { calls: 2, promptTokens: 7, completionTokens: 8, costUsd: null };
        await store.attempts.record(
          answerOf({ batchId: id, documentId: 'd1', verdict: REJECTED, usage: unpriced }),
        );
        const unanswered = { ...failedOutcome, errors: [error], unansweredCalls: 3 };
        await store.outcomes.recordDocuments(id, 1, [
          { seq: 3, outcome: succeededOutcome },
          { seq: 1, outcome: unanswered },
          { seq: 0, outcome: succeededOutcome },
        ]);
        await store.outcomes.recordDocuments(id, 2, [{ seq: 3, outcome: succeededOutcome }]);

        const first = await store.outcomes.results({ batchId: id, afterSeq: -1, limit: 3 });
        const rest = await store.outcomes.results({ batchId: id, afterSeq: 2, limit: 3 });
        const nothing = { calls: 0, promptTokens: 0, completionTokens: 0, costUsd: 0 };
        const ofBothRounds = { calls: 2, promptTokens: 20, completionTokens: 10, costUsd: 0.5 };
        const pending = {
          success: false,
          data: null,
          attempts: 0,
          errors: [],
          usage: nothing,
          stopped: 'pending',
          partial: null,
          correction: null,
        };
        const extracted = {
          success: true,
          attempts: 1,
          errors: [],
          usage: succeededOutcome.usage,
          stopped: null,
          partial: null,
          correction: null,
        };
        expect(first).toEqual([
          { ...namesOf(0), ...extracted, data: { age: 36 } },
          {
            ...namesOf(1),
            success: false,
            data: null,
            attempts: 1,
            errors: [error],
            usage: { ...unpriced, calls: 2 + 3 },
            stopped: 'attempts',
            partial: {},
            correction: null,
          },
          { ...namesOf(2), ...pending },
        ]);
        expect(rest).toEqual([
          { ...namesOf(3), ...extracted, data: { age: 5 }, usage: ofBothRounds },
          { ...namesOf(4), ...pending },
        ]);
        expect(await store.outcomes.results({ batchId: id, afterSeq: 4, limit: 3 })).toEqual([]);
      });

      it('end as that of the highest round, in whatever order they are written', async () => {
        const write = fc.record({
          round: fc.integer({ min: 1, max: 5 }),
          seqs: fc.uniqueArray(fc.nat({ max: 3 }), { minLength: 1 }),
        });
        await fc.assert(
          fc.asyncProperty(fc.array(write, { maxLength: 10 }), async (writes) => {
            const id = await batchOf(4);
            const last = new Map<number, { readonly round: number; readonly attempts: number }>();
            for (const [index, { round, seqs }] of writes.entries()) {
              const outcome = { ...failedOutcome, attempts: index + 1 };
              await store.outcomes.recordDocuments(
                id,
                round,
                seqs.map((seq) => ({ seq, outcome })),
              );
              for (const seq of seqs) {
                if ((last.get(seq)?.round ?? 0) < round) last.set(seq, { round, attempts: index + 1 });
              }
            }
            const attempts = (await resultsOf(id)).map((result) => result.attempts);
            expect(attempts).toEqual([0, 1, 2, 3].map((seq) => last.get(seq)?.attempts ?? 0));
          }),
          { numRuns: 20 },
        );
      });
    });

    describe('reviews', () => {
      const until = Date.UTC(2026, 5, 1);
      const inReview = { ...failedOutcome, reviewUntil: until };
      const by = { by: 'Grace', at: '2026-05-31T12:00:00.000Z' };
      const before = until - 1;

      /** Three documents that were not extracted: two wait for a person. */
      async function reviewed(): Promise<string> {
        const id = await batchOf(3);
        await store.attempts.record(answerOf({ batchId: id, documentId: 'd0', verdict: REJECTED }));
        await store.outcomes.recordDocuments(id, 1, [
          { seq: 0, outcome: inReview },
          { seq: 1, outcome: failedOutcome },
          { seq: 2, outcome: inReview },
        ]);
        return id;
      }

      const idsOf = async (batchId: string, now = before) =>
        (await store.reviews.waiting({ batchId, limit: 10, now })).map(({ documentId }) => documentId);

      it('are those that wait, with their last answer, until their deadline', async () => {
        const id = await reviewed();
        expect(await store.reviews.waiting({ batchId: id, limit: 1, now: before })).toMatchObject([
          { documentId: 'd0', seq: 0, stopped: 'attempts', record: { age: 'ten' }, partial: {}, until },
        ]);
        expect(
          await store.reviews.waiting({ batchId: id, afterId: 'd0', limit: 1, now: before }),
        ).toMatchObject([{ documentId: 'd2', record: null, problem: null }]);
        expect(await store.reviews.count(id, before)).toBe(2);
        expect(await idsOf(id, until)).toEqual([]);
        expect(await store.reviews.batches(before)).toContain(id);
      });

      it('end with data, which says that it was entered by hand; it can be entered again', async () => {
        const id = await reviewed();
        const correct = (age: number) =>
          store.reviews.correct({ batchId: id, documentId: 'd0', round: 1, data: { age }, correction: by });
        expect(await correct(9)).toBe(true);
        expect(await correct(10)).toBe(true);
        const results = await store.outcomes.results({ batchId: id, afterSeq: -1, limit: 3 });
        expect(results[0]).toMatchObject({
          success: true,
          data: { age: 10 },
          correction: by,
          stopped: null,
          partial: null,
        });
        expect(results[1]).toMatchObject({ success: false, correction: null });
        expect(await idsOf(id)).toEqual(['d2']);
        expect(await store.outcomes.count(id, 1)).toMatchObject({ succeeded: 1, failed: 2 });
      });

      it('do not change what a model has extracted', async () => {
        const id = await batchOf(1);
        await store.attempts.record(answerOf({ batchId: id, documentId: 'd0' }));
        await store.outcomes.recordDocuments(id, 1, [{ seq: 0, outcome: succeededOutcome }]);
        const entered = { batchId: id, documentId: 'd0', round: 1, data: { age: 1 }, correction: by };
        expect(await store.reviews.correct(entered)).toBe(false);
        expect(await store.outcomes.results({ batchId: id, afterSeq: -1, limit: 1 })).toMatchObject([
          { data: { age: 36 }, correction: null },
        ]);
      });

      it('go before what the same round still brings, and not before a later one', async () => {
        const id = await reviewed();
        await store.reviews.correct({
          batchId: id,
          documentId: 'd0',
          round: 2,
          data: { age: 9 },
          correction: by,
        });
        await store.outcomes.recordDocuments(id, 2, [{ seq: 0, outcome: failedOutcome }]);
        const first = async () => (await store.outcomes.results({ batchId: id, afterSeq: -1, limit: 1 }))[0];
        expect(await first()).toMatchObject({ success: true, data: { age: 9 } });
        const documentIds = ['d0', 'd1'];
        const corrected = await store.reviews.corrected({ batchId: id, round: 3, documentIds });
        expect([...corrected.values()]).toEqual([{ documentId: 'd0', data: { age: 9 }, correction: by }]);
        await store.outcomes.recordDocuments(id, 3, [{ seq: 0, outcome: failedOutcome }]);
        expect(await first()).toMatchObject({ success: false, correction: null });
      });

      it('are given up once', async () => {
        const id = await reviewed();
        expect(await store.reviews.giveUp(id, 'd0')).toBe(true);
        expect(await store.reviews.giveUp(id, 'd0')).toBe(false);
        expect(await store.reviews.giveUp(id, 'd1')).toBe(false);
        expect(await idsOf(id)).toEqual(['d2']);
      });

      it('find a document, done or not', async () => {
        const id = await batchOf(2);
        await store.outcomes.recordDocuments(id, 1, [{ seq: 0, outcome: failedOutcome }]);
        expect(await store.reviews.find(id, 'd0')).toEqual({
          schemaHash: null,
          success: false,
          isByHand: false,
        });
        expect(await store.reviews.find(id, 'd1')).toMatchObject({ success: null });
        expect(await store.reviews.find(id, 'nobody')).toBeUndefined();
      });
    });

    describe('what is left to do', () => {
      test.each<[kind: RoundKind, round: number, seqs: readonly number[]]>([
        ['first', 1, [3, 5]],
        ['failed', 2, [0, 3, 4, 5]],
        ['rejudge', 2, [0, 1, 3, 4, 5, 6]],
      ])(
        'in a round of kind %s is told in order and page by page, without bad documents',
        async (kind, round, seqs) => {
          const id = await halfDone();
          const about = { batchId: id, round, kind };
          const pending = async (afterSeq: number, limit: number) =>
            (await store.documents.pending({ ...about, afterSeq, limit })).map(({ seq }) => seq);
          expect(await pending(-1, 100)).toEqual(seqs);
          expect(await pending(-1, 2)).toEqual(seqs.slice(0, 2));
          expect(await pending(seqs[1] ?? 0, 2)).toEqual(seqs.slice(2, 4));
          expect(await store.documents.countPending(about)).toBe(seqs.length);

          const [done = 0, ...rest] = seqs;
          await store.outcomes.recordDocuments(id, round, [{ seq: done, outcome: failedOutcome }]);
          expect(await pending(-1, 100)).toEqual(rest);
          expect(await store.documents.countPending(about)).toBe(rest.length);
        },
      );

      it('is retried where the round has a rejected answer and no outcome', async () => {
        const id = await batchOf(5);
        const rejected = (documentId: string, round: number, attempt: number) =>
          store.attempts.record(answerOf({ batchId: id, documentId, round, attempt, verdict: REJECTED }));
        await rejected('d0', 1, 1);
        await rejected('d0', 1, 2);
        await rejected('d1', 1, 1);
        await store.attempts.record(answerOf({ batchId: id, documentId: 'd1', attempt: 2 }));
        await rejected('d2', 1, 1);
        await store.attempts.record(answerOf({ batchId: id, documentId: 'd3' }));
        await rejected('d4', 2, 1);
        expect(await store.batches.countRetrying(id, 1)).toBe(3);
        await store.outcomes.recordDocuments(id, 1, [{ seq: 2, outcome: failedOutcome }]);
        expect(await store.batches.countRetrying(id, 1)).toBe(2);

        await rejected('d2', 2, 1);
        expect(await store.batches.countRetrying(id, 2)).toBe(2);
        await store.outcomes.recordDocuments(id, 2, [{ seq: 2, outcome: failedOutcome }]);
        expect(await store.batches.countRetrying(id, 2)).toBe(1);
        expect(await store.batches.countRetrying(id, 3)).toBe(0);
      });
    });

    describe('what a batch has spent', () => {
      it('is nothing without an answer', async () => {
        expect((await store.batches.spend(await batchOf(1))).usage).toEqual({
          calls: 0,
          promptTokens: 0,
          completionTokens: 0,
          costUsd: 0,
        });
      });

      it('is the sum of its answers in all rounds, and of no other batch', async () => {
        const [id, another] = [newId(), newId()];
        for (const [batchId, round, attempt] of [
          [id, 1, 1],
          [id, 1, 2],
          [id, 2, 1],
          [another, 1, 1],
        ] as const) {
          await store.attempts.record(answerOf({ batchId, documentId: 'd', round, attempt }));
        }
        expect((await store.batches.spend(id)).usage).toEqual({
          calls: 3,
          promptTokens: 30,
          completionTokens: 15,
          costUsd: 0.75,
        });
      });

      it('has no price where the price of any answer is unknown', async () => {
        const id = newId();
        await store.attempts.record(answerOf({ batchId: id, documentId: 'a' }));
        const usage = { calls: 1, promptTokens: 1, completionTokens: 1, costUsd: null };
        await store.attempts.record(answerOf({ batchId: id, documentId: 'b', usage }));
        expect((await store.batches.spend(id)).usage).toEqual({
          calls: 2,
          promptTokens: 11,
          completionTokens: 6,
          costUsd: null,
        });
      });
    });

    describe('gates', () => {
      const open = {
        provider: 'openai',
        state: 'open',
        reason: '11 calls in a row failed',
        since: 2_000,
        until: null,
        callsPerSecond: 0.125,
      } as const;
      const closed = {
        ...open,
        state: 'closed',
        reason: 'well',
        since: 9_000,
        callsPerSecond: null,
      } as const;

      it('are as they last changed, and every change is kept once', async () => {
        const { gates } = store;
        expect(await gates.read('openai')).toBeUndefined();
        await gates.record({ ...open, at: 2_000 });
        await gates.record({ ...closed, at: 9_000 });
        await gates.record({ ...closed, at: 9_000 });
        expect(await gates.read('openai')).toEqual(closed);
        expect(await gates.changes('openai', 10)).toEqual([
          { ...closed, at: 9_000 },
          { ...open, at: 2_000 },
        ]);
        expect(await gates.changes('openai', 1)).toHaveLength(1);
      });

      it('never go back to an older change that is written late', async () => {
        const { gates } = store;
        const provider = 'another';
        await gates.record({ ...closed, provider, at: 9_000 });
        await gates.record({ ...open, provider, at: 2_000 });
        expect(await gates.list()).toContainEqual({ ...closed, provider });
      });
    });

    describe('two at once', () => {
      it('lose nothing when both write everything at the same time', async () => {
        const id = newId();
        await store.batches.begin({ id, loader: 'loader', settings, concurrency: 10 });
        await Promise.all(
          Array.from({ length: 60 }, async (_, seq) => {
            const one = seq % 2 ? store : other;
            await one.documents.add(id, 'loader', [documentOf(seq)]);
            await one.attempts.record(answerOf({ batchId: id, documentId: `d${seq}` }));
            await one.outcomes.recordDocuments(id, 1, [{ seq, outcome: succeededOutcome }]);
          }),
        );
        expect((await resultsOf(id)).map(({ success }) => success)).toEqual(
          Array.from({ length: 60 }, () => true),
        );
        expect((await store.batches.spend(id)).usage).toMatchObject({ calls: 60 });
      });

      it('lose nothing when they are processes', async () => {
        const id = newId();
        await store.batches.begin({ id, loader: 'loader', settings, concurrency: 10 });
        const processes = [0, 1, 2].map((index) => ({
          url,
          name: `p${index}`,
          batchId: id,
          firstSeq: index * 40,
          count: 40,
        }));
        const shards = (await runTogether(processes)).flat();
        expect(shards.toSorted((a, b) => a - b)).toEqual(
          Array.from({ length: 120 }, (_, index) => index + 1),
        );
        const results = await resultsOf(id);
        expect(results.map(({ seq }) => seq)).toEqual(Array.from({ length: 120 }, (_, seq) => seq));
        expect(results.every(({ stopped }) => stopped === 'attempts')).toBe(true);
        expect((await store.batches.spend(id)).usage).toMatchObject({ calls: 120, costUsd: 30 });
      });
    });
  });
});

describe.skipIf(!hasPostgres)(
  'the store in PostgreSQL, which has counted the rows of earlier batches only',
  () => {
    it('finds the documents of a new one by their keys', async () => {
      const url = await POSTGRES.newUrl();
      const store = await openStore({ env: { DATABASE_URL: url }, home });
      const fill = async (batchId: string, total: number, done: number) => {
        const documents = Array.from({ length: total }, (_, seq) => documentOf(seq));
        await store.batches.begin({ id: batchId, loader: 'loader', settings, concurrency: 10 });
        await store.documents.add(batchId, 'loader', documents);
        const seqs = Array.from({ length: done }, (_, seq) => seq);
        await Promise.all(
          seqs.map((seq) => store.attempts.record(answerOf({ batchId, documentId: `d${seq}` }))),
        );
        await store.outcomes.recordDocuments(
          batchId,
          1,
          seqs.map((seq) => ({ seq, outcome: succeededOutcome })),
        );
      };
      for (const id of ['earlier-1', 'earlier-2', 'earlier-3']) await fill(id, 1_000, 1_000);
      for (const table of ['documents', 'attempts', 'outcomes']) {
        await POSTGRES.ask(url, `analyze ${table}`);
        await POSTGRES.ask(url, `alter table ${table} set (autovacuum_enabled = off)`);
      }
      const [batchId, total] = ['new', 1_000];
      await fill(batchId, total, total / 2);
      await store.close();

      const rowsReadBefore = await rowsRead(url);
      const again = await openStore({ env: { DATABASE_URL: url }, home });
      for (const kind of ['first', 'failed', 'rejudge'] as const) {
        const round = { batchId, round: 2, kind };
        const left = kind === 'rejudge' ? total : total / 2;
        expect(await again.documents.countPending(round)).toBe(left);
        expect(await again.documents.pending({ ...round, afterSeq: -1, limit: total })).toHaveLength(left);
      }
      for (const seq of Array.from({ length: 20 }, (_, index) => index * 50)) {
        await again.documents.read({ batchId, seq, round: 1, attempt: 1 });
      }
      expect(await again.outcomes.results({ batchId, afterSeq: -1, limit: total })).toHaveLength(total);
      await again.close();
      // Document by document, with its outcome and its attempts. Whoever goes through the batch for each of them reads a million.
      expect((await rowsRead(url)) - rowsReadBefore).toBeLessThan(20 * total);
    });
  },
);

/** All that was read of the tables, by those whose connection has ended. */
async function rowsRead(url: string): Promise<number> {
  const read = async () => {
    const [row] = await POSTGRES.ask(
      url,
      `select sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) as rows,
        (select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()) as others
      from pg_stat_user_tables`,
    );
    return row as { readonly rows: string; readonly others: string };
  };
  await until(async () => Number((await read()).others) === 0);
  return Number((await read()).rows);
}

describe('a store that cannot be opened says why', () => {
  test.each(['mysql://app:hunter2@db.example/docs', 'postgress://app:hunter2@db.example/docs'])(
    'where DATABASE_URL is %s',
    async (url) => {
      const { message, printed } = await refusal(url);
      const [scheme = ''] = url.split('://');
      expect(message).toBe(
        `DATABASE_URL: expected postgres://… or the path of a SQLite file, got ${scheme}://…. Correct it, or unset it.`,
      );
      expect(printed).not.toContain('hunter2');
    },
  );

  it('where nobody listens', async () => {
    const port = await freePort({ preferred: [] });
    const { message, printed } = await refusal(
      `postgres://app:hunter2@127.0.0.1:${port}/docs?sslmode=disable`,
    );
    expect(message).toContain(`The store (postgres://127.0.0.1:${port}/docs) cannot be opened: `);
    expect(message).toContain('ECONNREFUSED');
    expect(message).toContain('Expected a SQLite file or a PostgreSQL database that can be written to.');
    expect(message).toContain('Correct DATABASE_URL, or unset it');
    expect(printed).not.toContain('hunter2');
  });

  test.each([
    'postgres://app:hunter2@127.0.0.1:port/docs',
    'postgres://app:hunter2@[/docs',
    'postgres://app:hunter2@127.0.0.1:1/docs?password=hunter2',
    'postgres://app:50%hunter2@127.0.0.1:1/docs',
    'postgres://app:hunter2#x@127.0.0.1:1/docs',
    'postgres://app:hunter2/x@127.0.0.1:1/docs',
    'postgres://app:hunter2?x@127.0.0.1:1/docs',
  ])('and never the password, where the URL is %s', async (url) => {
    const { message, printed } = await refusal(url);
    expect(message).toContain('cannot be opened: ');
    expect(printed).not.toContain('hunter2');
  });

  it.skipIf(!hasPostgres)('where PostgreSQL has no such database', async () => {
    postgres ??= await startPostgres();
    const { message } = await refusal(postgres.url.replace(/[^/]*$/, 'nowhere'));
    expect(message).toContain('database "nowhere" does not exist');
    expect(message).toContain('Correct DATABASE_URL');
  });

  it('where its folder cannot be made', async () => {
    const file = join(temporaryFolder('store'), 'file');
    writeFileSync(file, 'a file, and no folder');
    const path = join(file, 'folder', 'store.db');
    const { message } = await refusal(path);
    expect(message).toContain(`The store (${path}) cannot be opened: `);
    expect(message).toMatch(/ENOTDIR|EEXIST/);
    expect(message).toContain('Correct DATABASE_URL, or unset it');
  });

  it('where its file is no database', async () => {
    const path = join(temporaryFolder('store'), 'notes.txt');
    writeFileSync(path, 'These are notes, and no database at all.\n'.repeat(100));
    const { message } = await refusal(path);
    expect(message).toContain(`The store (${path}) cannot be opened: file is not a database`);
    expect(message).toContain('Correct DATABASE_URL, or unset it');
  });
});

const settings: BatchSettings = { schema: { name: 'person' } };

/** The outcome of a batch's first document. */
function failedAfter(attempts: number): readonly DocumentOutcome[] {
  return [{ seq: 0, outcome: { ...failedOutcome, attempts } }];
}

/** What a result says of a document, whatever became of it. */
function namesOf(seq: number) {
  return { seq, id: `d${seq}`, metadata: { line: seq } };
}

const PERSON = { name: 'person', jsonSchema: { type: 'object', properties: { age: { type: 'number' } } } };

function preparedAs(model: string): PreparedBatch {
  return {
    settings: {
      schema: { name: 'person' },
      provider: 'openai',
      model,
      simulated: false,
      retry: DEFAULT_RETRY,
      timeoutMs: 60_000,
      mode: 'json_schema',
      stricterModes: ['tool'],
      strategy: 'adaptive',
      coerce: true,
      budget: {},
    },
    schemaHash: 'hash',
    ownSchemas: {},
  };
}

async function migrationsOf(database: TestDatabase, url: string): Promise<readonly string[]> {
  const rows = await database.ask(url, 'SELECT name FROM kysely_migration ORDER BY name');
  return rows.map((row) => (row as { readonly name: string }).name);
}

async function open(url: string): Promise<Store> {
  const store = await openStore({ env: { DATABASE_URL: url }, home });
  opened.push(store);
  return store;
}

/** What opening it throws, and all that a log would print of that. */
async function refusal(url: string): Promise<{ readonly message: string; readonly printed: string }> {
  const error: unknown = await openStore({ env: { DATABASE_URL: url }, home }).then(
    () => expect.fail('expected the store not to open'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(StoreError);
  return { message: (error as StoreError).message, printed: inspect(error, { depth: 10 }) };
}

function newId(): string {
  return `batch-${randomUUID()}`;
}

/** Runs `children/write.ts` in processes that begin together; gives the shard numbers each of them took. */
async function runTogether(
  processes: readonly {
    readonly url: string;
    readonly name: string;
    readonly batchId?: string;
    readonly firstSeq?: number;
    readonly count?: number;
  }[],
): Promise<readonly (readonly number[])[]> {
  const go = join(temporaryFolder('store'), 'go');
  const children = processes.map(({ url, name, batchId = '', firstSeq = 0, count = 0 }): TestChild =>
    runChild({
      script: '../../store/children/write.ts',
      args: [go, home, batchId, name, `${firstSeq}`, `${count}`],
      env: { ...process.env, DATABASE_URL: url },
    }),
  );
  await until(() => children.every(({ out }) => out.includes('ready')));
  writeFileSync(go, '');
  const codes = await Promise.all(children.map(({ exited }) => exited));
  if (codes.some((code) => code !== 0)) throw new Error(children.flatMap(({ err }) => err).join('\n'));
  return children.map(({ out }) => JSON.parse(out.at(-1) ?? '') as readonly number[]);
}
