import { valuesUnder, type Page } from './page.ts';

/** Products, firms and reference numbers. */

const PART = String.raw`[\p{Lu}\d](?:[\p{L}\p{N}'’+/-]|\.(?=[\p{L}\p{N}]))*`;
const THING = String.raw`(${PART}(?:[ \t]+(?:of|the|for|&|and|${PART})){0,6})`;
const NAMED_THING = String.raw`(${PART}(?:[ \t]+${PART}){1,5})`;
const PLAIN_THING = String.raw`((?:[\p{L}\d'’.+/-]+[ \t]+){0,4}[\p{L}\d'’.+/-]+?)`;
const END = String.raw`(?=\s+(?:is|was|has|have|from|for|about|last|in|on|at|and|to|two|three|a|as|because|with|which|that|but|arrived|came|online|when|so|after|before|since|ago|yesterday|today|this|because|does|did|looks|feels|works)\b|[,.;:!?\n(]|\s[-–—]\s|$)`;

const PRODUCTS: readonly RegExp[] = [
  new RegExp(
    String.raw`^\W*(?:[Rr]eview(?: of)?|REVIEW|[Pp]roduct [Rr]eview)[ \t]*[:–-]?[ \t]+(?:the |my )?${THING}`,
    'mu',
  ),
  new RegExp(String.raw`^\W*${THING}[ \t]*[:–—-]*[ \t]*\(?(?:product )?(?:[Rr]eview|REVIEW)\b`, 'mu'),
  new RegExp(
    String.raw`\b(?:[Bb]ought|[Pp]urchased|[Oo]rdered|[Pp]icked up|[Gg]ot|[Rr]eceived|[Tt]ried|[Tt]ested|[Oo]wned|[Uu]sing|[Uu]sed|[Rr]eview(?:ing)?|[Rr]eplaced my old \w+ with|[Uu]pgraded to|[Ss]witched to)[ \t]+(?:(?:the|a|an|my|this|these|our|myself|two|new|it|pair of)[ \t]+){0,3}${THING}`,
    'u',
  ),
  new RegExp(
    String.raw`\b(?:[Tt]he|[Mm]y|[Tt]his|[Mm]y new|[Oo]ur)[ \t]+${THING}[ \t]+(?:is|was|has|does|did|works|looks|feels|arrived|came|sounds|makes|lasted|broke|died|stopped)\b`,
    'u',
  ),
  new RegExp(String.raw`^\W*(?:\[[^\]\n]*\][ \t]*)?${NAMED_THING}[ \t]*[:–—-]`, 'mu'),
  new RegExp(String.raw`\b(?:[Tt]he|[Mm]y|[Tt]his)[ \t]+${NAMED_THING}`, 'u'),
  new RegExp(
    String.raw`\b(?:[Bb]ought|[Pp]urchased|[Oo]rdered|[Pp]icked up)[ \t]+(?:the|a|an|my|this|these)[ \t]+(?:new[ \t]+)?${PLAIN_THING}${END}`,
    'u',
  ),
  new RegExp(
    String.raw`\b(?:[Tt]hese|[Tt]his|[Tt]he)[ \t]+${PLAIN_THING}[ \t]+(?:is|are|was|were|has|broke|died|works|stopped)\b`,
    'u',
  ),
];

/** The product a text is about. */
export function productIn(page: Page): string | null {
  for (const { value } of valuesUnder(page, [
    'product name',
    'product',
    'item',
    'model',
    'article',
    'produkt',
    'produit',
    'producto',
    'reviewed item',
    'artikel',
    'title',
    'device',
  ])) {
    const [plain = ''] = value.split(/\s+\|\s+|\s{3,}/);
    if (plain !== '' && plain.length <= 90) return plain.trim();
  }
  for (const pattern of PRODUCTS) {
    const match = pattern.exec(page.text);
    const product = (match?.[1] ?? '')
      .replace(/(?:\s+(?:of|the|for|and|&))+$/, '')
      .replace(/(?:['’]s|['’.,]+)$/, '')
      .trim();
    if (product.length > 1 && !/^(?:I|It|The|My|This|We|They|He|She|A|An|it|them|one|\d+)$/u.test(product))
      return product;
  }
  return null;
}

const FIRM = new RegExp(
  String.raw`(${PART}(?:[ \t]+(?:&|and|of|${PART})){0,4}[ \t]+(?:Inc|Ltd|LLC|GmbH|Corp|Corporation|AG|S\.?A\.?|B\.?V\.?|Oy|AB|ApS|Pty|PLC|plc|Co|Company|Group|Hospital|University|Bank|Labs|Studios?|Associates)\b\.?)`,
  'u',
);
const AT_FIRM = new RegExp(
  String.raw`\b(?:works?|working|worked|employed|engineer|manager|developer|job|position|analyst|consultant)\b[^.\n]{0,40}?\b(?:at|for|with)[ \t]+${THING}`,
  'u',
);

/** A firm named in a text. */
export function firmIn(page: Page): string | null {
  const [labelled] = valuesUnder(page, [
    'company',
    'employer',
    'organization',
    'organisation',
    'vendor',
    'seller',
    'firma',
    'from',
    'store',
    'shop',
    'merchant',
    'brand',
    'manufacturer',
  ]);
  if (labelled !== undefined && labelled.value !== '') return labelled.value;
  return (FIRM.exec(page.text)?.[1] ?? AT_FIRM.exec(page.text)?.[1] ?? null)?.trim() ?? null;
}

const CODE = String.raw`([A-Z0-9](?:[A-Z0-9]|[-/._](?=[A-Z0-9]))*\d[A-Z0-9-]*|\d{3,}[A-Z0-9-]*)`;
const ANY_CODE =
  /(?<![\w@.-])(?:[A-Z]{1,6}[-_/]?\d[\w-]*\d|#\s?\d{3,}|[A-Z]{2,}(?:-[A-Z0-9]+)*-\d{2,}(?:-\w+)*)(?![\w@])/;

/** Neither an amount, a date, a time nor a telephone number. */
const LONE_NUMBER = /(?<![\d.,$€£/:+()-]\s?)\d{4,}(?![.,/:-]?\d)/;

/** A number by which something is referred to: of an order, an invoice, a customer. */
export function referenceIn(page: Page, words: readonly string[]): string | null {
  const subject = words.filter((word) => !/^(?:id|number|no|nr|code|ref|reference)$/.test(word));
  const about =
    subject.length > 0 ? subject.join('[ _-]?') : '(?:order|invoice|reference|ref|ticket|case|id)';
  const noun = String.raw`(?:number|nummer|no|nr|num|id|code|ref(?:erence)?|confirmation)`;
  const patterns = [
    String.raw`\b${about}[\s_-]*(?:${noun}\b\.?)?[\s:=()#№"'-]*(?:is|was)?[\s:=()#№"'-]*${CODE}`,
    String.raw`\b(?:bestell(?:ung|nummer)?|auftrag|commande|pedido|purchase order|PO|order|invoice|rechnung|confirmation|reference|ref|receipt|booking|facture|factura)\b[\s_-]*(?:${noun}\b\.?|n[º°])?[\s:=()#№"'-]*(?:is|was)?[\s:=()#№"'-]*${CODE}`,
  ];
  for (const pattern of patterns) {
    const match = new RegExp(pattern, 'iu').exec(page.text);
    if (match?.[1] !== undefined) return match[1].replace(/[-./_]+$/, '');
  }
  const code = ANY_CODE.exec(page.text) ?? LONE_NUMBER.exec(page.text);
  return code?.[0].replace(/^#\s?/, '') ?? null;
}
