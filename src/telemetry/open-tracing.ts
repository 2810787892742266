import type { Environment } from '../stack/progress.ts';
import { tracesEndpoint } from './traces-endpoint.ts';
import type { Tracing } from './tracing.ts';

/** Traces of this process, where an endpoint is configured. OpenTelemetry's modules take a third of a second: others do not load them. */
export async function openTracing(env: Environment, serviceName: string): Promise<Tracing | undefined> {
  const url = tracesEndpoint(env);
  if (url === undefined) return undefined;
  const { startTracing } = await import('./tracing.ts');
  return startTracing({ url, serviceName: env['OTEL_SERVICE_NAME'] || serviceName });
}
