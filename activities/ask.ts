import { Context, log, sleep } from '@temporalio/activity';
import { compileStrict } from '../src/core/compile-strict.ts';
import type { CompiledSchema } from '../src/core/compile-schema.ts';
import { NO_BATCH } from '../src/core/contract.ts';
import type {
  Budget,
  Document,
  DocumentReference,
  Problem,
  ResolvedMode,
  Turn,
  Usage,
  Verdict,
} from '../src/core/contract.ts';
import { feedbackMessage, fieldsMessage, partMessage } from '../src/core/feedback.ts';
import { fieldsSchema, partOfRecord } from '../src/core/fields.ts';
import { strictFieldsSchema } from '../src/core/strict-fields.ts';
import type { Json, JsonObject } from '../src/core/json.ts';
import { judge, judgeFields } from '../src/core/judge.ts';
import type { FieldsAnswer, JudgeOptions } from '../src/core/judge.ts';
import { askedOf } from '../src/core/strategy.ts';
import type { Ask } from '../src/core/strategy.ts';
import type { PreparedExtraction, Route } from '../src/core/prepared.ts';
import type { PromptMessage } from '../src/provider/provider.ts';
import type { AttemptKey, StoredAttempt } from '../src/store/attempts.ts';
import type { StoredBatch } from '../src/store/batches.ts';
import { estimateOf, exceedsBudget } from './budget.ts';
import type { Spent } from './budget.ts';
import type { Reservation } from './batch-spending.ts';
import { NO_TRIES, callModel, ledgerOf, refuseGivenUp, triesSoFar } from './call-model.ts';
import type { CallLedger, Tries } from './call-model.ts';
import { composeMessages } from './compose-messages.ts';
import type { HeldSlot } from './slot-relay.ts';
import { usageOf } from './spent.ts';
import type { World } from './world.ts';

/** One attempt of a conversation. */
export interface AskInput {
  /** With its text, or by its place in a batch. */
  readonly document: Document | DocumentReference;
  /** Of a single extraction. Those of a batch are in the store, and so is what its attempts gave. */
  readonly settings?: PreparedExtraction;
  /** Which run of the conversation: an answer is only ever taken for one of the same round. */
  readonly round: number;
  readonly ask: Ask;
  /** Whom to ask instead of the settings' provider, where that one's gate is open. */
  readonly route?: Route;
  /** What the model is shown of a single extraction's earlier attempts. */
  readonly turns: readonly Turn[];
  /** Of a single extraction, what its answers have given so far; where only fields of it are asked for. */
  readonly last?: { readonly record: Json; readonly problem: Problem };
  readonly spent: Spent;
  /** Of a document of a batch that was given no slot, and waits in the worker until a call of its shard hands one on. */
  readonly isAhead?: true;
  /** What was tried of this attempt in a series, where that brought no answer. */
  readonly earlier?: Tries;
}

/** What became of an attempt. */
export type AskResult =
  | Judged
  /** No call was made: it would have exceeded the budget. */
  | { readonly status: 'over_budget' }
  /** No further call was made: the batch is paused, or was cancelled; or its budget, which is given then, does not cover it. */
  | { readonly status: 'held'; readonly ledger: CallLedger; readonly budget?: Budget }
  /** No further call was made: it was sent ahead, and no slot came. */
  | { readonly status: 'no_slot'; readonly ledger: CallLedger };

/** An answer, judged, and written down in the store. */
export interface Judged {
  readonly status: 'judged';
  /** Without the data and the repairs for a document of a batch, whose history is to stay small. */
  readonly verdict: Verdict;
  /** The rejected answer of a single extraction, shortened to {@link MAX_ANSWER_CHARS}; else empty. */
  readonly answer: string;
  readonly usage: Usage;
  readonly ledger: CallLedger;
  /** How long the call took. */
  readonly latencyMs: number;
  /** The document, by its place in the batch, that has this one's slot now: it is not to be given to another. */
  readonly handedTo?: number;
}

/** A rejected answer travels back to the model: a bound for runaway ones. */
const MAX_ANSWER_CHARS = 65_536;

/** A short answer is shown whole. */
const EXCERPT_CHARS = 100;

/** 14 seconds in all: half of what an activity has beyond its call. */
const RECORD_TRIES = 6;
const RECORD_DELAY_MS = 225;

