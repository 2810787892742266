import { Ajv2020 } from 'ajv/dist/2020.js';
import * as fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { compileSchema } from '../../src/core/compile-schema.ts';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { MAX_LISTED_PROBLEMS, validate } from '../../src/core/validate.ts';

/** Each problem as `path | kind | message | received`. */
function problems(schema: JsonObject, value: Json): readonly string[] {
  return validate(compileSchema(schema), value).map(({ path, kind, message, received }) =>
    [path, kind, message, ...(received === undefined ? [] : [JSON.stringify(received)])].join(' | '),
  );
}

const order: JsonObject = {
  type: 'object',
  additionalProperties: false,
  required: ['id', 'email', 'items'],
  properties: {
    id: { type: 'integer', minimum: 1 },
    email: { type: 'string', format: 'email' },
    sentiment: { type: 'string', enum: ['positive', 'negative', 'neutral'] },
    due: { type: 'string', format: 'date' },
    note: { type: ['string', 'null'] },
    items: {
      type: 'array',
      minItems: 1,
      items: { type: 'object', required: ['price'], properties: { price: { type: 'number', maximum: 5 } } },
    },
  },
};

test('all problems of a record are told at once, each at its own path', () => {
  const value = {
    id: 0,
    emial: 'a@b.co',
    sentiment: 'great',
    due: 'tomorrow',
    note: 3,
    items: [{ price: 'ten' }, {}, { price: 9 }],
  };
  expect(problems(order, value).toSorted()).toEqual([
    'due | constraint | expected format date (YYYY-MM-DD, such as 2026-01-31) | "tomorrow"',
    'email | missing | required field is missing (expected string, format email)',
    `emial | unknown_field | unknown field (did you mean 'email'?) | "a@b.co"`,
    'id | constraint | expected at least 1 | 0',
    'items[0].price | wrong_type | expected number | "ten"',
    'items[1].price | missing | required field is missing (expected number, at most 5)',
    'items[2].price | constraint | expected at most 5 | 9',
    'note | wrong_type | expected string or null | 3',
    'sentiment | constraint | expected one of "positive", "negative", "neutral" | "great"',
  ]);
});

describe('a message says what is expected', () => {
  test.each<[schema: JsonObject, value: Json, problem: string]>([
    [{ type: 'object' }, [1], ' | wrong_type | expected object | "[1]"'],
    [{ type: 'integer' }, 1.5, ' | wrong_type | expected integer | 1.5'],
    [{ enum: ['a', 'b'] }, 5, ' | wrong_type | expected one of "a", "b" | 5'],
    [{ const: 3 }, 4, ' | constraint | expected 3 | 4'],
    [{ type: 'string', pattern: '^x' }, 'ab', ' | constraint | expected a string matching ^x | "ab"'],
    [{ minLength: 3 }, 'ab', ' | constraint | expected at least 3 characters | "ab"'],
    [{ maxLength: 1 }, 'ab', ' | constraint | expected at most 1 character | "ab"'],
    [{ exclusiveMinimum: 0 }, 0, ' | constraint | expected more than 0 | 0'],
    [{ exclusiveMaximum: 0 }, 0, ' | constraint | expected less than 0 | 0'],
    [{ multipleOf: 5 }, 3, ' | constraint | expected a multiple of 5 | 3'],
    [{ maxItems: 1 }, [1, 2], ' | constraint | expected at most 1 item | "[1,2]"'],
    [{ uniqueItems: true }, [1, 1], ' | constraint | expected items that all differ | "[1,1]"'],
    [{ prefixItems: [{}], items: false }, [1, 2], ' | constraint | expected at most 1 item | "[1,2]"'],
    [{ minProperties: 1 }, {}, ' | constraint | expected at least 1 field | "{}"'],
    [
      { contains: { type: 'number' } },
      ['a'],
      ' | constraint | expected at least 1 item of this kind: number | "[\\"a\\"]"',
    ],
    [{ not: { type: 'string' } }, 'a', ' | constraint | expected anything but string | "a"'],
    [{ properties: { a: false } }, { a: 1 }, 'a | unknown_field | this field must not be given | 1'],
    [
      { propertyNames: { pattern: '^[a-z]$' } },
      { A: 1 },
      'A | unknown_field | the name of this field is not allowed (expected matching ^[a-z]$) | "A"',
    ],
    [{ dependentRequired: { a: ['b'] } }, { a: 1 }, 'b | missing | required field is missing'],
    [{ if: { required: ['a'] }, else: { required: ['b'] } }, {}, 'b | missing | required field is missing'],
    [
      { allOf: [{ properties: { first_name: {} } }], unevaluatedProperties: false },
      { firstName: 'x' },
      `firstName | unknown_field | unknown field (did you mean 'first_name'?) | "x"`,
    ],
    [
      { additionalProperties: { type: 'number' } },
      { 'odd "key"': 'x' },
      '["odd \\"key\\""] | wrong_type | expected number | "x"',
    ],
    [
      { enum: Array.from({ length: 30 }, (_, index) => index) },
      -1,
      ` | constraint | expected one of ${[...Array(20).keys()].join(', ')} and 10 more | -1`,
    ],
  ])('%j', (schema, value, problem) => {
    expect(problems(schema, value)).toEqual([problem]);
  });
});

