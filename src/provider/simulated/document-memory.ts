import type { SchemaReading } from './field.ts';

/** What the provider remembers of a document between calls: counts and schemas, never words. */
export interface DocumentMemory {
  /** Counts a call and returns its number, from 1. */
  countCall(key: string): number;
  /** Whether a cap is above that of the first call that reached the model; remembers the first. */
  isCapRaised(key: string, maxTokens: number | null): boolean;
  /** Remembers by which schema the whole of a document was asked for last, whichever model it was. */
  noteSchema(document: number, schema: SchemaReading): void;
  /** That schema; undefined where the document is not known. */
  schemaOf(document: number): SchemaReading | undefined;
}

interface Remembered {
  calls: number;
  firstCap: number | null | undefined;
}

const MOST_DOCUMENTS = 500_000;

/** A memory that forgets the oldest documents when it has seen very many. */
export function documentMemory(): DocumentMemory {
  const documents = new Map<string, Remembered>();
  const schemas = new Map<number, SchemaReading>();
  const recall = (key: string): Remembered => {
    const known = documents.get(key);
    if (known !== undefined) return known;
    if (documents.size >= MOST_DOCUMENTS) forgetOldest(documents);
    const fresh: Remembered = { calls: 0, firstCap: undefined };
    documents.set(key, fresh);
    return fresh;
  };
  return {
    countCall(key) {
      const document = recall(key);
      document.calls += 1;
      return document.calls;
    },
    isCapRaised(key, maxTokens) {
      const document = recall(key);
      if (document.firstCap === undefined) {
        document.firstCap = maxTokens;
        return false;
      }
      return maxTokens !== null && maxTokens > (document.firstCap ?? 0);
    },
    noteSchema(document, schema) {
      if (schemas.size >= MOST_DOCUMENTS) forgetOldest(schemas);
      schemas.set(document, schema);
    },
    schemaOf: (document) => schemas.get(document),
  };
}

function forgetOldest<Key>(documents: Map<Key, unknown>): void {
  for (const key of documents.keys()) {
    documents.delete(key);
    return;
  }
}
