/**
 * What follows a rejected answer: pure, so that it replays, and so that tests can walk through every case.
 */
import type {
  Asked,
  Problem,
  ProblemDetail,
  ProblemType,
  ResolvedMode,
  RetryConfig,
  StopReason,
  StrategyName,
  Transcript,
} from './contract.ts';
import { problemHint } from './feedback.ts';
import type { Route } from './prepared.ts';

/** What a strategy decides from, besides the history. */
export interface StrategySettings {
  readonly strategy: StrategyName;
  readonly retry: RetryConfig;
  /** The mode of the first attempt. */
  readonly mode: ResolvedMode;
  /** Modes that hold the model more tightly than `mode` and that schema and provider take, the next one first. */
  readonly stricterModes?: readonly ResolvedMode[];
  /** Modes that hold it less tightly: for a provider that takes none of the others. */
  readonly weakerModes?: readonly ResolvedMode[];
  /** Models to go to, in this order, once the first makes no progress. */
  readonly nextModels?: readonly Route[];
  /** Default `full`. */
  readonly transcript?: Transcript;
  /** The most tokens the model writes in one answer, where that is known. */
  readonly maxOutputTokens?: number;
  /** What other documents of the batch have taught. */
  readonly learnt?: LearntStart | undefined;
  /** What the provider has refused with status 400 in this conversation. */
  readonly refused?: RefusedByProvider;
}

/** How new documents of a batch start, from what the ones before them taught. */
export interface LearntStart {
  /** Lines that warn of fields which often go wrong. */
  readonly hints: readonly string[];
  /** A mode that does better than the one of the settings. */
  readonly mode?: ResolvedMode;
  /** Modes that the provider does not take. */
  readonly rejectedModes: readonly ResolvedMode[];
  /** One of `nextModels` that does better than the first. */
  readonly route?: Route;
}

/** Requests that a provider does not take. */
export interface RefusedByProvider {
  /** By model: {@link modeOfModel}. */
  readonly modes: readonly string[];
  /** The lowest cap of completion tokens that was refused. */
  readonly cap?: number;
}

/** What a strategy needs to know of a rejected answer. */
export interface RejectedAnswerRecord {
  readonly attempt: number;
  readonly problem: Problem;
  readonly completionTokens: number;
  /** How it was asked for. */
  readonly ask: Ask;
  /** The fields worth asking for by themselves. */
  readonly fields?: readonly string[];
  /** Into how many parts the record can be taken at most. */
  readonly parts?: number;
  /** Of an answer that was cut off after some fields: those that are still to come. */
  readonly rest?: readonly string[];
}

/** How the next attempt is made. */
export interface Ask extends Asked {
  /** Which bad answers, each followed by its feedback, the model is shown. */
  readonly carry: 'nothing' | 'last-turn' | 'all-turns';
  /** Whether only the ends of a bad answer are shown: of one that is no JSON, the rest is not worth its tokens. */
  readonly excerpt?: true;
  /** Whether a further user message says that this is extraction from a supplied document. */
  readonly reframe?: true;
  /** Whether `fields` are those that a cut answer had not said in full. */
  readonly isRest?: true;
  /** Another model than the settings'. */
  readonly route?: Route;
  /** Whether this is the other form of asking, after feedback had changed nothing. */
  readonly isFresh?: true;
}

/** The decision: ask (again), or give up. */
export type Step =
  | { readonly kind: 'ask'; readonly ask: Ask }
  | { readonly kind: 'stop'; readonly reason: StopReason; readonly why: string };

/** A cap below this cannot hold most records, so a truncated answer is never asked for again under less. */
const MIN_RAISED_OUTPUT_TOKENS = 1_024;
/** A record is asked for in this many parts first; in twice as many where one of them is cut off too. */
const FIRST_PARTS = 2;
/** Of a record that is wrong throughout, the rest is not worth the tokens. */
const MOST_HINTS = 20;
const JSON_ERRORS_BEFORE_STRICTER_MODE = 2;
const REFUSALS_BEFORE_STOP = 2;

