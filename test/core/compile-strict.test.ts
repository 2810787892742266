import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { compileSchema } from '../../src/core/compile-schema.ts';
import { compileStrict } from '../../src/core/compile-strict.ts';
import { strictFieldsSchema } from '../../src/core/strict-fields.ts';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { judge, judgeFields } from '../../src/core/judge.ts';
import { strictModeObstacles } from '../../src/core/strict-schema.ts';
import { strictSchemaComplaint } from '../../src/provider/simulated/strict-schema.ts';

function compiled(jsonSchema: JsonObject) {
  const result = compileStrict(jsonSchema);
  if (result.status !== 'compiled') throw new Error(JSON.stringify(result.obstacles));
  return result;
}

/** The strict form of a field that is required. */
function fieldOf(field: Json, rest: JsonObject = {}): Json | undefined {
  const schema = compiled(closed({ field }, ['field'], { ...rest, default: {} })).schema;
  return (schema['properties'] as JsonObject)['field'];
}

function closed(
  properties: JsonObject,
  required: readonly string[] = Object.keys(properties),
  rest: JsonObject = {},
): JsonObject {
  return { type: 'object', properties, required, additionalProperties: false, ...rest };
}

const text = { type: 'string' } as const;

describe('a schema for strict mode', () => {
  it('is the given one itself where that is strict already', () => {
    const strict = closed({ a: text, b: { anyOf: [text, { type: 'null' }] } });
    expect(compileStrict(strict)).toMatchObject({ status: 'compiled', dropped: [] });
    expect(compiled(strict).schema).toBe(strict);
    expect(compiled(strict).mapBack({ a: null, b: null })).toEqual({ a: null, b: null });
  });

  test.each<[what: string, field: Json, sent: Json]>([
    [
      'a length',
      { type: 'string', maxLength: 3, minLength: 1, description: 'd' },
      { ...text, description: 'd (at least 1 character, at most 3 characters)' },
    ],
    ['a format that it does not know', { type: 'string', format: 'uri' }, text],
    ['a format that it knows', { type: 'string', format: 'date' }, { type: 'string', format: 'date' }],
    ['a constant', { const: 'x' }, { type: 'string', enum: ['x'] }],
    [
      'allowed values without a type',
      { enum: ['a', null, 1] },
      { type: ['string', 'null', 'number'], enum: ['a', null, 1] },
    ],
    ['a default', { type: 'integer', default: 3, minimum: 1 }, { type: 'integer', minimum: 1 }],
    ['oneOf', { oneOf: [text, { type: 'number' }] }, { anyOf: [text, { type: 'number' }] }],
    ['not, if', { type: 'string', not: { const: 'x' }, if: {}, then: {} }, text],
    [
      'unique items',
      { type: 'array', items: text, uniqueItems: true, maxItems: 3 },
      { type: 'array', items: text, maxItems: 3 },
    ],
    [
      'a tuple',
      { type: 'array', prefixItems: [text, { type: 'number' }], items: false, minItems: 2 },
      { type: 'array', items: { anyOf: [text, { type: 'number' }] }, minItems: 2, maxItems: 2 },
    ],
    [
      'allOf of one reference',
      { description: 'd', allOf: [{ $ref: '#/$defs/t' }] },
      { description: 'd', anyOf: [{ $ref: '#/$defs/t' }] },
    ],
    ['a reference beside a condition', { $ref: '#/$defs/t', maxLength: 3 }, { $ref: '#/$defs/t' }],
    [
      'allOf',
      {
        allOf: [
          closed({ a: text }, ['a'], { additionalProperties: true }),
          { properties: { b: text }, required: ['b'] },
        ].map((it) => ({ ...it, additionalProperties: undefined }) as never),
      },
      closed({ a: text, b: text }),
    ],
    [
      'numbers in allOf',
      {
        allOf: [
          { type: 'number', minimum: 1 },
          { type: 'integer', minimum: 3, maximum: 9 },
        ],
      },
      { type: 'integer', minimum: 3, maximum: 9 },
    ],
    [
      'an object that may be null',
      { type: ['object', 'null'], properties: { a: text }, required: ['a'] },
      { anyOf: [closed({ a: text }), { type: 'null' }] },
    ],
    [
      'a union with something in common',
      {
        type: 'object',
        properties: { a: text },
        required: ['a'],
        anyOf: [
          { properties: { b: text }, required: ['b'] },
          { properties: { c: text }, required: ['c'] },
        ],
      },
      { anyOf: [closed({ a: text, b: text }), closed({ a: text, c: text })] },
    ],
    [
      'conditions beside fields',
      { ...closed({ a: text, b: text }), anyOf: [{ required: ['a'] }, { required: ['b'] }] },
      closed({ a: text, b: text }),
    ],
  ])('has for %s what comes nearest', (_what, field, sent) => {
    const plain = JSON.parse(JSON.stringify(field)) as Json;
    expect(fieldOf(plain, { $defs: { t: text } })).toEqual(sent);
  });

  it('asks for optional fields as nullable ones, and has null for what the schema takes as null', () => {
    const { schema, mapBack, dropped } = compiled(
      closed(
        {
          a: text,
          b: { type: ['string', 'null'] },
          c: { enum: ['x'] },
          d: { $ref: '#/$defs/e' },
          e: closed({ f: text }, []),
        },
        ['a'],
        { $defs: { e: { type: 'string', minLength: 1 }, unused: {} } },
      ),
    );
    expect(schema).toEqual({
      ...closed({
        a: text,
        b: { type: ['string', 'null'] },
        c: { type: ['string', 'null'], enum: ['x', null] },
        d: { anyOf: [{ $ref: '#/$defs/e' }, { type: 'null' }] },
        e: { anyOf: [closed({ f: { type: ['string', 'null'] } }), { type: 'null' }] },
      }),
      $defs: { e: { ...text, description: 'at least 1 character' } },
    });
    expect(mapBack({ a: 'x', b: null, c: null, d: null, e: null })).toEqual({ a: 'x', b: null });
    expect(mapBack({ a: null, b: 'y', c: 'x', d: 'z', e: { f: null } })).toEqual({
      a: null,
      b: 'y',
      c: 'x',
      d: 'z',
      e: {},
    });
    expect(dropped).toContainEqual({
      path: '#/properties/c',
      keyword: 'optional',
      effect: 'mapped_back',
      why: 'sent as required and nullable; null is mapped back to an absent field',
    });
    expect(dropped).toContainEqual(expect.objectContaining({ path: '#/$defs/e', keyword: 'minLength' }));
  });

  it('maps a union back by the alternative that an answer took', () => {
    const { mapBack } = compiled(
      closed({
        pay: {
          oneOf: [
            closed({ kind: { const: 'card' }, note: text }, ['kind']),
            closed({ kind: { const: 'cash' }, note: { type: ['string', 'null'] } }, ['kind']),
          ],
        },
      }),
    );
    expect(mapBack({ pay: { kind: 'card', note: null } })).toEqual({ pay: { kind: 'card' } });
    expect(mapBack({ pay: { kind: 'cash', note: null } })).toEqual({ pay: { kind: 'cash', note: null } });
    expect(mapBack({ pay: 'neither' })).toEqual({ pay: 'neither' });
  });

  it('refers to itself where the given one does', () => {
    const node = {
      type: 'object',
      properties: { name: text, children: { type: 'array', items: { $ref: '#/$defs/node' } } },
      required: ['name'],
    };
    const tree = { $ref: '#/$defs/node', $defs: { node } };
    const { schema, mapBack } = compiled(tree);
    expect(schema['type']).toBe('object');
    expect(strictSchemaComplaint(schema)).toBeNull();
    const leaf = { name: 'leaf', children: null };
    expect(mapBack({ name: 'root', children: [leaf] })).toEqual({
      name: 'root',
      children: [{ name: 'leaf' }],
    });
    const self = { type: 'object', properties: { next: { $ref: '#' } } };
    expect(compiled(self).mapBack({ next: { next: null } })).toEqual({ next: {} });
  });

  test.each<[what: string, schema: JsonObject, path: string, why: RegExp]>([
    ['a list', { type: 'array', items: text }, '#', /root must be of type "object", got array/],
    ['a union', { anyOf: [closed({ a: text }), closed({ b: text })] }, '#', /root is a union/],
    [
      'a map',
      closed({ a: { type: 'object', additionalProperties: text } }),
      '#/properties/a',
      /fields of any name/,
    ],
    [
      'an open object',
      { type: 'object', properties: { a: text }, additionalProperties: true },
      '#',
      /any name/,
    ],
    ['fields by pattern', { type: 'object', patternProperties: { '^x': text } }, '#', /named by a pattern/],
    ['anything', closed({ a: {} }), '#/properties/a', /takes any value/],
    ['a list of anything', closed({ a: { type: 'array' } }), '#/properties/a/items', /takes any value/],
    [
      'a required field without a schema',
      { type: 'object', properties: { a: text }, required: ['b'] },
      '#',
      /"b"/,
    ],
    ['fields by condition', closed({ a: text }, ['a'], { if: {}, then: { required: ['c'] } }), '#', /"c"/],
    [
      'two unions at once',
      closed({
        a: {
          allOf: [
            { oneOf: [closed({ b: text }), closed({ c: text })] },
            { oneOf: [closed({ b: text }), { type: 'null' }] },
          ],
        },
      }),
      '#/properties/a',
      /two unions at once/,
    ],
    [
      'a contradiction',
      closed({ a: { allOf: [text, { type: 'number' }] } }),
      '#/properties/a',
      /contradicts/,
    ],
    [
      'too many fields',
      closed(Object.fromEntries(Array.from({ length: 5_001 }, (_, i) => [`f${i}`, text]))),
      '#',
      /5001 properties/,
    ],
    ['too much nesting', closed({ a: deep(12) }, []), '#', /nested more than 10/],
    [
      'a reference into nowhere',
      closed({ a: { $ref: 'https://example.org/x' } }),
      '#/properties/a',
      /put what it refers to under \$defs/,
    ],
  ])('is not to be had for %s', (_what, schema, path, why) => {
    const result = compileStrict(schema);
    expect(result.status).toBe('not_expressible');
    const obstacles = result.status === 'not_expressible' ? result.obstacles : [];
    expect(obstacles).toContainEqual({ path, why: expect.stringMatching(why) as string });
  });

  it('is not looked for without end', () => {
    const endless = {
      ...closed({ child: { $ref: '#/$defs/a' } }),
      $defs: { a: closed({ child: { $ref: '#/$defs/a', properties: { more: text } } }) },
    };
    expect(compileStrict(endless).status).toBe('not_expressible');
    const wide = (depth: number): JsonObject =>
      depth === 0
        ? closed({ a: text }, [])
        : { type: 'object', anyOf: Array.from({ length: 9 }, () => wide(depth - 1)) };
    expect(compileStrict(closed({ a: wide(5) })).status).toBe('not_expressible');
  });
});

