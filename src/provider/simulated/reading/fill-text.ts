import type { Concept } from '../concept.ts';
import type { Field } from '../field.ts';
import { emailsIn, phonesIn, urlsIn } from './contacts.ts';
import { datesIn, type FoundDate } from './dates.ts';
import { currencyIn } from './money.ts';
import { summaryIn } from './opinions.ts';
import { isNear, valuesUnder, type Page } from './page.ts';
import { occupationIn, peopleIn } from './people.ts';
import { addressLine, placeIn } from './places.ts';
import { firmIn, productIn, referenceIn } from './things.ts';

/** The text a field asks for, in the form it asks for; null where it is not found. */
export function fillText(field: Field, page: Page): string | null {
  const found = read(field, page);
  if (found === null) return null;
  const text = found.slice(0, field.maxLength).trim();
  if (text.length < field.minLength || text === '') return null;
  if (field.pattern !== null && !field.pattern.matcher(text).find()) return matching(field, page);
  return text;
}

type Reader = (page: Page, field: Field) => string | null;

const PHONE_LABELS = [
  'phone',
  'phone number',
  'telephone',
  'tel',
  'mobile',
  'cell',
  'telefon',
  'tél',
  'teléfono',
];
const TIME = /\b(?:[01]?\d|2[0-3])[:.][0-5]\d(?:\s?[ap]m)?\b/i;

const READERS: { readonly [About in Concept]?: Reader } = {
  email: (page, { words }) => nearest(emailsIn(page.text), words, page) ?? null,
  phone: (page) => labelled(page, PHONE_LABELS, /\d{3}/) ?? phonesIn(page.text)[0] ?? null,
  url: (page) => urlsIn(page.text)[0] ?? null,
  date: (page, field) => dateFor(field, page),
  birth_date: (page, field) => dateFor(field, page),
  time: (page) => TIME.exec(page.text)?.[0] ?? null,
  person: (page, field) => labelledName(field, page) ?? peopleIn(page)[0] ?? null,
  first_name: (page) => peopleIn(page)[0]?.split(' ')[0] ?? null,
  last_name: (page) => lastName(peopleIn(page)[0]),
  occupation: (page) => occupationIn(page),
  company: (page) => firmIn(page),
  product: (page) => productIn(page),
  reference: (page, { words }) => referenceIn(page, words),
  currency: (page) => currencyIn(page.text),
  street: (page) => placeIn(page).street,
  city: (page) => placeIn(page).city,
  region: (page) => placeIn(page).region,
  postal_code: (page) => placeIn(page).postalCode,
  country: (page) => placeIn(page).country,
  address: (page) => addressLine(page),
  summary: (page, { words, maxLength }) => labelled(page, [words.join(' ')]) ?? summaryIn(page, maxLength),
  title: (page, { words }) =>
    labelled(page, [words.join(' '), 'title', 'subject', 'headline']) ?? firstLine(page),
};

function read(field: Field, page: Page): string | null {
  const reader = field.concept === null ? undefined : READERS[field.concept];
  if (reader !== undefined) return reader(page, field);
  return labelled(page, [field.words.join(' ')]) ?? matching(field, page) ?? afterName(field, page);
}

function firstLine({ lines }: Page): string | null {
  return lines.find((line) => line.trim() !== '')?.trim() ?? null;
}

function labelled(page: Page, labels: readonly string[], like = /\S/): string | null {
  for (const { value, below } of valuesUnder(page, labels)) {
    const text = value === '' ? (below[0] ?? '') : value;
    if (like.test(text)) return text.split(/\s+\|\s+|\s{3,}/)[0] ?? text;
  }
  return null;
}

/** A name under the field's own label goes before any other. */
function labelledName({ words }: Field, page: Page): string | null {
  const [own] = words;
  if (own === undefined || own === 'name' || own === 'full') return null;
  const value = labelled(page, [words.join(' '), own], /^\p{Lu}[\p{L}.'’-]+(?:\s+[\p{L}.'’-]+){0,4}$/u);
  return value === null
    ? null
    : (peopleIn({
        ...page,
        text: value,
        lines: [value],
        labelled: [{ label: 'name', value, below: [] }],
        sentences: [value],
      })[0] ?? null);
}

