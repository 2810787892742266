/** What a field is about, as far as its name, format and description tell. */

/** The things the simulated model knows how to look for. */
export type Concept =
  | 'email'
  | 'phone'
  | 'url'
  | 'date'
  | 'birth_date'
  | 'time'
  | 'person'
  | 'first_name'
  | 'last_name'
  | 'age'
  | 'occupation'
  | 'company'
  | 'product'
  | 'reference'
  | 'currency'
  | 'money'
  | 'total'
  | 'subtotal'
  | 'tax'
  | 'shipping'
  | 'quantity'
  | 'rating'
  | 'year'
  | 'sentiment'
  | 'recommendation'
  | 'summary'
  | 'title'
  | 'pros'
  | 'cons'
  | 'hobbies'
  | 'skills'
  | 'tags'
  | 'line_items'
  | 'address'
  | 'street'
  | 'city'
  | 'region'
  | 'postal_code'
  | 'country';

/** What of a field decides on its concept. */
export interface ConceptClues {
  readonly name: string;
  readonly words: readonly string[];
  readonly parents: readonly string[];
  readonly description: string;
  readonly type: string;
  readonly format: string | null;
  readonly options: readonly unknown[];
  readonly properties: readonly { readonly name: string; readonly concept: Concept | null }[];
  readonly items: { readonly type: string; readonly properties: ConceptClues['properties'] } | null;
}

/** The words of a name in snake, kebab or camel case, in lower case. */
export function wordsOf(name: string): readonly string[] {
  return name
    .replace(/([\p{Ll}\d])(\p{Lu})/gu, '$1 $2')
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '')
    .map((word) => word.toLowerCase());
}

type Rule = readonly [concept: Concept, types: string, name: RegExp];

const TEXT = 'string any';
const NUMBER = 'integer number any';
const LIST = 'array';

/** In order: the first that fits decides. Names are words joined by `_`. */
const RULES: readonly Rule[] = [
  ['email', TEXT, /e_?mail/],
  ['url', TEXT, /(^|_)(url|uri|link|website|homepage)(_|$)/],
  ['phone', TEXT, /(^|_)(phone|telephone|mobile|cell|tel|fax|whatsapp)(_|$)|phone/],
  ['birth_date', TEXT, /birth|(^|_)(dob|born)(_|$)/],
  ['age', NUMBER, /(^|_)age(_|$)|years_old/],
  ['postal_code', TEXT, /zip|post(al)?_?code|(^|_)plz(_|$)/],
  ['currency', TEXT, /currency/],
  ['rating', NUMBER, /rating|(^|_)(stars?|score|rate)(_|$)/],
  ['sentiment', TEXT, /sentiment|polarity|(^|_)(tone|mood)(_|$)/],
  ['recommendation', 'boolean', /recommend/],
  ['quantity', NUMBER, /quantity|(^|_)(qty|count|units|pieces|number_of)(_|$)/],
  ['subtotal', NUMBER, /sub_?total|(^|_)net(_|$)/],
  ['tax', NUMBER, /(^|_)(tax|vat|gst)(_|$)/],
  ['shipping', NUMBER, /shipping|delivery_(fee|cost|charge)|postage/],
  ['total', NUMBER, /total|(^|_)(sum|amount_due|balance_due|grand)(_|$)/],
  [
    'money',
    NUMBER,
    /price|cost|amount|(^|_)(fee|salary|income|budget|discount|balance|payment|paid|revenue)(_|$)/,
  ],
  ['year', NUMBER, /(^|_)year(_|$)/],
  ['line_items', LIST, /item|(^|_)(products?|lines?|positions?|articles?|goods|cart)(_|$)/],
  ['pros', LIST, /(^|_)(pros?|advantages?|strengths?|likes?|liked|positives?|upsides?|benefits?)(_|$)/],
  [
    'cons',
    LIST,
    /(^|_)(cons?|disadvantages?|weakness(es)?|dislikes?|disliked|negatives?|downsides?|drawbacks?|complaints?)(_|$)/,
  ],
  ['hobbies', LIST, /hobb(y|ies)|interests?|pastimes?|activities/],
  ['skills', LIST, /skills?|technolog(y|ies)|expertise|(^|_)languages?(_|$)/],
  ['tags', LIST, /(^|_)(tags?|keywords?|topics?|categories|labels?)(_|$)/],
  ['date', TEXT, /(^|_)(date|day|deadline|when)(_|$)|date$|_(at|on)$/],
  ['time', TEXT, /(^|_)time(_|$)/],
  ['first_name', TEXT, /(^|_)(first|given|fore)_?name/],
  ['last_name', TEXT, /(^|_)(last|family|sur)_?name/],
  [
    'company',
    TEXT,
    /company|employer|organi[sz]ation|vendor|merchant|manufacturer|brand|(^|_)(shop|store|firm)(_|$)/,
  ],
  ['occupation', TEXT, /occupation|profession|job|(^|_)(role|position|work)(_|$)/],
  ['street', TEXT, /street|address_?(line)?_?1$|(^|_)road(_|$)/],
  ['city', TEXT, /(^|_)(city|town|municipality|location|place|hometown|residence)(_|$)/],
  ['region', TEXT, /(^|_)(state|province|region|county)(_|$)/],
  ['country', TEXT, /country|nationality|(^|_)nation(_|$)/],
  ['address', 'string any object', /address/],
  ['product', TEXT, /product|(^|_)(item|article|goods|model)(_|$)/],
  ['reference', TEXT, /(^|_)(id|number|no|nr|code|ref|reference|sku|po|tracking)(_|$)/],
  ['title', TEXT, /(^|_)(title|headline|subject)(_|$)/],
  [
    'summary',
    TEXT,
    /summary|overview|abstract|gist|description|comment|(^|_)(notes?|text|message|body|content)(_|$)/,
  ],
  [
    'person',
    TEXT,
    /name$|(^|_)(customer|buyer|client|author|reviewer|sender|recipient|contact|person|patient|user|signed_by|owner)(_|$)/,
  ],
];

