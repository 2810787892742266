/** What an address says about which extractions are meant. */
import { InvalidInputError } from '../client/invalid-input-error.ts';
import type { ExtractionFilter } from '../store/extractions.ts';
import type { DashboardContext } from './context.ts';
import type { FilterChoices } from './data.ts';

/** The time ranges, by the name in the address; the first is that of an address without one. */
export const RANGES: Readonly<Record<string, number | null>> = {
  day: 86_400_000,
  hour: 3_600_000,
  week: 7 * 86_400_000,
  month: 30 * 86_400_000,
  all: null,
};

const BATCHES_OFFERED = 100;

/** @throws {InvalidInputError} for a time range that there is not. */
export function readFilter(parameters: URLSearchParams, usualRange: string): ExtractionFilter {
  const range = parameters.get('since') ?? usualRange;
  const ms = RANGES[range];
  if (ms === undefined)
    throw new InvalidInputError(`since: expected one of ${Object.keys(RANGES).join(', ')}, got '${range}'.`);
  return {
    since: ms === null ? undefined : Date.now() - ms,
    schema: parameters.get('schema') ?? undefined,
    model: parameters.get('model') ?? undefined,
    batch: parameters.get('batch') ?? undefined,
  };
}

/** What can be chosen. */
export async function filterChoices({ store }: DashboardContext): Promise<FilterChoices> {
  const [choices, batches] = await Promise.all([store.figures.choices(), store.batches.list()]);
  const ids = batches.filter(({ inputHash }) => inputHash !== null).map(({ id }) => id);
  return { ...choices, batches: ids.toReversed().slice(0, BATCHES_OFFERED) };
}
