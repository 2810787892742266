/**
 * What follows a rejected answer: pure, so that it replays, and so that tests can walk through every case.
 */
import type {
  Problem,
  ProblemType,
  ResolvedMode,
  RetryConfig,
  StopReason,
  StrategyName,
} from './contract.ts';

/** What a strategy decides from, besides the history. It stays the same throughout a conversation. */
export interface StrategySettings {
  readonly strategy: StrategyName;
  readonly retry: RetryConfig;
  /** The mode of the first attempt. */
  readonly mode: ResolvedMode;
  /** Modes that hold the model more tightly than `mode` and that schema and provider take, the next one first. */
  readonly stricterModes?: readonly ResolvedMode[];
}

/** What a strategy needs to know of a rejected answer. */
export interface RejectedAnswerRecord {
  readonly attempt: number;
  readonly problem: Problem;
  readonly completionTokens: number;
  /** The cap under which it was given, where there was one. */
  readonly maxOutputTokens?: number;
}

/** How the next attempt is made. */
export interface Ask {
  readonly attempt: number;
  readonly mode: ResolvedMode;
  /** Which bad answers, each followed by its feedback, the model is shown. */
  readonly carry: 'nothing' | 'all-turns';
  readonly maxOutputTokens?: number;
  /** Whether a further user message says that this is extraction from a supplied document. */
  readonly reframe?: true;
  /** One line for the Web UI: `attempt 2 of 3: 2 fields were wrong`. */
  readonly why: string;
}

/** The decision: ask (again), or give up. */
export type Step =
  | { readonly kind: 'ask'; readonly ask: Ask }
  | { readonly kind: 'stop'; readonly reason: StopReason; readonly why: string };

/** A cap below this cannot hold most records, so a truncated answer is never asked for again under less. */
const MIN_RAISED_OUTPUT_TOKENS = 1_024;
const JSON_ERRORS_BEFORE_STRICTER_MODE = 2;
const REFUSALS_BEFORE_STOP = 2;
const SAME_PROBLEMS_BEFORE_STOP = 3;

const DESCRIPTIONS: Readonly<Record<Exclude<ProblemType, 'validation_error'>, string>> = {
  json_error: 'the answer was not valid JSON',
  truncated: 'the answer was cut off',
  refused: 'the model refused',
  content_filter: 'a content filter withheld the answer',
  empty: 'the answer was empty',
};

/**
 * Decides the next step from the answers rejected so far.
 *
 * | last problem | basic | feedback | adaptive |
 * |---|---|---|---|
 * | `validation_error` | the same again | bad answers and feedback are appended | as feedback; `futile` after the same problems three times in a row |
 * | `json_error` | the same again | appended | as feedback; a stricter mode after every second one |
 * | `empty` | the same again | appended | as feedback |
 * | `truncated` | the same again | appended | at least twice the tokens it got, and nothing appended |
 * | `refused` | the same again | appended | once more, reframed and nothing appended; a second refusal stops: `refused` |
 * | `content_filter` | stops | stops | stops: it judges the document, which stays the same |
 *
 * Every strategy stops with `attempts` when `maxAttempts` answers were rejected, whatever the last problem was (a content
 * filter excepted). Without `retryOnValidationError` the first rejected answer is the last: `refused` where the model
 * refused, else `validation_error`.
 */
export function nextStep(settings: StrategySettings, history: readonly RejectedAnswerRecord[]): Step {
  const last = history.at(-1);
  const stop = last === undefined ? undefined : reasonToStop(settings, history, last.problem);
  if (stop !== undefined) return stop;
  return { kind: 'ask', ask: nextAsk(settings, history) };
}