/** A question with all that it takes to ask it. */
interface Question {
  readonly batchId: string;
  readonly documentId: string;
  readonly text: string;
  readonly settings: PreparedExtraction;
  /** Of its whole batch. */
  readonly batchBudget: Budget | undefined;
  readonly schema: CompiledSchema;
  readonly schemaName: string;
  /** The answer that the store has already. */
  readonly recorded: StoredAttempt | undefined;
}

/**
 * Asks the model once, judges what it says, and writes both down before anything else can happen to them. An answer that is
 * in the store is not asked for again, whatever crashed since.
 */
export async function ask(world: World, input: AskInput): Promise<AskResult> {
  const tries = triesSoFar(input.earlier);
  refuseGivenUp(ledgerOf(tries));
  const question = await open(world, input);
  if (question === 'held') return { status: 'held', ledger: untold(input, tries) };
  if (question.recorded !== undefined) return resultOf(question.recorded);
  const slot = await slotFor(world, question, input);
  if (slot === 'none') return { status: 'no_slot', ledger: ledgerOf(tries) };
  try {
    return await askInSlot(world, input, question, { slot, tries });
  } finally {
    slot?.letGo();
  }
}

/** The same for the next document of a series, in the slot that holds it. */
export async function askNext(
  world: World,
  input: AskInput,
  tries: Tries,
): Promise<Exclude<AskResult, { readonly status: 'no_slot' }>> {
  const question = await open(world, input);
  if (question === 'held') return { status: 'held', ledger: untold(input, tries) };
  if (question.recorded !== undefined) return resultOf(question.recorded);
  return askInSlot(world, input, question, { slot: undefined, tries });
}

/** The answer of a document of a batch that the store has already, whether the batch goes on or not. */
export async function recordedAnswer(
  { store }: World,
  { document, round, ask: { attempt } }: AskInput,
): Promise<Judged | undefined> {
  if ('text' in document) return undefined;
  const { batch: batchId, seq } = document;
  const { recorded } = await store.documents.read({ batchId, seq, round, attempt });
  return recorded === undefined ? undefined : resultOf(recorded);
}

/**
 * What failed before an attempt was held is told, since the next try begins a new count. What failed in a series the shard knows: it
 * begins the next try with it.
 */
function untold({ earlier }: AskInput, tries: Tries): CallLedger {
  const isKnown = earlier !== undefined && Context.current().info.attempt === 1;
  return ledgerOf(isKnown ? NO_TRIES : tries);
}

/**
 * The slot of a call of a batch; undefined for a single extraction, which needs none. A document that was sent ahead waits for
 * it, but not in a second try: then it has the slot of its first one, where that came to a heartbeat, or it is lost.
 */
async function slotFor(
  world: World,
  { batchId }: Question,
  { document, isAhead }: AskInput,
): Promise<HeldSlot | undefined | 'none'> {
  if (batchId === NO_BATCH || 'text' in document) return undefined;
  const { info, cancellationSignal: signal } = Context.current();
  const shard = info.workflowExecution?.workflowId ?? '';
  if (isAhead !== true || info.heartbeatDetails !== undefined) return world.slots.hold(shard);
  if (info.attempt > 1) return 'none';
  return (await world.slots.waitFor(shard, { seq: document.seq, signal })) ?? 'none';
}

