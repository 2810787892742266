import type { Concept } from '../concept.ts';
import type { Field } from '../field.ts';
import { NUMBER_WORDS, unspelled } from '../spelled.ts';
import { lineItemsIn, sumOf, totalIn } from './line-items.ts';
import { amountsIn, firstNumber, NUMBER, numberOf } from './money.ts';
import { ratingOn } from './opinions.ts';
import { valuesUnder, type Page } from './page.ts';
import { ageIn } from './people.ts';

/** The number a field asks for, within its bounds; null where it is not found. */
export function fillNumber(field: Field, page: Page): number | null {
  const found = read(field, page);
  if (found === null) return null;
  const value = field.type === 'integer' ? Math.round(found) : found;
  if (field.minimum !== null && value < field.minimum) return null;
  return field.maximum !== null && value > field.maximum ? null : value;
}

type Reader = (page: Page, field: Field) => number | null;

const READERS: { readonly [About in Concept]?: Reader } = {
  age: (page) => ageIn(page),
  rating: (page, { maximum }) => ratingOn(page, maximum ?? 5),
  total: (page, field) =>
    totalIn(page) ?? labelledNumber(page, namesOf(field)) ?? sumOf(lineItemsIn(page)) ?? largestAmount(page),
  subtotal: (page) =>
    labelledNumber(page, ['subtotal', 'sub total', 'zwischensumme', 'net total', 'net', 'netto']) ??
    sumOf(lineItemsIn(page)),
  tax: (page, field) =>
    labelledNumber(page, ['tax', 'vat', 'sales tax', 'gst', 'mwst', 'tva', 'iva']) ?? nearName(field, page),
  shipping: (page, field) =>
    labelledNumber(page, ['shipping', 'delivery', 'postage', 'versand']) ?? nearName(field, page),
  money: (page, field) =>
    labelledNumber(page, namesOf(field)) ?? nearName(field, page) ?? amountsIn(page.text)[0]?.value ?? null,
  quantity: (page, field) =>
    labelledNumber(page, [...namesOf(field), 'qty', 'quantity', 'menge']) ??
    nearName(field, page) ??
    lineItemsIn(page)[0]?.quantity ??
    null,
  year: (page, field) =>
    labelledNumber(page, namesOf(field)) ?? numberOf(/(?<!\d)(?:19|20)\d\d(?!\d)/.exec(page.text)?.[0] ?? ''),
};

function read(field: Field, page: Page): number | null {
  const reader = field.concept === null ? undefined : READERS[field.concept];
  return reader === undefined
    ? (labelledNumber(page, namesOf(field)) ?? nearName(field, page))
    : reader(page, field);
}

function namesOf({ words }: Field): readonly string[] {
  return [words.join(' '), ...words.filter((word) => word.length > 3)];
}

function labelledNumber(page: Page, labels: readonly string[]): number | null {
  for (const { value } of valuesUnder(page, labels)) {
    const number = firstNumber(value) ?? unspelled(value);
    if (number !== null) return number;
  }
  return null;
}

/** A number a few words from the field's name: `a battery of 5000 mAh`, `three bedrooms`. */
function nearName({ words, description }: Field, { text }: Page): number | null {
  const names = words.filter(
    (word) => word.length > 2 && !/^(?:the|number|count|num|total|in|per|of)$/.test(word),
  );
  const hints =
    names.length > 0
      ? names
      : description
          .toLowerCase()
          .split(/\W+/)
          .filter((word) => word.length > 5)
          .slice(0, 2);
  for (const name of hints) {
    const stem = name.replace(/(?:ies|s|y)$/, '').replace(/[^\p{L}\p{N}]/gu, '');
    const before = new RegExp(
      String.raw`(?<![\d.,])(${NUMBER}|\b(?:${NUMBER_WORDS}))[\s-]+(?:\p{L}+[\s-]+){0,1}${stem}`,
      'iu',
    ).exec(text);
    const after = new RegExp(
      String.raw`\b${stem}\p{L}*\W+(?:\p{L}+\W+){0,3}?(${NUMBER}|\b(?:${NUMBER_WORDS})\b)`,
      'iu',
    ).exec(text);
    const written = before?.[1] ?? after?.[1];
    if (written !== undefined) return /^\d/.test(written) ? numberOf(written) : unspelled(written);
  }
  return null;
}

function largestAmount({ text }: Page): number | null {
  const values = amountsIn(text).map(({ value }) => value);
  return values.length === 0 ? null : Math.max(...values);
}