function reasonToStop(
  { strategy, retry }: StrategySettings,
  history: readonly RejectedAnswerRecord[],
  last: Problem,
): Step | undefined {
  const wrong = describe(last);
  if (last.type === 'content_filter') return stopped('content_filter', wrong);
  if (!retry.retryOnValidationError) {
    const reason = last.type === 'refused' ? 'refused' : 'validation_error';
    return stopped(reason, `${wrong}; rejected answers are not retried`);
  }
  if (history.length >= retry.maxAttempts) {
    return stopped('attempts', `all ${retry.maxAttempts} attempts were rejected; at last, ${wrong}`);
  }
  if (strategy !== 'adaptive') return undefined;
  if (last.type === 'refused' && count(history, 'refused') >= REFUSALS_BEFORE_STOP) {
    return stopped('refused', 'the model refused twice, also when told that this is data extraction');
  }
  if (isFutile(history)) {
    return stopped('futile', `the same problems ${SAME_PROBLEMS_BEFORE_STOP} times in a row: ${wrong}`);
  }
  return undefined;
}

function nextAsk(settings: StrategySettings, history: readonly RejectedAnswerRecord[]): Ask {
  const { strategy, retry, mode } = settings;
  const attempt = history.length + 1;
  const place = `attempt ${attempt} of ${retry.maxAttempts}`;
  const last = history.at(-1);
  if (last === undefined) return { attempt, mode, carry: 'nothing', why: place };

  const why = `${place}: ${describe(last.problem)}`;
  if (strategy === 'basic') return { attempt, mode, carry: 'nothing', why };
  if (strategy === 'feedback') return { attempt, mode, carry: 'all-turns', why };
  return adaptedAsk(
    { attempt, mode: adaptedMode(settings, history), carry: 'all-turns', why },
    last,
    history,
  );
}

/** Adaptive: what differs from feedback. */
function adaptedAsk(ask: Ask, last: RejectedAnswerRecord, history: readonly RejectedAnswerRecord[]): Ask {
  const maxOutputTokens = raisedOutputTokens(history);
  const capped = maxOutputTokens === undefined ? ask : { ...ask, maxOutputTokens };
  if (last.problem.type === 'truncated') {
    return { ...capped, carry: 'nothing', why: `${ask.why}; up to ${maxOutputTokens} tokens now` };
  }
  if (last.problem.type === 'refused') {
    return { ...capped, carry: 'nothing', reframe: true, why: `${ask.why}; reframed as data extraction` };
  }
  return capped;
}

function adaptedMode(
  { mode, stricterModes = [] }: StrategySettings,
  history: readonly RejectedAnswerRecord[],
): ResolvedMode {
  const modes = [mode, ...stricterModes];
  const step = Math.floor(count(history, 'json_error') / JSON_ERRORS_BEFORE_STRICTER_MODE);
  return modes[Math.min(step, modes.length - 1)] ?? mode;
}

/** Once raised, the cap stays: the record has not become shorter. */
function raisedOutputTokens(history: readonly RejectedAnswerRecord[]): number | undefined {
  const had = history
    .filter(({ problem }) => problem.type === 'truncated')
    .map(({ completionTokens, maxOutputTokens = 0 }) => Math.max(completionTokens, maxOutputTokens));
  return had.length === 0 ? undefined : Math.max(MIN_RAISED_OUTPUT_TOKENS, 2 * Math.max(...had));
}

function isFutile(history: readonly RejectedAnswerRecord[]): boolean {
  const latest = history.slice(-SAME_PROBLEMS_BEFORE_STOP).map(({ problem }) => problem);
  // Cut answers are asked for again under a higher cap each time, so they are never in vain.
  if (latest.length < SAME_PROBLEMS_BEFORE_STOP || latest[0]?.type === 'truncated') return false;
  return new Set(latest.map(fingerprint)).size === 1;
}

/** The set of problems of an answer, whatever their order. */
function fingerprint(problem: Problem): string {
  if (problem.details.length === 0) return JSON.stringify([problem.type, problem.message]);
  const details = problem.details.map(({ path, kind, received }) => JSON.stringify([path, kind, received]));
  return JSON.stringify([problem.type, details.toSorted()]);
}

function describe(problem: Problem): string {
  if (problem.type !== 'validation_error') return DESCRIPTIONS[problem.type];
  const fields = problem.details.length;
  return fields === 1 ? '1 field was wrong' : `${fields} fields were wrong`;
}

function count(history: readonly RejectedAnswerRecord[], type: Problem['type']): number {
  return history.filter(({ problem }) => problem.type === type).length;
}

function stopped(reason: StopReason, why: string): Step {
  return { kind: 'stop', reason, why };
}
