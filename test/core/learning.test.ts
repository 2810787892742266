import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Problem, ProblemDetail, Verdict } from '../../src/core/contract.ts';
import {
  addFirstAnswer,
  addModels,
  addRejectedModes,
  boundedLearnt,
  hasNews,
  hintsOf,
  joinLessons,
  learntByBatch,
  lessonFrom,
  mergeLearnt,
  startOf,
} from '../../src/core/learning.ts';
import type { FirstAnswer, Learnt, Lesson } from '../../src/core/learning.ts';

const SETTINGS = {
  provider: 'openai',
  model: 'm',
  mode: 'json_schema',
  stricterModes: ['tool'],
} as const;
const ACCEPTED: Verdict = { status: 'accepted', data: null, repairs: [] };
const PRICE: ProblemDetail = { path: 'items[0].price', kind: 'wrong_type', message: 'expected number' };

function wrong(...details: readonly ProblemDetail[]): Verdict {
  return rejected({ type: 'validation_error', message: 'wrong', details });
}

function rejected(problem: Problem): Verdict {
  return { status: 'rejected', problem };
}

const NO_JSON = rejected({ type: 'json_error', message: 'no JSON', details: [] });

function answers(count: number, verdict: Verdict, more: Partial<FirstAnswer> = {}): readonly FirstAnswer[] {
  const answer = { schemaHash: 'a', verdict, mode: 'openai/m json_schema', warnings: [], ...more };
  return Array.from({ length: count }, () => answer);
}

function learntFrom(...all: readonly FirstAnswer[]): Learnt {
  return all.reduce(addFirstAnswer, {});
}

function lessonOf(learnt: Learnt, before?: Lesson): Lesson | undefined {
  const of = learnt['a'];
  if (of === undefined) throw new Error('Expected answers by schema a');
  return lessonFrom(before, of, SETTINGS);
}

function hintsIn(learnt: Learnt, before?: Lesson): readonly string[] {
  return startOf(lessonOf(learnt, before))?.hints ?? [];
}

describe('first answers', () => {
  it('are counted by path and kind, all items of an array together, each answer once', () => {
    const learnt = learntFrom(
      ...answers(2, wrong(PRICE, { ...PRICE, path: 'items[1].price' })),
      ...answers(1, wrong({ path: '["odd [0] key"][3]', kind: 'missing', message: 'missing' })),
      ...answers(3, ACCEPTED),
    );
    expect(learnt['a']).toEqual({
      firstAnswers: 6,
      problems: [
        { path: 'items[].price', kind: 'wrong_type', message: 'expected number', count: 2 },
        { path: '["odd [0] key"][]', kind: 'missing', message: 'missing', count: 1 },
      ],
      warned: {},
      modes: { 'openai/m json_schema': { answers: 6, jsonErrors: 0 } },
      rejectedModes: [],
    });
  });

  it('that were warned of a problem are not counted for it', () => {
    const warnings = [{ path: 'items[].price', kind: 'wrong_type', message: 'in other words' }] as const;
    expect(learntFrom(...answers(5, wrong(PRICE), { warnings }))['a']?.problems).toEqual([]);
    // Nor are they right answers that would make it look rare.
    const later = [...answers(8, wrong(PRICE)), ...answers(200, ACCEPTED, { warnings })];
    expect(hintsIn(learntFrom(...later))).toHaveLength(1);
  });

  it('that are right are no news', () => {
    expect(hasNews(learntFrom(...answers(5, ACCEPTED)))).toBe(false);
    expect(hasNews(learntFrom(...answers(5, ACCEPTED), ...answers(1, NO_JSON)))).toBe(true);
    expect(hasNews(addRejectedModes({}, 'a', ['openai/m tool']))).toBe(true);
  });

  it('count for nothing in what is said only of how many problems there are', () => {
    const rest: ProblemDetail = { path: '', kind: 'constraint', message: 'and 12 more problems' };
    expect(learntFrom(...answers(9, wrong(rest)))['a']?.problems).toEqual([]);
  });
});

