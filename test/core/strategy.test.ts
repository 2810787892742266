import { describe, expect, it, test } from 'vitest';
import { DEFAULT_RETRY, STRATEGIES } from '../../src/core/contract.ts';
import type { Problem, ProblemType } from '../../src/core/contract.ts';
import { nextStep } from '../../src/core/strategy.ts';
import type { Ask, RejectedAnswerRecord, Step, StrategySettings } from '../../src/core/strategy.ts';

const settings: StrategySettings = {
  strategy: 'adaptive',
  mode: 'json_object',
  retry: { ...DEFAULT_RETRY, maxAttempts: 10 },
  stricterModes: ['json_schema', 'tool'],
};

let received = 0;

/** Each with a value of its own, so that no two are the same problem. */
function problem(type: ProblemType): Problem {
  received += 1;
  const details = [
    { path: `age_${received}`, kind: 'wrong_type', message: 'expected number', received },
  ] as const;
  return { type, message: `wrong ${received}`, details: type === 'validation_error' ? details : [] };
}

const FIRST_ASK: Ask = { attempt: 1, mode: 'json_object', carry: 'nothing', why: '' };

function rejected(
  type: ProblemType | Problem,
  more: Partial<RejectedAnswerRecord> = {},
): RejectedAnswerRecord {
  return {
    attempt: 1,
    problem: typeof type === 'string' ? problem(type) : type,
    completionTokens: 100,
    ask: FIRST_ASK,
    ...more,
  };
}

/** Answers that were rejected one after the other, each asked for as the strategy decides. */
function history(...types: readonly (ProblemType | Problem)[]): readonly RejectedAnswerRecord[] {
  return play(settings, ...types.map((type) => rejected(type)));
}

function play(
  given: StrategySettings,
  ...answers: readonly RejectedAnswerRecord[]
): readonly RejectedAnswerRecord[] {
  const past: RejectedAnswerRecord[] = [];
  for (const [index, answer] of answers.entries()) {
    const step = nextStep(given, past);
    const how = step.kind === 'ask' ? step.ask : FIRST_ASK;
    past.push({ ...answer, attempt: index + 1, ask: how });
  }
  return past;
}

function same(...details: Problem['details']): Problem {
  return { type: 'validation_error', message: '', details };
}

function wrong(path: string): Problem['details'][number] {
  return { path, kind: 'wrong_type', message: 'expected number' };
}

function ask(step: Step): Ask {
  if (step.kind === 'ask') return step.ask;
  throw new Error(`stopped: ${step.why}`);
}

function reason(step: Step): string | undefined {
  return step.kind === 'stop' ? step.reason : undefined;
}

describe('every strategy', () => {
  test.each(STRATEGIES)('%s asks first in the given mode and carries nothing', (strategy) => {
    expect(nextStep({ ...settings, strategy }, [])).toEqual({
      kind: 'ask',
      ask: { attempt: 1, mode: 'json_object', carry: 'nothing', why: 'attempt 1 of 10' },
    });
  });

  test.each(STRATEGIES)('%s stops when all attempts were rejected', (strategy) => {
    const retry = { ...DEFAULT_RETRY, maxAttempts: 2 };
    const step = nextStep({ ...settings, strategy, retry }, history('validation_error', 'refused'));
    expect(step).toEqual({
      kind: 'stop',
      reason: 'attempts',
      why: 'all 2 attempts were rejected; at last, the model refused',
    });
  });

  test.each(STRATEGIES)('%s stops at a content filter', (strategy) => {
    expect(reason(nextStep({ ...settings, strategy }, history('content_filter')))).toBe('content_filter');
  });

  test.each(STRATEGIES)('%s stops at the first rejected answer where it is not to retry', (strategy) => {
    const retry = { ...DEFAULT_RETRY, retryOnValidationError: false };
    expect(reason(nextStep({ ...settings, strategy, retry }, history('json_error')))).toBe(
      'validation_error',
    );
    expect(reason(nextStep({ ...settings, strategy, retry }, history('refused')))).toBe('refused');
  });
});

test.each(['validation_error', 'json_error', 'truncated', 'refused', 'empty'] as const)(
  'after %s, basic asks the same again and feedback appends what was wrong',
  (type) => {
    const basic = ask(nextStep({ ...settings, strategy: 'basic' }, history(type, type)));
    expect(basic).toMatchObject({ attempt: 3, mode: 'json_object', carry: 'nothing' });
    const feedback = ask(nextStep({ ...settings, strategy: 'feedback' }, history(type, type)));
    expect(feedback).toMatchObject({ attempt: 3, mode: 'json_object', carry: 'all-turns' });
    for (const asked of [basic, feedback]) {
      expect(asked.maxOutputTokens).toBeUndefined();
      expect(asked.reframe).toBeUndefined();
    }
  },
);

