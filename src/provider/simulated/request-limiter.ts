/** A token bucket over requests. */
export interface RequestLimiter {
  /** Takes one request's token, or says how long until there is one. */
  take(nowMs: number): { readonly taken: boolean; readonly remaining: number; readonly waitMs: number };
}

/** Allows `rpm` requests a minute, evenly, and `burst` at once. */
export function requestLimiter(rpm: number, burst: number, startMs: number): RequestLimiter {
  const perMs = rpm / 60_000;
  let tokens = burst;
  let lastMs = startMs;
  return {
    take(nowMs) {
      tokens = Math.min(burst, tokens + Math.max(0, nowMs - lastMs) * perMs);
      lastMs = nowMs;
      // Sums of small parts fall a hair short of the whole.
      if (tokens > 1 - 1e-9) {
        tokens = Math.max(0, tokens - 1);
        return { taken: true, remaining: Math.floor(tokens), waitMs: 0 };
      }
      return { taken: false, remaining: 0, waitMs: (1 - tokens) / perMs };
    },
  };
}
