import { NO_BATCH } from '../../core/contract.ts';
import type { ListFilter, ListedExtraction } from '../../store/extractions.ts';
import type { DashboardContext } from '../context.ts';
import type { ExtractionsData } from '../data.ts';
import { filterChoices, readFilter } from '../filter.ts';

const ON_A_PAGE = 50;

/** The newest that have ended; filtered as the overview, and by outcome, attempts and problem. */
export async function extractionsView(
  context: DashboardContext,
  parameters: URLSearchParams,
): Promise<ExtractionsData> {
  const page = Math.max(1, Math.floor(Number(parameters.get('page')) || 1));
  const filter: ListFilter = { ...readFilter(parameters, 'all'), ...listFilter(parameters) };
  const [listed, choices] = await Promise.all([
    context.store.extractions.list(filter, { offset: (page - 1) * ON_A_PAGE, limit: ON_A_PAGE + 1 }),
    filterChoices(context),
  ]);
  return {
    extractions: listed.slice(0, ON_A_PAGE).map(shownOf),
    choices,
    page,
    hasMore: listed.length > ON_A_PAGE,
  };
}

function listFilter(parameters: URLSearchParams): Pick<ListFilter, 'outcome' | 'attempts' | 'problem'> {
  const outcome = parameters.get('outcome');
  const attempts = Number(parameters.get('attempts'));
  const type = parameters.get('problem');
  return {
    ...(outcome === 'succeeded' || outcome === 'failed' ? { outcome } : {}),
    ...(attempts > 0 ? { attempts } : {}),
    ...(type === null
      ? {}
      : {
          problem: {
            type,
            kind: parameters.get('kind') ?? undefined,
            path: parameters.get('path') ?? undefined,
          },
        }),
  };
}

function shownOf(extraction: ListedExtraction): ExtractionsData['extractions'][number] {
  const { batchId, documentId: id, schemaName: schema, ...rest } = extraction;
  return { ...rest, batch: batchId === NO_BATCH ? null : batchId, id, schema };
}