const DESCRIPTIONS: Readonly<Record<Exclude<ProblemType, 'validation_error'>, string>> = {
  json_error: 'the answer was not valid JSON',
  truncated: 'the answer was cut off',
  refused: 'the model refused',
  content_filter: 'a content filter withheld the answer',
  empty: 'the answer was empty',
  incomplete: 'this part of the record is there',
};

/**
 * Decides the next step from the answers rejected so far.
 *
 * | last problem | basic | feedback | adaptive |
 * |---|---|---|---|
 * | `validation_error` | the same again | bad answers and feedback are appended | the last bad answer and its feedback; of a large record with few problems only the wrong fields |
 * | `json_error` | the same again | appended | as feedback; a stricter mode after every second one |
 * | `empty` | the same again | appended | as feedback |
 * | `truncated` | the same again | appended | at least twice the tokens it got, up to the model's limit; then what it has not said in full, or in parts |
 * | `refused` | the same again | appended | once more, reframed; a second refusal stops: `refused` |
 * | `content_filter` | stops | stops | stops: it judges the document, which stays the same |
 *
 * Adaptive makes a next move where an answer has the problems of the one before it, at the same places, or, with its last attempt,
 * some of them and no others: a fresh conversation in which the model is warned of all that went wrong, then the next of `nextModels` in the same way, then it stops: `absent` where all that is
 * left are fields which the model says it cannot find, else `futile`.
 *
 * Every strategy stops with `attempts` when `maxAttempts` answers were rejected, whatever the last problem was (a content
 * filter excepted; parts that are there are not counted). Without `retryOnValidationError` the first rejected answer is the last:
 * `refused` where the model refused, else `validation_error`.
 */
export function nextStep(settings: StrategySettings, history: readonly RejectedAnswerRecord[]): Step {
  const last = history.at(-1);
  const stop = last === undefined ? undefined : reasonToStop(settings, history, last);
  if (stop !== undefined) return stop;
  const ask = nextAsk(settings, history);
  if (ask !== undefined) return { kind: 'ask', ask };
  return stopped(
    'client_error',
    'the provider takes none of the modes in which this schema can be asked for',
  );
}

/** How {@link RefusedByProvider} names a mode. */
export function modeOfModel(
  { provider, model }: Pick<Route, 'provider' | 'model'>,
  mode: ResolvedMode,
): string {
  return `${provider}/${model} ${mode}`;
}

/** What is told of an ask, in the outcome and in the store. */
export function askedOf({ attempt, mode, why, fields, part, hints, maxOutputTokens }: Ask): Asked {
  return {
    attempt,
    mode,
    why,
    ...(fields === undefined ? {} : { fields }),
    ...(part === undefined ? {} : { part }),
    ...(hints === undefined ? {} : { hints }),
    ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
  };
}

function reasonToStop(
  settings: StrategySettings,
  history: readonly RejectedAnswerRecord[],
  last: RejectedAnswerRecord,
): Step | undefined {
  const { strategy, retry } = settings;
  const { problem } = last;
  const wrong = describe(problem);
  if (problem.type === 'content_filter') return stopped('content_filter', wrong);
  if (problem.type === 'incomplete') return undefined;
  if (!retry.retryOnValidationError) {
    const reason = problem.type === 'refused' ? 'refused' : 'validation_error';
    return stopped(reason, `${wrong}; rejected answers are not retried`);
  }
  const isAbsent = strategy === 'adaptive' && saysAbsentTwice(history);
  if (countAttempts(history) >= retry.maxAttempts) {
    if (isAbsent) return absent(problem);
    return stopped('attempts', `all ${retry.maxAttempts} attempts were rejected; at last, ${wrong}`);
  }
  if (strategy !== 'adaptive') return undefined;
  if (problem.type === 'refused' && count(history, 'refused') >= REFUSALS_BEFORE_STOP) {
    return stopped('refused', 'the model refused twice, also when told that this is data extraction');
  }
  const isSmallestPart = last.ask.part !== undefined && last.ask.part.of >= (last.parts ?? 0);
  const isStuck = last.ask.isRest === true && !hasGoneOn(last);
  if (problem.type === 'truncated' && (isSmallestPart || isStuck)) {
    return stopped('truncated', 'a single field is too long for one answer');
  }
  if (isAbsent) return absent(problem);
  if (makesNoProgress(settings, history) && movesMade(history) >= movesThereAre(settings)) {
    return stopped('futile', `the same problems again, however it was asked: ${wrong}`);
  }
  return undefined;
}

