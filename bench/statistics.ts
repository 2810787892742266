/** Of measured times. */
export interface Summary {
  readonly n: number;
  readonly median: number;
  readonly p95: number;
}

/** Median and 95th percentile of a sample. @throws RangeError for an empty one. */
export function summarize(sample: readonly number[]): Summary {
  const sorted = sample.toSorted((a, b) => a - b);
  return { n: sorted.length, median: quantile(sorted, 0.5), p95: quantile(sorted, 0.95) };
}

/** Linear between the two nearest values, as spreadsheets do. */
function quantile(sorted: readonly number[], q: number): number {
  const position = (sorted.length - 1) * q;
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  if (below === undefined || above === undefined) throw new RangeError('No quantile of an empty sample.');
  return below + (above - below) * (position - Math.floor(position));
}

/** How long something takes, in milliseconds. */
export async function timeMs(action: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await action();
  return performance.now() - startedAt;
}
