/** The store cannot be used: what it is, why not, and what to do. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
}

/** Somebody else reads the batch in. */
export class LoadingElsewhereError extends Error {
  override readonly name = 'LoadingElsewhereError';
}
