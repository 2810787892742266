/**
 * What the first answers of a batch teach its next documents: pure, so that it replays, and sums, so that shards tell what they
 * have counted in any order.
 */
import type { LearntByBatch } from './batch-contract.ts';
import type { ProblemDetail, ResolvedMode, Verdict } from './contract.ts';
import { problemHint } from './feedback.ts';
import { ofAllItems } from './json-path.ts';
import type { PreparedBatch, PreparedModes, Route } from './prepared.ts';
import { modeOfModel } from './strategy.ts';
import type { LearntStart } from './strategy.ts';

/** What was counted, by the hash of the schema. */
export type Learnt = Readonly<Record<string, LearntOfSchema>>;

/** What was counted of first answers by one schema. */
export interface LearntOfSchema {
  readonly firstAnswers: number;
  /** No two of the same path, kind and message. */
  readonly problems: readonly CountedProblem[];
  /** How many answers had been warned, by place and kind of the problem: of those nothing is learnt about how frequent it is. */
  readonly warned: Readonly<Record<string, number>>;
  /** By model: {@link modeOfModel}. */
  readonly modes: Readonly<Record<string, TriedMode>>;
  /** Modes that a provider does not take, named in the same way. */
  readonly rejectedModes: readonly string[];
  /** How documents ended with each model, `provider/model`, that was asked about them; where there are several. */
  readonly models?: Readonly<Record<string, TriedModel>>;
}

/** How documents about which one model was asked ended with it. */
export interface TriedModel {
  readonly documents: number;
  /** Of those, the ones it was right about in the end. */
  readonly accepted: number;
}

/** Where first answers go wrong, and in what way. */
export interface FieldProblem {
  /** Of all items of an array together: `items[].price`. */
  readonly path: string;
  readonly kind: ProblemDetail['kind'];
  readonly message: string;
}

/** How many first answers had a problem, of those that were given without a warning of it. */
export interface CountedProblem extends FieldProblem {
  readonly count: number;
}

/** How first answers in one mode went. */
export interface TriedMode {
  readonly answers: number;
  readonly jsonErrors: number;
}

/** What new documents of one schema are told, and how they start. */
export interface Lesson {
  readonly warnings: readonly FieldProblem[];
  /** Where another mode than the settings' does better. */
  readonly mode?: ResolvedMode;
  readonly rejectedModes: readonly ResolvedMode[];
  /** Where another model than the settings' does better. */
  readonly route?: Route;
}

/** By the hash of the schema. */
export type Lessons = Readonly<Record<string, Lesson>>;

/** Whom a batch asks, and in which modes. */
export type ModesOfModel = Pick<Route, 'provider' | 'model'> &
  PreparedModes & {
    /** Whom it asks in turn after the first. */
    readonly nextModels?: readonly Route[];
  };

/** All of it, as a batch keeps it. */
export interface BatchLearning {
  readonly learnt: Learnt;
  readonly lessons: Lessons;
}

/** A first answer, as it is counted. */
export interface FirstAnswer {
  /** Of its schema. */
  readonly schemaHash: string;
  readonly verdict: Verdict;
  /** How it was asked for: {@link modeOfModel}. */
  readonly mode: string;
  /** What the model had been warned of. */
  readonly warnings: readonly FieldProblem[];
}

export const NOTHING_LEARNT: BatchLearning = { learnt: {}, lessons: {} };

/** Fewer are chance. */
const LEAST_ANSWERS_WITH_PROBLEM = 8;
/** Of rarer ones a warning costs more tokens than the second attempts that it saves. */
const LEAST_SHARE = 0.15;
const MOST_WARNINGS = 5;
/** A mode is left where so many answers in it, and such a share of them, were not JSON. */
const LEAST_ANSWERS_OF_MODE = 20;
const LEAST_SHARE_OF_JSON_ERRORS = 0.2;
/** The first model is left where it was right about so few, of so many documents, and another one about more. */
const LEAST_DOCUMENTS_OF_FIRST_MODEL = 20;
const LEAST_DOCUMENTS_OF_NEXT_MODEL = 8;
const LEAST_GAIN = 0.2;
/** How many problems there are beyond those that are told: of no field. */
const REST = /^and \d+ more problems$/;
/** Counts travel in signals and are kept with the batch. */
const MOST_PROBLEMS = 50;
const MOST_SCHEMAS = 20;
const MAX_MESSAGE_CHARS = 200;

