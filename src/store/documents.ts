import type { Kysely } from 'kysely';
import type { RoundKind } from '../core/batch-contract.ts';
import type { DocumentReference } from '../core/contract.ts';
import type { JsonObject } from '../core/json.ts';
import type { PendingDocument } from '../core/prepared.ts';
import { storableText } from '../core/storable-text.ts';
import { attemptOf } from './attempts.ts';
import type { StoredAttempt } from './attempts.ts';
import { inGroups } from './in-groups.ts';
import type { Tables } from './tables.ts';

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
  /** Adds documents, in one statement; gives those whose id an earlier one has, which are not added. */
  add(batchId: string, documents: readonly NewDocument[]): Promise<readonly DuplicateDocument[]>;
  /** @throws where there is no such document. */
  read(place: AttemptPlace): Promise<DocumentToAsk>;
  /** @throws where there is no such document. */
  textOf(document: DocumentReference): Promise<string>;
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
const READ_EVERY_MS = 4;

/** The documents in a database. */
export function documentStore(db: Kysely<Tables>): DocumentStore {
  const read = inGroups<AttemptPlace, DocumentToAsk>({
    run: (places) => readAll(db, places),
    mostItems: MOST_READ_AT_ONCE,
    everyMs: READ_EVERY_MS,
    keyOf: ({ batchId, seq }) => `${seq} ${batchId}`,
  });
  return {
    add: (batchId, documents) => add(db, batchId, documents),
    read,
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
    pending: (options) => pending(db, options),
    countPending: (round) => countPending(db, round),
    async idsOf(batchId, seqs) {
      const rows = await db
        .selectFrom('documents')
        .select(['seq', 'id'])
        .where('batch_id', '=', batchId)
        .where('seq', 'in', seqs)
        .execute();
      return new Map(rows.map(({ seq, id }) => [seq, id]));
    },
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

async function add(
  db: Kysely<Tables>,
  batchId: string,
  documents: readonly NewDocument[],
): Promise<readonly DuplicateDocument[]> {
  if (documents.length === 0) return [];
  const added = await db
    .insertInto('documents')
    .values(
      documents.map((document) => ({
        batch_id: batchId,
        seq: document.seq,
        id: document.id,
        text: storableText(document.text),
        metadata: JSON.stringify(document.metadata),
        place: document.place,
        bad: document.bad ?? null,
        schema_name: document.schemaName ?? null,
        schema_hash: document.schemaHash ?? null,
      })),
    )
    .onConflict((conflict) => conflict.doNothing())
    .returning('seq')
    .execute();
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
  return refused.map(({ id, place }) => ({ id, place, earlierPlace: places.get(id) ?? 'an earlier one' }));
}

/** In one query for each batch, round and attempt: in practice one. */
async function readAll(
  db: Kysely<Tables>,
  places: readonly AttemptPlace[],
): Promise<readonly DocumentToAsk[]> {
  const found = new Map<string, DocumentToAsk>();
  const groups = Map.groupBy(places, ({ batchId, round, attempt }) => `${round}/${attempt}/${batchId}`);
  for (const group of groups.values()) {
    const [{ batchId, round, attempt }] = group as [AttemptPlace];
    const rows = await db
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
      .where(
        'd.seq',
        'in',
        group.map(({ seq }) => seq),
      )
      .execute();
    for (const { seq, id, text, schema_hash: schemaHash, ...row } of rows) {
      found.set(keyOf({ batchId, round, attempt, seq }), { id, text, schemaHash, recorded: attemptOf(row) });
    }
  }
  return places.map((place) => {
    const document = found.get(keyOf(place));
    if (document !== undefined) return document;
    throw noSuchDocument(place.batchId, place.seq);
  });
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

/** Documents that can be extracted from and have no outcome of this round; of a `failed` round, only those that need one. */
function selectPending(db: Kysely<Tables>, { batchId, round, kind }: Round) {
  return db
    .selectFrom('documents as d')
    .leftJoin('outcomes as o', (join) =>
      join.onRef('o.batch_id', '=', 'd.batch_id').onRef('o.document_id', '=', 'd.id'),
    )
    .where('d.batch_id', '=', batchId)
    .where('d.bad', 'is', null)
    .where((is) => {
      const isNew = is('o.round', 'is', null);
      if (kind === 'first') return isNew;
      const isOfEarlierRound = is('o.round', '<', round);
      if (kind === 'rejudge') return is.or([isNew, isOfEarlierRound]);
      return is.or([isNew, is.and([isOfEarlierRound, is('o.success', '=', 0)])]);
    });
}

async function pending(
  db: Kysely<Tables>,
  options: Parameters<DocumentStore['pending']>[0],
): Promise<readonly PendingDocument[]> {
  const rows = await selectPending(db, options)
    .select(['d.seq', 'd.schema_hash'])
    .where('d.seq', '>', options.afterSeq)
    .orderBy('d.seq')
    .limit(options.limit)
    .execute();
  return rows.map(({ seq, schema_hash: schemaHash }) =>
    schemaHash === null ? { seq } : { seq, schemaHash },
  );
}

async function countPending(db: Kysely<Tables>, round: Round): Promise<number> {
  const { documents } = await selectPending(db, round)
    .select((of) => of.fn.countAll<number>().as('documents'))
    .executeTakeFirstOrThrow();
  return documents;
}
