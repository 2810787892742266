/** Traces, by OpenTelemetry: from a client's start over the workflow to each of its activities. Loaded where they are wanted. */
import { setTimeout as sleep } from 'node:timers/promises';
import { context, propagation, trace } from '@opentelemetry/api';
import type { Attributes } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { Resource, detectResourcesSync, envDetectorSync } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { Context } from '@temporalio/activity';
import type { WorkflowClientInterceptor } from '@temporalio/client';
import {
  OpenTelemetryActivityInboundInterceptor,
  OpenTelemetryActivityOutboundInterceptor,
  OpenTelemetryWorkflowClientInterceptor,
  makeWorkflowExporter,
} from '@temporalio/interceptors-opentelemetry';
import type { ActivityInboundCallsInterceptor, WorkerOptions } from '@temporalio/worker';
import type { AskInput } from '../../activities/ask.ts';
import type { AskSeriesInput } from '../../activities/ask-series.ts';
import type { SayInput } from '../../activities/say.ts';
import { IdsOnlyProcessor } from './ids-only.ts';

/** What traces need of a client and a worker. */
export interface Tracing {
  readonly ofClient: WorkflowClientInterceptor;
  /** The workflows' bundle needs the SDK's interceptors too: see `workflowBundle`. */
  readonly ofWorker: Pick<WorkerOptions, 'interceptors' | 'sinks'>;
  /** Sends what has not been sent yet, and stops. */
  end(): Promise<void>;
}

/** A collector that does not answer must not hold up who ends: what it has not taken by then is lost. */
const LAST_FLUSH_MS = 2_000;

/**
 * Starts to send spans. Those of a service that has traces of its own become children of its spans; its own tracer provider
 * is neither used nor replaced.
 *
 * @param options.url of an OTLP/HTTP collector, with its path. `OTEL_EXPORTER_OTLP_HEADERS` and the like are read by the exporter.
 */
export function startTracing(options: { readonly url: string; readonly serviceName: string }): Tracing {
  const resource = new Resource({ 'service.name': options.serviceName }).merge(
    detectResourcesSync({ detectors: [envDetectorSync] }),
  );
  const processor = new IdsOnlyProcessor(new BatchSpanProcessor(new OTLPTraceExporter({ url: options.url })));
  const provider = new BasicTracerProvider({ resource, spanProcessors: [processor] });
  const tracer = provider.getTracer('durable-extract');
  // These are the process's: each leaves alone what is there already.
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  return {
    ofClient: new OpenTelemetryWorkflowClientInterceptor({ tracer }),
    ofWorker: {
      interceptors: {
        activity: [
          (ctx) => ({
            inbound: new OpenTelemetryActivityInboundInterceptor(ctx, { tracer }),
            outbound: new OpenTelemetryActivityOutboundInterceptor(ctx),
          }),
          (ctx) => ({ inbound: naming(ctx) }),
        ],
      },
      sinks: { exporter: makeWorkflowExporter(processor, resource) },
    },
    async end() {
      const late = sleep(LAST_FLUSH_MS, undefined, { ref: false });
      await Promise.race([provider.shutdown().catch(() => {}), late]);
    },
  };
}

/** Names what an activity is about in its span. */
function naming({ info }: Context): ActivityInboundCallsInterceptor {
  return {
    execute(input, next) {
      const [given] = input.args;
      const named = NAMED[info.activityType]?.(given) ?? {};
      trace.getActiveSpan()?.setAttributes({ ...named, 'durable_extract.try': info.attempt });
      return next(input);
    },
  };
}

const NAMED: Readonly<Record<string, (given: unknown) => Attributes>> = {
  ask: (given) => attributesOf(given as AskInput),
  askSeries: (given) => seriesAttributes(given as AskSeriesInput),
  say: (given) => routeAttributes(given as SayInput),
};

function attributesOf({ document, ask, settings, route }: AskInput): Attributes {
  const asked = route ?? settings;
  return {
    ...('seq' in document
      ? { 'durable_extract.batch': document.batch, 'durable_extract.seq': document.seq }
      : { 'durable_extract.document': document.id }),
    'durable_extract.attempt': ask.attempt,
    ...(asked === undefined ? {} : routeAttributes(asked)),
  };
}

/** Of a batch, all of them. */
function seriesAttributes({ asks }: AskSeriesInput): Attributes {
  const documents = asks.flatMap(({ document }) => ('seq' in document ? [document] : []));
  const [first] = documents;
  return first === undefined
    ? {}
    : { 'durable_extract.batch': first.batch, 'durable_extract.seqs': documents.map(({ seq }) => seq) };
}

function routeAttributes({ provider, model }: Pick<SayInput, 'provider' | 'model'>): Attributes {
  return { 'durable_extract.provider': provider, 'durable_extract.model': model };
}