describe('counts', () => {
  const detail = fc.record({
    path: fc.constantFrom('age', 'name', 'items[0].price', 'items[3].price', ''),
    kind: fc.constantFrom('missing', 'wrong_type', 'constraint'),
    message: fc.constantFrom('expected number', 'expected text'),
  });
  const answer = fc.record<FirstAnswer>({
    schemaHash: fc.constantFrom('a', 'b'),
    verdict: fc.oneof(
      fc.constant(ACCEPTED),
      fc.constant(NO_JSON),
      fc.array(detail, { minLength: 1, maxLength: 4 }).map((details) => wrong(...details)),
    ),
    mode: fc.constantFrom('openai/m json_schema', 'openai/m tool'),
    warnings: fc.constantFrom([], [{ path: 'age', kind: 'missing', message: 'expected text' }]),
  });
  const learnt = fc.array(answer, { maxLength: 12 }).map((all) => learntFrom(...all));

  it('come to the same in whatever order, and however grouped, they are added', () => {
    fc.assert(
      fc.property(learnt, learnt, learnt, (one, two, three) => {
        expect(mergeLearnt(one, two)).toEqual(mergeLearnt(two, one));
        expect(mergeLearnt(mergeLearnt(one, two), three)).toEqual(mergeLearnt(one, mergeLearnt(two, three)));
      }),
    );
  });

  it('of several shards are those of one that had all the answers', () => {
    fc.assert(
      fc.property(fc.array(answer, { maxLength: 20 }), fc.nat(20), (all, cut) => {
        const apart = mergeLearnt(learntFrom(...all.slice(0, cut)), learntFrom(...all.slice(cut)));
        expect(apart).toEqual(learntFrom(...all));
      }),
    );
  });

  it('are bounded: the rarest problems and schemas are left out', () => {
    const many = Array.from({ length: 80 }, (_, n) =>
      answers(n < 5 ? 2 : 1, wrong({ path: `f${n}`, kind: 'missing', message: 'missing' })),
    ).flat();
    const schemas = Array.from({ length: 30 }, (_, n) =>
      answers(1, ACCEPTED, { schemaHash: `s${n}` }),
    ).flat();
    const bounded = boundedLearnt(learntFrom(...many, ...schemas));
    expect(Object.keys(bounded)).toHaveLength(20);
    expect(bounded['a']?.problems).toHaveLength(50);
    expect(bounded['a']?.problems.slice(0, 5).map(({ count }) => count)).toEqual([2, 2, 2, 2, 2]);
  });
});

describe('a warning', () => {
  it.each([
    ['7 of 10 answers had the problem', 7, 3, []],
    ['8 of 10 had it', 8, 2, ["- Field 'items[].price': expected number"]],
    ['8 of 53 had it, which is above 15 %', 8, 45, ["- Field 'items[].price': expected number"]],
    ['8 of 54 had it, which is below', 8, 46, []],
  ])('is given or not where %s', (_, bad, good, hints) => {
    const learnt = learntFrom(...answers(bad, wrong(PRICE)), ...answers(good, ACCEPTED));
    expect(hintsIn(learnt)).toEqual(hints);
  });

  it('is one for one place and kind, in the words of the most frequent', () => {
    const other = { ...PRICE, message: 'expected number (did you mean 3?)' };
    expect(hintsIn(learntFrom(...answers(5, wrong(PRICE)), ...answers(4, wrong(other))))).toEqual([
      "- Field 'items[].price': expected number",
    ]);
  });

  it('is one of five at most, the most frequent first', () => {
    const learnt = learntFrom(
      ...Array.from({ length: 7 }, (_, n) =>
        answers(8 + n, wrong({ path: `f${n}`, kind: 'missing', message: 'missing' })),
      ).flat(),
    );
    // Of 77 answers, 15 % are 11.55.
    expect(hintsIn(learnt).map((hint) => hint.slice(9, 11))).toEqual(['f6', 'f5', 'f4']);
    const before = { warnings: [{ path: 'x', kind: 'missing', message: 'm' }], rejectedModes: [] } as const;
    expect(hintsIn(learnt, before)[0]).toBe("- Field 'x': m");
    const five = 'abcde'.split('').map((path) => ({ path, kind: 'missing', message: 'm' }) as const);
    expect(hintsIn(learnt, { warnings: five, rejectedModes: [] })).toHaveLength(5);
  });

  it('once given stays, however rare its problem becomes with it', () => {
    const first = learntFrom(...answers(8, wrong(PRICE)), ...answers(2, ACCEPTED));
    const lesson = lessonOf(first);
    const later = answers(1_000, ACCEPTED).reduce(addFirstAnswer, first);
    expect(lessonOf(later)).toBeUndefined();
    expect(lessonOf(later, lesson)).toEqual(lesson);
  });

  it('that two places found at the same time is given once', () => {
    const lesson = lessonOf(learntFrom(...answers(8, wrong(PRICE))));
    expect(joinLessons(lesson, lesson)).toEqual(lesson);
    expect(joinLessons(undefined, lesson)).toBe(lesson);
    const other = lessonOf(learntFrom(...answers(8, wrong({ ...PRICE, path: 'age' }))));
    expect(hintsOf(joinLessons(lesson, other)!)).toEqual([
      "- Field 'items[].price': expected number",
      "- Field 'age': expected number",
    ]);
  });
});