async function askInSlot(
  world: World,
  input: AskInput,
  question: Question,
  { slot, tries }: { readonly slot: HeldSlot | undefined; readonly tries: Tries },
): Promise<Exclude<AskResult, { readonly status: 'no_slot' }>> {
  // Time has passed where it had to be waited for.
  if (input.isAhead === true && !isOn(await world.batch(question.batchId), input)) {
    return { status: 'held', ledger: untold(input, tries) };
  }
  const turns = await turnsOf(world, question, input);
  const { ask: how, spent } = input;
  const { settings, schema, schemaName, text } = question;
  const { systemPrompt, budget } = settings;
  const { provider } = input.route ?? settings;
  const wanted = await wantedFields(world, question, input);
  const { jsonSchema, judgeOptions } = onTheWire(how.mode, wanted?.jsonSchema ?? schema.jsonSchema, settings);
  const messages = composeMessages({
    ...(systemPrompt === undefined ? {} : { systemPrompt }),
    schema: { name: schemaName, jsonSchema },
    mode: how.mode,
    text,
    turns,
    reframe: how.reframe ?? false,
    request: wanted?.request,
    hints: how.hints,
  });
  const { prices } = world.provider(provider);
  const asked = { ...settings, ...input.route };
  const { longestAnswerTokens } = spent;
  const costOf = (answerTokens: number) => estimateOf({ messages, answerTokens, settings: asked, prices });
  if (exceedsBudget(budget, spent, costOf(longestAnswerTokens))) return { status: 'over_budget' };
  const reservation = await reserve(world, question, (mean) => costOf(Math.max(mean, longestAnswerTokens)));
  if (reservation === 'not covered') {
    return { status: 'held', ledger: untold(input, tries), budget: question.batchBudget ?? {} };
  }
  let usage: Usage | undefined;
  try {
    const wire = { messages, jsonSchema, judgeOptions, wanted, slot, tries };
    const { stored, handedTo } = await askNow(world, input, question, wire);
    ({ usage } = stored);
    return { ...resultOf(stored), ...(handedTo === undefined ? {} : { handedTo }) };
  } finally {
    reservation?.settle(usage);
  }
}

/** Sets aside what a call will cost its batch, where that has a budget. */
async function reserve(
  { spending }: World,
  { batchId, batchBudget }: Question,
  estimate: Parameters<World['spending']['reserve']>[2],
): Promise<Reservation | undefined | 'not covered'> {
  if (batchBudget === undefined) return undefined;
  return (await spending.reserve(batchId, batchBudget, estimate)) ?? 'not covered';
}

/** Makes the call, judges its answer and writes it down. With a right one, the slot is needed no more. */
async function askNow(
  world: World,
  input: AskInput,
  question: Question,
  {
    messages,
    jsonSchema,
    judgeOptions,
    wanted,
    slot,
    tries,
  }: {
    readonly messages: readonly PromptMessage[];
    readonly jsonSchema: JsonObject;
    readonly judgeOptions: JudgeOptions;
    readonly wanted: WantedFields | undefined;
    readonly slot: HeldSlot | undefined;
    readonly tries: Tries;
  },
): Promise<{ readonly stored: StoredAttempt; readonly handedTo: number | undefined }> {
  const { ask: how } = input;
  const { settings, schema, schemaName } = question;
  const { provider, model } = input.route ?? settings;
  const { reply, ledger, requestId, askedAt, latencyMs } = await callModel({
    provider: world.provider(provider),
    place: placeOf(input),
    attempt: how.attempt,
    tries,
    retry: settings.retry,
    isSoftlyCancelled: question.batchId !== NO_BATCH,
    watch: world.gates.watch(provider),
    metrics: world.metrics,
    failsOnOutage: settings.gate?.onOutage === 'fail',
    onModeRefused(about) {
      // What is wrong with a schema of some fields says nothing of the whole.
      if (about === 'schema' && wanted !== undefined) return;
      const route = { provider, model };
      world.refusedModes.add({ route, mode: how.mode, jsonSchema: schema.jsonSchema }, about);
    },
    request: {
      model,
      mode: how.mode,
      timeoutMs: settings.timeoutMs,
      schema: { name: schemaName, jsonSchema },
      messages,
      ...(how.maxOutputTokens === undefined ? {} : { maxOutputTokens: how.maxOutputTokens }),
    },
  });
  const verdict =
    wanted === undefined
      ? judge(reply, schema, judgeOptions)
      : judgeFields(reply, schema, judgeOptions, wanted.answer);
  const handOn = (): number | undefined => (verdict.status === 'accepted' ? slot?.handOn() : undefined);
  const handedAtOnce = handOn();
  const recorded = await record(world, {
    batchId: question.batchId,
    documentId: question.documentId,
    round: input.round,
    attempt: how.attempt,
    kind: 'asked',
    verdict,
    answer: reply.text,
    finish: reply.finish,
    requestId,
    schemaName,
    provider,
    model,
    mode: how.mode,
    ask: askedOf(how),
    usage: usageOf({ provider: world.provider(provider), model, reply, ledger }),
    failures: ledger.failures,
    interrupted: ledger.interrupted,
    latencyMs,
    askedAt,
  });
  tell(world, recorded);
  return { stored: recorded, handedTo: handedAtOnce ?? handOn() };
}

