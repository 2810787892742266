/**
 * The loop all extractions share: ask → verdict → feedback → next strategy.
 *
 * Decisions are taken on recorded verdicts, so that replay depends on no schema library.
 */
import { ActivityFailure, ApplicationFailure, TimeoutFailure, isCancellation } from '@temporalio/workflow';
import type { AskResult, Judged } from '../activities/ask.ts';
import type { CallLedger } from '../activities/call-model.ts';
import { PROVIDER_FAILURE_TYPES } from '../src/core/contract.ts';
import type {
  ConversationState,
  Outcome,
  OutcomeError,
  ProviderFailure,
  ProviderFailureType,
  RejectedAnswer,
  StopReason,
  Turn,
  Usage,
} from '../src/core/contract.ts';
import { feedbackMessage } from '../src/core/feedback.ts';
import type { PreparedExtraction } from '../src/core/prepared.ts';
import { nextStep } from '../src/core/strategy.ts';
import type { Ask, RejectedAnswerRecord } from '../src/core/strategy.ts';
import { NO_USAGE, addUsage } from '../src/core/usage.ts';
import { WORKER_LOSSES } from './model-activities.ts';

/** The conversation about one document. Mutable on purpose: it is the workflow's state, which queries read. */
export interface Conversation {
  readonly prepared: PreparedExtraction;
  readonly turns: Turn[];
  readonly rejected: RejectedAnswerRecord[];
  readonly errors: OutcomeError[];
  usage: Usage;
  /** Of `usage.calls`, those of attempts that got no answer. */
  unansweredCalls: number;
  /** Set once, at the end. */
  outcome?: Outcome;
}

/** What a conversation needs of the workflow it is held in. */
export interface Surroundings {
  /** Makes one attempt. Provider failures are waited out below, by Temporal. */
  ask(conversation: Conversation, how: Ask): Promise<AskResult>;
  /** Tells a person how it goes. */
  show(conversation: Conversation, headline: string): void;
}

/** A conversation in which nothing has been said yet. */
export function openConversation(prepared: PreparedExtraction): Conversation {
  return { prepared, turns: [], rejected: [], errors: [], usage: NO_USAGE, unansweredCalls: 0 };
}

/** What the query `conversation` shows. */
export function stateOf(conversation: Conversation): ConversationState {
  const { prepared, turns, errors, usage, rejected, outcome } = conversation;
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

/** Asks until an answer is accepted or the strategy gives up. */
export async function converse(conversation: Conversation, surroundings: Surroundings): Promise<Outcome> {
  const { prepared, rejected } = conversation;
  for (;;) {
    const step = nextStep(prepared, rejected);
    if (step.kind === 'stop') return giveUp(conversation, surroundings, step.reason, step.why);
    surroundings.show(conversation, step.ask.why);
    const result = await askOnce(conversation, surroundings, step.ask);
    if ('stopped' in result) return giveUp(conversation, surroundings, result.stopped, result.message);
    const { verdict } = result;
    if (verdict.status === 'accepted') {
      const { data, repairs } = verdict;
      const outcome = finish(conversation, { success: true, data, repairs, stopped: null });
      const { maxAttempts } = prepared.retry;
      surroundings.show(
        conversation,
        `Accepted after ${outcome.attempts} of at most ${maxAttempts} attempts`,
      );
      return outcome;
    }
    reject(conversation, step.ask, result, { attempt: step.ask.attempt, ...verdict.problem });
  }
}

/** An end that no answer brought about. */
interface Stop {
  readonly stopped: StopReason;
  readonly message: string;
}

async function askOnce(
  conversation: Conversation,
  surroundings: Surroundings,
  how: Ask,
): Promise<Judged | Stop> {
  for (;;) {
    let result: AskResult;
    try {
      result = await surroundings.ask(conversation, how);
    } catch (error) {
      const failed = providerFailureOf(error, how.attempt);
      countUnanswered(conversation, failed.ledger);
      return { stopped: failed.type, message: failed.message };
    }
    switch (result.status) {
      case 'judged':
        conversation.errors.push(...result.ledger.failures);
        conversation.usage = addUsage(conversation.usage, result.usage);
        return result;
      case 'over_budget':
        return { stopped: 'budget', message: 'the next call would exceed the budget' };
      case 'held':
        countUnanswered(conversation, result.ledger);
    }
  }
}

function countUnanswered(conversation: Conversation, { failures, interrupted }: CallLedger): void {
  const calls = failures.length + interrupted;
  conversation.errors.push(...failures);
  conversation.usage = addUsage(conversation.usage, { ...NO_USAGE, calls });
  conversation.unansweredCalls += calls;
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
  { answer, usage }: Judged,
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

function giveUp(
  conversation: Conversation,
  surroundings: Surroundings,
  stopped: StopReason,
  why: string,
): Outcome {
  const outcome = finish(conversation, { success: false, data: null, repairs: [], stopped });
  surroundings.show(conversation, `Gave up (${stopped}): ${why}`);
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
  return outcome;
}