describe('the mode in which documents start', () => {
  it.each([
    ['too few answers are known', 19, 0, undefined],
    ['a fifth of the answers is no JSON', 4, 16, 'tool'],
    ['fewer than a fifth are not', 3, 17, undefined],
  ])('stays or is the stricter one where %s', (_, bad, good, mode) => {
    const learnt = learntFrom(...answers(bad, NO_JSON), ...answers(good, ACCEPTED));
    expect(lessonOf(learnt)?.mode).toBe(mode);
  });

  it('goes back only where the other one is known to be worse', () => {
    const mode = 'openai/m tool';
    const first = learntFrom(...answers(6, NO_JSON), ...answers(14, ACCEPTED));
    const before = lessonOf(first);
    const better = [...answers(4, NO_JSON, { mode }), ...answers(36, ACCEPTED, { mode })];
    expect(lessonOf(better.reduce(addFirstAnswer, first), before)?.mode).toBe('tool');
    const worse = answers(20, NO_JSON, { mode }).reduce(addFirstAnswer, first);
    expect(lessonOf(worse, before)).toBeUndefined();
  });

  it('is none that the provider refuses, and another model refusing it says nothing', () => {
    const refused = addRejectedModes({}, 'a', ['openai/m json_schema', 'other/m tool']);
    expect(lessonOf(refused)).toEqual({ warnings: [], rejectedModes: ['json_schema'], mode: 'tool' });
    expect(startOf(lessonOf(refused))).toEqual({ hints: [], rejectedModes: ['json_schema'], mode: 'tool' });
  });
});

const better = { provider: 'openai', model: 'better', simulated: false };
const worse = { provider: 'other', model: 'worse', simulated: false };

function routeOf(models: Parameters<typeof addModels>[2], before?: Lesson) {
  const settings = { ...SETTINGS, nextModels: [worse, better] };
  return lessonFrom(before, addModels({}, 'a', models)['a']!, settings)?.route;
}

function tried(documents: number, accepted: number) {
  return { documents, accepted };
}

describe('the model with which documents start', () => {
  it('is the one that is right about clearly more, of enough documents', () => {
    const models = {
      'openai/m': tried(20, 10),
      'other/worse': tried(10, 6),
      'openai/better': tried(8, 8),
    };
    expect(routeOf(models)).toEqual(better);
    expect(routeOf({ ...models, 'openai/m': tried(19, 10) })).toBeUndefined();
    expect(routeOf({ ...models, 'openai/m': tried(20, 17) })).toBeUndefined();
    expect(routeOf({ ...models, 'openai/better': tried(7, 7) })).toBeUndefined();
  });

  it('stays, whatever comes, and goes before another that was found elsewhere', () => {
    const before = { warnings: [], rejectedModes: [], route: better };
    expect(routeOf({ 'openai/m': tried(100, 100) }, before)).toEqual(better);
    expect(joinLessons(before, { ...before, route: worse })?.route).toEqual(better);
    expect(startOf(before)?.route).toEqual(better);
    expect(learntByBatch({ a: before })?.models).toEqual(['openai/better']);
  });
});

describe('a clean batch', () => {
  it('teaches nothing: documents start as the settings say', () => {
    const learnt = learntFrom(...answers(500, ACCEPTED));
    expect(lessonOf(learnt)).toBeUndefined();
    expect(startOf(undefined)).toBeUndefined();
    expect(learntByBatch({})).toBeNull();
  });
});
