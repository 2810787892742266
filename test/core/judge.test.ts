import * as fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { compileSchema } from '../../src/core/compile-schema.ts';
import type { Verdict } from '../../src/core/contract.ts';
import { judge } from '../../src/core/judge.ts';
import type { Reply } from '../../src/core/judge.ts';

const person = compileSchema({
  type: 'object',
  properties: { name: { type: 'string' }, age: { type: 'integer' } },
  required: ['name', 'age'],
  additionalProperties: false,
});

function verdictOn(reply: Partial<Reply>, coerce = true): Verdict {
  return judge({ text: '', finish: 'stop', ...reply }, person, { coerce });
}

function rejection(reply: Partial<Reply>): string | undefined {
  const verdict = verdictOn(reply);
  return verdict.status === 'rejected' ? verdict.problem.type : undefined;
}

describe('an answer is accepted', () => {
  it('as it is', () => {
    expect(verdictOn({ text: '{"name": "Ann", "age": 30}' })).toEqual({
      status: 'accepted',
      data: { name: 'Ann', age: 30 },
      repairs: [],
    });
  });

  it('with all that was repaired and coerced', () => {
    expect(verdictOn({ text: '```json\n{"name": "Ann", "age": "30",}\n```' })).toEqual({
      status: 'accepted',
      data: { name: 'Ann', age: 30 },
      repairs: [
        { kind: 'syntax', path: '', message: 'removed the Markdown fence' },
        { kind: 'syntax', path: '', message: 'removed trailing commas' },
        { kind: 'coercion', path: 'age', message: '"30" → 30' },
      ],
    });
  });

  it('out of a string, where arguments were encoded twice', () => {
    const verdict = verdictOn({ text: JSON.stringify('{"name": "Ann", "age": 30}') });
    expect(verdict).toMatchObject({ data: { name: 'Ann', age: 30 } });
    expect(verdict).toMatchObject({ repairs: [{ message: 'unwrapped JSON that was encoded as a string' }] });
  });

  it('where it is complete and only what follows was cut off', () => {
    const text = '{"name": "Ann", "age": 30}\n\nNote that the a';
    expect(verdictOn({ text, finish: 'length' }).status).toBe('accepted');
  });
});

describe('an answer is rejected', () => {
  test.each<[reply: Partial<Reply>, type: string]>([
    [{ refusal: 'I cannot do that.' }, 'refused'],
    [{ text: 'no', finish: 'refusal' }, 'refused'],
    [{ text: "I'm sorry, but I can't help with that." }, 'refused'],
    [{ text: 'I’m sorry, I can’t assist with this request.' }, 'refused'],
    [{ text: 'Unfortunately, I cannot share personal data.' }, 'refused'],
    [{ text: '{"name": "Ann", "age": 30}', finish: 'content_filter' }, 'content_filter'],
    [{ text: ' \n' }, 'empty'],
    [{ text: '', finish: 'length' }, 'truncated'],
    [{ text: '{"name": "Ann", "age": 3', finish: 'length' }, 'truncated'],
    [{ text: '{"name": "Ann", "age": 3' }, 'truncated'],
    [{ text: 'The person is called Ann.' }, 'json_error'],
    [{ text: 'Sorry for the delay: {"name": Ann}' }, 'json_error'],
    [{ text: '{"person": {"name": "Ann", "age": 30}}' }, 'validation_error'],
    [{ text: '["Ann", 30]' }, 'validation_error'],
    [{ text: '"Ann"' }, 'validation_error'],
  ])('%j is %s', (reply, type) => {
    expect(rejection(reply)).toBe(type);
  });

  it('with the words of a refusal, shortened', () => {
    expect(verdictOn({ refusal: `No. ${'x'.repeat(500)}` })).toMatchObject({
      problem: { message: expect.stringMatching(/^the model refused: No\. x+…$/) },
    });
  });

  it('with the problems that coercion left', () => {
    const verdict = verdictOn({ text: '{"age": "30"}' });
    expect(verdict).toMatchObject({
      problem: { type: 'validation_error', details: [{ path: 'name', kind: 'missing' }] },
    });
  });

  it('where coercion is off', () => {
    expect(verdictOn({ text: '{"name": "Ann", "age": "30"}' }, false)).toMatchObject({
      problem: { message: '1 problem: age: expected integer', details: [{ path: 'age', received: '30' }] },
    });
  });
});

const open = compileSchema({ type: 'object' });
const plain = fc.stringMatching(/^[ -!#-[\]-~]{0,12}$/);
const value = fc.oneof(
  plain,
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.array(fc.oneof(plain, fc.integer())),
);
const record = fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), value, { minKeys: 1, maxKeys: 6 });

test('an answer that is cut anywhere is never accepted as another record', () => {
  const notations: readonly ((text: string) => string)[] = [
    (text) => text,
    (text) => `\`\`\`json\n${text}\n\`\`\``,
    (text) => `Here you are: ${text} That is all.`,
    (text) => text.replace(/\}$/, ',}'),
    (text) => JSON.stringify(text),
    (text) => JSON.stringify(JSON.parse(text), null, 2),
  ];
  const finish = fc.constantFrom('stop', 'length');
  const length = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(record, fc.constantFrom(...notations), finish, length, (data, write, how, part) => {
      const whole = write(JSON.stringify(data));
      const text = whole.slice(0, Math.floor(whole.length * part));
      const verdict = judge({ text, finish: how }, open, { coerce: true });
      fc.pre(verdict.status === 'accepted');
      expect(verdict).toHaveProperty('data', data);
    }),
    { numRuns: 500 },
  );
});

test('no answer makes it throw', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.constantFrom('stop', 'length'), (text, finish) => {
      expect(judge({ text, finish }, person, { coerce: true }).status).toBeDefined();
    }),
  );
});