function absent({ details }: Problem): Step {
  const paths = details.map(({ path }) => path).join(', ');
  return stopped(
    'absent',
    `the model finds no value in the document for ${paths}, and the schema takes no null there`,
  );
}

function nextAsk(settings: StrategySettings, history: readonly RejectedAnswerRecord[]): Ask | undefined {
  const { strategy, retry, transcript = 'full', learnt } = settings;
  const attempt = history.length + 1;
  const counted = 1 + countAttempts(history);
  const place = `attempt ${counted} of ${retry.maxAttempts}`;
  const last = history.at(-1);
  if (last === undefined) {
    const start = learnt?.route;
    const mode = permittedMode(settings, start, learnt?.mode ?? settings.mode);
    if (mode === undefined) return undefined;
    const hints = learnt?.hints ?? [];
    const whys = [
      ...(start === undefined ? [] : [`${start.provider}/${start.model} does better`]),
      ...(hints.length === 0 ? [] : ['warned of what often goes wrong']),
    ];
    return {
      attempt,
      mode,
      carry: 'nothing',
      ...(hints.length === 0 ? {} : { hints }),
      ...(start === undefined ? {} : { route: start }),
      why: whys.length === 0 ? place : `${place}: ${whys.join(', ')}`,
    };
  }
  const why = `${place}: ${describe(last.problem)}`;
  const { mode: before } = last.ask;
  const mode =
    strategy === 'basic' || strategy === 'feedback' ? settings.mode : adaptedMode(settings, history);
  const permitted = permittedMode(settings, last.ask.route, mode);
  if (permitted === undefined) return undefined;
  if (strategy === 'basic') return { attempt, mode: permitted, carry: 'nothing', why };
  const carry = transcript === 'last' ? 'last-turn' : 'all-turns';
  if (strategy === 'feedback') return { attempt, mode: permitted, carry, why };
  const { route } = last.ask;
  const stricter = permitted === before ? why : `${why}; asked for as ${permitted} now`;
  // A model that has refused would do so again, were it not told again what it is asked for.
  const isReframed = history.some((answer) => answer.ask.reframe === true);
  const ask: Ask = {
    attempt,
    mode: permitted,
    carry,
    ...(last.problem.type === 'json_error' && carry === 'last-turn' ? { excerpt: true as const } : {}),
    ...(isReframed ? { reframe: true as const } : {}),
    ...(route === undefined ? {} : { route }),
    why: stricter,
  };
  return adaptedAsk(settings, ask, last, history);
}

