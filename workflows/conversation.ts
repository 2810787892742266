/**
 * The loop all extractions share: ask → verdict → feedback → next strategy.
 *
 * Decisions are taken on recorded verdicts, so that replay depends on no schema library.
 */
import {
  ActivityFailure,
  ApplicationFailure,
  TimeoutFailure,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
} from '@temporalio/workflow';
import type { ModelActivities } from '../activities/index.ts';
import type { AskResult } from '../activities/ask.ts';
import type { CallLedger } from '../activities/call-model.ts';
import type { PreparedCall, PreparedExtraction } from '../activities/prepare.ts';
import { providerTaskQueue } from '../src/core/contract.ts';
import type {
  ConversationState,
  Outcome,
  OutcomeError,
  ProviderFailure,
  ProviderFailureType,
  RejectedAnswer,
  StopReason,
  Turn,
} from '../src/core/contract.ts';
import { PROVIDER_FAILURE_TYPES } from '../src/core/contract.ts';
import { feedbackMessage } from '../src/core/feedback.ts';
import { nextStep } from '../src/core/strategy.ts';
import type { Ask, RejectedAnswerRecord } from '../src/core/strategy.ts';
import { NO_USAGE, addUsage } from '../src/core/usage.ts';
import { exceedsBudget } from './budget.ts';

/** How soon a call whose worker was lost is made again. */
const HEARTBEAT_TIMEOUT_MS = 10_000;
/** Beyond the call's own timeout: time to judge. */
const JUDGING_MS = 30_000;
/** Lost workers cost no provider retry, but a document that kills every worker must end some time. */
const WORKER_LOSSES = 10;

/** Model calls of one prepared conversation, on its provider's task queue, with its retry policy. */
export function modelActivitiesFor(
  { provider, retry, timeoutMs }: PreparedCall,
  summary: string,
): ModelActivities {
  return proxyActivities<ModelActivities>({
    taskQueue: providerTaskQueue(provider),
    startToCloseTimeout: timeoutMs + JUDGING_MS,
    heartbeatTimeout: HEARTBEAT_TIMEOUT_MS,
    summary,
    retry: {
      initialInterval: Math.max(1, retry.baseDelayMs),
      maximumInterval: Math.max(1, retry.baseDelayMs, retry.maxDelayMs),
      backoffCoefficient: retry.exponentialBase,
      maximumAttempts: 1 + retry.maxProviderRetries + WORKER_LOSSES,
    },
  });
}

/** The conversation about one document. Mutable on purpose: it is the workflow's state, which queries read. */
export interface Conversation {
  readonly text: string;
  readonly prepared: PreparedExtraction;
  readonly turns: Turn[];
  readonly rejected: RejectedAnswerRecord[];
  readonly errors: OutcomeError[];
  usage: typeof NO_USAGE;
  /** Set once, at the end. */
  outcome?: Outcome;
}

/** A conversation in which nothing has been said yet. */
export function openConversation(text: string, prepared: PreparedExtraction): Conversation {
  return { text, prepared, turns: [], rejected: [], errors: [], usage: NO_USAGE };
}

/** What the query `conversation` shows. */
export function stateOf({
  prepared,
  turns,
  errors,
  usage,
  rejected,
  outcome,
}: Conversation): ConversationState {
  const { retry, strategy, provider, model } = prepared;
  return {
    status: outcome === undefined ? 'asking' : 'done',
    attempt: Math.max(1, outcome?.attempts ?? rejected.length + 1),
    maxAttempts: retry.maxAttempts,
    strategy,
    model: `${provider}/${model}`,
    turns: [...turns],
    errors: [...errors],
    usage,
  };
}

/** Asks until an answer is accepted or the strategy gives up. Provider failures are waited out below, by Temporal. */
export async function converse(conversation: Conversation): Promise<Outcome> {
  const { prepared, rejected } = conversation;
  for (;;) {
    const step = nextStep(prepared, rejected);
    if (step.kind === 'stop') return giveUp(conversation, step.reason, step.why);
    if (exceedsBudget(conversation)) {
      return giveUp(conversation, 'budget', 'the next call would exceed the budget');
    }
    show(conversation, step.ask.why);
    const result = await askOnce(conversation, step.ask);
    if ('stopped' in result) return giveUp(conversation, result.stopped, result.message);
    const { verdict } = result;
    if (verdict.status === 'accepted') {
      return finish(conversation, {
        success: true,
        data: verdict.data,
        repairs: verdict.repairs,
        stopped: null,
      });
    }
    reject(conversation, step.ask, result, { attempt: step.ask.attempt, ...verdict.problem });
  }
}