describe('adaptive', () => {
  it('gives a truncated answer at least twice the tokens, and does not carry it', () => {
    expect(ask(nextStep(settings, history('truncated')))).toMatchObject({
      maxOutputTokens: 1_024,
      carry: 'nothing',
      why: 'attempt 2 of 10: the answer was cut off; up to 1024 tokens now',
    });
    const [cut] = history('truncated');
    if (cut === undefined) throw new Error('no history');
    const under = { ...FIRST_ASK, maxOutputTokens: 3_200 };
    const capped = [{ ...cut, completionTokens: 3_200, ask: under }];
    expect(ask(nextStep(settings, capped)).maxOutputTokens).toBe(6_400);
  });

  it('keeps the raised cap afterwards', () => {
    expect(ask(nextStep(settings, history('truncated', 'validation_error')))).toMatchObject({
      maxOutputTokens: 1_024,
      carry: 'all-turns',
    });
    const last = { ...settings, transcript: 'last' } as const;
    expect(ask(nextStep(last, history('truncated', 'validation_error'))).carry).toBe('last-turn');
  });

  it('reframes once after a refusal, and stops at the second', () => {
    expect(ask(nextStep(settings, history('refused')))).toMatchObject({ reframe: true, carry: 'nothing' });
    expect(reason(nextStep(settings, history('refused', 'validation_error', 'refused')))).toBe('refused');
  });

  it('takes a stricter mode after every second answer that is not JSON', () => {
    const modes = [1, 2, 3, 4, 9].map((count) => {
      return ask(nextStep(settings, history(...Array<ProblemType>(count).fill('json_error')))).mode;
    });
    expect(modes).toEqual(['json_object', 'json_schema', 'json_schema', 'tool', 'tool']);
  });

  it('stays in its mode where there is no stricter one', () => {
    const { stricterModes: _, ...plain } = settings;
    expect(ask(nextStep(plain, history('json_error', 'json_error'))).mode).toBe('json_object');
  });

  describe('whose answer has the problems of the one before it', () => {
    const a = { path: 'a', kind: 'wrong_type', message: 'expected x', received: 2 } as const;
    const b = { path: 'b', kind: 'wrong_type', message: 'expected y', received: 1 } as const;
    const other = { provider: 'openai', model: 'big', simulated: false };

    it('asks afresh, warned of them, then stops as futile', () => {
      const twice = history(same(a, b), same(b, a));
      expect(ask(nextStep(settings, twice))).toEqual({
        attempt: 3,
        mode: 'json_object',
        carry: 'nothing',
        isFresh: true,
        hints: ["- Field 'b': expected y", "- Field 'a': expected x"],
        why: 'attempt 3 of 10: 2 fields were wrong again; asked afresh, warned of it',
      });
      expect(reason(nextStep(settings, history(same(a, b), same(b, a), same(a, b))))).toBe('futile');
    });

    it('goes to each of the next models before it stops, and stays with the last', () => {
      const more = { ...settings, nextModels: [other] };
      const thrice = play(more, rejected(same(a)), rejected(same(a)), rejected(same(a)));
      expect(ask(nextStep(more, thrice))).toMatchObject({
        route: other,
        carry: 'nothing',
        isFresh: true,
        why: 'attempt 4 of 10: 1 field was wrong again; openai/big is asked',
      });
      const elsewhere = play(more, ...thrice, rejected(same(b)));
      expect(ask(nextStep(more, elsewhere))).toMatchObject({ route: other, carry: 'all-turns' });
      const again = play(more, ...thrice, rejected(same(a)));
      expect(reason(nextStep(more, again))).toBe('futile');
    });

    it('goes on as before where anything has changed', () => {
      for (const past of [
        history(same(a, b), same(a)),
        history(same(b), same(a)),
        history(same(a), 'empty'),
      ]) {
        expect(ask(nextStep(settings, past)).isFresh).toBeUndefined();
      }
    });

    it('says absent where all that is left are fields that the model does not find', () => {
      const left = { path: 'a', kind: 'missing', message: 'required field is missing' } as const;
      const nothing = { path: 'a', kind: 'wrong_type', message: 'expected x', received: null } as const;
      expect(reason(nextStep(settings, history(same(left), same(nothing))))).toBe('absent');
      expect(reason(nextStep(settings, history(same(left, b), same(nothing, b))))).toBeUndefined();
      const nullable = { ...left, nullable: true } as const;
      expect(reason(nextStep(settings, history(same(nullable), same(nullable))))).toBeUndefined();
    });
  });

  it('asks for single fields where the verdict says that it is worth it', () => {
    const past = [rejected('validation_error', { fields: ['items[0].price'] })];
    expect(ask(nextStep(settings, past))).toMatchObject({
      fields: ['items[0].price'],
      carry: 'nothing',
      why: 'attempt 2 of 10: 1 field was wrong; only this one is asked for',
    });
  });

  describe('whose answer is cut off', () => {
    const cut: Problem = { type: 'truncated', message: '', details: [] };
    const limited = { ...settings, maxOutputTokens: 2_000 };

    it('is given more room each time, up to the limit', () => {
      const first = rejected(cut, { completionTokens: 900, parts: 8 });
      expect(ask(nextStep(limited, play(limited, first))).maxOutputTokens).toBe(1_800);
      const second = rejected(cut, { completionTokens: 1_800, parts: 8 });
      expect(ask(nextStep(limited, play(limited, first, second))).maxOutputTokens).toBe(2_000);
    });

    it('is asked for in parts at the limit, in more parts where one is cut off, and is whole after the last', () => {
      const whole = rejected(cut, { completionTokens: 2_000, parts: 4 });
      const there = rejected('incomplete');
      const partAfter = (...more: readonly RejectedAnswerRecord[]): Ask['part'] =>
        ask(nextStep(limited, play(limited, whole, ...more))).part;
      expect(partAfter()).toEqual({ number: 1, of: 2 });
      expect(partAfter(there)).toEqual({ number: 2, of: 2 });
      expect(partAfter(whole)).toEqual({ number: 1, of: 4 });
      expect(partAfter(there, whole)).toEqual({ number: 3, of: 4 });
      expect(partAfter(there, rejected('json_error'))).toEqual({ number: 2, of: 2 });
      expect(partAfter(there, rejected('validation_error'))).toBeUndefined();
      const tooLong = play(limited, whole, whole, whole);
      expect(reason(nextStep(limited, tooLong))).toBe('truncated');
    });

    it('takes an answer cut below its cap for the limit', () => {
      const first = rejected(cut, { completionTokens: 900, parts: 4 });
      const second = rejected(cut, { completionTokens: 1_000, parts: 4 });
      expect(ask(nextStep(settings, play(settings, first, second))).part).toEqual({ number: 1, of: 2 });
    });

    it('goes on after what it has said in full, as long as it says more, and none of that is an attempt', () => {
      const two = { ...limited, retry: { ...DEFAULT_RETRY, maxAttempts: 2 } };
      const after = (...rest: readonly string[]) =>
        rejected(cut, { completionTokens: 2_000, parts: 4, rest });
      const first = ask(nextStep(two, play(two, after('b', 'c', 'd'))));
      expect(first).toMatchObject({ fields: ['b', 'c', 'd'], isRest: true, carry: 'nothing' });
      expect(first.why).toContain('the rest of the record is asked for, 3 fields');
      const second = nextStep(two, play(two, after('b', 'c', 'd'), after('c', 'd')));
      expect(ask(second)).toMatchObject({ fields: ['c', 'd'], isRest: true });
      const third = nextStep(two, play(two, after('b', 'c', 'd'), after('c', 'd'), after('d')));
      expect(ask(third)).toMatchObject({ fields: ['d'] });
      expect(ask(third).why).toContain('attempt 2 of 2');
      const stuck = play(two, after('b', 'c'), rejected(cut, { completionTokens: 2_000, parts: 4 }));
      expect(reason(nextStep({ ...two, retry: DEFAULT_RETRY }, stuck))).toBe('truncated');
      const same = play({ ...two, retry: DEFAULT_RETRY }, after('b', 'c'), after('b', 'c'));
      expect(reason(nextStep({ ...two, retry: DEFAULT_RETRY }, same))).toBe('truncated');
    });

    it('does not count parts that are there as attempts', () => {
      const three = { ...limited, retry: { ...DEFAULT_RETRY, maxAttempts: 2 } };
      const past = play(three, rejected(cut, { completionTokens: 2_000, parts: 4 }), rejected('incomplete'));
      expect(ask(nextStep(three, past)).why).toContain('attempt 2 of 2');
    });
  });

  describe('whose mode the provider refuses', () => {
    const given = { ...settings, weakerModes: ['prompt'] } as const;
    const refusing = (...modes: readonly string[]): StrategySettings => ({
      ...given,
      refused: { modes: modes.map((mode) => `openai/small ${mode}`) },
    });

    it('takes the next stricter one, then a weaker one, then stops', () => {
      expect(ask(nextStep(refusing('json_object'), [])).mode).toBe('json_schema');
      expect(ask(nextStep(refusing('json_object', 'json_schema', 'tool'), [])).mode).toBe('prompt');
      const none = refusing('json_object', 'json_schema', 'tool', 'prompt');
      expect(reason(nextStep(none, []))).toBe('client_error');
    });
  });

  describe('whose fields stay wrong', () => {
    const three = { ...settings, retry: { ...DEFAULT_RETRY, maxAttempts: 3 } };

    it('is warned, in a fresh conversation, of all that went wrong, the last of it first', () => {
      const past = history(same(wrong('a'), wrong('b')), same(wrong('b')), same(wrong('b')));
      expect(ask(nextStep(settings, past))).toMatchObject({
        isFresh: true,
        carry: 'nothing',
        hints: ["- Field 'b': expected number", "- Field 'a': expected number"],
      });
    });

    it('is not told the same with its last attempt', () => {
      const past = play(
        three,
        rejected(same(wrong('a'), wrong('b'))),
        rejected(same(wrong('b')), { fields: ['b'] }),
      );
      expect(ask(nextStep(three, past))).toMatchObject({ isFresh: true, carry: 'nothing' });
    });

    it('is told what it has not been told yet, also with its last attempt', () => {
      const past = play(three, rejected(same(wrong('a'))), rejected(same(wrong('b')), { fields: ['b'] }));
      const last = ask(nextStep(three, past));
      expect(last).toMatchObject({ fields: ['b'] });
      expect(last.isFresh).toBeUndefined();
    });
  });

  it('stays reframed once it has refused', () => {
    const refusedFirst = history('refused');
    expect(ask(nextStep(settings, refusedFirst)).reframe).toBe(true);
    const later = play(settings, rejected('refused'), rejected('truncated', { parts: 4 }));
    expect(ask(nextStep(settings, later)).reframe).toBe(true);
    expect(ask(nextStep(settings, history('validation_error'))).reframe).toBeUndefined();
  });

  it('starts from what a batch has learnt', () => {
    const learnt = { hints: ["- Field 'a': expected x"], mode: 'tool', rejectedModes: [] } as const;
    expect(ask(nextStep({ ...settings, learnt }, []))).toEqual({
      attempt: 1,
      mode: 'tool',
      carry: 'nothing',
      hints: learnt.hints,
      why: 'attempt 1 of 10: warned of what often goes wrong',
    });
  });

  it('starts with the model that does better, stays with it, and goes to the others where it makes no progress', () => {
    const better = { provider: 'p', model: 'better', simulated: false };
    const third = { provider: 'p', model: 'third', simulated: false };
    const learnt = { hints: [], rejectedModes: [], route: better };
    const given = { ...settings, learnt, nextModels: [better, third] };
    expect(ask(nextStep(given, []))).toMatchObject({
      route: better,
      why: 'attempt 1 of 10: p/better does better',
    });
    const again = rejected(same(wrong('a')));
    expect(ask(nextStep(given, play(given, again))).route).toEqual(better);
    expect(ask(nextStep(given, play(given, again, again)))).toMatchObject({ isFresh: true, route: better });
    expect(ask(nextStep(given, play(given, again, again, again))).route).toEqual(third);
    expect(reason(nextStep(given, play(given, again, again, again, again)))).toBe('futile');
  });
});

test.each<[types: readonly ProblemType[], why: string]>([
  [['validation_error'], 'attempt 2 of 10: 1 field was wrong'],
  [['json_error'], 'attempt 2 of 10: the answer was not valid JSON'],
  [['empty'], 'attempt 2 of 10: the answer was empty'],
  [['refused'], 'attempt 2 of 10: the model refused; reframed as data extraction'],
])('after %j the Web UI says why', (types, why) => {
  expect(ask(nextStep(settings, history(...types))).why).toBe(why);
});
