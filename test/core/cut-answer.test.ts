import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { completedFields } from '../../src/core/cut-answer.ts';

describe('an answer that was cut off', () => {
  test.each([
    ['{"a": 1, "b": [1, 2', { a: 1 }],
    ['{"a": {"x": "}, {"}, "b": [1, {"c": 2}], "c": "cu', { a: { x: '}, {' }, b: [1, { c: 2 }] }],
    ['```json\n{"a": "say \\"hi\\", then", "b": 12', { a: 'say "hi", then' }],
    ['{"a": 1, ', { a: 1 }],
  ])('%s has said %j in full', (text, said) => {
    expect(completedFields(text)).toEqual(said);
  });

  test.each([
    '',
    'Here is the',
    '{"a": 12',
    '{"a": "never ends, ',
    '{a: 1, "b": 2',
    '[{"a": 1}, {"b',
    '{"a": 12345678901234567890, "b"',
    '{"a": 1, "b": 2}',
  ])('%j has said nothing that is sure', (text) => {
    expect(completedFields(text)).toBeUndefined();
  });

  it('never says anything but what the whole says', () => {
    const record = fc.dictionary(fc.string({ maxLength: 5 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 6 });
    fc.assert(
      fc.property(record, fc.double({ min: 0, max: 1, noNaN: true }), (whole, share) => {
        const text = JSON.stringify(whole);
        const said = completedFields(text.slice(0, Math.floor(share * text.length))) ?? {};
        const same = JSON.parse(text) as Record<string, unknown>;
        for (const [key, value] of Object.entries(said)) expect(value).toEqual(same[key]);
      }),
    );
  });
});
