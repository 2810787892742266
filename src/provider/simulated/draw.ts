/**
 * Chance that can be repeated: the same parts always give the same number.
 * Nothing here keeps state, so an answer depends on what was asked and never on when.
 */

/** A 53-bit hash of a text (cyrb53), good enough to draw lots with and not for secrets. */
export function hashText(text: string, seed = 0): number {
  let high = 0xdeadbeef ^ seed;
  let low = 0x41c6ce57 ^ seed;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return 4294967296 * (2097151 & low) + (high >>> 0);
}

/** A number in [0, 1) drawn from the parts. */
export function draw(...parts: readonly (string | number)[]): number {
  return hashText(parts.join('\u0000')) / 9007199254740992;
}

/** One of several, drawn from the parts; undefined where there is none. */
export function pick<T>(from: readonly T[], ...parts: readonly (string | number)[]): T | undefined {
  return from[Math.floor(draw(...parts) * from.length)];
}
