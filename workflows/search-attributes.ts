import { upsertSearchAttributes } from '@temporalio/workflow';
import { SEARCH_ATTRIBUTES, searchKeyword } from '../src/core/search-attributes.ts';
import type { SearchValues } from '../src/core/search-attributes.ts';

type Pairs = Extract<Parameters<typeof upsertSearchAttributes>[0], readonly unknown[]>;

/**
 * Says by what this workflow is to be found. Nothing where the server does not know our search attributes, for which it would
 * refuse the workflow task, and in histories from before there were any: `searchable` is recorded with the settings.
 *
 * Each call is an event of the history, and a write of the server.
 */
export function tellSearch({ searchable }: { readonly searchable?: true }, values: SearchValues): void {
  if (searchable !== true) return;
  const given = Object.entries(values) as [keyof SearchValues, string | number | null | undefined][];
  const pairs = given
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ({
      key: SEARCH_ATTRIBUTES[key],
      value: typeof value === 'string' ? searchKeyword(value) : value,
    }));
  if (pairs.length > 0) upsertSearchAttributes(pairs as Pairs);
}
