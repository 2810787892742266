/** What the dashboard shows, by name: `GET /api/view/<name>`, and `/api/live/<name>` as it changes. */
import type { DashboardContext } from './context.ts';
import { batchView, batchesView } from './views/batches.ts';
import { documentTextView, extractionView } from './views/extraction.ts';
import { extractionsView } from './views/extractions.ts';
import { gatesView } from './views/gates.ts';
import { overviewView } from './views/overview.ts';
import { reviewView, reviewsView } from './views/review.ts';

/** Reads the data of a view. The parameters are those of the page's address. */
export type View = (context: DashboardContext, parameters: URLSearchParams) => Promise<unknown>;

/** All views. */
export const VIEWS: ReadonlyMap<string, View> = new Map<string, View>([
  ['overview', overviewView],
  ['batches', batchesView],
  ['batch', batchView],
  ['extractions', extractionsView],
  ['extraction', extractionView],
  ['document-text', documentTextView],
  ['gates', gatesView],
  ['review', reviewsView],
  ['review-one', reviewView],
]);
