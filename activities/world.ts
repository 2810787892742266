import { ApplicationFailure } from '@temporalio/activity';
import { z } from 'zod';
import { compileSchema, InvalidSchemaError } from '../src/core/compile-schema.ts';
import type { CompiledSchema } from '../src/core/compile-schema.ts';
import type { SchemaReference } from '../src/core/contract.ts';
import type { GateStatus } from '../src/core/gate-contract.ts';
import type { JsonObject } from '../src/core/json.ts';
import type { Provider } from '../src/provider/provider.ts';
import type { StoredBatch } from '../src/store/batches.ts';
import type { Store } from '../src/store/open-store.ts';
import type { StoredSchema } from '../src/store/schemas.ts';
import { batchMemory } from './batch-memory.ts';
import { batchSpending } from './batch-spending.ts';
import type { BatchSpending } from './batch-spending.ts';
import type { GateWatch } from './gate-watch.ts';
import type { Metrics } from './metrics.ts';
import { refusedModes } from './refused-modes.ts';
import type { RefusedModes } from './refused-modes.ts';
import { slotRelay } from './slot-relay.ts';
import type { SlotRelay } from './slot-relay.ts';

/** Schemas that callers may name: zod schemas, or JSON Schema 2020-12. */
export type SchemaRegistry = Readonly<Record<string, z.ZodType | JsonObject>>;

/** What activities need of the process they run in. */
export interface World {
  /** @throws a non-retryable `invalid_input` failure for one this worker does not have. */
  provider(name: string): Provider;
  readonly defaultProvider: string;
  readonly callTimeoutMs: number;
  readonly store: Store;
  readonly schemas: {
    /** @throws a non-retryable `invalid_input` failure for an unknown name or a schema that is wrong. */
    compile(reference: SchemaReference): CompiledSchema;
    /** One that is in the store. */
    stored(hash: string): Promise<StoredSchema>;
  };
  readonly gates: Gates;
  readonly metrics: Metrics;
  /** Whether workflows may set our search attributes: a server that does not know them stops who does. */
  isSearchable(): Promise<boolean>;
  /** What providers have refused to be asked in, while this worker ran. */
  readonly refusedModes: RefusedModes;
  /** A batch as it was in the last quarter of a second, so that a thousand calls ask for it four times. */
  batch(id: string): Promise<StoredBatch>;
  /** Those of batches that are held by calls of this worker. */
  readonly slots: SlotRelay;
  /** Of batches with a budget. */
  readonly spending: BatchSpending;
}

/** How activities deal with the gates. */
export interface Gates {
  /** Whether gates are there at all; they can be switched off. */
  readonly isOn: boolean;
  watch(provider: string): GateWatch;
  /** Of all workers together: it is the server that keeps to it. */
  setCallsPerSecond(status: GateStatus): Promise<void>;
}

/** A caller's mistake: no retry helps. */
export function invalidInput(message: string): ApplicationFailure {
  return ApplicationFailure.create({ type: 'invalid_input', message, nonRetryable: true });
}

/** Puts a worker's providers and schemas together. Registered schemas are compiled at once, so that a wrong one stops the start. */
export function createWorld(options: {
  readonly providers: readonly Provider[];
  readonly schemas: SchemaRegistry;
  readonly callTimeoutMs: number;
  readonly store: Store;
  readonly gates: Gates;
  readonly metrics: Metrics;
  readonly isSearchable: () => Promise<boolean>;
}): World {
  const [first] = options.providers;
  if (first === undefined) throw new Error('A worker needs at least one provider, got none.');
  const providers = new Map(options.providers.map((provider) => [provider.name, provider]));
  const registered = new Map(
    Object.entries(options.schemas).map(([name, schema]) => [name, compileSchema(asJsonSchema(schema))]),
  );
  const memory = batchMemory(options.store);
  return {
    defaultProvider: first.name,
    callTimeoutMs: options.callTimeoutMs,
    store: options.store,
    gates: options.gates,
    metrics: options.metrics,
    isSearchable: options.isSearchable,
    refusedModes: refusedModes(),
    batch: (id) => memory.batch(id),
    slots: slotRelay(),
    spending: batchSpending((id) => options.store.batches.spend(id)),
    provider(name) {
      const provider = providers.get(name);
      if (provider !== undefined) return provider;
      throw invalidInput(
        `model: expected a provider of this worker (${[...providers.keys()].join(', ')}), got '${name}'. ` +
          'Start a worker that has it, or name another model; one whose own name holds a slash is written provider/org/model.',
      );
    },
    schemas: {
      stored: (hash) => memory.schema(hash),
      compile({ name, jsonSchema }) {
        if (jsonSchema !== undefined) return compileInline(name, jsonSchema);
        const schema = registered.get(name);
        if (schema !== undefined) return schema;
        throw invalidInput(
          `schema.name: expected one of ${[...registered.keys()].join(', ') || '(none registered)'}, got '${name}'. ` +
            'Register it with the worker, or send it inline as schema.jsonSchema.',
        );
      },
    },
  };
}

function compileInline(name: string, jsonSchema: JsonObject): CompiledSchema {
  try {
    return compileSchema(jsonSchema);
  } catch (error) {
    if (!(error instanceof InvalidSchemaError)) throw error;
    throw invalidInput(`schema '${name}' is not valid JSON Schema 2020-12: ${error.message}`);
  }
}

/** A zod schema as JSON Schema 2020-12, as the model is to write it (before transforms). */
export function asJsonSchema(schema: z.ZodType | JsonObject): JsonObject {
  return schema instanceof z.ZodType ? (z.toJSONSchema(schema, { io: 'input' }) as JsonObject) : schema;
}
