/** Documents with their truth, made up from a number: the same number makes the same document. */
import { z } from 'zod';
import type { Json, JsonObject } from '../src/core/json.ts';

/** A document, and what a perfect model finds in it. */
export interface KnownDocument {
  readonly id: string;
  readonly text: string;
  readonly schema: string | JsonObject;
  readonly truth: Json;
}

const FIRST_NAMES = ['Ada', 'Grace', 'Alan', 'Edith', 'Emmy', 'Kurt', 'Hedy', 'Karl', 'Rosa', 'Otto'];
const LAST_NAMES = ['Lovelace', 'Hopper', 'Turing', 'Clarke', 'Noether', 'Lamarr', 'Steiner', 'Vogel'];
const CITIES = ['Lyon', 'Porto', 'Bergen', 'Graz', 'Gdansk', 'Cork', 'Turin'];
const ARTICLES = [
  'Oak desk',
  'Desk lamp',
  'Cable tray',
  'Steel shelf',
  'Paper tray',
  'Wall clock',
  'Ink pad',
];
const PLACES = ['kitchen', 'office', 'garden', 'workshop', 'archive', 'canteen'] as const;
const LINES_OF_A_PLACE = 50;
const FLAT_FIELDS = 60;

const PARTS_OF_A_PUMP = ['inlet', 'outlet', 'rotor', 'stator', 'casing', 'gasket'];
const PROPERTIES_OF_A_PART = [
  'material',
  'finish',
  'supplier lot',
  'colour',
  'grade',
  'width',
  'depth',
  'height',
  'torque',
  'gauge',
];
const MATERIALS = ['brass', 'steel', 'bronze', 'nylon', 'copper', 'cast iron'];

const lineItem = z.strictObject({
  name: z.string().min(1),
  quantity: z.int().min(1),
  price: z.number().min(0),
});
const place = z.strictObject({
  contact: z.string().min(1).describe('Full name of the contact person'),
  items: z.array(lineItem).min(1),
});
const longOrder = z.strictObject({
  order_id: z.string().min(1),
  customer_email: z.email(),
  ...Object.fromEntries(PLACES.map((name) => [name, place])),
});

const FLAT_NAMES = PARTS_OF_A_PUMP.flatMap((part) =>
  PROPERTIES_OF_A_PART.map((property) => `${part} ${property}`),
).slice(0, FLAT_FIELDS);
const flat = z.strictObject(
  Object.fromEntries(
    FLAT_NAMES.map((name, index) => [name.replaceAll(' ', '_'), isNumeric(index) ? z.number() : z.string()]),
  ),
);

/** Of an order with some hundred positions, nested in places: several thousand tokens. */
export const LONG_ORDER_SCHEMA = z.toJSONSchema(longOrder) as JsonObject;
/** Of an object with sixty fields, none of them nested. */
export const FLAT_SCHEMA = z.toJSONSchema(flat) as JsonObject;

/** The four kinds of the examples in turn; every fifth document is a long order. */
export function mixedDocuments(count: number): readonly KnownDocument[] {
  const kinds = [userDocument, personDocument, reviewDocument, orderDocument, longOrderDocument];
  return Array.from({ length: count }, (_, n) => kinds[n % kinds.length]!(n));
}

/** As {@link mixedDocuments}, but half of the orders, short and long, have no number: their schemas demand one, and take no null. */
export function documentsWithGaps(count: number): readonly KnownDocument[] {
  return mixedDocuments(count).map((document, n) => (n % 10 > 4 ? withoutNumber(document) : document));
}

/** Somebody, and how to reach them. */
export function userDocument(n: number): KnownDocument {
  const name = nameOf(n);
  const email = emailOf(n);
  const age = 20 + (n % 60);
  const phone = `+44 20 7946 ${String(1000 + (n % 9000))}`;
  const city = pick(CITIES, n);
  const text = `Name: ${name}\nAge: ${age}\nEmail: ${email}\nPhone: ${phone}\nCity: ${city}`;
  return { id: `user-${n}`, schema: 'user', text, truth: { name, age, email, phone, city } };
}

function personDocument(n: number): KnownDocument {
  const truth = {
    name: nameOf(n),
    age: 20 + (n % 60),
    occupation: pick(['baker', 'nurse', 'teacher', 'plumber'], n),
    email: emailOf(n),
    address: { street: `${1 + (n % 90)} Mill Road`, city: pick(CITIES, n), postal_code: String(10_000 + n) },
    hobbies: [pick(['chess', 'rowing', 'sewing'], n), pick(['hiking', 'baking', 'painting'], n + 1)],
  };
  const { street, city, postal_code: code } = truth.address;
  const text = [
    `Name: ${truth.name}`,
    `Age: ${truth.age}`,
    `Occupation: ${truth.occupation}`,
    `Email: ${truth.email}`,
    `Street: ${street}`,
    `City: ${city}`,
    `Postal code: ${code}`,
    `Hobbies: ${truth.hobbies.join(', ')}`,
  ].join('\n');
  return { id: `person-${n}`, schema: 'person', text, truth };
}

