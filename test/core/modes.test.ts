import { describe, expect, it, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { ModeNotPossibleError, modesOf, resolveMode, withoutRefused } from '../../src/core/modes.ts';
import type { PreparedModes } from '../../src/core/prepared.ts';

const strict: JsonObject = {
  type: 'object',
  properties: { a: { type: 'string' } },
  required: ['a'],
  additionalProperties: false,
};
const optional: JsonObject = { type: 'object', properties: { a: { type: 'string' } } };
const map: JsonObject = { type: 'object', additionalProperties: { type: 'string' } };
const list: JsonObject = { type: 'array', items: { type: 'string' } };

describe('the mode', () => {
  test.each([
    ['auto', strict, 'json_schema'],
    ['auto', optional, 'json_schema'],
    ['auto', map, 'tool'],
    ['auto', list, 'prompt'],
    ['json_schema', strict, 'json_schema'],
    ['json_schema', optional, 'json_schema'],
    ['tool', map, 'tool'],
    ['json_object', map, 'json_object'],
  ] as const)('%s of %j is the strictest that is possible', (mode, schema, resolved) => {
    expect(resolveMode(mode, schema)).toBe(resolved);
  });

  test.each([
    [
      'json_schema',
      map,
      /'json_schema' is not possible.*# takes fields of any name.*use mode 'tool' or 'auto'/,
    ],
    ['json_object', list, /'json_object' is not possible.*must be "object", not "array".*Wrap the value/],
    ['json_schema', list, /'json_schema' is not possible.*got array.*Wrap the value/],
    ['tool', list, /'tool' is not possible/],
    ['tool', { anyOf: [] }, /not null/],
  ] as const)('%s is refused where the schema does not allow it', (mode, schema, message) => {
    expect(() => resolveMode(mode, schema)).toThrow(ModeNotPossibleError);
    expect(() => resolveMode(mode, schema)).toThrow(message);
  });
});

describe('the ladder', () => {
  test.each<[mode: Parameters<typeof modesOf>[0], schema: JsonObject, modes: PreparedModes]>([
    [
      'auto',
      optional,
      { mode: 'json_schema', stricterModes: ['tool'], weakerModes: ['json_object', 'prompt'] },
    ],
    ['auto', map, { mode: 'tool', stricterModes: [], weakerModes: ['json_object', 'prompt'] }],
    ['auto', list, { mode: 'prompt', stricterModes: [] }],
    ['json_object', optional, { mode: 'json_object', stricterModes: ['json_schema', 'tool'] }],
    ['json_object', map, { mode: 'json_object', stricterModes: ['tool'] }],
    ['json_schema', optional, { mode: 'json_schema', stricterModes: ['tool'] }],
    ['tool', optional, { mode: 'tool', stricterModes: [] }],
  ])('of %s has what the schema allows; only auto is ever weakened', (mode, schema, modes) => {
    expect(modesOf(mode, schema)).toEqual(modes);
  });

  it('goes on without the modes that are refused', () => {
    const auto = modesOf('auto', optional);
    const without = (...refused: readonly string[]) => withoutRefused(auto, (mode) => refused.includes(mode));
    expect(without()).toEqual(auto);
    expect(without('json_schema')).toEqual({ ...auto, mode: 'tool', stricterModes: [] });
    expect(without('json_schema', 'tool')).toEqual({
      mode: 'json_object',
      stricterModes: [],
      weakerModes: ['prompt'],
    });
    expect(without('json_schema', 'tool', 'json_object')).toMatchObject({ mode: 'prompt', weakerModes: [] });
    expect(without('json_object')).toMatchObject({ mode: 'json_schema', weakerModes: ['prompt'] });
  });

  it('of a named mode is not weakened, even where the provider refuses all of it', () => {
    const named = modesOf('json_schema', optional);
    expect(withoutRefused(named, (mode) => mode === 'json_schema')).toEqual({
      mode: 'tool',
      stricterModes: [],
    });
    expect(withoutRefused(named, () => true)).toEqual(named);
  });
});