function deep(levels: number): JsonObject {
  return levels === 0 ? text : closed({ a: deep(levels - 1) });
}

function answer(value: unknown) {
  return { text: JSON.stringify(value), finish: 'stop' } as const;
}

describe('an answer in strict mode', () => {
  const jsonSchema = closed({ name: { type: 'string', maxLength: 5 }, age: { type: 'integer' } }, ['name']);
  const schema = compileSchema(jsonSchema);
  const options = { coerce: true, mapBack: compiled(schema.jsonSchema).mapBack };

  it('is judged by the whole schema, after it was mapped back', () => {
    expect(judge(answer({ name: 'Ada', age: null }), schema, options)).toEqual({
      status: 'accepted',
      data: { name: 'Ada' },
      repairs: [],
    });
    expect(judge(answer({ name: 'Augusta', age: null }), schema, options)).toMatchObject({
      status: 'rejected',
      problem: { details: [{ path: 'name', kind: 'constraint' }] },
      record: { name: 'Augusta' },
    });
    const twice = answer(JSON.stringify({ name: 'Ada', age: null }));
    expect(judge(twice, schema, options)).toMatchObject({ status: 'accepted', data: { name: 'Ada' } });
  });

  it('may say of a single optional field that there is none', () => {
    const wire = strictFieldsSchema(schema, ['name', 'age'])!;
    expect(wire['required']).toEqual(['name']);
    const asked = { fields: ['age'], record: { name: 'Ada', age: 'ten' }, isIncomplete: false };
    const { mapBack } = compiled(wire);
    expect(judgeFields(answer({ age: null }), schema, { coerce: true, mapBack }, asked)).toMatchObject({
      status: 'accepted',
      data: { name: 'Ada' },
    });
  });
});

