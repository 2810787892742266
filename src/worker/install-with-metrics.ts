import { lookup } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import { Runtime } from '@temporalio/worker';
import type { RuntimeOptions } from '@temporalio/worker';
import { CALL_SECONDS_BUCKETS, COST_USD_BUCKETS, METRIC_NAMES } from '../../activities/metrics.ts';
import { messageOf } from '../stack/error-facts.ts';
import type { MetricsAddress } from './metrics-address.ts';

/**
 * Installs the SDK's runtime with an endpoint for Prometheus, on the first port of the range that is free. Once a process,
 * before anything else of the SDK's worker.
 *
 * @returns the URL to scrape.
 * @throws where no port of the range is free.
 */
export async function installWithMetrics(options: RuntimeOptions, address: MetricsAddress): Promise<string> {
  const { host, firstPort, lastPort } = address;
  const { address: ip } = await lookup(host);
  const place = isIPv6(ip) ? `[${ip}]` : ip;
  for (let port = firstPort; ; port += 1) {
    try {
      Runtime.install({
        ...options,
        telemetryOptions: { ...options.telemetryOptions, metrics: exporterAt(`${place}:${port}`) },
      });
      return `http://${place}:${port}/metrics`;
    } catch (error) {
      if (port < lastPort && /in use/i.test(messageOf(error))) continue;
      const tried = firstPort === lastPort ? `port ${firstPort}` : `ports ${firstPort} to ${lastPort}`;
      throw new Error(
        `Metrics cannot be served at ${host}, ${tried} (DURABLE_EXTRACT_METRICS, --metrics): ${messageOf(error)}. ` +
          'Each worker of a machine needs a port of its own: give a range, 127.0.0.1:9464-9473.',
        { cause: error },
      );
    }
  }
}

/** Names as Prometheus wants them: counters end with `_total`, durations are in seconds and say so. */
function exporterAt(bindAddress: string) {
  return {
    prometheus: {
      bindAddress,
      countersTotalSuffix: true,
      unitSuffix: true,
      useSecondsForDurations: true,
      histogramBucketOverrides: {
        [METRIC_NAMES.callSeconds]: [...CALL_SECONDS_BUCKETS],
        [METRIC_NAMES.costUsd]: [...COST_USD_BUCKETS],
      },
    },
  };
}
