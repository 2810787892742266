import fc from 'fast-check';
import { expect, it } from 'vitest';
import { storableText } from '../../src/core/storable-text.ts';

it.each([
  ['plain text', 'größe, 數, 👍', 'größe, 數, 👍'],
  ['other control characters', 'a\tb\r\nc\u0001', 'a\tb\r\nc\u0001'],
  ['NUL', '\0a\0\0b', '\uFFFDa\uFFFD\uFFFDb'],
  ['a lone high surrogate', 'a\ud83db', 'a\uFFFDb'],
  ['a lone low surrogate', '\udc4d', '\uFFFD'],
  ['nothing', '', ''],
])('%s is stored as it should be', (_, text, stored) => {
  expect(storableText(text)).toBe(stored);
});

it('survives UTF-8, has no NUL, keeps its length, and changes nothing the second time', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) }),
      (text) => {
        const stored = storableText(text);
        expect(Buffer.from(stored).toString()).toBe(stored);
        expect(stored).not.toContain('\0');
        expect(stored).toHaveLength(text.length);
        expect(storableText(stored)).toBe(stored);
      },
    ),
  );
});
