import type { ExtractionsFilter } from '../../core/stats.ts';
import type { DashboardContext } from '../context.ts';
import type { ExtractionsData } from '../data.ts';
import { readFilter } from '../filter.ts';

const ON_A_PAGE = 50;

/** The newest that have ended; filtered as the overview, and by outcome and problem; `&after=` for the next page. */
export async function extractionsView(
  { store }: DashboardContext,
  parameters: URLSearchParams,
): Promise<ExtractionsData> {
  const outcome = parameters.get('outcome');
  const kind = parameters.get('kind');
  const path = parameters.get('path');
  const filter: ExtractionsFilter = {
    ...readFilter(parameters, 'all'),
    ...(outcome === 'succeeded' || outcome === 'failed' ? { outcome } : {}),
    ...(kind === null ? {} : { kind, ...(path === null ? {} : { path }) }),
  };
  const page = await store.extractions.list(filter, {
    after: parameters.get('after') ?? undefined,
    limit: ON_A_PAGE,
  });
  const { known } = await store.figures.stats({});
  return { ...page, known };
}