/** A schema, and values that are valid by it, with how each looks in strict mode and what comes back. */
interface Sample {
  readonly schema: Json;
  readonly value: fc.Arbitrary<{ readonly valid: Json; readonly sent: Json; readonly back: Json }>;
  readonly takesNull: boolean;
}

const asItIs = (value: Json) => ({ valid: value, sent: value, back: value });

const scalar: fc.Arbitrary<Sample> = fc.oneof(
  fc
    .record({
      max: fc.integer({ min: 1, max: 9 }),
      extra: fc.constantFrom({}, { default: 'x' }, { format: 'x-y' }),
    })
    .map(({ max, extra }) => ({
      schema: { type: 'string', maxLength: max, ...extra },
      value: fc.string({ maxLength: max, unit: 'grapheme-ascii' }).map(asItIs),
      takesNull: false,
    })),
  fc.constantFrom('integer', 'number').map((type) => ({
    schema: { type, minimum: -100 },
    value: fc.integer({ min: -100, max: 100 }).map(asItIs),
    takesNull: false,
  })),
  fc.constant({
    schema: { type: ['boolean', 'null'] },
    value: fc.constantFrom(true, false, null).map(asItIs),
    takesNull: true,
  }),
  fc
    .constantFrom<Json>('k', 7, true)
    .map((only) => ({ schema: { const: only }, value: fc.constant(asItIs(only)), takesNull: false })),
  fc.constant({
    schema: { enum: ['a', 'b', null] },
    value: fc.constantFrom('a', 'b', null).map(asItIs),
    takesNull: true,
  }),
  fc.constant({
    schema: { $ref: '#/$defs/short' },
    value: fc.constantFrom('a', 'b').map(asItIs),
    takesNull: false,
  }),
  fc.constant({
    schema: { $ref: '#/$defs/record', description: 'd' },
    value: fc.constantFrom(
      { valid: { id: 1 }, sent: { id: 1, note: null }, back: { id: 1 } },
      { valid: { id: 2, note: 'n' }, sent: { id: 2, note: 'n' }, back: { id: 2, note: 'n' } },
    ),
    takesNull: false,
  }),
);

