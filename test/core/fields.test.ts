import { describe, expect, it, test } from 'vitest';
import { compileSchema } from '../../src/core/compile-schema.ts';
import { fieldsSchema, fieldsToRepair, partOfRecord } from '../../src/core/fields.ts';
import { formatPath, parsePath } from '../../src/core/json-path.ts';
import { judge, judgeFields } from '../../src/core/judge.ts';
import { withFields, withoutFields } from '../../src/core/record-fields.ts';
import { validPart } from '../../src/core/valid-part.ts';

const schema = compileSchema({
  type: 'object',
  properties: {
    id: { type: 'string' },
    total: { type: 'number' },
    note: { anyOf: [{ type: 'string' }, { type: 'null' }] },
    items: {
      type: 'array',
      items: { $ref: '#/$defs/item' },
    },
  },
  required: ['id', 'total', 'note', 'items'],
  additionalProperties: false,
  $defs: {
    item: {
      type: 'object',
      properties: { sku: { type: 'string' }, price: { type: 'number' } },
      required: ['sku', 'price'],
      additionalProperties: false,
    },
  },
});

const items = [
  { sku: 'a', price: 1.5 },
  { sku: 'b', price: 'ten' },
  { sku: 'c', price: 3 },
];
const record = { id: 'x', total: 14.5, note: null, items, extra: 1 };

function answered(value: unknown) {
  return { text: JSON.stringify(value), finish: 'stop' } as const;
}

test.each([[['a', 0, 'b c', 'd']], [[]], [['ключ', 12]], [['"', '__proto__']]])(
  'a path that is written as text is read again: %j',
  (steps) => {
    expect(parsePath(formatPath(steps))).toEqual(steps);
  },
);

test.each(['a..b', 'a[', 'a[x]', '[0', 'a b', `["${'k'.repeat(100)}…"]`])('%s is no path', (path) => {
  expect(parsePath(path)).toBeUndefined();
});

describe('a rejected answer of which little is wrong', () => {
  const verdict = judge(answered(record), schema, { coerce: true });

  it('names the fields to be asked for again, without the unknown ones', () => {
    expect(verdict).toMatchObject({ status: 'rejected', fields: ['items[1].price'], record });
  });

  it('has a schema for those fields alone, with what it refers to', () => {
    expect(fieldsSchema(schema, ['items[1].price', 'items[2]'])).toEqual({
      type: 'object',
      properties: { 'items[1].price': { type: 'number' }, 'items[2]': { $ref: '#/$defs/item' } },
      required: ['items[1].price', 'items[2]'],
      additionalProperties: false,
      $defs: schema.jsonSchema['$defs'],
    });
  });

  it('is accepted once they are there; nothing else has changed', () => {
    const asked = { fields: ['items[1].price'], record, isIncomplete: false };
    const joined = judgeFields(answered({ 'items[1].price': 10 }), schema, { coerce: true }, asked);
    const { extra: _removed, ...rest } = record;
    expect(joined).toEqual({
      status: 'accepted',
      data: { ...rest, items: items.with(1, { sku: 'b', price: 10 }) },
      repairs: [],
    });
    const valid = JSON.stringify(items[0]);
    expect(JSON.stringify('data' in joined ? joined.data : null)).toContain(valid);
  });

  it('keeps its record where the next answer is none', () => {
    const asked = { fields: ['items[1].price'], record, isIncomplete: false };
    const garbage = judgeFields({ text: 'ten', finish: 'stop' }, schema, { coerce: true }, asked);
    expect(garbage).toMatchObject({ status: 'rejected', record, fields: asked.fields });
    const other = judgeFields(answered({ price: 10 }), schema, { coerce: true }, asked);
    expect(other).toMatchObject({ status: 'rejected', problem: { type: 'json_error' }, record });
  });

  it('has the same problem still where the next answer has none of its fields', () => {
    const asked = { fields: ['items[1].price'], record, isIncomplete: false };
    const nothing = judgeFields(answered({}), schema, { coerce: true }, asked);
    const details = [{ path: 'items[1].price' }];
    expect(nothing).toMatchObject({ problem: { type: 'validation_error', details }, fields: asked.fields });
  });

  it('may be given whole all the same', () => {
    const asked = { fields: ['items[1].price'], record, isIncomplete: false };
    const whole = { id: 'x', total: 1, note: 'n', items: [] };
    expect(judgeFields(answered(whole), schema, { coerce: true }, asked)).toMatchObject({
      status: 'accepted',
      data: whole,
    });
  });

  it('has a valid part', () => {
    if (verdict.status !== 'rejected') throw new Error('accepted');
    expect(validPart(record, verdict.problem)).toEqual({
      id: 'x',
      total: 14.5,
      note: null,
      items: items.with(1, { sku: 'b' } as never),
    });
  });
});

