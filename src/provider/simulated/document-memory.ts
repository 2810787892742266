/** What the provider remembers of a document between calls: counts, never words. */
export interface DocumentMemory {
  /** Counts a call and returns its number, from 1. */
  countCall(key: string): number;
  /** Whether a cap is above that of the first call that reached the model; remembers the first. */
  isCapRaised(key: string, maxTokens: number | null): boolean;
}

interface Remembered {
  calls: number;
  firstCap: number | null | undefined;
}

const MOST_DOCUMENTS = 500_000;

/** A memory that forgets the oldest documents when it has seen very many. */
export function documentMemory(): DocumentMemory {
  const documents = new Map<string, Remembered>();
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
  };
}

function forgetOldest(documents: Map<string, unknown>): void {
  for (const key of documents.keys()) {
    documents.delete(key);
    return;
  }
}
