import type { Fallback } from '../../provider/provider.ts';

/** `provider`, or `provider/model`, whose own slashes come after the provider's. */
export function parseFallback(written: string): Fallback {
  const slash = written.indexOf('/');
  if (slash < 0) return { provider: written };
  return { provider: written.slice(0, slash), model: written.slice(slash + 1) };
}
