import { createHash, randomUUID } from 'node:crypto';
import type { Hash } from 'node:crypto';
import type { InputEntry } from '../core/batch-input.ts';
import type { BatchDocument, BatchSettings } from '../core/batch-contract.ts';
import { NO_USAGE } from '../core/usage.ts';
import type { NewDocument } from '../store/documents.ts';
import type { Store } from '../store/open-store.ts';
import { InvalidInputError } from './invalid-input-error.ts';

/** Documents go into the store so many at a time, or so many characters. */
const MOST_TOGETHER = 500;
const MOST_CHARS_TOGETHER = 4_000_000;
const BAD_LINES_TOLD = 10;

/** What a batch is made from. */
export interface BatchInputOptions {
  readonly id: string;
  readonly settings: BatchSettings;
  readonly concurrency: number;
  readonly entries: AsyncIterable<InputEntry>;
  /** Whether a bad line becomes a failed document, rather than the end of it all. */
  readonly skipBadLines: boolean;
  readonly onProgress?: (documents: number) => void;
  /** Whether the workflow of the batch that has this id already has ended. */
  readonly hasEnded: () => Promise<boolean>;
}

/**
 * Puts a batch into the store: all of it, or nothing. It takes the place of one of the same id whose settings were refused,
 * which nothing was done of.
 *
 * @returns whether it was put there now; false where the same one, of the same input, was there already.
 * @throws {InvalidInputError} for bad lines, each named; for duplicate ids; for another input under the id of a batch.
 */
export async function putBatch(store: Store, options: BatchInputOptions): Promise<boolean> {
  const { id, settings, concurrency, hasEnded } = options;
  const loader = randomUUID();
  const begin = () => store.batches.begin({ id, loader, settings, concurrency });
  let there = await begin();
  if (there !== undefined && there.round === 1 && there.prepared === null && (await hasEnded())) {
    await store.batches.forget(there);
    there = await begin();
  }
  if (there !== undefined) {
    if (there.inputHash !== (await hashOf(options))) throw otherInput(id);
    return false;
  }
  try {
    const reading = await readIn(store, loader, options);
    refuseBadLines(reading);
    await store.batches.finishLoading({ id, loader, inputHash: reading.inputHash, total: reading.total });
    return true;
  } catch (error) {
    await store.batches.abandon(id, loader);
    throw error;
  }
}

interface Reading {
  readonly total: number;
  readonly inputHash: string;
  readonly bad: number;
  readonly told: readonly string[];
}

async function readIn(
  store: Store,
  loader: string,
  { id, settings, entries, skipBadLines, onProgress }: BatchInputOptions,
): Promise<Reading> {
  const hash = hashOfSettings(settings);
  const told: string[] = [];
  let bad = 0;
  let total = 0;
  let together: NewDocument[] = [];
  let chars = 0;
  const tell = (place: string, why: string): void => {
    bad += 1;
    if (told.length < BAD_LINES_TOLD) told.push(`${place}: ${why}`);
  };
  const write = async (): Promise<void> => {
    const duplicates = await store.documents.add(id, loader, together);
    for (const { place, id: twice, earlierPlace } of duplicates) {
      tell(place, duplicate(twice, earlierPlace));
    }
    if (skipBadLines) await recordBad(store, loader, { id, settings }, together, duplicates);
    together = [];
    chars = 0;
    onProgress?.(total);
  };
  for await (const entry of entries) {
    addToHash(hash, entry);
    if ('bad' in entry) tell(entry.place, entry.bad);
    const document = await toStore(store, entry, total);
    total += 1;
    together.push(document);
    chars += document.text.length;
    if (together.length === MOST_TOGETHER || chars > MOST_CHARS_TOGETHER) await write();
  }
  await write();
  return { total, inputHash: hash.digest('hex'), bad: skipBadLines ? 0 : bad, told };
}