const wrong = (path: string) => ({ path, kind: 'wrong_type', message: '' }) as const;

it('asks for the whole where the record is small, or much of it is wrong', () => {
  expect(fieldsToRepair(schema, { id: 'x', total: 'y' }, [wrong('total')])).toBeUndefined();
  const many = ['id', 'total', 'items[0].price', 'items[1].price'].map(wrong);
  expect(fieldsToRepair(schema, record, many)).toBeUndefined();
  expect(fieldsToRepair(schema, record, [wrong('')])).toBeUndefined();
  expect(fieldsToRepair(schema, record, [wrong('items'), wrong('items[0].sku')])).toEqual(['items']);
});

it('says where null may stand for what the document does not tell', () => {
  const missing = judge(answered({ id: 'x', items: [] }), schema, { coerce: true });
  const details = missing.status === 'rejected' ? missing.problem.details : [];
  expect(details.map(({ path, nullable = false }) => [path, nullable])).toEqual([
    ['total', false],
    ['note', true],
  ]);
});

it('takes every field of a record in exactly one part', () => {
  for (const of of [1, 2, 3, 4]) {
    const parts = Array.from({ length: of }, (_, index) => partOfRecord(schema, { number: index + 1, of }));
    expect(parts.flat()).toEqual(['id', 'total', 'note', 'items']);
    expect(Math.min(...parts.map((part) => part.length))).toBeGreaterThan(0);
  }
  const half = partOfRecord(schema, { number: 2, of: 2 });
  expect([3, 4].flatMap((number) => partOfRecord(schema, { number, of: 4 }))).toEqual(half);
});

it('joins parts into a record, and judges it once all are there', () => {
  const options = { coerce: true };
  const first = judgeFields(answered({ id: 'x', total: 1 }), schema, options, {
    fields: ['id', 'total'],
    record: {},
    isIncomplete: true,
  });
  expect(first).toMatchObject({ problem: { type: 'incomplete' }, record: { id: 'x', total: 1 } });
  const last = judgeFields(answered({ note: null, items: [] }), schema, options, {
    fields: ['note', 'items'],
    record: { id: 'x', total: 1 },
    isIncomplete: false,
  });
  expect(last).toMatchObject({ status: 'accepted', data: { id: 'x', total: 1, note: null, items: [] } });
});

it('sets and removes fields without touching others, whatever the keys are', () => {
  const odd = JSON.parse('{"__proto__": {"a": 1}, "b": [1, 2, 3]}');
  const changed = withFields(odd, ['__proto__.a', 'b[1]'], { '__proto__.a': 5, 'b[1]': 9 });
  expect(JSON.stringify(changed)).toBe('{"__proto__":{"a":5},"b":[1,9,3]}');
  expect(JSON.stringify(withoutFields(odd, ['b[0]', 'b[2]', '__proto__.a']))).toBe(
    '{"__proto__":{},"b":[2]}',
  );
});

it('keeps what a cut answer has said in full, and joins the rest to it', () => {
  const options = { coerce: true };
  const first = judge(
    { text: '{"id": "x", "total": 1.5, "note": null, "items": [{"sk', finish: 'length' },
    schema,
    options,
  );
  expect(first).toMatchObject({
    status: 'rejected',
    problem: { type: 'truncated' },
    record: { id: 'x', total: 1.5, note: null },
    rest: ['items'],
  });
  const asked = { fields: ['note', 'items'], record: { id: 'x', total: 1.5 }, isIncomplete: false };
  const cut = judgeFields(
    { text: '{"note": "n", "items": [{"sku": "a"', finish: 'length' },
    schema,
    options,
    asked,
  );
  expect(cut).toMatchObject({ record: { id: 'x', total: 1.5, note: 'n' }, rest: ['items'] });
  const nothing = judgeFields({ text: '{"note": "never', finish: 'length' }, schema, options, asked);
  expect(nothing).toMatchObject({ record: { id: 'x', total: 1.5 } });
  expect(nothing).not.toHaveProperty('rest');
  const last = judgeFields(answered({ items: [] }), schema, options, {
    fields: ['items'],
    record: { id: 'x', total: 1.5, note: 'n' },
    isIncomplete: false,
  });
  expect(last).toMatchObject({ status: 'accepted', data: { id: 'x', total: 1.5, note: 'n', items: [] } });
});
