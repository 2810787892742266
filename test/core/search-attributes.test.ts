import { describe, expect, it } from 'vitest';
import {
  SEARCH_ATTRIBUTES,
  missingSearchAttributes,
  searchKeyword,
  startDevArguments,
} from '../../src/core/search-attributes.ts';

describe('search attributes', () => {
  it('leave room for others on a server whose visibility is in SQL', () => {
    const types = Object.values(SEARCH_ATTRIBUTES).map(({ type }) => type);
    // Of ten, and of three.
    expect(types.filter((type) => type === 'KEYWORD').length).toBeLessThanOrEqual(5);
    expect(types.filter((type) => type === 'INT').length).toBeLessThanOrEqual(2);
  });

  it('are cut to what a column holds, at a whole character', () => {
    expect(searchKeyword('order')).toBe('order');
    expect(searchKeyword('x'.repeat(300))).toHaveLength(255);
    expect(Array.from(searchKeyword('😀'.repeat(300)))).toEqual(Array.from({ length: 255 }, () => '😀'));
  });

  it('are missing until all of them are there', () => {
    const names = Object.values(SEARCH_ATTRIBUTES).map(({ name }) => name);
    expect(missingSearchAttributes({})).toHaveLength(names.length);
    const allButOne = Object.fromEntries(names.slice(1).map((name) => [name, 2]));
    expect(missingSearchAttributes(allButOne)).toEqual([SEARCH_ATTRIBUTES.schema]);
    expect(missingSearchAttributes({ ...allButOne, [names[0]!]: 2, Other: 1 })).toEqual([]);
  });

  it('are arguments of the development server', () => {
    expect(startDevArguments().slice(0, 2)).toEqual(['--search-attribute', 'DurableExtractSchema=Keyword']);
    expect(startDevArguments()).toContain('DurableExtractAttempts=Int');
  });
});
