import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cut, readGivenDocument, shown } from '../../src/core/batch-input.ts';

/** What is wrong with a value, in one line. */
function badOf(value: unknown): string {
  const read = readGivenDocument(value);
  if (!('bad' in read)) throw new Error(`Not bad: ${JSON.stringify(read)}`);
  expect(read.bad).not.toMatch(/[\n\r]/);
  expect(read.bad.length).toBeLessThan(320);
  return read.bad;
}

function circle(): object {
  const value: Record<string, unknown> = {};
  value['itself'] = value;
  return value;
}

describe('a given document', () => {
  it('is an id, a text, and metadata, which is all else', () => {
    expect(readGivenDocument({ id: 'a', text: 'x', metadata: { n: 1 }, tags: [] })).toEqual({
      document: { id: 'a', text: 'x', metadata: { metadata: { n: 1 }, tags: [] } },
    });
  });

  it('comes back as it was given, whatever its text and metadata', () => {
    const id = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 100 })
      .filter((each) => each.length <= 500 && !/\p{Cc}/u.test(each));
    const text = fc.string({ unit: 'binary' }).filter((each) => each.trim() !== '');
    const metadata = fc.dictionary(
      fc.string({ unit: 'binary' }).filter((key) => !['id', 'text', 'schema'].includes(key)),
      fc.jsonValue(),
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(id, text, metadata, (id, text, metadata) => {
        expect(readGivenDocument({ id, text, ...metadata })).toEqual({ document: { id, text, metadata } });
      }),
    );
  });

  it('pollutes nothing by a key called __proto__', () => {
    const read = readGivenDocument(JSON.parse('{"id":"a","text":"x","__proto__":{"polluted":true}}'));
    if ('bad' in read) throw new Error(read.bad);
    const { metadata } = read.document;
    expect(JSON.stringify(metadata)).toBe('{"__proto__":{"polluted":true}}');
    expect(Object.getPrototypeOf(metadata)).toBe(Object.prototype);
    expect(metadata['polluted']).toBeUndefined();
    expect(badOf(JSON.parse('{"__proto__":{"id":"a","text":"x"}}'))).toMatch(/^id: .* got none$/);
  });

  it.each([
    ['a list', [1], '[1]'],
    ['null', null, 'null'],
    ['a string', 'a\nb', String.raw`"a\nb"`],
    ['nothing', undefined, 'none'],
    ['a function', () => 1, 'a value that JSON cannot hold (function)'],
    ['a bigint', 1n, 'a value that JSON cannot hold (bigint)'],
  ])('is not %s', (_, value, got) => {
    expect(badOf(value)).toBe(`expected a JSON object, got ${got}`);
  });

  it.each([
    ['a whole number', 17, '17'],
    ['minus zero', -0, '0'],
    ['the largest exact number', 2 ** 53 - 1, '9007199254740991'],
    ['500 characters', 'x'.repeat(500), 'x'.repeat(500)],
    ['blanks around it', ' a ', ' a '],
  ])('may have an id like %s', (_, id, expected) => {
    expect(readGivenDocument({ id, text: 'x' })).toMatchObject({ document: { id: expected } });
  });

  it.each([
    ['none', undefined, 'none'],
    ['null', null, 'null'],
    ['an empty one', '', '""'],
    ['a fraction', 1.5, '1.5'],
    ['a number that is not exact', 2 ** 53, '9007199254740992'],
    ['a list', ['a'], '["a"]'],
    ['501 characters', 'x'.repeat(501), `"${'x'.repeat(58)}…`],
    ['a line break', 'a\nb', String.raw`"a\nb"`],
    ['NUL', 'a\0b', String.raw`"a\u0000b"`],
    ['DEL', 'a\u007Fb', '"a\u007Fb"'],
    ['a lone surrogate', 'a\ud800', String.raw`"a\ud800"`],
  ])('may not have an id like %s', (_, id, got) => {
    expect(badOf({ id, text: 'x' })).toBe(
      `id: expected a string of 1 to 500 characters without control characters, or a whole number, got ${got}`,
    );
  });

  it.each([
    ['none', undefined, 'none'],
    ['an empty one', '', '""'],
    ['a blank one', ' \n\u00A0', String.raw`" \n${'\u00A0'}"`],
    ['a number', 3, '3'],
    ['an object', { a: 'x'.repeat(100) }, `{"a":"${'x'.repeat(53)}…`],
  ])('may not have a text like %s', (_, text, got) => {
    expect(badOf({ id: 'a', text })).toBe(`text: expected a string that is not blank, got ${got}`);
  });

  it.each([
    ['a bigint', 1n],
    ['a circle', circle()],
    ['100000 lists in each other', JSON.parse('['.repeat(100_000) + ']'.repeat(100_000))],
  ])('may not hold what cannot be written: %s', (_, value) => {
    expect(badOf({ id: 'a', text: 'x', value })).toMatch(/^expected values that JSON can hold/);
    expect(badOf({ id: value, text: 'x' })).toMatch(/^id: expected /);
  });
});