describe('of a union', () => {
  const payment: JsonObject = {
    oneOf: [
      {
        type: 'object',
        properties: { kind: { const: 'card' }, number: { type: 'string' } },
        required: ['kind', 'number'],
      },
      {
        type: 'object',
        properties: { kind: { const: 'cash' }, sum: { type: 'number' } },
        required: ['kind', 'sum'],
      },
    ],
  };

  it('the branch that the discriminator names is told, and no other', () => {
    expect(problems(payment, { kind: 'card' })).toEqual([
      'number | missing | required field is missing (expected string)',
    ]);
    expect(problems(payment, { kind: 'cash', sum: 'x' })).toEqual([
      'sum | wrong_type | expected number | "x"',
    ]);
  });

  it('a discriminator that fits no branch is the one problem', () => {
    expect(problems(payment, { kind: 'coin' })).toEqual([
      'kind | constraint | expected one of "card", "cash" | "coin"',
    ]);
    expect(problems(payment, {})).toEqual([
      'kind | missing | required field is missing (expected one of "card", "cash")',
    ]);
  });

  it('a type that fits no branch is one problem', () => {
    expect(problems({ anyOf: [{ type: 'string' }, { type: 'null' }] }, 3)).toEqual([
      ' | wrong_type | expected string or null | 3',
    ]);
    expect(problems(payment, 3)).toEqual([' | wrong_type | expected object | 3']);
  });

  it('the constraint of the only branch of its type is told', () => {
    const schema = { anyOf: [{ type: 'string', maxLength: 2 }, { type: 'null' }] };
    expect(problems(schema, 'abc')).toEqual([' | constraint | expected at most 2 characters | "abc"']);
    const listed = { anyOf: [{ enum: ['a', 'b'] }, { type: 'null' }] };
    expect(problems(listed, 'c')).toEqual([' | constraint | expected one of "a", "b" or null | "c"']);
  });

  it('more than one branch that passes is told', () => {
    expect(problems({ oneOf: [{ type: 'number' }, { minimum: 3 }] }, 5)).toEqual([
      ' | constraint | expected exactly one of 2 alternatives to match, but 2 do | 5',
    ]);
  });

  it('the nearest branch is told at any depth, through references', () => {
    const list: JsonObject = {
      $defs: {
        node: {
          type: 'object',
          properties: {
            value: { type: 'integer' },
            next: { anyOf: [{ $ref: '#/$defs/node' }, { type: 'null' }] },
          },
          required: ['value', 'next'],
        },
      },
      $ref: '#/$defs/node',
    };
    expect(problems(list, { value: 1, next: { value: 2, next: { value: 'x', next: null } } })).toEqual([
      'next.next.value | wrong_type | expected integer | "x"',
    ]);
  });

  it('problems beside it are told too', () => {
    const schema: JsonObject = {
      required: ['a'],
      properties: { b: { anyOf: [{ type: 'string' }, { type: 'null' }] }, c: { type: 'number' } },
    };
    expect(problems(schema, { b: 1, c: 'x' }).toSorted()).toEqual([
      'a | missing | required field is missing',
      'b | wrong_type | expected string or null | 1',
      'c | wrong_type | expected number | "x"',
    ]);
  });
});

