/** Which field a model meant by one that the schema does not know. */
import leven from 'leven';

/** Longer names are not slips, and comparing them takes time. */
const MAX_NAME_LENGTH = 64;

/**
 * The known field that is nearest to an unknown one, if any is near: the same but for case and separators, or no more
 * than two in five of its letters different (`emial` is two away from `email`).
 */
export function nearestField(unknown: string, known: readonly string[]): string | undefined {
  if (unknown.length > MAX_NAME_LENGTH) return undefined;
  const name = normalized(unknown);
  const ranked = known
    .filter((field) => field.length <= MAX_NAME_LENGTH)
    .map((field) => ({ field, distance: leven(name, normalized(field)) }))
    .toSorted((a, b) => a.distance - b.distance);
  const [nearest] = ranked;
  if (nearest === undefined) return undefined;
  const longest = Math.max(name.length, normalized(nearest.field).length);
  return nearest.distance <= Math.floor(longest * 0.4) ? nearest.field : undefined;
}

function normalized(name: string): string {
  return name.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '');
}
