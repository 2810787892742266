import { describe, expect, it, test } from 'vitest';
import * as z from 'zod';
import { compileSchema, InvalidSchemaError } from '../../src/core/compile-schema.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { linearPattern } from '../../src/core/linear-pattern.ts';

function refusal(jsonSchema: JsonObject): InvalidSchemaError {
  try {
    compileSchema(jsonSchema);
  } catch (error) {
    if (error instanceof InvalidSchemaError) return error;
    throw error;
  }
  throw new Error('the schema was taken');
}

function nested(depth: number): JsonObject {
  let schema: JsonObject = { type: 'string' };
  for (let level = 0; level < depth; level += 1) schema = { type: 'array', items: schema };
  return schema;
}

describe('a schema that is wrong', () => {
  test.each<[what: string, schema: JsonObject, path: string, message: RegExp]>([
    [
      'an unknown type',
      { properties: { a: { type: 'strin' } } },
      '#/properties/a/type',
      /allowed values: array/,
    ],
    ['a limit that is no number', { minimum: '3' }, '#/minimum', /must be number/],
    ['a list of items, as in earlier drafts', { items: [{}] }, '#/items', /must be object,boolean/],
    [
      'a remote reference',
      { $ref: 'https://example.com/a' },
      '#',
      /'https:.*not fetched, put it under \$defs/,
    ],
    ['a reference to nothing', { $ref: '#/$defs/a' }, '#', /'#\/\$defs\/a', which is not in the schema/],
    ['a reference to itself', { $ref: '#' }, '#', /without end/],
    [
      'references in a circle',
      { $defs: { a: { allOf: [{ $ref: '#/$defs/b' }] }, b: { $ref: '#/$defs/a' } } },
      '#/$defs/b',
      /without end/,
    ],
    ['lookahead', { pattern: '(?=a)b' }, '#/pattern', /linear time.*without lookaround/],
    ['a backreference', { pattern: String.raw`(a)\1` }, '#/pattern', /linear time/],
    ['a pattern that is none', { patternProperties: { '(': {} } }, '#/patternProperties', /missing closing/],
    ['an unknown dialect', { $schema: 'https://example.com/dialect' }, '#/$schema', /2020-12/],
    ['validation that waits', { $async: true }, '#/$async', /not supported/],
    ['nesting without end', nested(200), '#/items', /nested deeper than 100/],
    ['too much text', { description: 'x'.repeat(300_000) }, '#', /at most 262144/],
  ])('is refused: %s', (_what, schema, path, message) => {
    const [problem] = refusal(schema).problems;
    expect(problem?.path).toContain(path);
    expect(problem?.message).toMatch(message);
  });

  it('is told with all that is wrong', () => {
    const { problems, message } = refusal({ properties: { a: { type: 'x' }, b: { minimum: 'y' } } });
    expect(problems.map(({ path }) => path)).toEqual(['#/properties/a/type', '#/properties/b/minimum']);
    expect(message).toMatch(/^Invalid JSON Schema: #\/properties\/a\/type .*; #\/properties\/b\/minimum/);
  });
});

describe('a schema that is taken', () => {
  test.each<[what: string, schema: JsonObject]>([
    [
      'draft 7',
      { $schema: 'http://json-schema.org/draft-07/schema#', definitions: { a: {} }, $ref: '#/definitions/a' },
    ],
    ['an unknown format', { type: 'string', format: 'colour' }],
    ['a recursive one', { type: 'object', properties: { next: { $ref: '#' } } }],
    [
      'an id and references to it',
      { $id: 'https://e.com/s', $defs: { a: {} }, items: { $ref: 'https://e.com/s#/$defs/a' } },
    ],
    ['unknown keywords', { type: 'string', example: 'x', 'x-order': 1 }],
  ])('may have %s', (_what, schema) => {
    expect(compileSchema(schema).errorsOf(null)).toBeDefined();
  });

  it('may be any of zod', () => {
    const schema = z.object({
      email: z.email(),
      host: z.hostname(),
      duration: z.iso.duration(),
      date: z.iso.date(),
      at: z.iso.datetime(),
      url: z.url(),
      id: z.uuid(),
      base64: z.base64(),
      ip: z.ipv6(),
      kind: z.discriminatedUnion('t', [z.object({ t: z.literal('a') }), z.object({ t: z.literal('b') })]),
    });
    const compiled = compileSchema(JSON.parse(JSON.stringify(z.toJSONSchema(schema))));
    const data = {
      email: 'ann@example.com',
      host: 'example.com',
      duration: 'P1DT2H',
      date: '2024-02-29',
      at: '2026-01-31T09:30:00Z',
      url: 'https://example.com/a?b=c',
      id: '123e4567-e89b-42d3-a456-426614174000',
      base64: 'aGk=',
      ip: '2001:db8::1',
      kind: { t: 'a' },
    };
    expect(compiled.errorsOf(data)).toEqual([]);
    expect(schema.safeParse(data).success).toBe(true);
  });

  it('is compiled once for the same text', () => {
    const schema = { type: 'object', title: 'compiled once' };
    expect(compileSchema({ ...schema })).toBe(compileSchema({ ...schema }));
  });

  it('stays as it was when the caller changes the object', () => {
    const schema = { type: 'string', title: 'changed later' };
    const compiled = compileSchema(schema);
    schema.type = 'number';
    expect(compiled.errorsOf('text')).toEqual([]);
    expect(compileSchema({ type: 'string', title: 'changed later' }).errorsOf('text')).toEqual([]);
  });

  it('is forgotten after a hundred others', () => {
    const first = compileSchema({ title: 'forgotten' });
    for (let index = 0; index < 100; index += 1) compileSchema({ title: `other ${index}` });
    expect(compileSchema({ title: 'forgotten' })).not.toBe(first);
  });
});

describe('a pattern', () => {
  test.each(['(a+)+$', '^(a|a)*$', String.raw`^\p{L}+$`, String.raw`^\d{3}-\d{4}$`, '^(?<year>[0-9]{4})$'])(
    'runs in linear time: %s',
    (pattern) => {
      expect(linearPattern(pattern).engine).toBe('re2');
    },
  );

  it('that zod writes with a lookahead is known, and runs natively', () => {
    const { pattern } = JSON.parse(JSON.stringify(z.toJSONSchema(z.hostname())));
    expect(linearPattern(pattern).engine).toBe('native');
  });

  test.each([
    ['^a$', 'a', true],
    ['^a$', 'a\n', false],
    ['^.$', '😀', true],
    ['b', 'abc', true],
    [String.raw`^\u00e9$`, 'é', true],
  ])('means what it means in JSON Schema: %s in %j', (pattern, text, matches) => {
    expect(linearPattern(pattern).test(text)).toBe(matches);
  });
});

test('fields that every object inherits are missing where they are not given', () => {
  const compiled = compileSchema({ type: 'object', required: ['constructor'] });
  expect(compiled.errorsOf({})).toHaveLength(1);
});

test('items that differ only in the order of their keys are the same', () => {
  const compiled = compileSchema({ type: 'array', uniqueItems: true });
  expect(
    compiled.errorsOf([
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ]),
  ).toHaveLength(1);
  expect(compiled.errorsOf([1, '1', [1], { a: 1 }])).toEqual([]);
});
