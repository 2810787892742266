import { createHash, randomUUID } from 'node:crypto';
import {
  Client,
  Connection,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
} from '@temporalio/client';
import type { WorkflowHandle } from '@temporalio/client';
import { z } from 'zod';
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
} from '../core/contract.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { stackHome } from '../stack/home.ts';
import { resolveTemporalConnection } from '../stack/connection.ts';
import type { Environment } from '../stack/progress.ts';
import { InvalidInputError } from './invalid-input-error.ts';

/** A registered schema's name, a zod schema, or JSON Schema 2020-12 with a name. */
export type SchemaOption = string | z.ZodType | { readonly name: string; readonly jsonSchema: JsonObject };

/** What an extraction is to be made from, and how. */
export interface ExtractOptions<S extends SchemaOption> extends Omit<ExtractInput, 'document' | 'schema'> {
  readonly text: string;
  readonly schema: S;
  /** Names the extraction: the same id twice is one extraction. Default: a random one. */
  readonly id?: string;
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

  private constructor(connection: Connection, namespace: string) {
    this.#connection = connection;
    this.client = new Client({ connection, namespace });
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
    if (options.address !== undefined) {
      const connection = await Connection.connect({ address: options.address });
      return new DurableExtract(connection, options.namespace ?? 'default');
    }
    const resolved = resolveTemporalConnection({ env, home: stackHome({ env }) });
    if (resolved === undefined) {
      throw new Error(
        `No Temporal server: TEMPORAL_ADDRESS is not set, and no embedded server was started in ${stackHome({ env })}. ` +
          'Run `npx durable-extract up`, or set TEMPORAL_ADDRESS.',
      );
    }
    const connection = await Connection.connect(resolved.clientOptions);
    return new DurableExtract(connection, options.namespace ?? resolved.namespace);
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

  async close(): Promise<void> {
    await this.#connection.close();
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

async function resultOf(handle: WorkflowHandle): Promise<unknown> {
  try {
    return await handle.result();
  } catch (error) {
    const cause = error instanceof WorkflowFailedError ? error.cause : undefined;
    if (cause && 'type' in cause && cause.type === 'invalid_input')
      throw new InvalidInputError(cause.message);
    throw error;
  }
}
