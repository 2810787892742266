import { DefaultLogger } from '@temporalio/worker';
import type { LogEntry } from '@temporalio/worker';
import type { LogSettings } from './log-settings.ts';

/** What a line may say besides its message: ids, names and numbers. */
const ALLOWED: ReadonlySet<string> = new Set([
  'sdkComponent',
  'namespace',
  'taskQueue',
  'workflowId',
  'runId',
  'workflowType',
  'activityId',
  'activityType',
  'attempt',
  'isLocal',
  'durationMs',
  'address',
  'taskQueues',
  'metrics',
  'documentId',
  'batch',
  'seq',
  'shard',
  'schema',
  'provider',
  'model',
  'mode',
  'verdict',
  'problem',
  'failure',
  'status',
  'delayMs',
  'latencyMs',
  'outcome',
  'attempts',
  'calls',
  'requestId',
  'trace_id',
  'span_id',
]);

/** The logger of a worker: the SDK's own lines, or a JSON object a line. */
export function workerLogger({ form, level }: LogSettings): DefaultLogger {
  return form === 'text'
    ? new DefaultLogger(level)
    : new DefaultLogger(level, (entry) => void process.stderr.write(`${jsonLine(entry)}\n`));
}

/** One line of a structured log. Of an error it has the type and the stack, and not the message, which can quote a text. */
export function jsonLine({ level, message, meta = {}, timestampNanos }: LogEntry): string {
  const { error } = meta;
  return JSON.stringify({
    time: new Date(Number(timestampNanos / 1_000_000n)).toISOString(),
    level,
    message,
    ...Object.fromEntries(Object.entries(meta).filter(([name]) => ALLOWED.has(name))),
    ...(error instanceof Error ? { error: errorFacts(error) } : {}),
  });
}

/** A line of this process itself, outside the SDK. */
export function jsonNow(message: string): string {
  return jsonLine({ level: 'INFO', message, timestampNanos: BigInt(Date.now()) * 1_000_000n });
}

function errorFacts(error: Error): object {
  const { type, code } = error as { readonly type?: unknown; readonly code?: unknown };
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return {
    name: error.name,
    ...(typeof type === 'string' ? { type } : {}),
    ...(typeof code === 'string' ? { code } : {}),
    ...(frames.length === 0 ? {} : { stack: frames.map((frame) => frame.trim()) }),
    ...(error.cause instanceof Error ? { cause: errorFacts(error.cause) } : {}),
  };
}
