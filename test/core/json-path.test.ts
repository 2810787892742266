import { expect, test } from 'vitest';
import { formatPath, stepsInto } from '../../src/core/json-path.ts';
import { nearestField } from '../../src/core/nearest-field.ts';

test.each([
  [[], ''],
  [['items', 0, 'price'], 'items[0].price'],
  [[0, 1], '[0][1]'],
  [['a', 'odd key', 'b'], 'a["odd key"].b'],
  [['größe'], 'größe'],
  [['line\nbreak'], '["line\\nbreak"]'],
  [['0'], '["0"]'],
  [[''], '[""]'],
])('%j is written %s', (steps, path) => {
  expect(formatPath(steps)).toBe(path);
});

test('a step into a list is an index, and into an object a key, also where both look alike', () => {
  expect(stepsInto([{ '0': ['x'] }], '/0/0/0')).toEqual([0, '0', 0]);
  expect(stepsInto({ 'a/b': { '~': 1 } }, '/a~1b/~0')).toEqual(['a/b', '~']);
});

test.each([
  ['emial', 'email'],
  ['firstName', 'first_name'],
  ['EMAIL', 'email'],
  ['prices', 'price'],
  ['telephone', undefined],
  ['x'.repeat(100), undefined],
])('of email, first_name and price, %s is meant for %s', (unknown, nearest) => {
  expect(nearestField(unknown, ['email', 'first_name', 'price'])).toBe(nearest);
});
