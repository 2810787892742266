/** A caller's mistake: what, where, expected, got, and what to do. No model was called. */
export class InvalidInputError extends Error {
  override readonly name = 'InvalidInputError';
}