async function toStore(store: Store, entry: InputEntry, seq: number): Promise<NewDocument> {
  if ('bad' in entry) return badDocument(seq, entry.place, entry.bad);
  const { id, text, metadata, schema } = entry.document;
  const document = { seq, id, text, metadata, place: entry.place };
  if (schema === undefined) return document;
  const { name, jsonSchema } = schema;
  if (jsonSchema === undefined) return { ...document, schemaName: name };
  return { ...document, schemaHash: await store.schemas.save({ name, jsonSchema }) };
}

/** A line that is no document keeps its place; no document can have its id, which has brackets around the place. */
function badDocument(seq: number, place: string, bad: string): NewDocument {
  return { seq, id: `(${place})`, text: '', metadata: {}, place, bad };
}

function duplicate(id: string, earlierPlace: string): string {
  return `id: expected one that no other document has, got '${id}', which ${earlierPlace} has`;
}

/** Bad lines are failed documents, told like any other. */
async function recordBad(
  store: Store,
  loader: string,
  { id: batchId, settings }: Pick<BatchInputOptions, 'id' | 'settings'>,
  documents: readonly NewDocument[],
  duplicates: Awaited<ReturnType<Store['documents']['add']>>,
): Promise<void> {
  const earlierPlaces = new Map(duplicates.map(({ place, earlierPlace }) => [place, earlierPlace]));
  const twice = documents
    .filter(({ place }) => earlierPlaces.has(place))
    .map(({ seq, id, place }) => badDocument(seq, place, duplicate(id, earlierPlaces.get(place) ?? '')));
  await store.documents.add(batchId, loader, twice);
  const bad = [...documents.filter((document) => document.bad !== undefined), ...twice];
  await store.outcomes.recordDocuments(
    batchId,
    1,
    bad.map(({ seq, place, bad: why }) => ({
      seq,
      outcome: {
        success: false,
        attempts: 0,
        errors: [{ attempt: 0, type: 'invalid_input', message: `${place}: ${why}`, details: [] }],
        usage: NO_USAGE,
        stopped: 'invalid_input',
        model: '',
        simulated: false,
        acceptedAttempt: null,
        unansweredCalls: 0,
        schemaName: settings.schema.name,
        strategy: settings.strategy ?? 'adaptive',
      },
    })),
  );
}

function refuseBadLines({ bad, told, total }: Reading): void {
  if (total === 0) throw new InvalidInputError('documents: expected at least one, got none.');
  if (bad === 0) return;
  const more = bad > told.length ? [`… and ${bad - told.length} more`] : [];
  throw new InvalidInputError(
    [
      `${bad} of ${total} lines cannot be used; nothing was started:`,
      ...[...told, ...more].map((line) => `  ${line}`),
      'Correct them, or record them as failed documents with --skip-bad-lines (skipBadLines: true).',
    ].join('\n'),
  );
}

function otherInput(id: string): InvalidInputError {
  return new InvalidInputError(
    `id: expected the documents and settings that the batch '${id}' was started with, got others. ` +
      'Give another id to a new batch; the same input under the same id joins the batch that is there.',
  );
}

/** Names a batch's input: its settings, and every entry in order. */
async function hashOf({ settings, entries }: BatchInputOptions): Promise<string> {
  const hash = hashOfSettings(settings);
  for await (const entry of entries) addToHash(hash, entry);
  return hash.digest('hex');
}

/** Of what decides how documents are extracted: what may be spent on them does not. */
function hashOfSettings({ batchBudget: _budget, ...settings }: BatchSettings): Hash {
  return createHash('sha256').update(`${JSON.stringify(settings)}\n`);
}

function addToHash(hash: Hash, entry: InputEntry): void {
  hash.update(`${JSON.stringify('bad' in entry ? [entry.place, entry.bad] : fieldsOf(entry.document))}\n`);
}

function fieldsOf({ id, text, schema, metadata }: BatchDocument): readonly unknown[] {
  return [id, text, schema ?? null, metadata];
}
