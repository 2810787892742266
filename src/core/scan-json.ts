/**
 * A tolerant reading of JSON-like text into tokens. It knows what models get wrong (quotes, comments, literals of Python)
 * but decides nothing: it tells where a value ends, whether it ends at all, and what was written.
 * Linear in the text, and without recursion.
 */

/** One token. `text` of a string is its decoded content; of all else it is what was written. */
export interface Token {
  readonly kind: 'punctuation' | 'string' | 'word';
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Something that cannot be read in one way only. */
export interface Obstacle {
  readonly message: string;
  readonly offset: number;
}

/** What a scan found. */
export interface Scan {
  readonly tokens: readonly Token[];
  /** Where the value, or the reading of it, ended. */
  readonly end: number;
  /** `open`: the text ends inside the value. `mismatched`: a bracket is closed by one of the other kind. */
  readonly ending: 'closed' | 'open' | 'mismatched';
  /** How deep brackets nest. */
  readonly depth: number;
  /** What a repair of the strings and comments changes, in plain words. */
  readonly faults: ReadonlySet<string>;
  /** How many quotes inside of strings lack their backslash. */
  readonly innerQuotes: number;
  /** The first place that no repair may touch. */
  readonly obstacle: Obstacle | undefined;
}

/** Which characters close a string, by the one that opens it. */
const CLOSERS: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["'", "'"],
  ['“', '"“”'],
  ['”', '"“”'],
  ['‘', "'‘’"],
  ['’', "'‘’"],
]);

const QUOTE_FAULTS: ReadonlyMap<string, string> = new Map([
  ["'", 'replaced single quotes'],
  ['“', 'replaced typographic quotes'],
  ['”', 'replaced typographic quotes'],
  ['‘', 'replaced typographic quotes'],
  ['’', 'replaced typographic quotes'],
]);

const CLOSING_BRACKET: ReadonlyMap<string, string> = new Map([
  ['{', '}'],
  ['[', ']'],
]);

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["'", "'"],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);

const SPACE = /\s/;
const LETTER = /\p{L}/u;
const HEX4 = /^[0-9a-fA-F]{4}$/;
const ELLIPSIS = /\.\.\.|…/;

/** Whether a character opens a string. */
export function opensString(character: string): boolean {
  return CLOSERS.has(character);
}

/** Reads the object or array that starts at `start`, up to its end or the end of the text. */
export function scanJson(text: string, start: number): Scan {
  return new Scanner(text, start).scan();
}

class Scanner {
  readonly #text: string;
  readonly #tokens: Token[] = [];
  readonly #faults = new Set<string>();
  #innerQuotes = 0;
  #position: number;
  #obstacle: Obstacle | undefined;

  constructor(text: string, start: number) {
    this.#text = text;
    this.#position = start;
  }

  scan(): Scan {
    const expectedClosers: string[] = [];
    let depth = 0;
    for (;;) {
      this.#skipBlanks();
      const character = this.#text[this.#position];
      if (character === undefined) return this.#ended('open', depth);
      if (opensString(character)) {
        if (!this.#readString(character)) return this.#ended('open', depth);
        continue;
      }
      if (!'{}[],:'.includes(character)) {
        this.#readWord();
        continue;
      }
      this.#push('punctuation', character, this.#position + 1);
      const closer = CLOSING_BRACKET.get(character);
      if (closer !== undefined) {
        expectedClosers.push(closer);
        depth = Math.max(depth, expectedClosers.length);
      } else if (character === '}' || character === ']') {
        if (expectedClosers.pop() !== character) return this.#ended('mismatched', depth);
        if (expectedClosers.length === 0) return this.#ended('closed', depth);
      }
    }
  }

  #ended(ending: Scan['ending'], depth: number): Scan {
    return {
      tokens: this.#tokens,
      end: this.#position,
      ending,
      depth,
      faults: this.#faults,
      innerQuotes: this.#innerQuotes,
      obstacle: this.#obstacle,
    };
  }

