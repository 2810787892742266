import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Problem, ProblemDetail } from '../../src/core/contract.ts';
import { markProblems } from '../../src/core/mark-problems.ts';
import { parseAnswer } from '../../src/core/parse-answer.ts';

const wrong = (...details: readonly (readonly [ProblemDetail['kind'], string])[]): Problem => ({
  type: 'validation_error',
  message: 'wrong',
  details: details.map(([kind, path]) => ({ kind, path, message: 'expected' })),
});

/** The answer with each mark in brackets: `{"a": ⟦1:"x"⟧}`. */
const marked = (answer: string, problem: Problem): string =>
  markProblems(answer, problem)
    .map(({ text, problems }) => (problems.length === 0 ? text : `⟦${problems.join()}:${text}⟧`))
    .join('');

describe('markProblems', () => {
  it.each([
    ['a wrong value', '{"a": "x"}', wrong(['wrong_type', 'a']), '{"a": ⟦1:"x"⟧}'],
    [
      'fields of lists',
      '{"items": [{"p": 1}, {"p": "ten"}]}',
      wrong(['wrong_type', 'items[1].p']),
      '{"items": [{"p": 1}, {"p": ⟦1:"ten"⟧}]}',
    ],
    [
      'missing fields, at the bracket of what lacks them',
      '{"a": {"b": 1}}',
      wrong(['missing', 'a.c'], ['missing', 'a.d.e'], ['missing', 'z']),
      '⟦3:{⟧"a": ⟦1,2:{⟧"b": 1}}',
    ],
    ['an unknown field, at its key', '{"mail": [1]}', wrong(['unknown_field', 'mail']), '{⟦1:"mail"⟧: [1]}'],
    ['an odd key', '{"unit price": "x"}', wrong(['wrong_type', '["unit price"]']), '{"unit price": ⟦1:"x"⟧}'],
    [
      'a value in a fence, with quotes of another kind',
      "Here:\n```json\n{'a': 'x',}\n```",
      wrong(['wrong_type', 'a']),
      "Here:\n```json\n{'a': ⟦1:'x'⟧,}\n```",
    ],
    [
      'fields that were asked for by themselves',
      '{"items[0].price": "ten"}',
      wrong(['wrong_type', 'items[0].price']),
      '{"items[0].price": ⟦1:"ten"⟧}',
    ],
    ['a list with too few', '{"a": [1]}', wrong(['constraint', 'a']), '{"a": ⟦1:[⟧1]}'],
    ['an object in place of a text', '{"a": {"v": 1}}', wrong(['wrong_type', 'a']), '{"a": ⟦1:{"v": 1}⟧}'],
    [
      'one inside the other',
      '{"a": {"v": "x"}}',
      wrong(['wrong_type', 'a'], ['wrong_type', 'a.v']),
      '{"a": ⟦1:{"v": ⟧⟦2:"x"⟧}}',
    ],
    ['what is nowhere', '{"a": 1}', wrong(['wrong_type', 'b.c']), '{"a": 1}'],
    ['what was cut off', '{"a": 1 ', { type: 'truncated', message: '', details: [] }, '{"a": ⟦1:1⟧ '],
  ] as const)('finds %s', (_, answer, problem, expected) => {
    expect(marked(answer, problem)).toBe(expected);
  });

  it('finds a syntax error where the parser told it', () => {
    const answer = '{"a": 1,\n  "b": 12 13}';
    const parsed = parseAnswer(answer, { cutOff: false });
    if (parsed.status !== 'failed-parse') throw new Error('Expected a syntax error.');
    expect(marked(answer, parsed.problem)).toBe('{"a": 1,\n  "b": 12 ⟦1:1⟧3}');
  });

  it('leaves out nothing and adds nothing, whatever the answer and the problems', () => {
    const kinds = fc.constantFrom<ProblemDetail['kind']>(
      'missing',
      'wrong_type',
      'unknown_field',
      'constraint',
    );
    const paths = fc.constantFrom('', 'a', 'a.b', 'a[0]', 'a[0].b', '["x y"]', 'b');
    const answers = fc.oneof(
      fc.string({ unit: fc.constantFrom(...Array.from('{}[]",:ab01 \n`')) }),
      fc.json(),
      fc.object().map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(answers, fc.array(fc.tuple(kinds, paths)), (answer, details) => {
        const pieces = markProblems(answer, wrong(...details));
        expect(pieces.map(({ text }) => text).join('')).toBe(answer);
      }),
    );
  });
});
