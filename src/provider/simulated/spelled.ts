const ONES =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(
    ' ',
  );
const TENS = ['', '', ...'twenty thirty forty fifty sixty seventy eighty ninety'.split(' ')];

/** A number in English words, as a model writes it by mistake: `thirty-four`, `about 49 point 9`. */
export function spelled(value: number): string {
  const whole = Math.trunc(Math.abs(value));
  const sign = value < 0 ? 'minus ' : '';
  const rest = String(value).split('.')[1];
  if (rest !== undefined) return `${sign}${spelledWhole(whole)} point ${rest}`;
  return `${sign}${spelledWhole(whole)}`;
}

function spelledWhole(value: number): string {
  if (value < 20) return ONES[value] ?? '';
  if (value < 100) {
    const one = value % 10;
    return `${TENS[Math.floor(value / 10)]}${one === 0 ? '' : `-${ONES[one]}`}`;
  }
  if (value < 1_000) return joined(value, 100, 'hundred');
  if (value < 1_000_000) return joined(value, 1_000, 'thousand');
  return 'a great many';
}

function joined(value: number, unit: number, name: string): string {
  const rest = value % unit;
  return `${spelledWhole(Math.floor(value / unit))} ${name}${rest === 0 ? '' : ` ${spelledWhole(rest)}`}`;
}

/** Reads a number written in words; null where it is none. */
export function unspelled(text: string): number | null {
  const words = text
    .toLowerCase()
    .split(/[\s-]+/)
    .filter((word) => word !== 'and' && word !== '');
  if (words.length === 0 || words.length > 8) return null;
  let total = 0;
  let part = 0;
  for (const word of words) {
    const one = ONES.indexOf(word);
    const ten = TENS.indexOf(word);
    if (one >= 0) part += one;
    else if (ten > 1) part += ten * 10;
    else if (word === 'hundred') part = Math.max(part, 1) * 100;
    else if (word === 'thousand') {
      total += Math.max(part, 1) * 1_000;
      part = 0;
    } else return null;
  }
  return total + part;
}

/** The words numbers are written with, for use in a pattern. */
export const NUMBER_WORDS = [...ONES, ...TENS.slice(2), 'hundred'].join('|');
