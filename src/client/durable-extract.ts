import { createHash, randomUUID } from 'node:crypto';
import { Client, Connection, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { ConnectionOptions, WorkflowHandle } from '@temporalio/client';
import { z } from 'zod';
import { readGivenDocument } from '../core/batch-input.ts';
import type { InputEntry } from '../core/batch-input.ts';
import { DEFAULT_CONCURRENCY } from '../core/batch-contract.ts';
import type { BatchResult, BatchSettings } from '../core/batch-contract.ts';
import { WORKFLOW_TASK_QUEUE, completeWorkflowId, extractWorkflowId } from '../core/contract.ts';
import type {
  ChatMessage,
  CompleteInput,
  Completion,
  ConversationState,
  ExtractInput,
  Outcome,
  RetryConfig,
  SchemaReference,
  Verdict,
} from '../core/contract.ts';
import type { CorrectionInput } from '../core/correction.ts';
import type { GateStatus } from '../core/gate-contract.ts';
import type { Json, JsonObject } from '../core/json.ts';
import type { Stats, StatsFilter } from '../core/stats.ts';
import { stackHome } from '../stack/home.ts';
import { resolveTemporalConnection } from '../stack/connection.ts';
import type { Environment } from '../stack/progress.ts';
import { openTracing } from '../telemetry/open-tracing.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import { openStore } from '../store/open-store.ts';
import type { Store } from '../store/open-store.ts';
import { BatchHandle } from './batch-handle.ts';
import { requireBatchId, requireConcurrency } from './batch-options.ts';
import { coordinatorOf } from './coordinator.ts';
import { gateHandle } from './gates.ts';
import type { GateHandle } from './gates.ts';
import { InvalidInputError } from './invalid-input-error.ts';
import { putBatch } from './put-batch.ts';
import { resultOf } from './workflow-result.ts';

/** A registered schema's name, a zod schema, or JSON Schema 2020-12 with a name. */
export type SchemaOption = string | z.ZodType | { readonly name: string; readonly jsonSchema: JsonObject };

/** What an extraction is to be made from, and how. */
export interface ExtractOptions<S extends SchemaOption> extends Omit<ExtractInput, 'document' | 'schema'> {
  readonly text: string;
  readonly schema: S;
  /** Names the extraction: the same id twice is one extraction. Default: a random one. */
  readonly id?: string;
}

/** A document of a batch, as a service gives it; what else it holds comes back as `metadata`. */
export interface GivenDocument {
  readonly id: string;
  readonly text: string;
  /** Goes before the batch's: a registered name, or JSON Schema with or without a name. */
  readonly schema?: string | JsonObject;
  readonly [key: string]: unknown;
}

/** How a batch is made. */
export interface BatchOptions<S extends SchemaOption> extends Omit<BatchSettings, 'schema'> {
  readonly schema: S;
  /** Names the batch: the same id with the same input joins it, with other input it is refused (unless its settings were). */
  readonly id: string;
  /** Documents in work at once, in the whole batch. Default 50. */
  readonly concurrency?: number;
  /** Whether a document that cannot be used becomes a failed one, rather than the end of it all. Default false. */
  readonly skipBadLines?: boolean;
}

/** The data's type: the zod schema's, or any JSON. */
export type DataOf<S extends SchemaOption> = S extends z.ZodType ? z.output<S> : Json;

/** An extraction that was started. */
export interface ExtractHandle<T> {
  readonly id: string;
  readonly workflowId: string;
  /** Whether this call started it; false when it ran, or had ended, already. */
  readonly started: boolean;
  /** @throws {InvalidInputError} where the workflow refused its input. */
  result(): Promise<Outcome<T>>;
  /** Turns and errors so far; null before the input has been checked. */
  conversation(): Promise<ConversationState | null>;
  /**
   * Enters the data by hand of one that waits for a person (`onExhausted: 'review'`). Judged as an answer is: the verdict says
   * what is wrong, and then it waits on.
   */
  correct(data: Json, options?: { readonly by?: string }): Promise<Verdict>;
  /** Ends the waiting for a person; its outcome is that it was not extracted. */
  giveUp(): Promise<void>;
  /** Stops it, also in the middle of a model call; `result` then throws. */
  cancel(): Promise<void>;
}

/**
 * The client: starts extractions and waits for them.
 *
 * @example
 * const extractor = await DurableExtract.connect();
 * const { data } = await extractor.extract({ text: 'Ada, ada@example.org', schema: z.object({ email: z.email() }) });
 */
export class DurableExtract {
  /** For what this class does not do. */
  readonly client: Client;
  readonly #connection: Connection;
  readonly #env: Environment;
  readonly #tracing: Tracing | undefined;
  #store: Promise<Store> | undefined;

  private constructor(options: {
    readonly connection: Connection;
    readonly namespace: string;
    readonly env: Environment;
    readonly tracing: Tracing | undefined;
  }) {
    const { connection, namespace, env, tracing } = options;
    this.#connection = connection;
    this.#env = env;
    this.#tracing = tracing;
    this.client = new Client({
      connection,
      namespace,
      ...(tracing === undefined ? {} : { interceptors: { workflow: [tracing.ofClient] } }),
    });
  }

  /**
   * Connects to the server that `TEMPORAL_*` names, or to the embedded one of this folder.
   *
   * @throws when there is neither, or it does not answer.
   */
  static async connect(
    options: { readonly address?: string; readonly namespace?: string; readonly env?: Environment } = {},
  ): Promise<DurableExtract> {
    const env = options.env ?? process.env;
    const open = async (given: ConnectionOptions, namespace: string): Promise<DurableExtract> => {
      const tracing = await openTracing(env, 'durable-extract-client');
      const connection = await Connection.connect(given);
      return new DurableExtract({ connection, namespace, env, tracing });
    };
    if (options.address !== undefined) {
      return open({ address: options.address }, options.namespace ?? 'default');
    }
    const resolved = resolveTemporalConnection({ env, home: stackHome({ env }) });
    if (resolved === undefined) {
      throw new Error(
        `No Temporal server: TEMPORAL_ADDRESS is not set, and no embedded server was started in ${stackHome({ env })}. ` +
          'Run `npx durable-extract up`, or set TEMPORAL_ADDRESS.',
      );
    }
    return open(resolved.clientOptions, options.namespace ?? resolved.namespace);
  }

  /** Extracts and waits. An extraction that gives up is an outcome with `success: false`, not an error. */
  async extract<S extends SchemaOption>(options: ExtractOptions<S>): Promise<Outcome<DataOf<S>>> {
    const handle = await this.startExtract(options);
    return handle.result();
  }

  /**
   * Starts an extraction, or joins the one of the same id.
   *
   * @throws {InvalidInputError} when that one has other input.
   */
  async startExtract<S extends SchemaOption>(options: ExtractOptions<S>): Promise<ExtractHandle<DataOf<S>>> {
    const { text, schema, id = randomUUID(), ...settings } = options;
    const input: ExtractInput = { ...settings, document: { id, text }, schema: schemaReference(schema) };
    const workflowId = extractWorkflowId(id);
    const { handle, started } = await this.#start({ type: 'extract', workflowId, input });
    return {
      id,
      workflowId,
      started,
      result: async () => {
        const outcome = (await resultOf(handle)) as Outcome;
        return (schema instanceof z.ZodType ? parsedBy(schema, outcome) : outcome) as Outcome<DataOf<S>>;
      },
      conversation: () => handle.query<ConversationState | null>('conversation'),
      correct: (data, { by } = {}) =>
        handle.executeUpdate<Verdict, [CorrectionInput]>('correct', {
          args: [by === undefined ? { data } : { data, by }],
        }),
      giveUp: () => handle.executeUpdate<void, []>('giveUp'),
      cancel: async () => {
        await handle.cancel();
      },
    };
  }

  /** Messages in, text out, with the same provider retries. */
  async complete(
    messages: readonly ChatMessage[],
    options: { readonly id?: string; readonly model?: string; readonly retry?: Partial<RetryConfig> } = {},
  ): Promise<Completion> {
    const { id = randomUUID(), ...settings } = options;
    const input: CompleteInput = { id, messages, ...settings };
    const { handle } = await this.#start({ type: 'complete', workflowId: completeWorkflowId(id), input });
    return (await resultOf(handle)) as Completion;
  }

  /**
   * Puts documents into the store and starts their batch, or joins the one of the same id and input. Needs the store that
   * the workers use (`DATABASE_URL`, or the home's).
   *
   * @example
   * const batch = await extractor.batch(documents, { id: 'orders-2026-11', schema: order, concurrency: 100 });
   * for await (const { id, success, data } of batch.results()) …
   * @throws {InvalidInputError} for documents that cannot be used, each named; for other input under a known id.
   */
  async batch<S extends SchemaOption>(
    documents: Iterable<GivenDocument> | AsyncIterable<GivenDocument>,
    options: BatchOptions<S>,
  ): Promise<BatchHandle<DataOf<S>>> {
    const { batch } = await this.batchOfEntries(entriesOf(documents), options);
    return batch;
  }

  /** As {@link batch}, from entries that were read already: what the command line does. Says whether it joined one. */
  async batchOfEntries<S extends SchemaOption>(
    entries: AsyncIterable<InputEntry>,
    options: BatchOptions<S> & { readonly onProgress?: (documents: number) => void },
  ): Promise<{ readonly batch: BatchHandle<DataOf<S>>; readonly joined: boolean }> {
    const {
      id,
      schema,
      concurrency = DEFAULT_CONCURRENCY,
      skipBadLines = false,
      onProgress,
      ...rest
    } = options;
    requireBatchId(id);
    requireConcurrency(concurrency);
    const batch = await this.batchHandle(id, schema);
    const settings: BatchSettings = { ...rest, schema: schemaReference(schema) };
    const hasEnded = async () => (await coordinatorOf(this.client, id)) === 'ended';
    const put = { id, settings, concurrency, entries, skipBadLines, hasEnded };
    const isNew = await putBatch(await this.store(), onProgress === undefined ? put : { ...put, onProgress });
    await batch.ensureStarted();
    return { batch, joined: !isNew };
  }

  /**
   * The figures of all that was extracted: how much succeeded, what went wrong, what it cost.
   *
   * @example
   * const { successRate, errors } = await extractor.stats({ since: Date.now() - 86_400_000, schema: 'order' });
   */
  async stats(filter: StatsFilter = {}): Promise<Stats> {
    return (await this.store()).stats.read(filter);
  }

  /** The gates of all providers, as they stand. */
  async gates(): Promise<readonly GateStatus[]> {
    return (await this.store()).gates.list();
  }

  /**
   * The gate of one provider: to see, trip and reset it.
   *
   * @throws {InvalidInputError} for a provider that no worker ever had.
   */
  async gate(provider: string): Promise<GateHandle> {
    return gateHandle({ client: this.client, store: await this.store() }, provider);
  }

  /** A batch that was started before. With its zod schema, results are typed and parsed by it. */
  async batchHandle<S extends SchemaOption = string>(
    id: string,
    schema?: S,
  ): Promise<BatchHandle<DataOf<S>>> {
    return new BatchHandle<DataOf<S>>({
      id,
      client: this.client,
      store: await this.store(),
      read: (result) => readResult(schema, result),
    });
  }

  /** The store that the workers use. Opened when it is first needed, closed with this. */
  async store(): Promise<Store> {
    this.#store ??= openStore({ env: this.#env, home: stackHome({ env: this.#env }) });
    return this.#store;
  }

  async close(): Promise<void> {
    await this.#connection.close();
    await (await this.#store)?.close();
    await this.#tracing?.end();
  }

  async #start(options: {
    readonly type: string;
    readonly workflowId: string;
    readonly input: ExtractInput | CompleteInput;
  }): Promise<{ readonly handle: WorkflowHandle; readonly started: boolean }> {
    const { type, workflowId, input } = options;
    const inputHash = createHash('sha256').update(JSON.stringify(input)).digest('hex');
    try {
      const handle = await this.client.workflow.start(type, {
        taskQueue: WORKFLOW_TASK_QUEUE,
        workflowId,
        args: [input],
        memo: { inputHash },
        workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
        staticSummary: summaryOf(input),
        staticDetails: detailsOf(input),
      });
      return { handle, started: true };
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
    const handle = this.client.workflow.getHandle(workflowId);
    const { memo } = await handle.describe();
    if (memo?.['inputHash'] !== undefined && memo['inputHash'] !== inputHash) {
      throw new InvalidInputError(
        `id: '${workflowId}' was started before with another text, schema or settings. Use another id, or the same input.`,
      );
    }
    return { handle, started: false };
  }
}

/** Ids and schema names only: a summary is not encrypted. */
function summaryOf(input: ExtractInput | CompleteInput): string {
  return 'schema' in input ? `extract ${input.schema.name} · ${input.strategy ?? 'adaptive'}` : 'complete';
}

/** What was asked for, in Markdown: ids, names and numbers, since details are not encrypted either. */
function detailsOf(input: ExtractInput | CompleteInput): string {
  const { model = "the worker's", retry = {} } = input;
  const lines = 'schema' in input ? extractLines(input) : [`- messages: ${input.messages.length}`];
  const attempts = retry.maxAttempts === undefined ? [] : [`- attempts, at most: ${retry.maxAttempts}`];
  return [...lines, `- model: ${model}`, ...attempts].join('\n');
}

function extractLines({
  document,
  schema,
  mode = 'auto',
  budget,
  onOutage,
  deadlineMs,
}: ExtractInput): string[] {
  const from = 'batch' in document ? ` (number ${document.seq} of batch ${document.batch})` : '';
  return [
    `- document: ${document.id}${from}`,
    `- schema: ${schema.name}${schema.jsonSchema === undefined ? '' : ', inline'}`,
    `- mode: ${mode}`,
    ...(budget?.maxTokens === undefined ? [] : [`- tokens, at most: ${budget.maxTokens}`]),
    ...(budget?.maxCostUsd === undefined ? [] : [`- US dollars, at most: ${budget.maxCostUsd}`]),
    ...(onOutage === undefined ? [] : [`- while the provider is down: ${onOutage}`]),
    ...(deadlineMs === undefined ? [] : [`- within ${deadlineMs} ms`]),
  ];
}

function schemaReference(schema: SchemaOption): SchemaReference {
  if (typeof schema === 'string') return { name: schema };
  if (!(schema instanceof z.ZodType)) return schema;
  const jsonSchema = z.toJSONSchema(schema, { io: 'input' }) as JsonObject;
  return { name: typeof jsonSchema['title'] === 'string' ? jsonSchema['title'] : 'record', jsonSchema };
}

/** The data has been judged against the JSON Schema; zod adds defaults, transforms, and refinements JSON Schema cannot say. */
function parsedBy<S extends z.ZodType>(schema: S, outcome: Outcome): Outcome<z.output<S>> {
  if (!outcome.success) return { ...outcome, data: null };
  return { ...outcome, data: schema.parse(outcome.data) };
}

async function* entriesOf(
  documents: Iterable<GivenDocument> | AsyncIterable<GivenDocument>,
): AsyncGenerator<InputEntry> {
  let number = 0;
  for await (const document of documents) {
    number += 1;
    yield { place: `document ${number}`, ...readGivenDocument(document) };
  }
}

/** What JSON Schema cannot say, zod says here; one result that it refuses is no reason to end the others. */
function readResult<S extends SchemaOption>(
  schema: S | undefined,
  result: BatchResult,
): BatchResult<DataOf<S>> {
  if (!(schema instanceof z.ZodType) || !result.success) return result as BatchResult<DataOf<S>>;
  const parsed = schema.safeParse(result.data);
  if (parsed.success) return { ...result, data: parsed.data as DataOf<S> };
  const message = z.prettifyError(parsed.error);
  return {
    ...result,
    success: false,
    data: null,
    stopped: 'validation_error',
    errors: [...result.errors, { attempt: result.attempts, type: 'validation_error', message, details: [] }],
  };
}
