import type { Json } from '../../../core/json.ts';
import type { Concept } from '../concept.ts';
import type { Field } from '../field.ts';
import { optionText } from './choose-option.ts';
import { emailsIn, phonesIn, urlsIn } from './contacts.ts';
import { datesIn } from './dates.ts';
import { lineItemsIn, type LineItem } from './line-items.ts';
import { amountsIn } from './money.ts';
import { reasonsIn } from './opinions.ts';
import { openPage, splitList, valuesUnder, type Page } from './page.ts';
import { peopleIn, pursuitsIn } from './people.ts';

type Fill = (field: Field, page: Page) => Json | undefined;

/** The members of a list. */
export function fillList(field: Field, page: Page, fill: Fill): readonly Json[] {
  const { items } = field;
  if (items === null) return [];
  if (items.type === 'object') return objectsIn(field, items, page, fill);
  if (items.options.length > 0) return optionsIn(items, page);
  if (items.type === 'integer' || items.type === 'number') return numbersIn(field, page);
  if (items.type !== 'string' && items.type !== 'any') return [];
  const longest = items.maxLength;
  return [...new Set(textsIn(field, items, page))]
    .filter((text) => text.length >= items.minLength)
    .map((text) => text.slice(0, longest));
}

type Reader = (page: Page) => readonly string[];

/** By what the list is about, or what its members are. */
const READERS: { readonly [About in Concept]?: Reader } = {
  pros: (page) => reasonsIn(page, 'pros'),
  cons: (page) => reasonsIn(page, 'cons'),
  hobbies: pursuitsIn,
  email: ({ text }) => emailsIn(text),
  phone: ({ text }) => phonesIn(text),
  url: ({ text }) => urlsIn(text),
  date: ({ text }) => datesIn(text).map(({ iso }) => iso),
};

function textsIn(field: Field, items: Field, page: Page): readonly string[] {
  for (const concept of [field.concept, items.concept]) {
    const reader = concept === null ? undefined : READERS[concept];
    if (reader !== undefined) return reader(page);
  }
  const isOfPeople = /people|names|persons|attendees|participants/.test(field.name);
  return listUnder(field, page) ?? (isOfPeople ? peopleIn(page) : []);
}

function listUnder({ words, name }: Field, page: Page): readonly string[] | null {
  const [labelled] = valuesUnder(page, [words.join(' '), ...words.filter((word) => word.length > 3)]);
  if (labelled !== undefined) {
    return labelled.value === '' ? labelled.below.flatMap(splitList) : splitList(labelled.value);
  }
  if (name.toLowerCase().includes('tag')) {
    const tags = [...page.text.matchAll(/(?<![\p{L}\d&])#(\p{L}[\p{L}\d_-]+)/gu)].map(
      (match) => match[1] ?? '',
    );
    if (tags.length > 0) return tags;
  }
  return listAfterName(words.join(' '), page.text);
}

/** `skills include welding and sewing` */
function listAfterName(name: string, text: string): readonly string[] | null {
  const stem = name.replace(/s$/, '').replace(/[^\p{L}\p{N} ]/gu, '');
  if (stem.length < 3) return null;
  const verb = '(?:are|is|include|includes|including|such as|like|:)';
  const match = new RegExp(String.raw`\b${stem}s?\b\s*${verb}\s*([^.!?\n]+)`, 'iu').exec(text);
  return match === null ? null : splitList(match[1] ?? '');
}

function optionsIn(items: Field, { text }: Page): readonly Json[] {
  const plain = text.toLowerCase();
  return items.options.filter((option) =>
    plain.includes(optionText(option).toLowerCase().replaceAll('_', ' ')),
  );
}

function numbersIn(field: Field, page: Page): readonly number[] {
  if (field.concept === 'money' || field.concept === 'total')
    return amountsIn(page.text).map(({ value }) => value);
  const [labelled] = valuesUnder(page, [field.words.join(' ')]);
  return [...(labelled?.value ?? '').matchAll(/-?\d+(?:\.\d+)?/g)].map(([match]) => Number(match));
}

function objectsIn(field: Field, items: Field, page: Page, fill: Fill): readonly Json[] {
  if (field.concept === 'line_items') {
    const found = lineItemsIn(page);
    if (found.length > 0) return found.map((item) => itemObject(items, item, fill));
  }
  return blocksOf(page)
    .map((block) => fill({ ...items, required: false }, openPage(block)))
    .filter((value): value is Json => value !== undefined && isFilled(value, items));
}

/** A position of an order in the words of the schema. */
function itemObject(items: Field, item: LineItem, fill: Fill): Json {
  const members = items.properties.flatMap((property): readonly (readonly [string, Json])[] => {
    const value = itemMember(property, item) ?? fill(property, openPage(item.name));
    return value === undefined ? [] : [[property.name, value]];
  });
  return Object.fromEntries(members);
}

const ITEM_NAMES: ReadonlySet<Concept | null> = new Set<Concept>(['product', 'person', 'title', 'summary']);
const ITEM_TOTALS: ReadonlySet<Concept | null> = new Set<Concept>(['total', 'subtotal']);

function itemMember({ concept }: Field, { name, quantity, price }: LineItem): Json | null {
  if (ITEM_NAMES.has(concept)) return name;
  if (concept === 'quantity') return quantity;
  if (concept === 'money') return price;
  return ITEM_TOTALS.has(concept) && price !== null ? Math.round(price * quantity * 100) / 100 : null;
}

/** Bullets, else paragraphs: each may hold one member. */
function blocksOf({ lines, text }: Page): readonly string[] {
  const bullets = lines.filter((line) => /^\s*(?:[-*•]|\d+[.)])\s+\S/.test(line));
  const blocks =
    bullets.length > 0
      ? bullets.map((line) => line.replace(/^\s*(?:[-*•]|\d+[.)])\s+/, ''))
      : text.split(/\n\s*\n/);
  return blocks.slice(0, 50);
}

/** Half of what is required must have been found for a block to count as a member. */
function isFilled(value: Json, items: Field): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const filled = Object.values(value).filter(
    (member: Json) => member !== null && member !== '' && member !== 0,
  ).length;
  return filled * 2 >= Math.max(1, items.properties.length);
}