const DEFS = {
  short: { type: 'string', maxLength: 1 },
  record: { type: 'object', properties: { id: { type: 'integer' }, note: text }, required: ['id'] },
};

const { sample } = fc.letrec<{ sample: Sample; object: Sample }>((tie) => ({
  object: objectOf(tie('sample')),
  sample: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    scalar,
    tie('object'),
    tie('sample').map((items) => ({
      schema: { type: 'array', items: items.schema, uniqueItems: false },
      value: fc.array(items.value, { maxLength: 3 }).map((all) => ({
        valid: all.map(({ valid }) => valid),
        sent: all.map(({ sent }) => sent),
        back: all.map(({ back }) => back),
      })),
      takesNull: false,
    })),
    fc
      .tuple(
        taggedOf(tie('sample'), 'one'),
        taggedOf(tie('sample'), 'two'),
        fc.constantFrom('anyOf', 'oneOf'),
      )
      .map(([one, two, keyword]) => ({
        schema: { [keyword]: [one.schema, two.schema, { type: 'null' }] },
        value: fc.oneof(one.value, two.value, fc.constant(asItIs(null))),
        takesNull: true,
      })),
    tie('sample').chain((part) =>
      objectOf(fc.constant(part)).map((whole) => ({
        ...whole,
        schema: { allOf: [whole.schema, { description: 'd', minProperties: 0 }] },
      })),
    ),
  ),
}));