/** The schema as it is sent, and how an answer in it is judged. Only `json_schema` is strict: a tool's parameters are not. */
function onTheWire(
  mode: ResolvedMode,
  jsonSchema: JsonObject,
  { coerce }: PreparedExtraction,
): { readonly jsonSchema: JsonObject; readonly judgeOptions: JudgeOptions } {
  const strict = mode === 'json_schema' ? compileStrict(jsonSchema) : undefined;
  if (strict?.status !== 'compiled') return { jsonSchema, judgeOptions: { coerce } };
  return { jsonSchema: strict.schema, judgeOptions: { coerce, mapBack: strict.mapBack } };
}

/** A question for some fields only. */
interface WantedFields {
  readonly jsonSchema: JsonObject;
  readonly request: string;
  readonly answer: FieldsAnswer;
}

/** What is asked for where it is not the whole record; undefined also where a part is empty, or cannot stand alone: then the whole is. */
async function wantedFields(
  world: World,
  { batchId, documentId, schema }: Question,
  { ask: { fields, part, isRest, attempt, mode }, round, last }: AskInput,
): Promise<WantedFields | undefined> {
  if (fields === undefined && part === undefined) return undefined;
  const before =
    batchId === NO_BATCH ? last : await lastOfBatch(world, { batchId, documentId, round, attempt });
  const paths = fields ?? (part === undefined ? [] : partOfRecord(schema, part));
  const schemaOf = mode === 'json_schema' ? strictFieldsSchema : fieldsSchema;
  const jsonSchema = paths.length === 0 ? undefined : schemaOf(schema, paths);
  if (jsonSchema === undefined) return undefined;
  const isFirstPart = part?.number === 1;
  const given = isFirstPart ? {} : (before?.record ?? {});
  const isIncomplete = part !== undefined && part.number < part.of;
  const request =
    part === undefined && isRest === undefined && before !== undefined
      ? fieldsMessage(before.problem, paths)
      : partMessage(paths);
  return { jsonSchema, request, answer: { fields: paths, record: given, isIncomplete } };
}

async function lastOfBatch(world: World, key: AttemptKey): Promise<AskInput['last']> {
  const verdict = (await world.store.attempts.before(key)).at(-1)?.verdict;
  if (verdict?.status !== 'rejected' || verdict.record === undefined) return undefined;
  return { record: verdict.record, problem: verdict.problem };
}

async function open(world: World, input: AskInput): Promise<Question | 'held'> {
  const { document, settings, round } = input;
  const { attempt } = input.ask;
  if (settings === undefined) return openOfBatch(world, input);
  const text = 'text' in document ? document.text : await world.store.documents.textOf(document);
  const schema = world.schemas.compile(settings.schema);
  const key = { batchId: NO_BATCH, documentId: document.id, round, attempt };
  // Only a second try of the activity can find an answer.
  const isFirstTry = Context.current().info.attempt === 1;
  const recorded = isFirstTry ? undefined : await world.store.attempts.read(key);
  const schemaName = settings.schema.name;
  return { ...key, text, settings, batchBudget: undefined, schema, schemaName, recorded };
}

async function openOfBatch(world: World, input: AskInput): Promise<Question | 'held'> {
  const { document, round } = input;
  const { attempt } = input.ask;
  if ('text' in document) throw new Error('Expected the settings of a single extraction, got none.');
  const { batch: batchId, seq } = document;
  const batch = await world.batch(batchId);
  if (!isOn(batch, input) || batch.prepared === null) return 'held';
  const { settings, schemaHash } = batch.prepared;
  const stored = await world.store.documents.read({ batchId, seq, round, attempt });
  const { name, jsonSchema } = await world.schemas.stored(stored.schemaHash ?? schemaHash);
  const schema = world.schemas.compile({ name, jsonSchema });
  const { id: documentId, text, recorded } = stored;
  const batchBudget = batch.budget ?? undefined;
  return { batchId, documentId, text, settings, batchBudget, schema, schemaName: name, recorded };
}

function isOn({ state, round }: StoredBatch, input: AskInput): boolean {
  return state === 'running' && round === input.round;
}

/**
 * The answer is paid for: a store that is away for a moment is waited for, as long as the call's own time allows.
 */
async function record(world: World, attempt: StoredAttempt): Promise<StoredAttempt> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await world.store.attempts.record(attempt);
    } catch (error) {
      if (tries === RECORD_TRIES) throw error;
      await sleep(RECORD_DELAY_MS * 2 ** tries);
    }
  }
}

