/** What an address says about which extractions are meant. */
import { InvalidInputError } from '../client/invalid-input-error.ts';
import type { StatsFilter } from '../core/stats.ts';

/** The time ranges, by the name in the address. */
const RANGES: Readonly<Record<string, number | null>> = {
  hour: 3_600_000,
  day: 86_400_000,
  week: 7 * 86_400_000,
  month: 30 * 86_400_000,
  all: null,
};

/** @throws {InvalidInputError} for a time range that there is not. */
export function readFilter(parameters: URLSearchParams, usualRange: 'day' | 'all'): StatsFilter {
  const range = parameters.get('since') ?? usualRange;
  const ms = RANGES[range];
  if (ms === undefined)
    throw new InvalidInputError(`since: expected one of ${Object.keys(RANGES).join(', ')}, got '${range}'.`);
  const chosen = ['schema', 'model', 'batch'].flatMap((name) => {
    const value = parameters.get(name);
    return value === null ? [] : [[name, value]];
  });
  return { ...Object.fromEntries(chosen), ...(ms === null ? {} : { since: Date.now() - ms }) } as StatsFilter;
}
