import { defaultPayloadConverter } from '@temporalio/common';
import type { WorkflowHandle } from '@temporalio/client';
import { batchWorkflowId } from '../../core/batch-contract.ts';
import { NO_BATCH, extractWorkflowId } from '../../core/contract.ts';
import type { ExtractInput, Problem } from '../../core/contract.ts';
import { feedbackMessage, fieldsMessage, partMessage } from '../../core/feedback.ts';
import { markProblems } from '../../core/mark-problems.ts';
import type { MarkedPiece } from '../../core/mark-problems.ts';
import type { StoredAttempt } from '../../store/attempts.ts';
import type { StoredEnd } from '../../store/conversations.ts';
import type { DashboardContext } from '../context.ts';
import type { DocumentTextData, ExtractionData, ShownAttempt, ShownOutcome } from '../data.ts';
import { requireParameter } from '../parameters.ts';
import { NotFoundError } from '../request-errors.ts';

/** Characters of an answer that are sent, unless all of it is asked for. */
const ANSWER_SHOWN = 10_000;

/** `?batch=&id=`, `batch` only where it has one; `&full=1/2`: the answer of round 1, attempt 2 is given uncut. */
export async function extractionView(
  { store, temporal }: DashboardContext,
  parameters: URLSearchParams,
): Promise<ExtractionData> {
  const id = requireParameter(parameters, 'id');
  const batchId = parameters.get('batch') ?? NO_BATCH;
  const full = parameters.get('full');
  const found = await store.conversations.read({ batch: batchId, document: id });
  if (found === undefined && (await store.documents.textById(batchId, id)) === undefined)
    throw noSuchExtraction(batchId, id);
  const { outcome, turns: attempts } = found ?? { outcome: null, turns: [] };
  return {
    batch: batchId === NO_BATCH ? null : batchId,
    id,
    schema: outcome?.schema ?? attempts.at(-1)?.schemaName ?? null,
    strategy: outcome?.strategy ?? null,
    outcome: outcome === null ? null : shownOutcome(outcome),
    attempts: attempts.map((attempt, index) => shownAttempt(attempt, attempts[index + 1], full)),
    webUi: temporal.webUiOf(batchId === NO_BATCH ? extractWorkflowId(id) : batchWorkflowId(batchId)),
  };
}

/** `?batch=&id=`: a batch's document is in the store, that of a single extraction in its workflow's input. */
export async function documentTextView(
  { store, temporal }: DashboardContext,
  parameters: URLSearchParams,
): Promise<DocumentTextData> {
  const id = requireParameter(parameters, 'id');
  const batchId = parameters.get('batch') || NO_BATCH;
  const text =
    batchId === NO_BATCH
      ? await temporal.act(({ client }) => inputText(client.workflow.getHandle(extractWorkflowId(id))))
      : await store.documents.textById(batchId, id);
  if (text === undefined) throw noSuchExtraction(batchId, id);
  return { text };
}

/** The text in an extraction's input; undefined where it is not there. */
export async function inputText(workflow: WorkflowHandle): Promise<string | undefined> {
  const { events } = await workflow.fetchHistory();
  const [payload] = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  if (!payload) return undefined;
  const { document } = defaultPayloadConverter.fromPayload<ExtractInput>(payload);
  return 'text' in document ? document.text : undefined;
}

function noSuchExtraction(batchId: string, id: string): NotFoundError {
  const where = batchId === NO_BATCH ? 'among those without a batch' : `in the batch '${batchId}'`;
  return new NotFoundError(`There is no extraction '${id}' ${where}, or none of its answers has come yet.`);
}

function shownOutcome(outcome: StoredEnd): ShownOutcome {
  const { success, stopped, data, correction, errors, usage, model, simulated, finishedAt } = outcome;
  return { success, stopped, data, correction, errors, usage, model, simulated, finishedAt };
}

function shownAttempt(
  stored: StoredAttempt,
  next: StoredAttempt | undefined,
  full: string | null,
): ShownAttempt {
  const { round, attempt, kind, provider, model, ask, mode, askedAt, latencyMs, usage, verdict } = stored;
  const problem = verdict.status === 'rejected' ? verdict.problem : null;
  const isFull = full === `${round}/${attempt}`;
  const pieces =
    problem === null ? [{ text: stored.answer, problems: [] }] : markProblems(stored.answer, problem);
  const answer = isFull ? pieces : cutTo(pieces, ANSWER_SHOWN);
  const isFollowed = next !== undefined && next.round === round && next.kind === 'asked';
  return {
    round,
    attempt,
    kind,
    model: `${provider}/${model}`,
    ask,
    mode,
    askedAt,
    latencyMs,
    usage,
    problem,
    failures: stored.failures,
    interrupted: stored.interrupted,
    repairs: verdict.status === 'accepted' ? verdict.repairs : [],
    answer,
    answerLength: stored.answer.length,
    isCut: !isFull && stored.answer.length > ANSWER_SHOWN,
    feedback: problem === null || !isFollowed ? null : feedbackOf(problem, next),
  };
}

/** What the next attempt was asked with: as `ask` composes it. */
function feedbackOf(problem: Problem, { ask }: StoredAttempt): string {
  if (ask?.part !== undefined) return partMessage(ask.fields ?? []);
  return ask?.fields === undefined ? feedbackMessage(problem) : fieldsMessage(problem, ask.fields);
}

function cutTo(pieces: readonly MarkedPiece[], length: number): readonly MarkedPiece[] {
  const cut: MarkedPiece[] = [];
  let left = length;
  for (const { text, problems } of pieces) {
    if (left <= 0) break;
    cut.push({ text: text.slice(0, left), problems });
    left -= text.length;
  }
  return cut;
}
