import type { Json } from '../../../core/json.ts';
import type { Field, SchemaReading } from '../field.ts';
import { fillList } from './fill-list.ts';
import { fillNumber } from './fill-number.ts';
import { fillText } from './fill-text.ts';
import { chooseOption } from './choose-option.ts';
import { recommendationIn } from './opinions.ts';
import { openPage, sectionOf, valuesUnder, type Page } from './page.ts';

/** What was read out of a document. */
export interface Extraction {
  readonly value: Json;
}

const remembered = new Map<string, Extraction>();
const MOST_REMEMBERED = 2_000;

/**
 * Reads out of a document what a schema asks for, by simple rules. A pure function; what it read lately
 * is remembered, since documents come again with feedback.
 *
 * @param absence what a field gets that is not found, is required and takes no null.
 */
export function extract(
  schema: SchemaReading,
  document: string,
  absence: 'guessed' | 'null' = 'guessed',
): Extraction {
  const key = `${schema.hash}/${absence}/${document}`;
  const known = remembered.get(key);
  if (known !== undefined) return known;
  const page = { ...openPage(document), isGuessed: absence === 'guessed' };
  const extraction = { value: fill(schema.root, page) ?? null };
  if (remembered.size >= MOST_REMEMBERED) remembered.clear();
  remembered.set(key, extraction);
  return extraction;
}

/**
 * The value of one field. Where nothing is found: null if the field takes it, undefined (left out) if it
 * is optional, else the best guess of its type.
 */
export function fill(field: Field, page: Page): Json | undefined {
  return find(field, page) ?? missing(field, page);
}

function missing(field: Field, page: Page): Json | undefined {
  if (!field.required) return undefined;
  return field.nullable || page.isGuessed === false ? null : guess(field, page);
}

function find(field: Field, page: Page): Json | null {
  if (field.options.length > 0) return chooseOption(field, page);
  switch (field.type) {
    case 'object':
      return findObject(field, page);
    case 'array':
      return findArray(field, page);
    case 'boolean':
      return findBoolean(field, page);
    case 'integer':
    case 'number':
      return fillNumber(field, page);
    case 'string':
    case 'any':
      return fillText(field, page);
    case 'null':
      return null;
    default:
      return field.type satisfies never;
  }
}

/** An object that holds nothing but nulls is nothing found, where it may be left out. */
function findObject(field: Field, around: Page): Json | null {
  const page = sectionOf(around, field.words);
  const found = field.properties.map((property) => ({ property, value: find(property, page) }));
  const isBare = found.every(({ value }) => value === null || (Array.isArray(value) && value.length === 0));
  if (isBare && (field.nullable || !field.required)) return null;
  const members = found.flatMap(({ property, value }) => {
    const member = value ?? missing(property, page);
    return member === undefined ? [] : [[property.name, member] as const];
  });
  return Object.fromEntries(members);
}

function findArray(field: Field, page: Page): Json | null {
  const values = fillList(field, page, fill).slice(0, field.maxItems);
  if (values.length < field.minItems) return null;
  return values.length === 0 && !field.required ? null : [...values];
}

function findBoolean(field: Field, page: Page): boolean | null {
  if (field.concept === 'recommendation') return recommendationIn(page);
  const [labelled] = valuesUnder(page, [field.words.join(' ')]);
  const stated = /^\W*(yes|true|y|ja|oui|sí|on|checked|x|no|false|n|nein|non|off|none)\b/i.exec(
    labelled?.value ?? '',
  );
  if (stated !== null) return /^(?:yes|true|y|ja|oui|sí|on|checked|x)$/i.test(stated[1] ?? '');
  const subject = field.words.filter(
    (word) => !/^(?:is|has|was|are|have|can|should|would|did|does|do|wants?)$/.test(word),
  );
  const stem = subject.map((word) => word.replace(/(?:ed|ing|s)$/, '')).join(String.raw`\w*\W+`);
  if (stem.length < 3) return null;
  const match = new RegExp(String.raw`([^.!?\n]{0,30})\b${stem}`, 'iu').exec(page.text);
  if (match === null) return null;
  return !/\b(?:not|no|never|without|isn['’]t|n['’]t|non)\b[^.!?]*$/i.test(match[1] ?? '');
}

/** A required value that was not found: the nearest honest thing of its type. */
function guess(field: Field, page: Page): Json {
  switch (field.type) {
    case 'boolean':
      return false;
    case 'integer':
    case 'number':
      return nearestAllowed(field, 0);
    case 'array':
      return guessArray(field, page);
    case 'object':
      return {};
    case 'null':
      return null;
    case 'string':
    case 'any':
      return guessText(field, page);
    default:
      return field.type satisfies never;
  }
}

function guessArray(field: Field, page: Page): Json {
  if (field.minItems === 0 || field.items === null) return [];
  const { items } = field;
  return Array.from({ length: Math.min(field.minItems, 20) }, () => fill(items, page) ?? guess(items, page));
}

function nearestAllowed({ minimum, maximum, type }: Field, value: number): number {
  const raised = Math.max(value, minimum ?? value);
  const bounded = Math.min(raised, maximum ?? raised);
  return type === 'integer' ? Math.ceil(bounded) : bounded;
}

const FORMAT_GUESSES: Readonly<Record<string, string>> = {
  email: 'unknown@example.invalid',
  date: '1970-01-01',
  'date-time': '1970-01-01T00:00:00Z',
  time: '00:00:00Z',
  uri: 'about:blank',
  uuid: '00000000-0000-0000-0000-000000000000',
};

function guessText(field: Field, page: Page): string {
  const formatted = FORMAT_GUESSES[field.format ?? ''];
  if (formatted !== undefined) return formatted;
  const words = page.text.trim().split(/\s+/).slice(0, 6).join(' ');
  const text = field.minLength > 0 || field.concept === 'summary' ? words || 'unknown' : '';
  return text.padEnd(Math.min(field.minLength, 200), '.').slice(0, Math.max(1, field.maxLength));
}
