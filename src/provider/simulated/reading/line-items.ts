import { NUMBER_WORDS, unspelled } from '../spelled.ts';
import { firstNumber, MONEY, NUMBER, numberOf } from './money.ts';
import { oncePerPage, type Page } from './page.ts';

/** One position of an order. `price` is that of one piece. */
export interface LineItem {
  readonly name: string;
  readonly quantity: number;
  readonly price: number | null;
}

/** The positions of an order: from a table where there is one, else line by line, else from sentences. */
export const lineItemsIn: (page: Page) => readonly LineItem[] = oncePerPage(({ lines, sentences }) => {
  const table = tableItems(lines);
  if (table.length > 0) return table;
  const rows = lines.flatMap((line) => rowItem(line) ?? []);
  const spoken = sentences.flatMap(spokenItems);
  return rows.length >= spoken.length ? rows : spoken;
});

type Column = 'name' | 'quantity' | 'price' | 'total' | 'other';

const HEADINGS: readonly (readonly [Column, RegExp])[] = [
  ['quantity', /^(qty|quantity|menge|anzahl|anz|qt[ée]|quantité|cant(idad)?|pcs|units?|count|ordered)\b/i],
  ['price', /unit|each|^(price|rate|preis|einzelpreis|e-preis|prix|precio|cost|p\.u|pu)\b|\bper\b/i],
  ['total', /total|amount|sum|gesamt|betrag|montant|importe|ext/i],
  ['name', /item|product|description|article|artikel|bezeichnung|désignation|producto|name|title|goods/i],
];

function cellsOf(line: string): readonly string[] {
  const separator = line.includes('|') ? /\s*\|\s*/ : /\t+|\s{2,}/;
  return line
    .replace(/^\s*\||\|\s*$/g, '')
    .trim()
    .split(separator)
    .map((cell) => cell.trim());
}

function headingOf(cell: string): Column {
  return HEADINGS.find(([, pattern]) => pattern.test(cell))?.[0] ?? 'other';
}

const RULE = /^[\s|+:=_-]*$/;
const CLOSING =
  /^\W*(sub-?\s?total|total|grand|tax|vat|gst|shipping|delivery|discount|amount due|balance|summe|gesamt|zwischensumme|mwst|versand|netto|tva|iva|porto|postage|handling|rabatt|payment|paid)\b/i;

function tableItems(lines: readonly string[]): readonly LineItem[] {
  for (const [index, line] of lines.entries()) {
    const columns = cellsOf(line).map(headingOf);
    const kinds = new Set(columns);
    if (!kinds.has('name') || !(kinds.has('quantity') || kinds.has('price')) || /\d/.test(line)) continue;
    const items = rowsBelow(lines.slice(index + 1), columns);
    if (items.length > 0) return items;
  }
  return [];
}

function rowsBelow(lines: readonly string[], columns: readonly Column[]): readonly LineItem[] {
  const items: LineItem[] = [];
  for (const line of lines) {
    if (RULE.test(line)) {
      if (line.trim() === '' && items.length > 0) break;
      continue;
    }
    if (CLOSING.test(line)) break;
    const item = tableRow(cellsOf(line), columns) ?? rowItem(line);
    if (item !== null) items.push(item);
    else if (items.length > 0) break;
  }
  return items;
}

function tableRow(cells: readonly string[], columns: readonly Column[]): LineItem | null {
  if (cells.length !== columns.length) return null;
  const cell = (column: Column): string => cells[columns.indexOf(column)] ?? '';
  const name = cell('name');
  if (name === '' || !/\p{L}/u.test(name)) return null;
  const quantity = columns.includes('quantity') ? firstNumber(cell('quantity')) : 1;
  if (quantity === null) return null;
  const total = firstNumber(cell('total'));
  const price = firstNumber(cell('price')) ?? (total === null ? null : cents(total / quantity));
  return { name: tidyName(name), quantity, price };
}

const COUNT = String.raw`(?:\d{1,4}|${NUMBER_WORDS}|an?)`;
const TIMES = String.raw`(?:x|×|\*|pcs\.?(?: of)?|pieces? of|units? of|pairs? of|sets? of|packs? of|(?:bags?|boxe?s?|bottles?|cans?|jars?|rolls?|copies|copy) of|st(?:ü|ue)?ck|stk\.?)`;
const EACH = String.raw`(?:each|apiece|per (?:piece|unit|item|pair|box|bag|bottle|set)|a piece|ea\.?|\/\s?(?:ea|pc|piece|unit|each)|pro stück|je)`;
const PRICE = String.raw`(${MONEY}|\d+[.,]\d{2})`;
const NAME = String.raw`([\p{L}\d"“(][^\n@|=;:]{1,70}?)`;