describe('what is shown is bounded', () => {
  it('in the length of a value', () => {
    const [text] = validate(compileSchema({ type: 'number' }), 'x'.repeat(1_000));
    expect(text?.received).toBe(`${'x'.repeat(100)}…`);
    const [list] = validate(compileSchema({ type: 'number' }), Array(1_000).fill('abc'));
    expect(list?.received).toMatch(/^\["abc","abc",.*…$/);
    expect(list?.received).toHaveLength(101);
  });

  it('in the length of a key', () => {
    const [problem] = validate(compileSchema({ additionalProperties: false }), { ['k'.repeat(1_000)]: 1 });
    expect(problem?.path.length).toBeLessThan(120);
  });

  it('in the number of problems', () => {
    const told = validate(compileSchema({ items: { type: 'number' } }), Array(80).fill('x'));
    expect(told).toHaveLength(MAX_LISTED_PROBLEMS + 1);
    expect(told.at(-1)).toEqual({ path: '', kind: 'constraint', message: 'and 30 more problems' });
  });
});

test('a value is valid exactly where Ajv says so', () => {
  const leaf = fc.constantFrom<Json>(
    { type: 'string' },
    { type: 'number', minimum: 1 },
    { type: ['integer', 'null'] },
    { enum: ['a', 1, null] },
    { const: 'a' },
    true,
    false,
    { not: { type: 'string' } },
    { minLength: 2, maximum: 3 },
    { $ref: '#/$defs/node' },
  );
  const { schema } = fc.letrec<{ schema: Json; object: Json; array: Json; union: Json }>((tie) => ({
    schema: fc.oneof({ maxDepth: 3 }, leaf, tie('object'), tie('array'), tie('union')),
    object: fc.record({
      type: fc.constant('object'),
      properties: fc.dictionary(fc.constantFrom('a', 'b'), tie('schema')),
      required: fc.uniqueArray(fc.constantFrom('a', 'b', 'c')),
      additionalProperties: fc.oneof(fc.boolean(), tie('schema')),
      propertyNames: fc.constantFrom(true, { enum: ['a', 'b'] }),
    }),
    array: fc.record({ items: tie('schema'), contains: tie('schema'), uniqueItems: fc.boolean() }),
    union: fc.oneof(
      fc
        .array(tie('schema'), { minLength: 1, maxLength: 3 })
        .chain((branches) =>
          fc.constantFrom<Json>({ anyOf: branches }, { oneOf: branches }, { allOf: branches }),
        ),
      fc.dictionary(fc.constantFrom('if', 'then', 'else'), tie('schema')),
    ),
  }));
  const { value } = fc.letrec<{ value: Json }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom<Json>('a', 'ab', 1, 0, 2.5, null, true),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value'), { noNullPrototype: true }),
    ),
  }));
  const ajv = new Ajv2020({ strict: false });
  fc.assert(
    fc.property(schema, value, (inner, data) => {
      const node = {
        type: 'object',
        properties: { a: { anyOf: [{ type: 'null' }, { $ref: '#' }] } },
        required: ['a'],
      };
      const wrapped: JsonObject = { $defs: { node }, allOf: [inner] };
      const told = validate(compileSchema(wrapped), data);
      expect(told.length === 0).toBe(ajv.compile(wrapped)(data));
      for (const { message, path } of told) {
        expect(message).toMatch(
          /^(?:expected|required field|unknown field|this field|the name of|and \d+ more)/,
        );
        expect(path).not.toContain('undefined');
      }
    }),
    { numRuns: 500 },
  );
});
