import { z } from 'zod';
import { DEFAULT_RETRY, MODES, ON_OUTAGE, STRATEGIES, TRANSCRIPTS } from '../src/core/contract.ts';
import type { DocumentReference, Mode, RetryConfig, SchemaReference } from '../src/core/contract.ts';
import { ON_EXHAUSTED } from '../src/core/correction.ts';
import { isJsonObject } from '../src/core/json.ts';
import type { JsonObject } from '../src/core/json.ts';
import type { PreparedCall, PreparedExtraction, PreparedModes, Route } from '../src/core/prepared.ts';
import { ModeNotPossibleError, modesOf, withoutRefused } from '../src/core/modes.ts';
import { costUsd } from '../src/core/usage.ts';
import { outputTokenLimit } from '../src/core/output-token-limit.ts';
import { invalidInput } from './world.ts';
import type { World } from './world.ts';

const positive = z.number().int().min(1);
const delay = z.number().min(0);

/** Temporal takes 2 MB a payload; the document travels with each attempt. */
const MAX_TEXT_CHARS = 1_000_000;

const retryShape = z.strictObject({
  maxAttempts: positive.max(100).default(DEFAULT_RETRY.maxAttempts),
  retryOnValidationError: z.boolean().default(DEFAULT_RETRY.retryOnValidationError),
  maxProviderRetries: z.number().int().min(0).max(1000).default(DEFAULT_RETRY.maxProviderRetries),
  baseDelayMs: delay.default(DEFAULT_RETRY.baseDelayMs),
  maxDelayMs: delay.default(DEFAULT_RETRY.maxDelayMs),
  exponentialBase: z.number().min(1).default(DEFAULT_RETRY.exponentialBase),
  jitter: z.boolean().default(DEFAULT_RETRY.jitter),
  maxRetryAfterMs: delay.default(DEFAULT_RETRY.maxRetryAfterMs),
});

const budgetShape = z.strictObject({
  maxTokens: positive.optional(),
  maxCostUsd: z.number().positive().optional(),
});

const settingsFields = {
  schema: z.strictObject({
    name: z.string().min(1),
    jsonSchema: z.record(z.string(), z.json()).optional(),
  }),
  systemPrompt: z.string().optional(),
  model: z.string().min(1).optional(),
  strategy: z.enum(STRATEGIES).default('adaptive'),
  models: z.array(z.string().min(1)).max(10).default([]),
  mode: z.enum(MODES).default('auto'),
  transcript: z.enum(TRANSCRIPTS).optional(),
  coerce: z.boolean().default(true),
  retry: retryShape.prefault({}),
  budget: budgetShape.default({}),
  onOutage: z.enum(ON_OUTAGE).default('wait'),
  deadlineMs: positive.optional(),
  onExhausted: z.enum(ON_EXHAUSTED).default('fail'),
  reviewDeadlineMs: positive.optional(),
};

const settingsShape = z.strictObject(settingsFields);

const batchShape = settingsShape.extend({
  learn: z.boolean().default(true),
  batchBudget: budgetShape.default({}),
});

const extractShape = z.strictObject({
  document: z.strictObject({ id: z.string().min(1), text: z.string().min(1).max(MAX_TEXT_CHARS) }),
  ...settingsFields,
});

const extractOfBatchShape = z.strictObject({
  document: z.strictObject({
    id: z.string().min(1),
    batch: z.string().min(1),
    seq: z.number().int().min(0),
  }),
  ...settingsFields,
});

const completeShape = z.strictObject({
  id: z.string().min(1),
  messages: z
    .array(z.strictObject({ role: z.enum(['system', 'user', 'assistant']), content: z.string() }))
    .min(1),
  model: z.string().min(1).optional(),
  retry: retryShape.prefault({}),
});

/** Checks an `extract` input and fills in its defaults. Refuses what is wrong before any call is made. */
export async function prepareExtraction(world: World, input: unknown): Promise<PreparedExtraction> {
  if (!isOfBatch(input)) {
    const { document: _given, ...settings } = parse(extractShape, input);
    return { ...prepare(world, settings), ...(await searchableIn(world)) };
  }
  const { document, ...settings } = parse(extractOfBatchShape, input);
  await requireDocument(world, document);
  return { ...prepare(world, settings), ...(await searchableIn(world)) };
}

/** Recorded with the settings, so that replay depends on no server. */
export async function searchableIn(world: World): Promise<Pick<PreparedCall, 'searchable'>> {
  return (await world.isSearchable()) ? { searchable: true } : {};
}

function isOfBatch(input: unknown): boolean {
  return isJsonObject(input) && isJsonObject(input['document']) && 'batch' in input['document'];
}

/** Checks the settings of a batch, as an `extract` input's. */
export function prepareSettings(world: World, settings: unknown): PreparedExtraction {
  const { learn, batchBudget, ...rest } = parse(batchShape, settings);
  const prepared = prepare(world, rest);
  if (batchBudget.maxCostUsd !== undefined) requirePrices(world, 'batchBudget', prepared);
  return learn && prepared.strategy === 'adaptive' ? { ...prepared, learns: true } : prepared;
}

/**
 * The modes in which a schema is asked for, without those that this worker has seen the model's provider refuse: preparing is an
 * activity, so that what it knew then is in the history.
 */
export function modesNotRefused(
  world: World,
  options: { readonly mode: Mode; readonly route: Route; readonly jsonSchema: JsonObject },
): PreparedModes {
  const { mode, route, jsonSchema } = options;
  const modes = possibleMode(() => modesOf(mode, jsonSchema));
  return withoutRefused(modes, (it) => world.refusedModes.has({ route, mode: it, jsonSchema }));
}

