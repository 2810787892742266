import { UsageError } from './exit-codes.ts';

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `10m`, `2h`, `3d`, in milliseconds. @throws {UsageError} that begins with `flag`. */
export function readDuration(flag: string, given: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)([smhd])$/.exec(given) ?? [];
  const ms = Math.round(Number(amount) * (UNIT_MS[unit ?? ''] ?? 0));
  if (ms > 0) return ms;
  throw new UsageError(`${flag}: expected a time such as 90s, 10m, 2h or 3d, got '${given}'.`);
}
