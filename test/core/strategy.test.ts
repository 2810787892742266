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
  const details = [{ path: 'age', kind: 'wrong_type', message: 'expected number', received }] as const;
  return { type, message: `wrong ${received}`, details: type === 'validation_error' ? details : [] };
}

function history(...types: readonly (ProblemType | Problem)[]): readonly RejectedAnswerRecord[] {
  return types.map((type, index) => ({
    attempt: index + 1,
    problem: typeof type === 'string' ? problem(type) : type,
    completionTokens: 100,
  }));
}

function same(...details: Problem['details']): Problem {
  return { type: 'validation_error', message: '', details };
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
    const capped = [{ ...cut, completionTokens: 3_000, maxOutputTokens: 3_200 }];
    expect(ask(nextStep(settings, capped)).maxOutputTokens).toBe(6_400);
  });

  it('keeps the raised cap afterwards', () => {
    expect(ask(nextStep(settings, history('truncated', 'validation_error')))).toMatchObject({
      maxOutputTokens: 1_024,
      carry: 'all-turns',
    });
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

  it('gives up on the very same problems three times in a row, whatever their order', () => {
    const a = { path: 'a', kind: 'missing', message: 'x' } as const;
    const b = { path: 'b', kind: 'wrong_type', message: 'y', received: 1 } as const;
    expect(reason(nextStep(settings, history(same(a, b), same(b, a), same(a, b))))).toBe('futile');
    expect(reason(nextStep(settings, history(same(a, b), same(b, a))))).toBeUndefined();
    expect(reason(nextStep(settings, history(same(a, b), same(a), same(a, b))))).toBeUndefined();
    expect(
      reason(nextStep(settings, history(same(b), same({ ...b, received: 2 }), same(b)))),
    ).toBeUndefined();
  });

  it('does not take answers that were cut off for futile, since each had more room', () => {
    const cut: Problem = { type: 'truncated', message: '', details: [] };
    expect(reason(nextStep(settings, history(cut, cut, cut, cut)))).toBeUndefined();
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
