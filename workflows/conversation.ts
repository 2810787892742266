/**
 * The loop all extractions share: ask → verdict → feedback → next strategy.
 *
 * Decisions are taken on recorded verdicts, so that replay depends on no schema library.
 */
import type { AskResult, Judged } from '../activities/ask.ts';
import type { CallLedger } from '../activities/call-model.ts';
import type {
  Asked,
  ConversationState,
  Outcome,
  OutcomeError,
  Rejection,
  StopReason,
  Turn,
  Usage,
} from '../src/core/contract.ts';
import { feedbackMessage } from '../src/core/feedback.ts';
import type { PreparedExtraction, Route } from '../src/core/prepared.ts';
import type { Json } from '../src/core/json.ts';
import { askedOf, modeOfModel, nextStep } from '../src/core/strategy.ts';
import type { Ask, LearntStart, RefusedByProvider, RejectedAnswerRecord } from '../src/core/strategy.ts';
import { NO_USAGE, addUsage } from '../src/core/usage.ts';
import { validPart } from '../src/core/valid-part.ts';
import type { FailedCall } from './provider-failure.ts';
import { callThroughGate } from './through-gate.ts';
import type { CallPlan } from './through-gate.ts';

/** The conversation about one document. Mutable on purpose: it is the workflow's state, which queries read. */
export interface Conversation {
  readonly prepared: PreparedExtraction;
  readonly turns: Turn[];
  readonly rejected: RejectedAnswerRecord[];
  readonly errors: OutcomeError[];
  /** How each attempt was asked. */
  readonly asks: Asked[];
  /** What the answers have given so far, right or wrong. Of a document of a batch it is in the store. */
  record: Json | undefined;
  /** What the provider has refused to be asked. */
  refused: RefusedByProvider;
  readonly learnt: LearntStart | undefined;
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
export function openConversation(prepared: PreparedExtraction, learnt?: LearntStart): Conversation {
  const { deadlineMs, provider, model, simulated } = prepared;
  return {
    prepared,
    turns: [],
    rejected: [],
    errors: [],
    asks: [],
    record: undefined,
    refused: { modes: [] },
    learnt,
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
  const { prepared, rejected, learnt } = conversation;
  for (;;) {
    const step = nextStep({ ...prepared, learnt, refused: conversation.refused }, rejected);
    if (step.kind === 'stop') return giveUp(conversation, surroundings, step.reason, step.why);
    surroundings.show(conversation, step.ask.why);
    const result = await askOnce(conversation, surroundings, step.ask);
    if (result === 'refused') continue;
    if ('stopped' in result) return giveUp(conversation, surroundings, result.stopped, result.message);
    const { verdict } = result;
    conversation.asks.push(askedOf(step.ask));
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
    reject(conversation, step.ask, result, verdict);
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
): Promise<Judged | Stop | 'refused'> {
  const { deadlineAt } = conversation;
  const prepared = { ...conversation.prepared, ...how.route };
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
      if (canBeAskedOtherwise(conversation, prepared, how, made.failed)) return 'refused';
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
      case 'no_slot':
        countUnanswered(conversation, result.ledger);
    }
  }
}

/** Whether the provider refused not the question but its form, and so another one is worth a call. */
function canBeAskedOtherwise(
  conversation: Conversation,
  route: Route,
  { mode, maxOutputTokens }: Ask,
  { ledger }: FailedCall,
): boolean {
  const { refused } = conversation;
  const refuses = ledger.failures.at(-1)?.refuses;
  if (refuses === 'mode' && mode !== 'prompt') {
    conversation.refused = { ...refused, modes: [...refused.modes, modeOfModel(route, mode)] };
    return true;
  }
  if (refuses !== 'cap' || maxOutputTokens === undefined || refused.cap !== undefined) return false;
  conversation.refused = { ...refused, cap: maxOutputTokens };
  return true;
}

function countUnanswered(conversation: Conversation, { failures, interrupted }: CallLedger): void {
  const calls = failures.length + interrupted;
  conversation.errors.push(...failures);
  conversation.usage = addUsage(conversation.usage, { ...NO_USAGE, calls });
  conversation.unansweredCalls += calls;
}

function reject(conversation: Conversation, ask: Ask, { answer, usage }: Judged, verdict: Rejection): void {
  const { problem, record, fields, parts, rest } = verdict;
  const { attempt, why } = ask;
  if (problem.type !== 'incomplete') conversation.errors.push({ attempt, ...problem });
  if (record !== undefined) conversation.record = record;
  conversation.rejected.push({
    attempt,
    problem,
    completionTokens: usage.completionTokens,
    ask,
    ...(fields === undefined ? {} : { fields }),
    ...(parts === undefined ? {} : { parts }),
    ...(rest === undefined ? {} : { rest }),
  });
  conversation.turns.push({ attempt, answer, feedback: feedbackMessage(problem), why });
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
  const { rejected, errors, usage, route, asks } = conversation;
  const outcome: Outcome = {
    ...ending,
    partial: ending.success ? null : partialOf(conversation),
    asks: [...asks],
    correction: null,
    attempts: rejected.length + (ending.success ? 1 : 0),
    errors: [...errors],
    usage,
    model: `${route.provider}/${route.model}`,
    simulated: route.simulated,
  };
  conversation.outcome = outcome;
  return outcome;
}

/** What is valid of the last record. */
function partialOf({ record, rejected }: Conversation): Json | null {
  const problem = rejected.at(-1)?.problem;
  return record === undefined || problem === undefined ? null : validPart(record, problem);
}