function lastName(name: string | undefined): string | null {
  const words = name?.split(' ') ?? [];
  if (words.length < 2) return null;
  const particle = words.findIndex((word, index) => index > 0 && /^\p{Ll}/u.test(word));
  return particle === -1 ? (words.at(-1) ?? null) : words.slice(particle).join(' ');
}

/** Among several, the one that stands beside a word of the field's name: `customer_email`. */
function nearest(found: readonly string[], words: readonly string[], { text }: Page): string | undefined {
  const telling = words.filter((word) => !/^(?:e|mail|email|address)$/.test(word));
  const beside = found.find((one) =>
    telling.some((word) => isNear(text, text.indexOf(one), new RegExp(word, 'i'))),
  );
  return (
    beside ??
    found.find(
      (one) =>
        !/^(?:no-?reply|support|sales|info|orders?|billing|hello|service|help|shop|team|contact)@/i.test(one),
    ) ??
    found[0]
  );
}

const BIRTH = /\b(?:born|birth|dob|d\.o\.b|birthday|geboren|geb\.|née?|nacid[oa])\b|\*\s?$/i;
const MEANINGS: readonly (readonly [name: RegExp, near: RegExp])[] = [
  [/deliver|arriv|receiv/, /deliver|arriv|receiv|lieferdatum/i],
  [/ship|dispatch/, /ship|dispatch|sent|versand/i],
  [/due|deadline/, /due|deadline|by\b|until/i],
  [/order|purchase|bought|placed/, /order|purchase|bought|placed|bestell|date/i],
  [/invoice|issue/, /invoice|issue|date|rechnung/i],
  [/sign|join|regist|member|creat/, /sign|join|regist|since|member|creat/i],
];

function dateFor(field: Field, page: Page): string | null {
  const dates = datesIn(page.text);
  const chosen =
    field.concept === 'birth_date' ? birthDate(dates, page.text) : dateNear(field, dates, page.text);
  if (chosen === undefined) return null;
  return field.format === 'date-time' ? `${chosen.iso}T00:00:00Z` : chosen.iso;
}

function birthDate(dates: readonly FoundDate[], text: string): FoundDate | undefined {
  return dates.find(({ index }) => BIRTH.test(text.slice(Math.max(0, index - 30), index)));
}

function dateNear({ words }: Field, dates: readonly FoundDate[], text: string): FoundDate | undefined {
  const [, near] = MEANINGS.find(([name]) => name.test(words.join('_'))) ?? [null, null];
  const others = dates.filter(({ index }) => !BIRTH.test(text.slice(Math.max(0, index - 30), index)));
  const meant =
    near === null
      ? undefined
      : others.find(({ index }) =>
          near.test(text.slice(Math.max(0, text.lastIndexOf('\n', index), index - 40), index)),
        );
  return meant ?? others[0];
}

/** A token of the text that fits the field's pattern. */
function matching({ pattern }: Field, { text }: Page): string | null {
  if (pattern === null) return null;
  for (const token of text.split(/[\s,;:()"'<>[\]|]+/).slice(0, 2_000)) {
    const plain = token.replace(/^[#*_]+|[.!?*_]+$/g, '');
    if (plain !== '' && pattern.matcher(plain).find()) return plain;
  }
  return null;
}

/** What follows the field's name in a sentence: `the colour is dark blue`. */
function afterName({ words }: Field, { text }: Page): string | null {
  const name = words
    .filter((word) => word.length > 2)
    .map((word) => word.replace(/[^\p{L}\p{N}]/gu, ''))
    .join(String.raw`\W+`);
  if (name === '') return null;
  const match = new RegExp(
    String.raw`\b${name}\b\s*(?:is|was|are|will be|of|:|=|-)\s*(?:an?\s+|the\s+)?([^.,;!?\n]{1,80})`,
    'iu',
  ).exec(text);
  return match?.[1]?.trim() ?? null;
}
