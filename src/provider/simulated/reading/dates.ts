/** Dates in the forms people write them. */

/** A date and where it stands. */
export interface FoundDate {
  /** `2024-03-05`. */
  readonly iso: string;
  readonly index: number;
}

const MONTHS: Readonly<Record<string, number>> = Object.fromEntries(
  [
    ['jan', 'january', 'januar', 'janvier', 'enero'],
    ['feb', 'february', 'februar', 'février', 'febrero'],
    ['mar', 'march', 'märz', 'mars', 'marzo'],
    ['apr', 'april', 'avril', 'abril'],
    ['may', 'mai', 'mayo'],
    ['jun', 'june', 'juni', 'juin', 'junio'],
    ['jul', 'july', 'juli', 'juillet', 'julio'],
    ['aug', 'august', 'août', 'agosto'],
    ['sep', 'sept', 'september', 'septembre', 'septiembre'],
    ['oct', 'october', 'okt', 'oktober', 'octobre', 'octubre'],
    ['nov', 'november', 'novembre', 'noviembre'],
    ['dec', 'december', 'dez', 'dezember', 'décembre', 'diciembre'],
  ].flatMap((names, index) => names.map((name) => [name, index + 1] as const)),
);
const MONTH = `(${Object.keys(MONTHS)
  .toSorted((one, other) => other.length - one.length)
  .join('|')})`;
const YEAR = String.raw`((?:19|20)\d\d|['’]\d\d)`;

const ISO = /(?<!\d)((?:19|20)\d\d)[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)/g;
const DAY_FIRST = new RegExp(
  String.raw`(?<![\d\p{L}])(\d{1,2})(?:st|nd|rd|th|\.|º|er)?(?:\s+(?:of|de)\s+|[\s-]+)${MONTH}(?![\p{L}])\.?,?(?:\s+(?:de|of)\s+|[\s-]+)${YEAR}(?!\d)`,
  'giu',
);
const MONTH_FIRST = new RegExp(
  String.raw`(?<!\p{L})${MONTH}(?!\p{L})\.?[\s-]+(\d{1,2})(?:st|nd|rd|th)?,?[\s-]+${YEAR}(?!\d)`,
  'giu',
);
const DOTTED = /(?<![\d.])(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4}|\d{2})(?!\d)/g;
const SLASHED = /(?<![\d/-])(\d{1,2})([/-])(\d{1,2})\2(\d{4}|\d{2})(?![\d/-])/g;

/** Dates in the order they stand. `03/04/2024` is read as the text's other dates or money suggest. */
export function datesIn(text: string): readonly FoundDate[] {
  const found: FoundDate[] = [];
  const add = (match: RegExpMatchArray, year?: string, month?: number, day?: number): void => {
    const iso = isoDate(fullYear(year ?? ''), month ?? 0, day ?? 0);
    if (iso !== null) found.push({ iso, index: match.index ?? 0 });
  };
  for (const match of text.matchAll(ISO)) add(match, match[1], Number(match[2]), Number(match[3]));
  for (const match of text.matchAll(DAY_FIRST)) add(match, match[3], monthOf(match[2]), Number(match[1]));
  for (const match of text.matchAll(MONTH_FIRST)) add(match, match[3], monthOf(match[1]), Number(match[2]));
  for (const match of text.matchAll(DOTTED)) add(match, match[3], Number(match[2]), Number(match[1]));
  const isDayFirst = prefersDayFirst(text);
  for (const match of text.matchAll(SLASHED)) {
    const [one, other] = [Number(match[1]), Number(match[3])];
    const dayFirst = one > 12 || (other <= 12 && isDayFirst);
    add(match, match[4], dayFirst ? other : one, dayFirst ? one : other);
  }
  return found.toSorted((one, other) => one.index - other.index);
}

/** Month first is American: pounds, euros and European words speak against it. */
function prefersDayFirst(text: string): boolean {
  if (/(?<!\d)(1[3-9]|2\d|3[01])[/-]\d{1,2}[/-]\d{2,4}/.test(text)) return true;
  if (/(?<!\d)\d{1,2}[/-](1[3-9]|2\d|3[01])[/-]\d{2,4}/.test(text) || /\$/.test(text)) return false;
  return /[€£]|\bVAT\b|\bGBP\b|\bEUR\b|\+(?!1\b)\d{2}|\b[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}\b/.test(text);
}

function monthOf(name: string | undefined): number {
  return MONTHS[(name ?? '').toLowerCase()] ?? 0;
}

function fullYear(year: string): number {
  const digits = Number(year.replace(/['’]/, ''));
  if (year.length === 4) return digits;
  return digits > 40 ? 1900 + digits : 2000 + digits;
}

function isoDate(year: number, month: number, day: number): string | null {
  const date = new Date(Date.UTC(year, month - 1, day));
  if (month < 1 || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null;
  return date.toISOString().slice(0, 10);
}