/** Adaptive: what differs from feedback. */
function adaptedAsk(
  settings: StrategySettings,
  ask: Ask,
  last: RejectedAnswerRecord,
  history: readonly RejectedAnswerRecord[],
): Ask | undefined {
  const maxOutputTokens = raisedOutputTokens(settings, history);
  const capped = maxOutputTokens === undefined ? ask : { ...ask, maxOutputTokens };
  const rest = restOf(settings, last, history);
  if (rest !== undefined) {
    const which = rest.length === 1 ? '1 field' : `${rest.length} fields`;
    const why = `${ask.why}; the rest of the record is asked for, ${which}`;
    return { ...capped, carry: 'nothing', fields: rest, isRest: true, why };
  }
  if (last.problem.type === 'truncated' || last.ask.part !== undefined) {
    const part = nextPart(settings, last, history);
    if (part !== undefined) {
      const why = `${ask.why}; part ${part.number} of ${part.of} is asked for`;
      return { ...capped, carry: 'nothing', part, why };
    }
  }
  if (last.problem.type === 'truncated') {
    const now = maxOutputTokens === undefined ? '' : `; up to ${maxOutputTokens} tokens now`;
    // Fields that are asked for by themselves are so again.
    const { fields } = last.ask;
    return {
      ...capped,
      carry: 'nothing',
      ...(fields === undefined ? {} : { fields }),
      why: `${ask.why}${now}`,
    };
  }
  if (last.problem.type === 'refused') {
    return { ...capped, carry: 'nothing', reframe: true, why: `${ask.why}; reframed as data extraction` };
  }
  if (makesNoProgress(settings, history) || isLastChanceFor(settings, history)) {
    return nextMove(settings, capped, history);
  }
  if (last.fields !== undefined) {
    const { fields } = last;
    const which = fields.length === 1 ? 'only this one is' : `only these ${fields.length} are`;
    return { ...capped, carry: 'nothing', fields, why: `${ask.why}; ${which} asked for` };
  }
  return capped;
}

/** A fresh conversation, with a warning; and after that the same with another model. */
function nextMove(
  settings: StrategySettings,
  ask: Ask,
  history: readonly RejectedAnswerRecord[],
): Ask | undefined {
  const hints = hintsFrom(history);
  const fresh = {
    carry: 'nothing',
    isFresh: true,
    ...(hints.length === 0 ? {} : { hints }),
  } as const;
  const made = movesMade(history);
  if (made === 0) return { ...ask, ...fresh, why: `${ask.why} again; asked afresh, warned of it` };
  const route = modelsToGoTo(settings)[made - 1];
  if (route === undefined) return ask;
  const mode = permittedMode(settings, route, ask.mode);
  if (mode === undefined) return undefined;
  // What was found of the first model's limit says nothing of another.
  const { maxOutputTokens: _ofTheLast, ...rest } = ask;
  return {
    ...rest,
    ...fresh,
    mode,
    route,
    why: `${ask.why} again; ${route.provider}/${route.model} is asked`,
  };
}

/** A conversation that begins afresh has to be told all that went wrong, also what was put right since; the last of it first. */
function hintsFrom(history: readonly RejectedAnswerRecord[]): readonly string[] {
  const details = history.toReversed().flatMap(({ problem }) => problem.details);
  const places = details.map(placeOf);
  return details
    .filter((_, index) => places.indexOf(places[index] ?? '') === index)
    .slice(0, MOST_HINTS)
    .map(problemHint);
}

/** Whether one attempt is left, and all that is wrong has been named before and stayed: then it is not spent on naming it again. */
function isLastChanceFor({ retry }: StrategySettings, history: readonly RejectedAnswerRecord[]): boolean {
  const [before, last] = history.slice(-2).map(({ problem }) => problem);
  if (before?.type !== 'validation_error' || last?.type !== 'validation_error') return false;
  if (movesMade(history) > 0 || countAttempts(history) !== retry.maxAttempts - 1) return false;
  const named = new Set(before.details.map(placeOf));
  return last.details.every((detail) => named.has(placeOf(detail)));
}

function movesMade(history: readonly RejectedAnswerRecord[]): number {
  return history.filter(({ ask }) => ask.isFresh === true).length;
}

function movesThereAre(settings: StrategySettings): number {
  return 1 + modelsToGoTo(settings).length;
}

/** Without the one that it began with. */
function modelsToGoTo({ nextModels = [], learnt }: StrategySettings): readonly Route[] {
  const start = learnt?.route;
  return nextModels.filter(({ provider, model }) => provider !== start?.provider || model !== start.model);
}

