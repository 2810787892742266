/** Numbers that JavaScript would change in silence. */

const INTEGER = /^-?\d+$/;
const LONG_NUMBER = /\d{16}|\d[eE]\+?\d{3}/;

/** Whether a text can hold a number that is not read exactly: few texts can, so that the others need no closer look. */
export function mayHoldInexactNumber(text: string): boolean {
  return LONG_NUMBER.test(text);
}

/**
 * Why a number in an answer cannot be taken: an integer that comes back with other digits (an account number, an id), or
 * a number too large for a double. Undefined for all others: a fraction is read as the nearest double, as every JSON
 * reader does.
 */
export function inexactNumber(source: string): string | undefined {
  const value = Number(source);
  if (Number.isNaN(value)) return undefined;
  if (!Number.isFinite(value)) return `Number ${shown(source)} is too large`;
  if (!INTEGER.test(source) || Number.isSafeInteger(value) || String(value) === source) return undefined;
  return BigInt(source) === BigInt(value)
    ? undefined
    : `Number ${shown(source)} has too many digits to be read exactly: write it as a string`;
}

function shown(source: string): string {
  return source.length > 40 ? `${source.slice(0, 40)}…` : source;
}