  #push(kind: Token['kind'], text: string, end: number): void {
    this.#tokens.push({ kind, text, start: this.#position, end });
    this.#position = end;
  }

  #blocked(message: string, offset: number): void {
    this.#obstacle ??= { message, offset };
  }

  #skipBlanks(): void {
    for (;;) {
      this.#position = afterSpace(this.#text, this.#position);
      if (!startsComment(this.#text, this.#position)) return;
      this.#skipComment();
    }
  }

  #skipComment(): void {
    const start = this.#position;
    const isBlock = this.#text[start + 1] === '*';
    const closer = this.#text.indexOf(isBlock ? '*/' : '\n', start + 2);
    const end = closer === -1 ? this.#text.length : closer + (isBlock ? 2 : 0);
    this.#faults.add('removed comments');
    if (ELLIPSIS.test(this.#text.slice(start, end))) {
      this.#blocked('An ellipsis in a comment stands for what was left out', start);
    }
    this.#position = end;
  }

  #readWord(): void {
    let end = this.#position + 1;
    while (end < this.#text.length && !endsWord(this.#text, end)) end += 1;
    if (this.#text[this.#position] === '\\') this.#blocked("Unexpected token '\\'", this.#position);
    this.#push('word', this.#text.slice(this.#position, end), end);
  }

  /** Gives false where the text ends inside the string. */
  #readString(quote: string): boolean {
    const closers = CLOSERS.get(quote) ?? quote;
    const start = this.#position;
    const inner: number[] = [];
    let content = '';
    let copied = start + 1;
    let at = copied;
    for (; ; at += 1) {
      const character = this.#text[at];
      if (character === undefined) {
        // Either the text ends inside this string, or the string ended at a quote that was taken for part of it.
        if (inner[0] !== undefined) this.#blocked('Unescaped quote in string', inner[0]);
        return false;
      }
      if (character === '\\') {
        const { decoded, end } = this.#readEscape(at);
        content += this.#text.slice(copied, at) + decoded;
        copied = end;
        at = end - 1;
      } else if (character < ' ') {
        this.#faults.add('escaped control characters in strings');
      } else if (closers.includes(character)) {
        if (endsString(this.#text, at)) break;
        if (!isApostrophe(this.#text, at)) inner.push(at);
      }
    }
    this.#noteQuotes(quote, inner);
    this.#push('string', content + this.#text.slice(copied, at), at + 1);
    return true;
  }

  #noteQuotes(quote: string, inner: readonly number[]): void {
    const fault = QUOTE_FAULTS.get(quote);
    if (fault !== undefined) this.#faults.add(fault);
    const [first] = inner;
    if (first === undefined) return;
    this.#faults.add('escaped quotes inside strings');
    this.#innerQuotes += inner.length;
    // Quotes come in pairs: an odd one means that the string probably ends elsewhere.
    if (inner.length % 2 === 1) this.#blocked('Unescaped quote in string', first);
  }

  #readEscape(at: number): { readonly decoded: string; readonly end: number } {
    const character = this.#text[at + 1] ?? '';
    const hex = this.#text.slice(at + 2, at + 6);
    if (character === 'u' && HEX4.test(hex)) {
      return { decoded: String.fromCharCode(Number.parseInt(hex, 16)), end: at + 6 };
    }
    const decoded = ESCAPES.get(character);
    if (decoded === undefined) this.#blocked('Bad escaped character in string', at);
    if (character === "'") this.#faults.add('removed needless backslashes');
    return { decoded: decoded ?? character, end: at + 2 };
  }
}

function afterSpace(text: string, start: number): number {
  let at = start;
  while (at < text.length && SPACE.test(text.charAt(at))) at += 1;
  return at;
}

function startsComment(text: string, at: number): boolean {
  return text[at] === '/' && (text[at + 1] === '/' || text[at + 1] === '*');
}

function endsWord(text: string, at: number): boolean {
  const character = text.charAt(at);
  return SPACE.test(character) || ',:{}[]"“”'.includes(character) || startsComment(text, at);
}

/**
 * A quote ends its string where JSON goes on after it; else it was meant to be part of the string. In valid JSON the
 * first unescaped quote always ends the string.
 */
function endsString(text: string, quote: number): boolean {
  const next = afterSpace(text, quote + 1);
  const character = text[next];
  if (character === undefined || ',:}]'.includes(character) || startsComment(text, next)) return true;
  return opensString(character) && text.slice(quote + 1, next).includes('\n');
}

function isApostrophe(text: string, at: number): boolean {
  return text[at] !== '"' && LETTER.test(text.charAt(at - 1)) && LETTER.test(text.charAt(at + 1));
}
