import { InvalidInputError } from '../../client/invalid-input-error.ts';
import type { ExtractionPage, ExtractionsFilter } from '../../core/stats.ts';
import type { DashboardContext } from '../context.ts';
import type { ExtractionsData } from '../data.ts';
import { readFilter } from '../filter.ts';

const ON_A_PAGE = 50;

/** The newest that have ended; filtered as the overview, and by outcome and problem; `&after=` for the next page. */
export async function extractionsView(
  context: DashboardContext,
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
  const page = await pageOf(context, filter, parameters.get('after'));
  const { known } = await context.store.stats.read();
  return { ...page, known };
}

async function pageOf(
  { store }: DashboardContext,
  filter: ExtractionsFilter,
  after: string | null,
): Promise<ExtractionPage> {
  try {
    return await store.conversations.list({
      ...filter,
      ...(after === null ? {} : { after }),
      limit: ON_A_PAGE,
    });
  } catch (error) {
    // The store's word for a cursor that is none.
    throw error instanceof RangeError ? new InvalidInputError(error.message) : error;
  }
}