interface FieldSample {
  readonly field: Sample;
  readonly required: boolean;
}

function objectOf(fields: fc.Arbitrary<Sample>): fc.Arbitrary<Sample> {
  const named = fc.dictionary(
    fc.constantFrom('a', 'b', 'c d', 'e/f~', 'constructor'),
    fc.record({ field: fields, required: fc.boolean() }),
    { minKeys: 1, maxKeys: 4, noNullPrototype: true },
  );
  return fc
    .record({ named, closing: fc.constantFrom({ additionalProperties: false }, {}) })
    .map(({ named: all, closing }) => {
      const entries = Object.entries(all);
      return {
        schema: {
          type: 'object',
          properties: Object.fromEntries(entries.map(([key, { field }]) => [key, field.schema])),
          required: entries.filter(([, { required }]) => required).map(([key]) => key),
          ...closing,
        },
        value: fc.tuple(...entries.map(([key, it]) => fieldValue(key, it))).map((values) => ({
          valid: Object.fromEntries(values.flatMap(({ valid }) => valid)),
          sent: Object.fromEntries(values.flatMap(({ sent }) => sent)),
          back: Object.fromEntries(values.flatMap(({ back }) => back)),
        })),
        takesNull: false,
      };
    });
}

/** A field as entries, none where it is absent. */
function fieldValue(key: string, { field, required }: FieldSample) {
  const there = field.value.map(({ valid, sent, back }) => ({
    valid: [[key, valid] as const],
    sent: [[key, sent] as const],
    back: [[key, back] as const],
  }));
  const absent = fc.constant({
    valid: [],
    sent: [[key, null] as const],
    // What may be absent and may be null is null.
    back: field.takesNull ? [[key, null] as const] : [],
  });
  return required ? there : fc.oneof(there, absent);
}

function taggedOf(fields: fc.Arbitrary<Sample>, tag: string): fc.Arbitrary<Sample> {
  return objectOf(fields).map(({ schema, value }) => {
    const { properties, required, ...rest } = schema as { properties: JsonObject; required: string[] };
    return {
      schema: { ...rest, properties: { tag: { const: tag }, ...properties }, required: ['tag', ...required] },
      value: value.map(({ valid, sent, back }) => ({
        valid: { tag, ...(valid as JsonObject) },
        sent: { tag, ...(sent as JsonObject) },
        back: { tag, ...(back as JsonObject) },
      })),
      takesNull: false,
    };
  });
}

describe('whatever the schema is', () => {
  const schemaAndValue = objectOf(sample).chain(({ schema, value }) =>
    value.map((values) => ({ schema: { ...(schema as JsonObject), $defs: DEFS } as JsonObject, ...values })),
  );

  it('its strict form is one that a provider takes', () => {
    fc.assert(
      fc.property(schemaAndValue, ({ schema }) => {
        const { schema: wire } = compiled(schema);
        expect(strictModeObstacles(wire)).toEqual([]);
        expect(strictSchemaComplaint(wire)).toBeNull();
        expect(JSON.stringify(compiled(JSON.parse(JSON.stringify(schema)) as JsonObject).schema)).toBe(
          JSON.stringify(wire),
        );
      }),
      { numRuns: 200 },
    );
  });

  it('data that is valid can be said in strict mode, and comes back valid and the same', () => {
    fc.assert(
      fc.property(schemaAndValue, ({ schema, valid, sent, back }) => {
        const original = compileSchema(schema);
        expect(original.errorsOf(valid)).toEqual([]);
        const { schema: wire, mapBack } = compiled(schema);
        expect(compileSchema(wire).errorsOf(sent)).toEqual([]);
        expect(JSON.stringify(mapBack(sent))).toBe(JSON.stringify(back));
        expect(original.errorsOf(mapBack(sent))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});