const UNCOUNTED: LearntOfSchema = {
  firstAnswers: 0,
  problems: [],
  warned: {},
  modes: {},
  rejectedModes: [],
};

/** Counts a first answer. A problem that several items of an array have is one; one that was warned of is not counted. */
export function addFirstAnswer(learnt: Learnt, { schemaHash, verdict, mode, warnings }: FirstAnswer): Learnt {
  const details = verdict.status === 'rejected' ? verdict.problem.details : [];
  const isJsonError = verdict.status === 'rejected' && verdict.problem.type === 'json_error';
  const warned = new Set(warnings.map(placeOf));
  const byPlace = new Map<string, CountedProblem>();
  for (const detail of details) {
    const problem = fieldProblem(detail);
    const place = placeOf(problem);
    if (!warned.has(place) && !byPlace.has(place) && !REST.test(detail.message))
      byPlace.set(place, { ...problem, count: 1 });
  }
  const answer: LearntOfSchema = {
    firstAnswers: 1,
    problems: [...byPlace.values()].slice(0, MOST_PROBLEMS),
    warned: Object.fromEntries([...warned].map((place) => [place, 1])),
    modes: { [mode]: { answers: 1, jsonErrors: isJsonError ? 1 : 0 } },
    rejectedModes: [],
  };
  return mergeLearnt(learnt, { [schemaHash]: answer });
}

/** Notes modes that a provider refused, each as {@link modeOfModel} names it. */
export function addRejectedModes(
  learnt: Learnt,
  schemaHash: string,
  rejectedModes: readonly string[],
): Learnt {
  return mergeLearnt(learnt, { [schemaHash]: { ...UNCOUNTED, rejectedModes } });
}

/** Counts how a document ended, with each of the models that were asked about it. */
export function addModels(
  learnt: Learnt,
  schemaHash: string,
  models: Readonly<Record<string, TriedModel>>,
): Learnt {
  return mergeLearnt(learnt, { [schemaHash]: { ...UNCOUNTED, models } });
}

/** The sum of two counts: the same in whatever order, and however grouped, several are added. */
export function mergeLearnt(one: Learnt, other: Learnt): Learnt {
  const hashes = [...new Set([...Object.keys(one), ...Object.keys(other)])].toSorted();
  return Object.fromEntries(
    hashes.map((hash) => [hash, mergeOfSchema(one[hash] ?? UNCOUNTED, other[hash] ?? UNCOUNTED)]),
  );
}

function mergeOfSchema(one: LearntOfSchema, other: LearntOfSchema): LearntOfSchema {
  const problems = new Map<string, CountedProblem>();
  for (const problem of [...one.problems, ...other.problems]) {
    const key = keyOf(problem);
    problems.set(key, { ...problem, count: problem.count + (problems.get(key)?.count ?? 0) });
  }
  const names = [...new Set([...Object.keys(one.modes), ...Object.keys(other.modes)])].toSorted();
  const models = [
    ...new Set([...Object.keys(one.models ?? {}), ...Object.keys(other.models ?? {})]),
  ].toSorted();
  return {
    firstAnswers: one.firstAnswers + other.firstAnswers,
    problems: [...problems.values()].toSorted(byCount),
    warned: sumsOf(one.warned, other.warned),
    modes: Object.fromEntries(names.map((name) => [name, sumOfMode(one.modes[name], other.modes[name])])),
    rejectedModes: [...new Set([...one.rejectedModes, ...other.rejectedModes])].toSorted(),
    ...(models.length === 0
      ? {}
      : {
          models: Object.fromEntries(
            models.map((name) => [name, sumOfModel(one.models?.[name], other.models?.[name])]),
          ),
        }),
  };
}

function sumOfModel(one: TriedModel | undefined, other: TriedModel | undefined): TriedModel {
  return {
    documents: (one?.documents ?? 0) + (other?.documents ?? 0),
    accepted: (one?.accepted ?? 0) + (other?.accepted ?? 0),
  };
}

function sumsOf(
  one: Readonly<Record<string, number>>,
  other: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])].toSorted();
  return Object.fromEntries(names.map((name) => [name, (one[name] ?? 0) + (other[name] ?? 0)]));
}

function sumOfMode(one: TriedMode | undefined, other: TriedMode | undefined): TriedMode {
  return {
    answers: (one?.answers ?? 0) + (other?.answers ?? 0),
    jsonErrors: (one?.jsonErrors ?? 0) + (other?.jsonErrors ?? 0),
  };
}