const FORMATS: Readonly<Record<string, Concept>> = {
  email: 'email',
  'idn-email': 'email',
  uri: 'url',
  url: 'url',
  'uri-reference': 'url',
};

/** Whose name a plain `name` is, told by the object or list it stands in. */
const THINGS = /item|product|line|article|goods|position|cart/;
const FIRMS = /company|employer|organi[sz]ation|vendor|merchant|brand|shop|store|firm/;

/** The concept of a field, or null where it tells nothing. */
export function conceptOf(clues: ConceptClues): Concept | null {
  const byFormat = formatConcept(clues);
  if (byFormat !== null) return byFormat;
  const name = clues.words.join('_');
  if (name === 'name' || name === 'title' || name === 'description') {
    const around = clues.parents.at(-1) ?? '';
    if (THINGS.test(around)) return 'product';
    if (FIRMS.test(around)) return 'company';
  }
  if (isLineItems(clues)) return 'line_items';
  const rule = RULES.find(
    ([, types, pattern]) => types.split(' ').includes(clues.type) && pattern.test(name),
  );
  if (rule === undefined) return null;
  if (rule[0] === 'line_items' && clues.items?.type !== 'object') return null;
  if (rule[0] === 'address' && clues.type === 'object') return 'address';
  return clues.options.length > 0 && rule[0] !== 'sentiment' && rule[0] !== 'currency' ? null : rule[0];
}

function formatConcept({ format, type, words }: ConceptClues): Concept | null {
  if (format === null || type !== 'string') return null;
  if (format === 'date' || format === 'date-time')
    return /birth|dob|born/.test(words.join('_')) ? 'birth_date' : 'date';
  return FORMATS[format] ?? null;
}

/** A list of objects with a name of a thing and a quantity or a price. */
function isLineItems({ type, items }: ConceptClues): boolean {
  if (type !== 'array' || items === null) return false;
  const concepts = items.properties.map(({ concept }) => concept);
  return (
    (concepts.includes('quantity') || concepts.includes('money')) &&
    concepts.some((concept) => concept === 'product' || concept === 'person')
  );
}
