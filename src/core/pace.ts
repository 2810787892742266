/** The pace is that of the last so many milliseconds. */
const WINDOW_MS = 15_000;

/** Tells how fast something comes along. */
export interface PaceMeter {
  /**
   * @param done so far.
   * @param now in milliseconds, of any clock that only goes forward.
   * @returns how much is done a second, of late; 0 where that is not known yet.
   */
  next(done: number, now: number): number;
}

/** Remembers the last counts. */
export function paceMeter(): PaceMeter {
  const seen: { readonly at: number; readonly done: number }[] = [];
  return {
    next(done, now) {
      seen.push({ at: now, done });
      while (seen.length > 2 && now - (seen[1]?.at ?? now) >= WINDOW_MS) seen.shift();
      const first = seen[0] ?? { at: now, done };
      return now > first.at ? Math.max(0, ((done - first.done) * 1_000) / (now - first.at)) : 0;
    },
  };
}
