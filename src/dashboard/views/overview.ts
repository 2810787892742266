import type { DashboardContext } from '../context.ts';
import type { OverviewData } from '../data.ts';
import { readFilter } from '../filter.ts';

/** `?since=&schema=&model=&batch=`: all are optional. */
export async function overviewView(
  { store }: DashboardContext,
  parameters: URLSearchParams,
): Promise<OverviewData> {
  const { since: _moves, ...stats } = await store.stats.read(readFilter(parameters, 'day'));
  // Else it would be news every minute.
  return { stats: { ...stats, since: null } };
}
