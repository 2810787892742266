import type { Attributes, Context } from '@opentelemetry/api';
import type { ReadableSpan, Span, SpanProcessor } from '@opentelemetry/sdk-trace-base';

/**
 * What a span may say. The SDK's interceptors copy all that a workflow knows of itself into its spans, its memo and last
 * failure too, and an error's message and stack into those that fail: either can quote a text.
 */
const ALLOWED: ReadonlySet<string> = new Set([
  'temporalWorkflowId',
  'temporalActivityId',
  'temporalUpdateId',
  'run_id',
  'workflowId',
  'runId',
  'workflowType',
  'namespace',
  'taskQueue',
  'durable_extract.document',
  'durable_extract.batch',
  'durable_extract.seq',
  'durable_extract.seqs',
  'durable_extract.attempt',
  'durable_extract.try',
  'durable_extract.provider',
  'durable_extract.model',
  'exception.type',
]);

/** A span that says ids, names and numbers only. */
function idsOnly(span: ReadableSpan): ReadableSpan {
  const said: Partial<Record<keyof ReadableSpan, PropertyDescriptor>> = {
    attributes: { value: allowed(span.attributes) },
    status: { value: { code: span.status.code } },
    events: {
      value: span.events.map((event) => ({ ...event, attributes: allowed(event.attributes ?? {}) })),
    },
    links: { value: span.links.map(({ context }) => ({ context })) },
  };
  return Object.create(span, said as PropertyDescriptorMap) as ReadableSpan;
}

function allowed(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => ALLOWED.has(name)));
}

/** Passes spans on as {@link idsOnly}. */
export class IdsOnlyProcessor implements SpanProcessor {
  readonly #next: SpanProcessor;

  constructor(next: SpanProcessor) {
    this.#next = next;
  }

  onStart(span: Span, context: Context): void {
    this.#next.onStart(span, context);
  }

  onEnd(span: ReadableSpan): void {
    this.#next.onEnd(idsOnly(span));
  }

  forceFlush(): Promise<void> {
    return this.#next.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.#next.shutdown();
  }
}