async function requireDocument(world: World, { batch, seq }: DocumentReference): Promise<void> {
  const ids = await world.store.documents.idsOf(batch, [seq]);
  if (ids.has(seq)) return;
  throw invalidInput(
    `document: expected a document of a batch in the store, got number ${seq} of '${batch}', which it does not have.`,
  );
}

function prepare(world: World, given: z.output<typeof settingsShape>): PreparedExtraction {
  const { schema, systemPrompt, strategy, mode, coerce, budget, model, retry, onOutage, deadlineMs } = given;
  const { transcript = strategy === 'adaptive' ? 'last' : 'full' } = given;
  const reference: SchemaReference = {
    name: schema.name,
    ...(schema.jsonSchema === undefined ? {} : { jsonSchema: schema.jsonSchema }),
  };
  const { jsonSchema } = world.schemas.compile(reference);
  const call = prepareCall(world, model, retry);
  const prepared: PreparedExtraction = {
    ...call,
    schema: reference,
    ...(systemPrompt === undefined ? {} : { systemPrompt }),
    strategy,
    ...modesNotRefused(world, { mode, route: call, jsonSchema }),
    coerce,
    transcript,
    ...nextModels(world, given.models, call),
    ...limitOf(world, call),
    budget: {
      ...(budget.maxTokens === undefined ? {} : { maxTokens: budget.maxTokens }),
      ...(budget.maxCostUsd === undefined ? {} : { maxCostUsd: budget.maxCostUsd }),
    },
    ...(world.gates.isOn ? { gate: { onOutage, fallbacks: fallbacksOf(world, call) } } : {}),
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...reviewOf(given),
  };
  if (budget.maxCostUsd !== undefined) requirePrices(world, 'budget', prepared);
  return prepared;
}

function reviewOf({
  onExhausted,
  reviewDeadlineMs: deadlineMs,
}: z.output<typeof settingsShape>): Pick<PreparedExtraction, 'review'> {
  if (onExhausted === 'fail') return {};
  return { review: deadlineMs === undefined ? {} : { deadlineMs } };
}

/** A cap in US dollars holds only where the price of all who may be asked is known. */
function requirePrices(world: World, field: string, prepared: PreparedExtraction): void {
  const others = [...(prepared.nextModels ?? []), ...(prepared.gate?.fallbacks ?? [])];
  for (const { provider, model, simulated } of [prepared, ...others]) {
    if (simulated || costUsd(model, 1, 1, world.provider(provider).prices) !== null) continue;
    throw invalidInput(
      `${field}.maxCostUsd: no price is known for '${model}' of ${provider}. ` +
        `Use ${field}.maxTokens instead, or add its price to the provider (prices, in the configuration file).`,
    );
  }
}

/** Whom to ask in turn after the first; a model that is asked anyway is not asked twice. */
function nextModels(
  world: World,
  named: readonly string[],
  first: Route,
): Pick<PreparedExtraction, 'nextModels'> {
  const routes = named.map((name) => routeTo(world, name));
  const others = routes.filter(
    ({ provider, model }, index) =>
      !(provider === first.provider && model === first.model) &&
      routes.findIndex((route) => route.provider === provider && route.model === model) === index,
  );
  return others.length === 0 ? {} : { nextModels: others };
}

function limitOf(world: World, { provider, model }: Route): Pick<PreparedExtraction, 'maxOutputTokens'> {
  const limit = outputTokenLimit(model, world.provider(provider).outputTokenLimits);
  return limit === undefined ? {} : { maxOutputTokens: limit };
}

/** Those of the provider's that this worker has, apart from the model that is asked anyway. */
function fallbacksOf(world: World, { provider, model }: Route): readonly Route[] {
  const { fallbacks = [] } = world.provider(provider);
  return fallbacks
    .map((fallback) => {
      const { name, simulated, defaultModel } = world.provider(fallback.provider);
      return { provider: name, model: fallback.model ?? defaultModel, simulated };
    })
    .filter((route) => route.provider !== provider || route.model !== model);
}

/** Checks a `complete` input and fills in its defaults. */
export async function prepareCompletion(world: World, input: unknown): Promise<PreparedCall> {
  const { model, retry } = parse(completeShape, input);
  return { ...prepareCall(world, model, retry), ...(await searchableIn(world)) };
}

function prepareCall(world: World, named: string | undefined, retry: RetryConfig): PreparedCall {
  return { ...routeTo(world, named), retry, timeoutMs: world.callTimeoutMs };
}

function routeTo(world: World, named: string | undefined): Route {
  const { providerName = world.defaultProvider, modelName } = splitModel(named);
  const provider = world.provider(providerName);
  return {
    provider: provider.name,
    model: modelName ?? provider.defaultModel,
    simulated: provider.simulated,
  };
}

/** `provider/model`, or a model of the default provider. A model's own slashes come after the provider's. */
function splitModel(named: string | undefined): {
  readonly providerName?: string;
  readonly modelName?: string;
} {
  if (named === undefined) return {};
  const slash = named.indexOf('/');
  if (slash < 0) return { modelName: named };
  return { providerName: named.slice(0, slash), modelName: named.slice(slash + 1) };
}

function possibleMode<T>(resolve: () => T): T {
  try {
    return resolve();
  } catch (error) {
    if (error instanceof ModeNotPossibleError) throw invalidInput(`mode: ${error.message}`);
    throw error;
  }
}

function parse<T extends z.ZodType>(shape: T, input: unknown): z.output<T> {
  const result = shape.safeParse(input);
  if (result.success) return result.data;
  const issues = result.error.issues.map(({ path, message }) => `${path.join('.') || '(input)'}: ${message}`);
  throw invalidInput(`The workflow's input is not as expected: ${issues.join('; ')}`);
}
