import { InvalidInputError } from '../client/invalid-input-error.ts';

/** Where a worker serves its metrics; `--metrics` goes before it. */
export const METRICS_VARIABLE = 'DURABLE_EXTRACT_METRICS';

/** Where Prometheus finds the metrics of a worker. Several workers of one machine take a port each, from a range. */
export interface MetricsAddress {
  readonly host: string;
  readonly firstPort: number;
  readonly lastPort: number;
}

/** `HOST:PORT`, or `HOST:FIRST-LAST`; undefined where none is given. @throws {InvalidInputError} */
export function readMetricsAddress(given: string | undefined): MetricsAddress | undefined {
  if (!given) return undefined;
  const [, bracketed, plain, first = '', last = first] =
    /^(?:\[([\da-fA-F:.]+)\]|([\w.-]+)):(\d{1,5})(?:-(\d{1,5}))?$/.exec(given) ?? [];
  const host = bracketed ?? plain;
  const [firstPort, lastPort] = [Number(first), Number(last)];
  if (host !== undefined && firstPort >= 1 && firstPort <= lastPort && lastPort <= 65_535) {
    return { host, firstPort, lastPort };
  }
  throw new InvalidInputError(
    `DURABLE_EXTRACT_METRICS (--metrics): expected HOST:PORT (127.0.0.1:9464), or HOST:FIRST-LAST where several workers run ` +
      `on one machine (127.0.0.1:9464-9473), got '${given}'.`,
  );
}