/** What is still to come of a record of which a cut answer has said a part; undefined where it is to be asked for otherwise. */
function restOf(
  settings: StrategySettings,
  last: RejectedAnswerRecord,
  history: readonly RejectedAnswerRecord[],
): readonly string[] | undefined {
  if (last.problem.type !== 'truncated' || last.ask.part !== undefined) return undefined;
  return last.ask.isRest === true || isAtLimit(settings, last, history) ? last.rest : undefined;
}

/** The next part of a record that is too long for one answer; undefined where it is not, or not yet, to be asked for in parts. */
function nextPart(
  settings: StrategySettings,
  last: RejectedAnswerRecord,
  history: readonly RejectedAnswerRecord[],
): Ask['part'] {
  const { part } = last.ask;
  if (part !== undefined) {
    if (last.problem.type === 'validation_error') return undefined;
    if (last.problem.type === 'incomplete') return { number: part.number + 1, of: part.of };
    if (last.problem.type === 'truncated') return { number: 2 * part.number - 1, of: 2 * part.of };
    return part;
  }
  const { parts = 0 } = last;
  return parts >= FIRST_PARTS && isAtLimit(settings, last, history)
    ? { number: 1, of: FIRST_PARTS }
    : undefined;
}

/** Whether more tokens cannot be had, or not in the attempts that are left. */
function isAtLimit(
  { maxOutputTokens: limit = Number.POSITIVE_INFINITY, refused, retry }: StrategySettings,
  { completionTokens, ask }: RejectedAnswerRecord,
  history: readonly RejectedAnswerRecord[],
): boolean {
  const had = ask.maxOutputTokens ?? completionTokens;
  const cut = history.filter(({ problem }) => problem.type === 'truncated');
  const isLastChance = cut.length > 1 && countAttempts(history) === retry.maxAttempts - 1;
  // Cut before its cap: the provider has one of its own.
  const hasOwnLimit = ask.maxOutputTokens !== undefined && completionTokens < ask.maxOutputTokens;
  return had >= limit || refused?.cap !== undefined || hasOwnLimit || isLastChance;
}

/** Once raised, the cap stays: the record has not become shorter. */
function raisedOutputTokens(
  { maxOutputTokens: limit = Number.POSITIVE_INFINITY, refused }: StrategySettings,
  history: readonly RejectedAnswerRecord[],
): number | undefined {
  const had = history
    .filter(({ problem }) => problem.type === 'truncated')
    .map(({ completionTokens, ask }) => Math.max(completionTokens, ask.maxOutputTokens ?? 0));
  if (had.length === 0) return undefined;
  const raised = Math.min(limit, Math.max(MIN_RAISED_OUTPUT_TOKENS, 2 * Math.max(...had)));
  if (refused?.cap === undefined || raised < refused.cap) return raised;
  // The highest that was taken.
  const taken = Math.max(0, ...history.map(({ ask }) => ask.maxOutputTokens ?? 0));
  return taken > 0 ? taken : undefined;
}

function adaptedMode(
  { mode, stricterModes = [], learnt }: StrategySettings,
  history: readonly RejectedAnswerRecord[],
): ResolvedMode {
  const modes = [mode, ...stricterModes];
  const start = Math.max(0, modes.indexOf(learnt?.mode ?? mode));
  const step = start + Math.floor(count(history, 'json_error') / JSON_ERRORS_BEFORE_STRICTER_MODE);
  return modes[Math.min(step, modes.length - 1)] ?? mode;
}

/** The wanted mode, or the next best one that the provider takes; undefined where it takes none. */
function permittedMode(
  settings: StrategySettings,
  route: Route | undefined,
  wanted: ResolvedMode,
): ResolvedMode | undefined {
  const { mode, stricterModes = [], weakerModes = [], learnt, refused } = settings;
  const modes = [mode, ...stricterModes];
  const stricter = modes.slice(modes.indexOf(wanted) + 1);
  const looser = modes.slice(0, Math.max(0, modes.indexOf(wanted))).toReversed();
  const isRefused = (candidate: ResolvedMode): boolean => {
    if (route === undefined && learnt?.rejectedModes.includes(candidate) === true) return true;
    const suffix = route === undefined ? ` ${candidate}` : modeOfModel(route, candidate);
    return (
      refused?.modes.some((name) => name === suffix || (route === undefined && name.endsWith(suffix))) ??
      false
    );
  };
  return [wanted, ...stricter, ...looser, ...weakerModes].find((candidate) => !isRefused(candidate));
}