/** Without the rarest problems and schemas: as much as can be kept and sent. */
export function boundedLearnt(learnt: Learnt): Learnt {
  return Object.fromEntries(
    Object.entries(learnt)
      .toSorted(([, one], [, other]) => other.firstAnswers - one.firstAnswers)
      .slice(0, MOST_SCHEMAS)
      .map(([hash, of]) => [hash, { ...of, problems: of.problems.slice(0, MOST_PROBLEMS) }]),
  );
}

/** Whether it has something from which others could learn: of right answers there is nothing to tell. */
export function hasNews(learnt: Learnt): boolean {
  return Object.values(learnt).some(
    ({ problems, modes, rejectedModes, models = {} }) =>
      problems.length > 0 ||
      Object.values(models).some(({ documents, accepted }) => accepted < documents) ||
      rejectedModes.length > 0 ||
      Object.values(modes).some(({ jsonErrors }) => jsonErrors > 0),
  );
}

/**
 * What new documents of one schema are told. A warning once given stays, since with it the problem is no longer counted, and
 * without it would come back.
 *
 * @param before what they were told until now.
 */
export function lessonFrom(
  before: Lesson | undefined,
  learnt: LearntOfSchema,
  settings: ModesOfModel,
): Lesson | undefined {
  const modes = [settings.mode, ...settings.stricterModes];
  const refused: readonly ResolvedMode[] = modes.filter((mode) =>
    learnt.rejectedModes.includes(modeOfModel(settings, mode)),
  );
  const warnings = withWarnings(before?.warnings ?? [], frequentProblems(learnt));
  const rejectedModes = [...new Set([...(before?.rejectedModes ?? []), ...refused])].toSorted();
  const now = before?.mode ?? settings.mode;
  const mode = bestMode(
    [now, ...modes.filter((it) => it !== now)].filter((it) => !rejectedModes.includes(it)),
    (it) => learnt.modes[modeOfModel(settings, it)],
  );
  const other = mode === undefined || mode === settings.mode ? undefined : mode;
  const route = before?.route ?? betterModel(learnt, settings);
  const isEmpty = warnings.length === 0 && rejectedModes.length === 0;
  if (isEmpty && other === undefined && route === undefined) return undefined;
  return {
    warnings,
    rejectedModes,
    ...(other === undefined ? {} : { mode: other }),
    ...(route === undefined ? {} : { route }),
  };
}

/** The next model that is right about the most documents, where it clearly is about more than the first. */
function betterModel(
  { models = {} }: LearntOfSchema,
  { provider, model, nextModels = [] }: ModesOfModel,
): Route | undefined {
  const first = models[`${provider}/${model}`];
  if (first === undefined || first.documents < LEAST_DOCUMENTS_OF_FIRST_MODEL) return undefined;
  const shareOf = (route: Route): number => {
    const { documents, accepted } = models[`${route.provider}/${route.model}`] ?? {
      documents: 0,
      accepted: 0,
    };
    return documents < LEAST_DOCUMENTS_OF_NEXT_MODEL ? 0 : accepted / documents;
  };
  const [best] = nextModels.toSorted((one, other) => shareOf(other) - shareOf(one));
  const gain = best === undefined ? 0 : shareOf(best) - first.accepted / first.documents;
  return gain >= LEAST_GAIN ? best : undefined;
}

/** Adds what a shard has counted, and draws lessons from it. */
export function learnFrom(
  { learnt, lessons }: BatchLearning,
  counted: Learnt,
  prepared: PreparedBatch,
): BatchLearning {
  const all = boundedLearnt(mergeLearnt(learnt, counted));
  const drawn = Object.entries(all).flatMap(([hash, of]) => {
    const lesson = lessonFrom(lessons[hash], of, modesFor(prepared, hash));
    return lesson === undefined ? [] : [[hash, lesson] as const];
  });
  return { learnt: all, lessons: { ...lessons, ...Object.fromEntries(drawn) } };
}

/** How a batch asks for documents of a schema. */
export function modesFor({ settings, ownSchemas }: PreparedBatch, schemaHash: string): ModesOfModel {
  const { provider, model, nextModels } = settings;
  const { mode, stricterModes } = ownSchemas[schemaHash] ?? settings;
  const asked = { provider, model, mode, stricterModes };
  return nextModels === undefined ? asked : { ...asked, nextModels };
}

