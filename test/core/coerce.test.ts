import * as fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { coerce } from '../../src/core/coerce.ts';
import { compileSchema } from '../../src/core/compile-schema.ts';
import type { Json, JsonObject } from '../../src/core/json.ts';

describe('coercion', () => {
  test.each<[schema: JsonObject, from: Json, to: Json, message: string]>([
    [{ type: 'integer' }, '30', 30, '"30" → 30'],
    [{ type: 'integer' }, '30.0', 30, '"30.0" → 30'],
    [{ type: 'number' }, ' 19.90 ', 19.9, '" 19.90 " → 19.9'],
    [{ type: 'number' }, '-0.05', -0.05, '"-0.05" → -0.05'],
    [{ type: 'boolean' }, 'true', true, '"true" → true'],
    [{ type: 'boolean' }, 'False', false, '"False" → false'],
    [{ type: 'string' }, 30, '30', '30 → "30"'],
    [{ type: ['number', 'null'] }, 'null', null, '"null" → null'],
    [{ anyOf: [{ type: 'number' }, { type: 'null' }] }, '3', 3, '"3" → 3'],
    [{ enum: ['positive', 'negative'] }, ' Positive', 'positive', '" Positive" → "positive"'],
    [{ const: 'card' }, 'CARD', 'card', '"CARD" → "card"'],
    [{ enum: [1, 2] }, '2', 2, '"2" → 2'],
  ])('%j makes of %j %j, and says so', (schema, from, to, message) => {
    expect(coerce(compileSchema(schema), from)).toEqual({
      value: to,
      repairs: [{ kind: 'coercion', path: '', message }],
    });
  });

  test.each<[schema: JsonObject, value: Json]>([
    [{ type: 'number' }, '1,299.50'],
    [{ type: 'number' }, '030'],
    [{ type: 'number' }, '1e3'],
    [{ type: 'number' }, '+5'],
    [{ type: 'number' }, '.5'],
    [{ type: 'number' }, '30 kg'],
    [{ type: 'number' }, '$30'],
    [{ type: 'number' }, ''],
    [{ type: 'number' }, true],
    [{ type: 'number' }, ['3']],
    [{ type: 'number' }, '12345678901234567'],
    [{ type: 'integer' }, '30.5'],
    [{ type: 'integer', maximum: 20 }, '30'],
    [{ type: 'boolean' }, 'yes'],
    [{ type: 'boolean' }, 1],
    [{ type: 'string' }, 1.5],
    [{ type: 'string' }, true],
    [{ type: 'string' }, null],
    [{ type: 'null' }, ''],
    [{ type: 'array' }, 'a'],
    [{ enum: ['Yes', 'YES'] }, 'yes'],
    [{ enum: ['positive'] }, 'positively'],
  ])('%j leaves %j alone', (schema, value) => {
    expect(coerce(compileSchema(schema), value)).toEqual({ value, repairs: [] });
  });

  it('goes into lists and objects, leaves the rest alone and the input untouched', () => {
    const schema = compileSchema({
      properties: {
        items: { items: { properties: { price: { type: 'number' }, 'odd key': { type: 'boolean' } } } },
      },
    });
    const value = {
      items: [
        { price: '1.5', name: '7' },
        { price: 'ten', 'odd key': 'true' },
      ],
    };
    const before = structuredClone(value);
    expect(coerce(schema, value)).toEqual({
      value: {
        items: [
          { price: 1.5, name: '7' },
          { price: 'ten', 'odd key': true },
        ],
      },
      repairs: [
        { kind: 'coercion', path: 'items[0].price', message: '"1.5" → 1.5' },
        { kind: 'coercion', path: 'items[1]["odd key"]', message: '"true" → true' },
      ],
    });
    expect(value).toEqual(before);
  });

  it('does not change what another branch of a union takes as it is', () => {
    const schema = compileSchema({
      oneOf: [
        { properties: { kind: { const: 'a' }, v: { type: 'number' } }, required: ['kind', 'v'] },
        { properties: { kind: { const: 'b' }, v: { type: 'string' } }, required: ['kind', 'v'] },
      ],
    });
    expect(coerce(schema, { kind: 'b', v: '3' })).toEqual({ value: { kind: 'b', v: '3' }, repairs: [] });
    expect(coerce(schema, { kind: 'a', v: '3' }).value).toEqual({ kind: 'a', v: 3 });
    expect(coerce(schema, { kind: 'c', v: '3' }).repairs).toEqual([]);
  });
});

const schemas = fc.constantFrom<JsonObject>(
  { type: 'number' },
  { type: 'integer' },
  { type: 'string' },
  { type: ['boolean', 'null'] },
  { enum: ['a', 'B', 1] },
);
const record = fc.record({
  schema: schemas,
  value: fc.oneof(
    fc.string(),
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.integer().map(String),
    fc.constantFrom('true', 'null', 'A', 'b '),
  ),
});

test('a valid value is never changed', () => {
  fc.assert(
    fc.property(record, ({ schema, value }) => {
      const compiled = compileSchema({ properties: { a: schema } });
      const before = { a: value };
      if (compiled.errorsOf(before).length > 0) return;
      expect(coerce(compiled, before)).toEqual({ value: before, repairs: [] });
    }),
  );
});

function plainText(value: Json): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.trim().toLowerCase();
}

test('what is changed says the same, and fits', () => {
  fc.assert(
    fc.property(record, ({ schema, value }) => {
      const compiled = compileSchema(schema);
      const coerced = coerce(compiled, value);
      fc.pre(coerced.repairs.length > 0);
      expect(compiled.errorsOf(coerced.value)).toEqual([]);
      expect(plainText(coerced.value)).toBe(plainText(value));
    }),
  );
});

test('any decimal number of up to fifteen digits is read without loss', () => {
  const digits = fc.bigInt({ min: 1n, max: 10n ** 15n - 1n });
  fc.assert(
    fc.property(digits, fc.nat({ max: 14 }), (number, point) => {
      const padded = String(number).padStart(point + 1, '0');
      const text = point === 0 ? padded : `${padded.slice(0, -point)}.${padded.slice(-point)}`;
      const { value } = coerce(compileSchema({ type: 'number' }), text);
      expect(Number(value).toFixed(point)).toBe(text);
    }),
  );
});
