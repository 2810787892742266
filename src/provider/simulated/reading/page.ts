/** A document as it lies before the reader: its lines, its labelled values and its sentences. */

/** `Customer: Jane Roe`: a label and what stands beside or below it. */
export interface Labelled {
  /** In lower case, without punctuation. */
  readonly label: string;
  readonly value: string;
  /** Lines of a list below the label, or further lines of an address. */
  readonly below: readonly string[];
}

/** A document, taken apart once. */
export interface Page {
  readonly text: string;
  readonly lines: readonly string[];
  readonly labelled: readonly Labelled[];
  readonly sentences: readonly string[];
  /** Whether required values that are not found are guessed. Default true. */
  readonly isGuessed?: boolean;
}

const LONGEST_READ = 20_000;
/** Longer runs are no words and no columns; they would only keep the patterns busy. */
const OVERLONG_WORD = /(\S{200})\S+/g;
const OVERLONG_GAP = /([^\S\n]{80})[^\S\n]+/g;

/** Takes a document apart. What is longer than a model's attention is not read. */
export function openPage(document: string): Page {
  const text = document
    .slice(0, LONGEST_READ)
    .replace(/\r\n?/g, '\n')
    .replaceAll('\u00a0', ' ')
    .replace(OVERLONG_WORD, '$1 ')
    .replace(OVERLONG_GAP, '$1');
  const lines = text.split('\n');
  return { text, lines, labelled: labelledValues(lines), sentences: sentencesOf(text) };
}

/** The section of a page under a heading `## Kitchen` that is a field's name; the page itself where there is none. */
export function sectionOf(page: Page, words: readonly string[]): Page {
  const { lines } = page;
  const start = lines.findIndex((line) => isHeading(line) && tidyLabel(line) === words.join(' '));
  if (words.length === 0 || start === -1) return page;
  const length = lines.slice(start + 1).findIndex(isHeading);
  const end = length === -1 ? lines.length : start + 1 + length;
  return { ...page, ...openPage(lines.slice(start + 1, end).join('\n')) };
}

function isHeading(line: string): boolean {
  return /^#{1,6}\s/.test(line);
}

/** A label is short, starts with a letter and ends in a colon, an equals sign or a row of dots. */
const LABEL =
  /^[\s>*•·|#+\-–_"']*(\p{L}[\p{L}\p{N} ./&'’()#_-]{0,38}?)["'*_]*\s*(?::|=|\s[–-]{1,2}\s|\.{3,}|\t|\|)\s*(.*)$/u;
const SEPARATORS = /\s+\|\s+|\s*;\s+(?=\p{L}[\p{L} ]{1,18}:\s)|\t+|\s{4,}/u;
const INNER_LABEL = /[,.]\s+(?=\p{Lu}[\p{L}. -]{1,18}:\s)/u;

function labelledValues(lines: readonly string[]): readonly Labelled[] {
  const found: Labelled[] = [];
  for (const [index, line] of lines.entries()) {
    if (line.length > 600) continue;
    const whole = LABEL.exec(line);
    if (whole !== null) found.push(labelledAt(whole, lines, index));
    const segments = line.split(SEPARATORS).flatMap((segment) => segment.split(INNER_LABEL));
    if (segments.length < 2) continue;
    for (const segment of segments) {
      const match = LABEL.exec(segment);
      if (match !== null && (match[2] ?? '') !== '')
        found.unshift({ label: tidyLabel(match[1] ?? ''), value: tidyValue(match[2] ?? ''), below: [] });
    }
  }
  return found;
}

function labelledAt(match: RegExpExecArray, lines: readonly string[], index: number): Labelled {
  const below: string[] = [];
  for (const line of lines.slice(index + 1, index + 13)) {
    if (line.trim() === '') {
      if (below.length > 0 || (match[2] ?? '') !== '') break;
      continue;
    }
    if (/^[\s]*\p{L}[\p{L} ]{0,24}:(\s|$)/u.test(line)) break;
    below.push(line.trim());
  }
  return { label: tidyLabel(match[1] ?? ''), value: tidyValue(match[2] ?? ''), below };
}

function tidyLabel(label: string): string {
  return label
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
}

function tidyValue(value: string): string {
  return value.replace(/^[\s"'*_|:]+|[\s"'*_|,;]+$/g, '').trim();
}

const SENTENCE_END =
  /(?<=[.!?…])["')\]]*\s+(?=[\p{Lu}\p{N}"'(¡¿★])|\n{2,}|\n(?=[-*•+]\s)|\n(?=\p{Lu}[\p{L} ]{1,22}\s*:\s)|(?<=[:;,])\n/u;
const ABBREVIATION = /(?:^|\s)(?:Mr|Mrs|Ms|Dr|Prof|St|No|Nr|vs|ca|approx|e\.g|i\.e|\p{Lu})\.$/u;

function sentencesOf(text: string): readonly string[] {
  const sentences: string[] = [];
  for (const part of text.split(SENTENCE_END)) {
    const last = sentences.at(-1);
    if (last !== undefined && ABBREVIATION.test(last)) sentences[sentences.length - 1] = `${last} ${part}`;
    else sentences.push(part.replace(/\s+/g, ' ').trim());
  }
  return sentences.filter((sentence) => sentence !== '');
}

/** Makes a reader that reads each page once, however many fields ask. */
export function oncePerPage<T>(read: (page: Page) => T): (page: Page) => T {
  const known = new WeakMap<Page, { readonly value: T }>();
  return (page) => {
    const remembered = known.get(page);
    if (remembered !== undefined) return remembered.value;
    const value = read(page);
    known.set(page, { value });
    return value;
  };
}

/** The values under the first of the labels that is there: an exact label first, then one that contains it. */
export function valuesUnder({ labelled }: Page, labels: readonly string[]): readonly Labelled[] {
  const exact = labels.flatMap((wanted) => labelled.filter(({ label }) => label === wanted));
  const loose = labels.flatMap((wanted) =>
    labelled.filter(
      ({ label }) =>
        label !== wanted && label.length <= wanted.length + 14 && ` ${label} `.includes(` ${wanted} `),
    ),
  );
  return [...exact, ...loose];
}

/** Whether the text around a place has a word. */
export function isNear(text: string, index: number, word: RegExp, reach = 40): boolean {
  return word.test(text.slice(Math.max(0, index - reach), index + reach));
}

/** Splits an enumeration: `chess, hiking and baking`. */
export function splitList(text: string): readonly string[] {
  return text
    .split(/\s*(?:[,;/•|]|\s&\s|,?\s+(?:and|und|et|y)\s+(?:also\s+)?|\n)\s*/u)
    .map((part) => part.replace(/^[\s\-–*•+#"'(]+|[\s.,;!"')]+$/g, '').trim())
    .filter((part) => part !== '' && part.length <= 120);
}