/** What two places have found out about one schema; the first goes before the second. */
export function joinLessons(one: Lesson | undefined, other: Lesson | undefined): Lesson | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  const mode = one.mode ?? other.mode;
  const route = one.route ?? other.route;
  return {
    warnings: withWarnings(one.warnings, other.warnings),
    rejectedModes: [...new Set([...one.rejectedModes, ...other.rejectedModes])].toSorted(),
    ...(mode === undefined ? {} : { mode }),
    ...(route === undefined ? {} : { route }),
  };
}

/** A lesson as conversations take it. */
export function startOf(lesson: Lesson | undefined): LearntStart | undefined {
  if (lesson === undefined) return undefined;
  const { mode, rejectedModes, route } = lesson;
  return {
    hints: hintsOf(lesson),
    rejectedModes,
    ...(mode === undefined ? {} : { mode }),
    ...(route === undefined ? {} : { route }),
  };
}

/** The lines that warn of problems: `- Field 'items[].price': expected number`. */
export function hintsOf({ warnings }: Lesson): readonly string[] {
  return warnings.map(problemHint);
}

/** What a batch's status tells; null where nothing was learnt. */
export function learntByBatch(lessons: Lessons): LearntByBatch | null {
  const all = Object.values(lessons);
  if (all.length === 0) return null;
  const modes = all.flatMap(({ mode }) => mode ?? []);
  return {
    hints: [...new Set(all.flatMap(hintsOf))],
    modes: [...new Set(modes)],
    models: [
      ...new Set(all.flatMap(({ route }) => (route === undefined ? [] : `${route.provider}/${route.model}`))),
    ],
    rejectedModes: [...new Set(all.flatMap(({ rejectedModes }) => rejectedModes))],
  };
}

/** The most frequent one first; those of one place and kind are one, in the words of the most frequent. */
function frequentProblems({ firstAnswers, warned, problems }: LearntOfSchema): readonly FieldProblem[] {
  const byPlace = new Map<string, CountedProblem>();
  for (const problem of problems) {
    const known = byPlace.get(placeOf(problem));
    byPlace.set(
      placeOf(problem),
      known === undefined ? problem : { ...known, count: known.count + problem.count },
    );
  }
  const isFrequent = (problem: CountedProblem): boolean => {
    const unwarned = firstAnswers - (warned[placeOf(problem)] ?? 0);
    return problem.count >= LEAST_ANSWERS_WITH_PROBLEM && problem.count >= LEAST_SHARE * unwarned;
  };
  return [...byPlace.values()]
    .filter(isFrequent)
    .toSorted(byCount)
    .map(({ path, kind, message }) => ({ path, kind, message }));
}

function withWarnings(
  given: readonly FieldProblem[],
  more: readonly FieldProblem[],
): readonly FieldProblem[] {
  const places = new Set(given.map(placeOf));
  return [...given, ...more.filter((problem) => !places.has(placeOf(problem)))].slice(0, MOST_WARNINGS);
}

/** The first mode whose answers are JSON often enough, or of which that is not known; else the best of them. */
function bestMode(
  modes: readonly ResolvedMode[],
  triedOf: (mode: ResolvedMode) => TriedMode | undefined,
): ResolvedMode | undefined {
  const shareOf = (mode: ResolvedMode): number => {
    const { answers, jsonErrors } = triedOf(mode) ?? { answers: 0, jsonErrors: 0 };
    return answers < LEAST_ANSWERS_OF_MODE ? 0 : jsonErrors / answers;
  };
  const good = modes.find((mode) => shareOf(mode) < LEAST_SHARE_OF_JSON_ERRORS);
  return good ?? modes.toSorted((one, other) => shareOf(one) - shareOf(other))[0];
}

function fieldProblem({ path, kind, message }: ProblemDetail): FieldProblem {
  // A path that is none any more (a key was cut) is only good for the document it was found in, and stays as it is.
  return { path: ofAllItems(path) ?? path, kind, message: message.slice(0, MAX_MESSAGE_CHARS) };
}

function placeOf({ path, kind }: Pick<FieldProblem, 'path' | 'kind'>): string {
  return JSON.stringify([path, kind]);
}

function keyOf({ path, kind, message }: FieldProblem): string {
  return JSON.stringify([path, kind, message]);
}

/** The most frequent first; ties in an order that does not depend on who counted first. */
function byCount(one: CountedProblem, other: CountedProblem): number {
  if (one.count !== other.count) return other.count - one.count;
  return keyOf(one) < keyOf(other) ? -1 : 1;
}
