import { sql } from 'kysely';
import type { ExpressionBuilder, Kysely } from 'kysely';
import type { RoundKind } from '../core/batch-contract.ts';
import type { DocumentReference } from '../core/contract.ts';
import type { JsonObject } from '../core/json.ts';
import type { PendingDocument } from '../core/prepared.ts';
import { storableText } from '../core/storable-text.ts';
import { attemptOf } from './attempts.ts';
import type { StoredAttempt } from './attempts.ts';
import { loadingElsewhere } from './batches.ts';
import { inGroups } from './in-groups.ts';
import { statementByCount } from './statement-by-count.ts';
import type { DocumentsTable, Tables } from './tables.ts';

/** A document as it is put into a batch. */
export interface NewDocument {
  readonly seq: number;
  readonly id: string;
  readonly text: string;
  readonly metadata: JsonObject;
  readonly place: string;
  readonly bad?: string;
  /** A registered name, for the worker to resolve. */
  readonly schemaName?: string;
  readonly schemaHash?: string;
}

/** A document whose id was there already. */
export interface DuplicateDocument {
  readonly id: string;
  readonly place: string;
  readonly earlierPlace: string;
}

/** One attempt at a document. */
export interface AttemptPlace {
  readonly batchId: string;
  readonly seq: number;
  readonly round: number;
  readonly attempt: number;
}

/** A document, and what the model has answered to this attempt already. */
export interface DocumentToAsk {
  readonly id: string;
  readonly text: string;
  readonly schemaHash: string | null;
  readonly recorded: StoredAttempt | undefined;
}

/** The documents of batches. */
export interface DocumentStore {
  /**
   * Adds documents to a batch that `loader` reads in, at most 1,000 at once; gives those whose id an earlier one has, which
   * are not added.
   *
   * @throws {LoadingElsewhereError} when a later reader has taken the batch over.
   */
  add(
    batchId: string,
    loader: string,
    documents: readonly NewDocument[],
  ): Promise<readonly DuplicateDocument[]>;
  /** @throws where there is no such document. */
  read(place: AttemptPlace): Promise<DocumentToAsk>;
  /** @throws where there is no such document. */
  textOf(document: DocumentReference): Promise<string>;
  /** By its id; undefined where there is no such document. */
  textById(batchId: string, id: string): Promise<string | undefined>;
  /** The next documents to be done after `afterSeq`, in order. */
  pending(
    options: Round & { readonly afterSeq: number; readonly limit: number },
  ): Promise<readonly PendingDocument[]>;
  countPending(round: Round): Promise<number>;
  /** The ids of documents by their place. */
  idsOf(batchId: string, seqs: readonly number[]): Promise<ReadonlyMap<number, string>>;
  /** The registered names documents ask for and nobody has resolved, each with the place of one that asks. */
  unresolvedSchemas(batchId: string): Promise<readonly { readonly name: string; readonly place: string }[]>;
  resolveSchema(batchId: string, name: string, hash: string): Promise<void>;
  /** The hashes of documents' own schemas. */
  schemaHashes(batchId: string): Promise<readonly string[]>;
}

const MOST_READ_AT_ONCE = 200;
/** Callers wait at most this long for company. */
const READ_EVERY_MS = 8;