async function askOnce(
  conversation: Conversation,
  { attempt, mode, carry, reframe, maxOutputTokens, why }: Ask,
): Promise<AskResult | { readonly stopped: ProviderFailureType; readonly message: string }> {
  const { prepared, text, turns } = conversation;
  const { schema, systemPrompt, provider, model, coerce, retry, timeoutMs } = prepared;
  try {
    const result = await modelActivitiesFor(prepared, why).ask({
      attempt,
      text,
      schema,
      ...(systemPrompt === undefined ? {} : { systemPrompt }),
      provider,
      model,
      mode,
      coerce,
      turns: carry === 'all-turns' ? turns : [],
      reframe: reframe ?? false,
      ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
      retry,
      timeoutMs,
    });
    conversation.errors.push(...result.ledger.failures);
    conversation.usage = addUsage(conversation.usage, result.usage);
    return result;
  } catch (error) {
    const failed = providerFailureOf(error, attempt);
    conversation.errors.push(...failed.ledger.failures);
    const calls = failed.ledger.failures.length + failed.ledger.interrupted;
    conversation.usage = addUsage(conversation.usage, { ...NO_USAGE, calls });
    return { stopped: failed.type, message: failed.message };
  }
}

/** A provider failure whose retries are used up is an expected end. Anything else, a cancellation too, is thrown on. */
export function providerFailureOf(
  error: unknown,
  attempt: number,
): { readonly type: ProviderFailureType; readonly message: string; readonly ledger: CallLedger } {
  if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
  const { cause } = error;
  if (cause instanceof TimeoutFailure) {
    const message = 'the call was lost again and again: its workers ended, or it took too long';
    const failure: ProviderFailure = { attempt, type: 'timeout', message, delayMs: null };
    return { type: 'timeout', message, ledger: { failures: [failure], interrupted: WORKER_LOSSES } };
  }
  const type = PROVIDER_FAILURE_TYPES.find(
    (known) => cause instanceof ApplicationFailure && cause.type === known,
  );
  if (type === undefined || !(cause instanceof ApplicationFailure)) throw cause ?? error;
  return { type, message: cause.message, ledger: cause.details?.[0] as CallLedger };
}

function reject(
  conversation: Conversation,
  ask: Ask,
  { answer, usage }: AskResult,
  problem: RejectedAnswer,
): void {
  conversation.errors.push(problem);
  conversation.rejected.push({
    attempt: ask.attempt,
    problem,
    completionTokens: usage.completionTokens,
    ...(ask.maxOutputTokens === undefined ? {} : { maxOutputTokens: ask.maxOutputTokens }),
  });
  conversation.turns.push({ attempt: ask.attempt, answer, feedback: feedbackMessage(problem) });
}

function giveUp(conversation: Conversation, stopped: StopReason, why: string): Outcome {
  const outcome = finish(conversation, { success: false, data: null, repairs: [], stopped });
  show(conversation, `Gave up (${stopped}): ${why}`);
  return outcome;
}

function finish(
  conversation: Conversation,
  ending: Pick<Outcome, 'success' | 'data' | 'repairs' | 'stopped'>,
): Outcome {
  const { rejected, errors, usage, prepared } = conversation;
  const outcome: Outcome = {
    ...ending,
    attempts: rejected.length + (ending.success ? 1 : 0),
    errors: [...errors],
    usage,
    model: `${prepared.provider}/${prepared.model}`,
    simulated: prepared.simulated,
  };
  conversation.outcome = outcome;
  if (ending.success)
    show(
      conversation,
      `Accepted after ${outcome.attempts} of at most ${prepared.retry.maxAttempts} attempts`,
    );
  return outcome;
}

/** What a person reads in the Web UI. Field names and messages only: values can be personal data. */
function show({ prepared, rejected }: Conversation, headline: string): void {
  const lines = rejected.flatMap(({ attempt, problem }) => [
    `- attempt ${attempt}: ${problem.type}`,
    ...problem.details.map(({ path, message }) => `    - \`${path || '(answer)'}\`: ${message}`),
  ]);
  const simulated = prepared.simulated ? ' · simulated provider' : '';
  setCurrentDetails(
    [
      `**${headline}**`,
      `${prepared.strategy} · ${prepared.provider}/${prepared.model}${simulated}`,
      ...lines,
    ].join('\n\n'),
  );
}
