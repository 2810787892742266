import type { Environment } from '../stack/progress.ts';

/** Where spans are to go, by OpenTelemetry's own variables; undefined where nobody asked for traces, or switched them off. */
export function tracesEndpoint(env: Environment): string | undefined {
  if (env['OTEL_SDK_DISABLED'] === 'true' || env['OTEL_TRACES_EXPORTER'] === 'none') return undefined;
  const ofTraces = env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'];
  if (ofTraces) return ofTraces;
  const ofAll = env['OTEL_EXPORTER_OTLP_ENDPOINT'];
  return ofAll ? `${ofAll.replace(/\/+$/, '')}/v1/traces` : undefined;
}