/** Tells those who watch the worker: ids, names and numbers. */
function tell({ metrics }: World, judged: StoredAttempt): void {
  const { batchId, documentId, provider, model, mode, schemaName: schema, verdict } = judged;
  const { requestId, latencyMs } = judged;
  metrics.judged({ provider, model, schema, mode, verdict });
  log.info('an answer was judged', {
    documentId,
    ...(batchId === NO_BATCH ? {} : { batch: batchId }),
    requestId,
    provider,
    model,
    mode,
    schema,
    verdict: verdict.status,
    ...(verdict.status === 'accepted' ? {} : { problem: verdict.problem.type }),
    latencyMs: Math.round(latencyMs),
  });
}

/** What the model is shown of earlier attempts. */
async function turnsOf(world: World, question: Question, input: AskInput): Promise<readonly Turn[]> {
  const turns = await carriedTurns(world, question, input);
  if (input.ask.excerpt === undefined) return turns;
  return turns.map((turn) => ({ ...turn, answer: excerptOf(turn.answer) }));
}

/** Both ends of an answer; the problem that is told tells where between them it lies. */
function excerptOf(answer: string): string {
  if (answer.length <= 3 * EXCERPT_CHARS) return answer;
  return `${answer.slice(0, EXCERPT_CHARS)}\n…\n${answer.slice(-EXCERPT_CHARS)}`;
}

async function carriedTurns(
  world: World,
  { batchId, documentId }: Question,
  { ask: { carry, attempt }, round, turns }: AskInput,
): Promise<readonly Turn[]> {
  if (carry === 'nothing' || attempt === 1) return [];
  if (batchId === NO_BATCH) return turns;
  const earlier = await world.store.attempts.before({ batchId, documentId, round, attempt });
  const carried = carry === 'last-turn' ? earlier.slice(-1) : earlier;
  return carried.flatMap((stored) =>
    stored.verdict.status === 'accepted'
      ? []
      : [
          {
            attempt: stored.attempt,
            answer: shownAnswer(stored),
            feedback: feedbackMessage(stored.verdict.problem),
          },
        ],
  );
}

/** An answer as the model is shown it again: the whole record where it had given a part of it. */
function shownAnswer({ ask: asked, verdict, answer }: StoredAttempt): string {
  const isPart = asked?.fields !== undefined || asked?.part !== undefined;
  const whole = verdict.status === 'rejected' ? verdict.record : undefined;
  return shortened(isPart && whole !== undefined ? JSON.stringify(whole) : answer);
}

function resultOf(stored: StoredAttempt): Judged {
  const { batchId, verdict, usage, failures, interrupted } = stored;
  const latencyMs = Math.round(stored.latencyMs);
  const ledger = { failures, interrupted };
  if (batchId === NO_BATCH) {
    const needed = verdict.status === 'rejected' ? shownAnswer(stored) : '';
    return { status: 'judged', verdict: boundedVerdict(verdict), answer: needed, usage, ledger, latencyMs };
  }
  const small = smallVerdict(verdict);
  return { status: 'judged', verdict: small, answer: '', usage, ledger, latencyMs };
}

/** A record of a runaway answer is not worth a history's space: the whole is asked for then. */
function boundedVerdict(verdict: Verdict): Verdict {
  if (verdict.status === 'accepted' || verdict.record === undefined) return verdict;
  if (JSON.stringify(verdict.record).length <= MAX_ANSWER_CHARS) return verdict;
  const { record: _record, fields: _fields, parts: _parts, rest: _rest, ...bounded } = verdict;
  return bounded;
}

/** Without the data, which stays in the store. */
function smallVerdict(verdict: Verdict): Verdict {
  if (verdict.status === 'accepted') return { status: 'accepted', data: null, repairs: [] };
  const { record: _record, ...small } = verdict;
  return small;
}

function shortened(answer: string): string {
  return answer.slice(0, MAX_ANSWER_CHARS);
}

/** What names this conversation in the provider's log. */
function placeOf({ document, settings }: AskInput): string {
  return settings === undefined && 'seq' in document
    ? `batch/${document.batch}/document/${document.seq}`
    : (Context.current().info.workflowExecution?.workflowId ?? document.id);
}
