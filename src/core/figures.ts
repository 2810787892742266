/** What extractions came to, in numbers. */
import type { Problem } from './contract.ts';

/** All that an overview tells. */
export interface Figures {
  /** Those that ended. */
  readonly extractions: number;
  readonly succeeded: number;
  /** Null where nothing has ended. */
  readonly averageAttempts: number | null;
  /** Extracted with the first answer. */
  readonly firstTry: number;
  /** Every request that reached the provider, failed ones too. */
  readonly calls: number;
  /** Calls that ended in a rejected answer. */
  readonly wastedCalls: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Null where the price of any is not known. */
  readonly costUsd: number | null;
  readonly histogram: readonly {
    readonly attempts: number;
    readonly extractions: number;
    readonly succeeded: number;
  }[];
  readonly byAttempt: readonly {
    readonly attempt: number;
    readonly judged: number;
    readonly accepted: number;
  }[];
  /** The most frequent first. */
  readonly errors: readonly CommonError[];
  readonly failures: FailuresOverTime;
  /** Of answered calls; null without any. */
  readonly latencyP50Ms: number | null;
  readonly latencyP95Ms: number | null;
}

/** What went wrong how often. */
export interface CommonError {
  readonly type: string;
  /** Of a field: what was wrong with it; null for the answer as a whole. */
  readonly kind: string | null;
  /** `items[].price`: of all indices. */
  readonly path: string | null;
  readonly message: string;
  readonly count: number;
  readonly example: { readonly batchId: string; readonly documentId: string };
}

/** Provider failures, counted by time and kind. */
export interface FailuresOverTime {
  readonly from: number;
  readonly to: number;
  readonly columnMs: number;
  /** The most frequent first. */
  readonly types: readonly { readonly type: string; readonly count: number }[];
  readonly columns: readonly { readonly at: number; readonly counts: Readonly<Record<string, number>> }[];
}

const ERRORS_SHOWN = 12;

/** The most frequent problems, field by field. */
export function commonErrors(
  problems: readonly { readonly batchId: string; readonly documentId: string; readonly problem: Problem }[],
): readonly CommonError[] {
  const counted = new Map<string, CommonError>();
  for (const { problem, ...example } of problems) {
    const { type, message, details } = problem;
    const each =
      details.length === 0
        ? [{ type, kind: null, path: null, message: type === 'json_error' ? 'not valid JSON' : message }]
        : details.map(({ kind, path, message: what }) => ({
            type,
            kind,
            path: path.replaceAll(/\[\d+\]/g, '[]'),
            message: what,
          }));
    for (const error of each) {
      const key = JSON.stringify([error.type, error.kind, error.path]);
      const before = counted.get(key);
      counted.set(
        key,
        before === undefined ? { ...error, count: 1, example } : { ...before, count: before.count + 1 },
      );
    }
  }
  return [...counted.values()].toSorted((a, b) => b.count - a.count).slice(0, ERRORS_SHOWN);
}

/** Failures in columns of time, from the first to the last. */
export function failuresOverTime(
  failures: readonly { readonly at: number; readonly type: string }[],
  mostColumns: number,
): FailuresOverTime {
  const times = failures.map(({ at }) => at);
  const from = times.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const to = times.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  if (failures.length === 0) return { from: 0, to: 0, columnMs: 1, types: [], columns: [] };
  const columnMs = Math.max(1_000, Math.ceil((to - from + 1) / mostColumns));
  const columns = Map.groupBy(failures, ({ at }) => from + Math.floor((at - from) / columnMs) * columnMs);
  return {
    from,
    to,
    columnMs,
    types: countsOf(failures).map(([type, count]) => ({ type, count })),
    columns: [...columns]
      .toSorted(([a], [b]) => a - b)
      .map(([at, group]) => ({ at, counts: Object.fromEntries(countsOf(group)) })),
  };
}

/** The value below which this share of the values lies; null without any. */
export function percentile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? null;
}

function countsOf(failures: readonly { readonly type: string }[]): readonly (readonly [string, number])[] {
  const groups = Map.groupBy(failures, ({ type }) => type);
  return [...groups].map(([type, group]) => [type, group.length] as const).toSorted((a, b) => b[1] - a[1]);
}