function reviewDocument(n: number): KnownDocument {
  const product = `${pick(ARTICLES, n)} ${100 + n}`;
  const rating = 4 + (n % 2);
  const summary = `A good ${pick(ARTICLES, n).toLowerCase()} for the money.`;
  const pros = [pick(['sturdy', 'light', 'quiet'], n), pick(['cheap', 'simple'], n)];
  const cons = [pick(['slow delivery', 'thin manual'], n)];
  const text = [
    `Product: ${product}`,
    `Rating: ${rating}/5`,
    `Sentiment: positive`,
    `Summary: ${summary}`,
    `Pros: ${pros.join(', ')}`,
    `Cons: ${cons.join(', ')}`,
    `Would recommend: yes`,
  ].join('\n');
  const opinion = { sentiment: 'positive', summary, pros, cons, would_recommend: true };
  return { id: `review-${n}`, schema: 'review', text, truth: { product_name: product, rating, ...opinion } };
}

function orderDocument(n: number): KnownDocument {
  const items = lines(n, 4);
  const total = cents(items.reduce((sum, { quantity, price }) => sum + quantity * price, 0));
  const head = { order_id: `A-${1000 + n}`, customer_name: nameOf(n), customer_email: emailOf(n) };
  const text = [
    `Order: ${head.order_id}`,
    `Customer: ${head.customer_name} <${head.customer_email}>`,
    `Date: 2026-0${1 + (n % 9)}-1${n % 9}`,
    '',
    ...items.map(written),
    '',
    `Total: $${total.toFixed(2)}`,
  ].join('\n');
  const truth = { ...head, order_date: `2026-0${1 + (n % 9)}-1${n % 9}`, items, total, currency: 'USD' };
  return { id: `order-${n}`, schema: 'order', text, truth };
}

/** An order for six places, with fifty positions each. */
export function longOrderDocument(n: number): KnownDocument {
  const sections = PLACES.map((name, index) => {
    const contact = nameOf(n + 7 * index);
    return [name, { contact, items: lines(n + 100 * index, LINES_OF_A_PLACE) }] as const;
  });
  const head = { order_id: `LN-${1000 + n}`, customer_email: emailOf(n) };
  const text = [
    `Order: ${head.order_id}`,
    `Email: ${head.customer_email}`,
    ...sections.flatMap(([name, { contact, items }]) => [
      '',
      `## ${name}`,
      `Contact: ${contact}`,
      ...items.map(written),
    ]),
  ].join('\n');
  const truth = { ...head, ...Object.fromEntries(sections) };
  return { id: `long-order-${n}`, schema: LONG_ORDER_SCHEMA, text, truth };
}

/** Sixty lines `Rotor torque: 12.5`. */
export function flatDocument(n: number): KnownDocument {
  const values = FLAT_NAMES.map((name, index) => {
    const value = isNumeric(index) ? cents(5 + ((n * 7 + index * 13) % 900) / 4) : materialOf(n + index);
    return [name, value] as const;
  });
  const text = values.map(([name, value]) => `${capital(name)}: ${value}`).join('\n');
  const truth = Object.fromEntries(values.map(([name, value]) => [name.replaceAll(' ', '_'), value]));
  return { id: `pump-${n}`, schema: FLAT_SCHEMA, text: `Pump sheet ${n}\n\n${text}`, truth };
}

/** There is no right answer to what is left. */
function withoutNumber(document: KnownDocument): KnownDocument {
  const text = document.text.replace(/^Order: .*\n/, '');
  return text === document.text ? document : { ...document, text, truth: null };
}

function lines(n: number, count: number): readonly z.output<typeof lineItem>[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `${pick(ARTICLES, n + index)} ${String.fromCodePoint(65 + (index % 26))}`,
    quantity: 1 + ((n + index) % 9),
    price: cents(3.05 + ((n * 17 + index * 29) % 400) / 5),
  }));
}

function written({ name, quantity, price }: z.output<typeof lineItem>): string {
  return `- ${quantity} x ${name} @ $${price.toFixed(2)}`;
}

function isNumeric(index: number): boolean {
  return index % PROPERTIES_OF_A_PART.length > 4;
}

function materialOf(n: number): string {
  return `${pick(MATERIALS, n)} ${String.fromCodePoint(97 + (n % 26))}${10 + (n % 80)}`;
}

function nameOf(n: number): string {
  return `${pick(FIRST_NAMES, n)} ${pick(LAST_NAMES, Math.floor(n / 3))}`;
}

function emailOf(n: number): string {
  return `${pick(FIRST_NAMES, n).toLowerCase()}.${n}@example.org`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function cents(value: number): number {
  return Math.round(value * 100) / 100;
}

function pick<T>(from: readonly T[], n: number): T {
  const found = from[n % from.length];
  if (found === undefined) throw new RangeError('Nothing to pick from.');
  return found;
}