/** Whether the last answer has the problems of the one before it, at the same places, and nothing is left to try as a matter of course. */
function makesNoProgress(settings: StrategySettings, history: readonly RejectedAnswerRecord[]): boolean {
  const last = history.at(-1);
  const before = history.at(-2);
  if (last === undefined || before === undefined) return false;
  const { type } = last.problem;
  // Cut answers, refusals and parts have ladders of their own.
  if (type === 'truncated' || type === 'refused' || type === 'incomplete' || last.ask.part !== undefined)
    return false;
  // Syntax is what stricter modes are for.
  if (type === 'json_error' && hasStricterMode(settings, history)) return false;
  return isTheSame(last.problem, before.problem);
}

function hasStricterMode(settings: StrategySettings, history: readonly RejectedAnswerRecord[]): boolean {
  const { mode, stricterModes = [] } = settings;
  const modes = [mode, ...stricterModes];
  const used = history.at(-1)?.ask.mode ?? mode;
  return permittedMode(settings, history.at(-1)?.ask.route, modes.at(-1) ?? mode) !== used;
}

/** By places and kinds: a model that corrects something is worth another ordinary attempt. */
function isTheSame(problem: Problem, before: Problem): boolean {
  return problem.type === before.type && placesOf(problem) === placesOf(before);
}

function placesOf({ details }: Problem): string {
  return JSON.stringify(details.map(placeOf).toSorted());
}

function placeOf({ path, kind }: ProblemDetail): string {
  return JSON.stringify([path, kind]);
}

/** Whether all that is left are fields which the model, having left them out or given as null, gives as null when asked again. */
function saysAbsentTwice(history: readonly RejectedAnswerRecord[]): boolean {
  const [before, last] = history.slice(-2).map(({ problem }) => problem);
  if (before === undefined || last === undefined) return false;
  const isAbsence =
    last.type === 'validation_error' &&
    last.details.length > 0 &&
    last.details.every(({ received, nullable }) => received === null && nullable !== true);
  return isAbsence && pathsOf(last) === pathsOf(before) && before.details.every(isLeftOut);
}

/** Left out at first it may be a mistake. */
function isLeftOut({ kind, received }: ProblemDetail): boolean {
  return kind === 'missing' || received === null;
}

function pathsOf({ details }: Problem): string {
  return JSON.stringify(details.map(({ path }) => path).toSorted());
}

function describe(problem: Problem): string {
  if (problem.type !== 'validation_error') return DESCRIPTIONS[problem.type];
  const fields = problem.details.length;
  return fields === 1 ? '1 field was wrong' : `${fields} fields were wrong`;
}

/** Parts of a record that are there, and answers that went on with it, are no attempts. */
function countAttempts(history: readonly RejectedAnswerRecord[]): number {
  return history.filter((answer) => answer.problem.type !== 'incomplete' && !hasGoneOn(answer)).length;
}

/** Whether an answer that was asked for the rest of a record was cut off again, but has said more of it. */
function hasGoneOn({ problem, ask, rest }: RejectedAnswerRecord): boolean {
  const asked = ask.isRest === true ? (ask.fields?.length ?? 0) : 0;
  return problem.type === 'truncated' && rest !== undefined && rest.length < asked;
}

function count(history: readonly RejectedAnswerRecord[], type: Problem['type']): number {
  return history.filter(({ problem }) => problem.type === type).length;
}

function stopped(reason: StopReason, why: string): Step {
  return { kind: 'stop', reason, why };
}