/** The ways a position is written on a line of its own. Groups: which are name, count, price and line total. */
const ROWS: readonly {
  readonly pattern: RegExp;
  readonly order: readonly ('name' | 'count' | 'price' | 'total')[];
}[] = [
  {
    pattern: new RegExp(
      String.raw`^[\s\-–*•\d.)]*?(${COUNT})\s*${TIMES}\s*${NAME}\s*(?:@|at|à|,|-|–|:|=|\(|for|\.{2,}|\s)\s*@?\s*${PRICE}`,
      'iu',
    ),
    order: ['count', 'name', 'price'],
  },
  {
    pattern: new RegExp(
      String.raw`^[\s\-–*•]*(?:\d+[.)]\s+)?${NAME}[\s,(\-–]*(?:x|×|qty|quantity|menge)[\s.:=]*(\d{1,4})\)?[\s,@\-–:=x×]*(?:at|à)?\s*(?:unit )?(?:price)?[:\s]*${PRICE}`,
      'iu',
    ),
    order: ['name', 'count', 'price'],
  },
  {
    pattern: new RegExp(
      String.raw`^[\s\-–*•]*(?:\d+[.)]\s+)?${NAME}\s*(?:@|[-–:,]|at)\s*${PRICE}\s*(?:${EACH})?\s*(?:x|×|\*)\s*(\d{1,4})\b`,
      'iu',
    ),
    order: ['name', 'price', 'count'],
  },
  {
    pattern: new RegExp(
      String.raw`^[\s\-–*•]*(?:[A-Z]{1,4}-?\d{2,8}\s+)?${NAME}\s+(\d{1,4})\s+${PRICE}\s+${PRICE}\s*$`,
      'iu',
    ),
    order: ['name', 'count', 'price', 'total'],
  },
  {
    pattern: new RegExp(String.raw`^[\s\-–*•]*(\d{1,4})\s+${NAME}\s+${PRICE}\s+${PRICE}\s*$`, 'iu'),
    order: ['count', 'name', 'price', 'total'],
  },
  {
    pattern: new RegExp(String.raw`^[\s\-–*•]*(${COUNT})\s+${NAME}\s*(?:@|at|,|-|–|à|\()\s*${PRICE}`, 'iu'),
    order: ['count', 'name', 'price'],
  },
];

const EACH_WORD = new RegExp(EACH, 'i');

function rowItem(line: string): LineItem | null {
  if (line.length > 200 || !/\d/.test(line) || CLOSING.test(line)) return null;
  for (const { pattern, order } of ROWS) {
    const match = pattern.exec(line);
    if (match === null) continue;
    const part = (wanted: (typeof order)[number]): string => match[order.indexOf(wanted) + 1] ?? '';
    const count = countOf(part('count'));
    const price = firstNumber(part('price'));
    const name = tidyName(part('name'));
    if (count === null || price === null || !/\p{L}{2}/u.test(name)) continue;
    const isForAll = /\bfor\s*$/i.test(line.slice(0, line.indexOf(part('price')))) && !EACH_WORD.test(line);
    return { name, quantity: count, price: isForAll ? cents(price / count) : price };
  }
  return null;
}

const SPOKEN = new RegExp(
  String.raw`(?<![\p{L}\d.,])(${COUNT})\s+(?:${TIMES}\s+)?((?!(?:${NUMBER_WORDS})\b)[\p{L}\d"“(][^.,;@()\n]{1,60}?)\s*,?\s*[(]?(at|@|for|à|priced at|costing|which (?:is|are|cost)|-|–)\s*(?:a price of |only |just )?(${MONEY}|\d+[.,]\d{2})(?:\s*(${EACH}))?`,
  'giu',
);

function spokenItems(sentence: string): readonly LineItem[] {
  return [...sentence.matchAll(SPOKEN)].flatMap((match) => {
    const [, count = '', name = '', preposition = '', money = '', each] = match;
    const quantity = countOf(count);
    const price = firstNumber(money);
    if (quantity === null || price === null) return [];
    const isForAll = /^for$/i.test(preposition) && each === undefined && quantity > 1;
    return [{ name: tidyName(name), quantity, price: isForAll ? cents(price / quantity) : price }];
  });
}

function countOf(text: string): number | null {
  if (/^an?$/i.test(text)) return 1;
  return /^\d/.test(text) ? numberOf(text) : unspelled(text);
}

function tidyName(name: string): string {
  return name
    .replace(/^(?:of|x|×|the|your|our|more)\s+/, '')
    .replace(/^[\s"“”'*_\-–.)]+|[\s"“”*_\-–,:(.]+$/g, '')
    .replace(/\s+/g, ' ')
    .trim();
}

function cents(value: number): number {
  return Math.round(value * 100) / 100;
}

const TOTAL_LABELS =
  '(?:grand total|order total|invoice total|total(?: (?:due|amount|paid|price|cost|to pay|incl\\.?[^\\d\\n]{0,20}))?|amount (?:due|payable)|balance due|to pay|you paid|paid|charged|comes to|came to|sum|gesamtbetrag|gesamtsumme|gesamt|summe|endbetrag|total ttc|montant total|importe total)';
const TOTAL = new RegExp(
  String.raw`(?<![\p{L}-])${TOTAL_LABELS}(?![\p{L}])(?:(?![.!?]\s)[^\d\n]){0,60}?(?:${MONEY}|${NUMBER})`,
  'giu',
);
const IN_TOTAL = new RegExp(
  String.raw`(${MONEY}|\d+[.,]\d{2})\s*(?:in total|altogether|all in|total\b)`,
  'iu',
);

const WRITTEN_LAST = new RegExp(`(?:${MONEY}|${NUMBER})$`, 'iu');

/** What the whole order costs, where it says so. */
export function totalIn({ text }: Page): number | null {
  const found = [...text.matchAll(TOTAL)].filter(
    (match) =>
      !/(sub|zwischen|net)[\s-]*$/i.test(text.slice(0, match.index)) &&
      !/^\s*(items|qty|quantity|units|pieces)/i.test(text.slice(match.index + match[0].length)),
  );
  const grand =
    found.findLast(([match]) => /grand|due|payable|order total|endbetrag|ttc|gesamtbetrag/i.test(match)) ??
    found.at(-1);
  if (grand !== undefined) {
    const written = WRITTEN_LAST.exec(grand[0]);
    return written === null ? null : firstNumber(written[0]);
  }
  const altogether = IN_TOTAL.exec(text);
  return altogether === null ? null : firstNumber(altogether[1] ?? '');
}

/** The sum of the positions; null where a price is not known. */
export function sumOf(items: readonly LineItem[]): number | null {
  if (items.length === 0 || items.some(({ price }) => price === null)) return null;
  return cents(items.reduce((sum, { quantity, price }) => sum + quantity * (price ?? 0), 0));
}