/** The documents in a database. */
export function documentStore(db: Kysely<Tables>): DocumentStore {
  const read = inGroups<AttemptPlace, DocumentToAsk | undefined>({
    run: (places) => readAll(db, places),
    mostItems: MOST_READ_AT_ONCE,
    everyMs: READ_EVERY_MS,
    keyOf: ({ batchId, seq }) => `${seq} ${batchId}`,
  });
  return {
    add: (batchId, loader, documents) => add(db, batchId, loader, documents),
    async read(place) {
      const document = await read(place);
      if (document === undefined) throw noSuchDocument(place.batchId, place.seq);
      return document;
    },
    async textOf({ batch, seq }) {
      const row = await db
        .selectFrom('documents')
        .select('text')
        .where('batch_id', '=', batch)
        .where('seq', '=', seq)
        .executeTakeFirst();
      if (row === undefined) throw noSuchDocument(batch, seq);
      return row.text;
    },
    async textById(batchId, id) {
      const row = await db
        .selectFrom('documents')
        .select('text')
        .where('batch_id', '=', batchId)
        .where('id', '=', id)
        .executeTakeFirst();
      return row?.text;
    },
    pending: (options) => pending(db, options),
    countPending: (round) => countPending(db, round),
    idsOf: (batchId, seqs) => documentIds(db, batchId, seqs),
    async unresolvedSchemas(batchId) {
      const rows = await db
        .selectFrom('documents')
        .select(['schema_name', (of) => of.fn.min('place').as('place')])
        .where('batch_id', '=', batchId)
        .where('schema_name', 'is not', null)
        .where('schema_hash', 'is', null)
        .groupBy('schema_name')
        .execute();
      return rows.map(({ schema_name: name, place }) => ({ name: name ?? '', place }));
    },
    async resolveSchema(batchId, name, hash) {
      await db
        .updateTable('documents')
        .set({ schema_hash: hash })
        .where('batch_id', '=', batchId)
        .where('schema_name', '=', name)
        .execute();
    },
    async schemaHashes(batchId) {
      const rows = await db
        .selectFrom('documents')
        .select('schema_hash')
        .distinct()
        .where('batch_id', '=', batchId)
        .where('schema_hash', 'is not', null)
        .execute();
      return rows.flatMap(({ schema_hash: hash }) => hash ?? []);
    },
  };
}

/** The ids of documents by their place. */
export async function documentIds(
  db: Kysely<Tables>,
  batchId: string,
  seqs: readonly number[],
): Promise<ReadonlyMap<number, string>> {
  if (seqs.length === 0) return new Map();
  const rows = await db
    .selectFrom('documents')
    .select(['seq', 'id'])
    .where('batch_id', '=', batchId)
    .where('seq', 'in', seqs)
    .execute();
  return new Map(rows.map(({ seq, id }) => [seq, id]));
}

async function add(
  db: Kysely<Tables>,
  batchId: string,
  loader: string,
  documents: readonly NewDocument[],
): Promise<readonly DuplicateDocument[]> {
  if (documents.length === 0) return [];
  const rows = documents.map((document) => sql`(${sql.join(cellsOf(batchId, document))})`);
  const { rows: added } = await sql<{ readonly seq: number }>`
    insert into documents (${sql.join(COLUMNS.map((column) => sql.ref(column)))})
    select * from (values ${sql.join(rows)}) as given
    where exists (select 1 from batches where id = ${batchId} and loader = ${loader})
    on conflict do nothing returning seq`.execute(db);
  if (added.length === documents.length) return [];
  const addedSeqs = new Set(added.map(({ seq }) => seq));
  const refused = documents.filter(({ seq }) => !addedSeqs.has(seq));
  const earlier = await db
    .selectFrom('documents')
    .select(['id', 'place'])
    .where('batch_id', '=', batchId)
    .where(
      'id',
      'in',
      refused.map(({ id }) => id),
    )
    .execute();
  const places = new Map(earlier.map(({ id, place }) => [id, place]));
  // Whoever has lost the batch to another reader has added nothing.
  const { loader: now } = await db
    .selectFrom('batches')
    .select('loader')
    .where('id', '=', batchId)
    .executeTakeFirstOrThrow();
  if (now !== loader) throw loadingElsewhere(batchId);
  return refused.map(({ id, place }) => ({ id, place, earlierPlace: places.get(id) ?? 'an earlier one' }));
}

const COLUMNS = [
  'batch_id',
  'seq',
  'id',
  'text',
  'metadata',
  'place',
  'bad',
  'schema_name',
  'schema_hash',
] as const satisfies readonly (keyof DocumentsTable)[];

/** In the order of {@link COLUMNS}. PostgreSQL takes every value of such a list for text unless it is told otherwise. */
function cellsOf(batchId: string, document: NewDocument): readonly unknown[] {
  return [
    batchId,
    sql`cast(${document.seq} as integer)`,
    document.id,
    storableText(document.text),
    JSON.stringify(document.metadata),
    document.place,
    document.bad === undefined ? null : storableText(document.bad),
    document.schemaName ?? null,
    document.schemaHash ?? null,
  ];
}

