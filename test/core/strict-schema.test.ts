import { describe, expect, it, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { strictModeObstacles } from '../../src/core/strict-schema.ts';

function closed(properties: JsonObject): JsonObject {
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false };
}

const strict = closed({
  name: { type: 'string', description: 'full name' },
  email: { type: ['string', 'null'], format: 'email' },
  rating: { type: 'integer', minimum: 1, maximum: 5 },
  mood: { enum: ['good', 'bad'] },
  tags: { type: 'array', items: { type: 'string', pattern: '^[a-z]+$' }, maxItems: 5 },
  payment: { anyOf: [closed({ kind: { const: 'cash' } }), { $ref: '#/$defs/card' }] },
});
const withDefs: JsonObject = { ...strict, $defs: { card: closed({ number: { type: 'string' } }) } };

function nested(depth: number): JsonObject {
  return depth === 0 ? closed({ a: { type: 'string' } }) : closed({ a: nested(depth - 1) });
}

test('a schema that keeps to the rules has no obstacles', () => {
  expect(strictModeObstacles(withDefs)).toEqual([]);
});

describe('an obstacle is', () => {
  test.each<[what: string, schema: JsonObject, obstacle: RegExp]>([
    [
      'a root that is no object',
      { type: 'array', items: { type: 'string' } },
      /root must be of type "object"/,
    ],
    ['a union as the root', { anyOf: [closed({})] }, /root/],
    ['a union at the root', { ...closed({}), anyOf: [closed({})] }, /root must be no union/],
    [
      'a list of anything',
      closed({ a: { type: 'array' } }),
      /#\/properties\/a must say what its "items" are/,
    ],
    [
      'a long enum',
      closed({ a: { enum: Array.from({ length: 251 }, (_, i) => `${i}`.padStart(80, 'x')) } }),
      /more than 250 values/,
    ],
    [
      'an open object',
      { type: 'object', properties: {}, required: [] },
      /# must have "additionalProperties": false/,
    ],
    [
      'an open object inside',
      closed({ a: { type: 'object' } }),
      /#\/properties\/a must have "additionalProperties"/,
    ],
    ['an optional field', { ...strict, required: ['name'] }, /must list "email" in "required"/],
    ['a length', closed({ a: { type: 'string', maxLength: 3 } }), /#\/properties\/a uses "maxLength"/],
    ['allOf', closed({ a: { type: 'string', allOf: [] } }), /"allOf"/],
    ['a default', closed({ a: { type: 'string', default: 'x' } }), /"default"/],
    ['oneOf', closed({ a: { oneOf: [{ type: 'string' }] } }), /"oneOf"/],
    ['tuples', closed({ a: { type: 'array', prefixItems: [] } }), /"prefixItems"/],
    ['a format that is not listed', closed({ a: { type: 'string', format: 'uri' } }), /format "uri"/],
    ['lookaround', closed({ a: { type: 'string', pattern: '^(?!x)' } }), /lookaround/],
    ['a field of any type', closed({ a: { description: 'anything' } }), /#\/properties\/a must have a type/],
    ['a reference with a description', closed({ a: { $ref: '#', description: 'x' } }), /beside "\$ref"/],
    ['a boolean schema', closed({ a: true }), /must be an object, not true/],
    ['nesting', nested(11), /nested more than 10 levels/],
    ['an obstacle in a definition', { ...withDefs, $defs: { card: { type: 'object' } } }, /#\/\$defs\/card/],
    [
      'too many values',
      closed({ a: { enum: Array.from({ length: 1_001 }, (_, i) => i) } }),
      /1001 enum values/,
    ],
  ])('%s', (_what, schema, obstacle) => {
    expect(strictModeObstacles(schema).join('\n')).toMatch(obstacle);
  });

  it('not nesting up to ten levels', () => {
    expect(strictModeObstacles(nested(9))).toEqual([]);
  });
});
