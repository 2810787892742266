/**
 * The loop all extractions share: ask → verdict → feedback → next strategy.
 *
 * Decisions are taken on recorded verdicts, so that replay depends on no schema library.
 */
import type { AskResult, Judged } from '../activities/ask.ts';
import type { CallLedger } from '../activities/call-model.ts';
import type {
  ConversationState,
  Outcome,
  OutcomeError,
  RejectedAnswer,
  StopReason,
  Turn,
  Usage,
} from '../src/core/contract.ts';
import { feedbackMessage } from '../src/core/feedback.ts';
import type { PreparedExtraction, Route } from '../src/core/prepared.ts';
import { nextStep } from '../src/core/strategy.ts';
import type { Ask, RejectedAnswerRecord } from '../src/core/strategy.ts';
import { NO_USAGE, addUsage } from '../src/core/usage.ts';
import { callThroughGate } from './through-gate.ts';
import type { CallPlan } from './through-gate.ts';

/** The conversation about one document. Mutable on purpose: it is the workflow's state, which queries read. */
export interface Conversation {
  readonly prepared: PreparedExtraction;
  readonly turns: Turn[];
  readonly rejected: RejectedAnswerRecord[];
  readonly errors: OutcomeError[];
  usage: Usage;
  /** Of `usage.calls`, those of attempts that got no answer. */
  unansweredCalls: number;
  /** Whom the last answer came from. */
  route: Route;
  /** Epoch milliseconds. */
  readonly deadlineAt: number | undefined;
  /** Set once, at the end. */
  outcome?: Outcome;
}

/** What a conversation needs of the workflow it is held in. */
export interface Surroundings {
  /** Makes one attempt. Provider failures are waited out below, by Temporal. */
  ask(conversation: Conversation, how: Ask, plan: CallPlan): Promise<AskResult>;
  /** Tells a person how it goes. */
  show(conversation: Conversation, headline: string): void;
}

/** A conversation in which nothing has been said yet. */
export function openConversation(prepared: PreparedExtraction): Conversation {
  const { deadlineMs, provider, model, simulated } = prepared;
  return {
    prepared,
    turns: [],
    rejected: [],
    errors: [],
    usage: NO_USAGE,
    unansweredCalls: 0,
    route: { provider, model, simulated },
    deadlineAt: deadlineMs === undefined ? undefined : Date.now() + deadlineMs,
  };
}

/** What the query `conversation` shows. */
export function stateOf(conversation: Conversation): ConversationState {
  const { prepared, turns, errors, usage, rejected, outcome, route } = conversation;
  const { retry, strategy } = prepared;
  return {
    status: outcome === undefined ? 'asking' : 'done',
    attempt: Math.max(1, outcome?.attempts ?? rejected.length + 1),
    maxAttempts: retry.maxAttempts,
    strategy,
    model: `${route.provider}/${route.model}`,
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
  const { prepared, deadlineAt } = conversation;
  for (;;) {
    const made = await callThroughGate({
      prepared,
      deadlineAt,
      attempt: how.attempt,
      call: (plan) => surroundings.ask(conversation, how, plan),
      countFailed: ({ ledger }) => countUnanswered(conversation, ledger),
    });
    if (made.kind === 'failed') {
      countUnanswered(conversation, made.failed.ledger);
      return { stopped: made.failed.type, message: made.failed.message };
    }
    if (made.kind === 'stopped') {
      const { stopped, message } = made;
      conversation.errors.push({ attempt: how.attempt, type: stopped, message, details: [] });
      return { stopped, message };
    }
    const { result, route } = made;
    switch (result.status) {
      case 'judged':
        conversation.route = route;
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
  const { rejected, errors, usage, route } = conversation;
  const outcome: Outcome = {
    ...ending,
    attempts: rejected.length + (ending.success ? 1 : 0),
    errors: [...errors],
    usage,
    model: `${route.provider}/${route.model}`,
    simulated: route.simulated,
  };
  conversation.outcome = outcome;
  return outcome;
}
