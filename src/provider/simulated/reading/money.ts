/** Amounts of money, and the numbers they are written with. */

/** An amount and where it stands. */
export interface FoundAmount {
  readonly value: number;
  /** ISO 4217; null where no currency is beside it. */
  readonly currency: string | null;
  readonly index: number;
  readonly end: number;
}

/** A number with or without thousands and decimals, in any of the usual notations. */
export const NUMBER = String.raw`(?:\d{1,3}(?: \d{3})+,\d{2}|\d{1,3}(?:[,.'\u202f]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?)(?!\d)`;

const SIGNS: readonly (readonly [pattern: string, code: string])[] = [
  [String.raw`US\$`, 'USD'],
  [String.raw`(?:CA|C)\$`, 'CAD'],
  [String.raw`(?:AU|A)\$`, 'AUD'],
  [String.raw`NZ\$`, 'NZD'],
  [String.raw`R\$`, 'BRL'],
  [String.raw`\$`, 'USD'],
  ['€', 'EUR'],
  ['£', 'GBP'],
  ['¥', 'JPY'],
  ['₹', 'INR'],
  ['₩', 'KRW'],
  ['zł', 'PLN'],
  ['Kč', 'CZK'],
  ['Fr\\.', 'CHF'],
];
const CODES =
  'USD|EUR|GBP|JPY|CHF|CAD|AUD|NZD|INR|SEK|NOK|DKK|PLN|CZK|HUF|BRL|MXN|ZAR|SGD|HKD|CNY|KRW|TRY|ILS';
const WORDS: readonly (readonly [pattern: string, code: string])[] = [
  ['(?:US )?dollars?', 'USD'],
  ['bucks', 'USD'],
  ['euros?', 'EUR'],
  ['pounds?(?: sterling)?', 'GBP'],
  ['yen', 'JPY'],
  ['(?:swiss )?francs?', 'CHF'],
  ['rupees?', 'INR'],
];

const BEFORE = `${SIGNS.map(([pattern]) => pattern).join('|')}|(?:${CODES})(?![A-Za-z])`;
const AFTER = `${BEFORE}|(?:${WORDS.map(([pattern]) => pattern).join('|')})(?![A-Za-z])`;

/** An amount with its currency on either side, as a pattern without groups. */
export const MONEY = `(?:(?:${BEFORE})\\s?${NUMBER}(?:\\.-|,-)?|(?<![\\d.,])${NUMBER}(?:\\s?(?:${AFTER})))`;
const AMOUNT = new RegExp(
  `(?:(?<![A-Za-z])(${BEFORE})\\s?(${NUMBER})|(?<![\\d.,])(${NUMBER})\\s?(${AFTER}))`,
  'giu',
);

/** Amounts with a currency, in order. */
export function amountsIn(text: string): readonly FoundAmount[] {
  return [...text.matchAll(AMOUNT)].flatMap((match) => {
    const value = numberOf(match[2] ?? match[3] ?? '');
    if (value === null) return [];
    return [
      {
        value,
        currency: currencyOf(match[1] ?? match[4] ?? ''),
        index: match.index,
        end: match.index + match[0].length,
      },
    ];
  });
}

const CODE = new RegExp(`^(?:${CODES})$`, 'i');
const SIGNED = [...SIGNS, ...WORDS].map(
  ([pattern, currency]) => [new RegExp(`^(?:${pattern})$`, 'i'), currency] as const,
);
const LONE_CODE = new RegExp(`(?<![A-Za-z])(?:${CODES})(?![A-Za-z])`, 'g');

/** The currency a sign, a code or a word stands for. */
export function currencyOf(sign: string): string | null {
  const written = sign.trim();
  if (CODE.test(written)) return written.toUpperCase();
  return SIGNED.find(([pattern]) => pattern.test(written))?.[1] ?? null;
}

/** The currency most amounts of a text are in; null where there is none. */
export function currencyIn(text: string): string | null {
  const counts = new Map<string, number>();
  const lone = [...text.matchAll(LONE_CODE)].map(([code]) => code);
  for (const currency of [...amountsIn(text).map((amount) => amount.currency), ...lone]) {
    if (currency !== null) counts.set(currency, (counts.get(currency) ?? 0) + 1);
  }
  const [most] = [...counts].toSorted(([, one], [, other]) => other - one);
  return most?.[0] ?? null;
}

/** Reads `1,299.00`, `1.299,00`, `1 299,00`, `49,9` and `12`; null where it is no number. */
export function numberOf(written: string): number | null {
  const bare = written.replace(/[\s'\u202f]/g, '').replace(/^[^\d-]+|[^\d]+$/g, '');
  if (!/^-?\d[\d.,]*$/.test(bare)) return null;
  const last = Math.max(bare.lastIndexOf('.'), bare.lastIndexOf(','));
  const decimals = last === -1 ? 0 : bare.length - last - 1;
  const isDecimal = decimals > 0 && decimals !== 3;
  const value = isDecimal
    ? Number(`${bare.slice(0, last).replace(/[.,]/g, '')}.${bare.slice(last + 1)}`)
    : Number(bare.replace(/[.,]/g, ''));
  return Number.isFinite(value) ? value : null;
}

/** The number in a short text: an amount first, then any number. */
export function firstNumber(text: string): number | null {
  const [amount] = amountsIn(text);
  if (amount !== undefined) return amount.value;
  const match = new RegExp(`-?${NUMBER}`).exec(text);
  return match === null ? null : numberOf(match[0]);
}