const selectWithAttempt = statementByCount({
  build: (db, places: readonly AttemptPlace[]) => {
    const [{ batchId, round, attempt }] = places as [AttemptPlace];
    const seqs = places.map(({ seq }) => seq);
    return db
      .selectFrom('documents as d')
      .leftJoin('attempts as a', (join) =>
        join
          .onRef('a.batch_id', '=', 'd.batch_id')
          .onRef('a.document_id', '=', 'd.id')
          .on('a.round', '=', round)
          .on('a.attempt', '=', attempt),
      )
      .selectAll('a')
      .select(['d.seq', 'd.id', 'd.text', 'd.schema_hash'])
      .where('d.batch_id', '=', batchId)
      .where('d.seq', 'in', seqs);
  },
  parametersOf(places) {
    const [{ batchId, round, attempt }] = places as [AttemptPlace];
    return [round, attempt, batchId, ...places.map(({ seq }) => seq)];
  },
});

/** In one query for each batch, round and attempt: in practice one. */
async function readAll(
  db: Kysely<Tables>,
  places: readonly AttemptPlace[],
): Promise<readonly (DocumentToAsk | undefined)[]> {
  const found = new Map<string, DocumentToAsk>();
  const groups = Map.groupBy(places, ({ batchId, round, attempt }) => `${round}/${attempt}/${batchId}`);
  for (const group of groups.values()) {
    const [{ batchId, round, attempt }] = group as [AttemptPlace];
    const { rows } = await selectWithAttempt(db, group);
    for (const { seq, id, text, schema_hash: schemaHash, ...row } of rows) {
      found.set(keyOf({ batchId, round, attempt, seq }), { id, text, schemaHash, recorded: attemptOf(row) });
    }
  }
  return places.map((place) => found.get(keyOf(place)));
}

function noSuchDocument(batchId: string, seq: number): Error {
  return new Error(`The store has no document ${seq} of batch '${batchId}'.`);
}

function keyOf({ batchId, seq, round, attempt }: AttemptPlace): string {
  return `${seq}/${round}/${attempt}/${batchId}`;
}

/** Which documents a round is about. */
export interface Round {
  readonly batchId: string;
  readonly round: number;
  readonly kind: RoundKind;
}

/** In how many documents at most those to be done are looked for at once. */
const MOST_LOOKED_THROUGH = 8_000;

/** In one part of the batch after the other: PostgreSQL may otherwise look through all that is left of it, for each shard. */
async function pending(
  db: Kysely<Tables>,
  { afterSeq, limit, ...round }: Parameters<DocumentStore['pending']>[0],
): Promise<readonly PendingDocument[]> {
  const found: PendingDocument[] = [];
  let after = afterSeq;
  for (let part = limit; found.length < limit; part = Math.min(2 * part, MOST_LOOKED_THROUGH)) {
    const rows = await possibleDocuments(db, round)
      .select((of) => ['d.seq', 'd.schema_hash', outcomeThatWillDo(of, round).as('done')])
      .where('d.seq', '>', after)
      .orderBy('d.seq')
      .limit(part)
      .execute();
    for (const { seq, schema_hash: schemaHash, done } of rows) {
      if (done === null) found.push(schemaHash === null ? { seq } : { seq, schemaHash });
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < part) break;
    after = last.seq;
  }
  return found.slice(0, limit);
}

async function countPending(db: Kysely<Tables>, round: Round): Promise<number> {
  const { documents } = await possibleDocuments(db, round)
    .where((of) => outcomeThatWillDo(of, round), 'is', null)
    .select((of) => of.fn.countAll<number>().as('documents'))
    .executeTakeFirstOrThrow();
  return documents;
}

function possibleDocuments(db: Kysely<Tables>, { batchId }: Round) {
  return db.selectFrom('documents as d').where('d.batch_id', '=', batchId).where('d.bad', 'is', null);
}

/**
 * The outcome with which a document needs none in this round: one of this round, or an earlier one that is not done again. Looked up by
 * its key: for a join PostgreSQL may choose to compare all documents of the batch with all of its outcomes.
 */
function outcomeThatWillDo(
  of: ExpressionBuilder<Tables & { readonly d: DocumentsTable }, 'd'>,
  { round, kind }: Round,
) {
  return of
    .selectFrom('outcomes as o')
    .select('o.round')
    .whereRef('o.batch_id', '=', 'd.batch_id')
    .whereRef('o.document_id', '=', 'd.id')
    .$if(kind === 'rejudge', (query) => query.where('o.round', '>=', round))
    .$if(kind === 'failed', (query) =>
      query.where((is) => is.or([is('o.round', '>=', round), is('o.success', '=', 1)])),
    );
}
