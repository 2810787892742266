import type { DashboardContext } from '../context.ts';
import type { OverviewData } from '../data.ts';
import { filterChoices, readFilter } from '../filter.ts';

/** `?since=&schema=&model=&batch=`: all are optional. */
export async function overviewView(
  context: DashboardContext,
  parameters: URLSearchParams,
): Promise<OverviewData> {
  const [figures, choices] = await Promise.all([
    context.store.figures.read(readFilter(parameters, 'day')),
    filterChoices(context),
  ]);
  return { figures, choices };
}