describe('the schema of a given document', () => {
  const person = { title: 'person', type: 'object', properties: { name: { type: 'string' } } };

  it.each([
    ['a registered name', 'user', { name: 'user' }],
    ['a reference to a registered name', { name: 'user' }, { name: 'user' }],
    ['one with a name', { name: 'p', jsonSchema: person }, { name: 'p', jsonSchema: person }],
    ['one with a title', person, { name: 'person', jsonSchema: person }],
    ['one without', { type: 'object' }, { name: 'record', jsonSchema: { type: 'object' } }],
    ['one whose title is no name', { title: 'a\nb' }, { name: 'record', jsonSchema: { title: 'a\nb' } }],
    ['one that is empty', {}, { name: 'record', jsonSchema: {} }],
  ])('may be %s', (_, schema, expected) => {
    const document = { id: 'a', text: 'x', schema: expected, metadata: {} };
    expect(readGivenDocument({ id: 'a', text: 'x', schema })).toEqual({ document });
  });

  it.each([[null], [undefined]])('may be %s, which is none', (schema) => {
    const document = { id: 'a', text: 'x', metadata: {} };
    expect(readGivenDocument({ id: 'a', text: 'x', schema })).toStrictEqual({ document });
  });

  it.each([
    ['an empty name', '', /^schema\.name: expected .* got ""$/],
    ['a number', 3, /^schema: expected a registered name or a JSON Schema object, got 3$/],
    ['a list', [person], /^schema: expected a registered name or .* got \[/],
    ['without a name beside jsonSchema', { jsonSchema: person }, /^schema\.name: expected .* got none$/],
    [
      'a jsonSchema that is no object',
      { name: 'p', jsonSchema: 'user' },
      /^schema\.jsonSchema: .* got "user"$/,
    ],
    ['without a jsonSchema', { name: 'p', jsonSchema: undefined }, /^schema\.jsonSchema: .* got none$/],
    ['an invalid one', { type: 'nonsense' }, /a valid JSON Schema \(2020-12\), got: #\/type must be/],
    ['an invalid jsonSchema', { name: 'p', jsonSchema: { minimum: 'x' } }, /got: #\/minimum must be number$/],
    ['many mistakes', { minimum: 'x', maximum: 'x', maxLength: 'x' }, /#\/\w+ must be .* \(and 2 more\)$/],
    ['a long mistake', { $ref: `#/$defs/${'x'.repeat(1_000)}` }, /got: # refers to '#\/\$defs\/x+…$/],
    ['a circle', circle(), /got: # is not plain JSON/],
  ])('may not be %s', (_, schema, says) => {
    expect(badOf({ id: 'a', text: 'x', schema })).toMatch(says);
  });
});

it('is quick where thousands of documents have the same schema', () => {
  const schema = { type: 'object', properties: { a: { type: 'string' } } };
  const started = performance.now();
  for (let id = 0; id < 5_000; id++) readGivenDocument({ id, text: 'x', schema });
  // To compile each would take more than ten times as long.
  expect(performance.now() - started).toBeLessThan(2_000);
});

describe('what is shown of a value', () => {
  it('is one line of at most 60 characters, without half a character', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(shown(value)).toMatch(/^.{1,60}$/su);
        expect(shown(value)).not.toMatch(/[\n\r]/);
      }),
    );
    expect(shown(`${'x'.repeat(57)}👍👍`)).toBe(`"${'x'.repeat(57)}…`);
    expect(cut('a\r\nb\nc', 4)).toBe('a b…');
  });
});
