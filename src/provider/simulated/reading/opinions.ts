import { NUMBER_WORDS, unspelled } from '../spelled.ts';
import { splitList, valuesUnder, type Page } from './page.ts';

/** What somebody thinks of something: rating, sentiment, reasons. */

const GOOD =
  /^(?:amazing|awesome|beautiful|best|brilliant|comfortable|comfy|crisp|delicious|delighted|durable|easy|effortless|enjoy(?:ed|able)?|excellent|exceptional|fantastic|fast|favou?rite|flawless(?:ly)?|friendly|glad|good|gorgeous|great|handy|happy|helpful|impress(?:ed|ive)|incredible|intuitive|like|liked|love|loved|lovely|loves|lightweight|nice|outstanding|perfect(?:ly)?|pleasant|pleased|premium|quick|quiet|recommend(?:ed)?|reliable|robust|satisfied|sharp|sleek|smooth(?:ly)?|solid|spotless|stellar|sturdy|stunning|stylish|superb|sweet|terrific|thrilled|vivid|well|wonderful|worth|wow|super|toll|parfait|excelente|genial)$/;
const BAD =
  /^(?:angry|annoy(?:ed|ing)|avoid|awful|bad|bland|broke|broken|bulky|buggy|cheap(?:ly)?|complain(?:ed|t)?|cracked|crash(?:es|ed|ing)?|dead|defective|died|dirty|disappoint(?:ed|ing|ment)|disgusting|dreadful|expensive|fail(?:ed|s|ure)?|fake|faulty|flimsy|fragile|frustrat(?:ed|ing)|garbage|hate|hated|heavy|horrible|hot|joke|junk|lacking|lags?|leak(?:s|ed|ing)?|loose|loud|mediocre|mess|misleading|noisy|overpriced|pathetic|poor(?:ly)?|problem(?:s)?|refund|regret|return(?:ed|ing)?|ripoff|rude|sad(?:ly)?|scam|scratch(?:es|ed)?|shame|slow|stuck|stopped|terrible|tinny|trash|ugly|uncomfortable|unfortunately|unreliable|unusable|useless|waste|weak|worse|worst|wobbly|wrong|mangelhaft|schlecht|nul)$/;
const NEGATION =
  /^(?:not|no|never|n't|nothing|hardly|barely|without|isn't|wasn't|doesn't|don't|didn't|won't|can't|cannot|couldn't|nobody|neither|isn’t|wasn’t|doesn’t|don’t|didn’t|won’t|can’t)$/;

/** Good words less bad ones; a negation turns the next few words round. */
export function tone(text: string): number {
  let score = 0;
  let negatedFor = 0;
  for (const word of text.toLowerCase().match(/[\p{L}'’]+/gu) ?? []) {
    negatedFor = NEGATION.test(word) ? 4 : negatedFor - 1;
    const weight = GOOD.test(word) ? 1 : BAD.test(word) ? -1 : 0;
    score += negatedFor > 0 ? -weight : weight;
  }
  return score;
}

export type Sentiment = 'positive' | 'negative' | 'neutral';

/** The sentiment: as the rating says where there is one, else as the words do. */
export function sentimentIn(page: Page): Sentiment {
  const stated = /\b(positive|negative|neutral|mixed)\b/i.exec(
    valuesUnder(page, ['sentiment', 'overall sentiment'])[0]?.value ?? '',
  );
  if (stated !== null)
    return (stated[1]?.toLowerCase() === 'mixed' ? 'neutral' : stated[1]?.toLowerCase()) as Sentiment;
  const share = ratingShare(page);
  if (share !== null) return share >= 0.7 ? 'positive' : share <= 0.45 ? 'negative' : 'neutral';
  const score = tone(page.text);
  if (
    /\b(?:mixed feelings|so-so|it['’]s (?:ok|okay|fine)|nothing special|average|does the job|neither good nor bad|meh|middle of the road)\b/i.test(
      page.text,
    ) &&
    Math.abs(score) < 4
  ) {
    return 'neutral';
  }
  return score > 0 ? 'positive' : score < 0 ? 'negative' : 'neutral';
}

const STARS = /([★⭐🌟]{1,10})([☆✩]{0,9})/u;
const OUT_OF = new RegExp(
  String.raw`(?<![\d/.-])(\d{1,3}(?:[.,]\d)?|${NUMBER_WORDS})\s*(?:stars?)?\s*(?:\/|out of|von|sur|of)\s*(5|10|100|five|ten)(?![\d/])(?:\s*stars?)?`,
  'iu',
);
const COUNTED = new RegExp(
  String.raw`(?<![\d.,])(\d(?:[.,]\d)?|${NUMBER_WORDS})[\s-]*(?:stars?|étoiles|sterne|estrellas|\*)(?![\p{L}])`,
  'iu',
);
const STATED =
  /\b(?:rating|score|rated(?: it)?|stars|bewertung|note|giving (?:it|this|them)|give (?:it|this|them)|gave (?:it|this|them))\s*(?:a|an|of|is|:|=|-|–)*\s*(?:solid |strong |weak |generous )?(\d(?:[.,]\d)?)(?![\d/.,]*\d)/iu;

interface Rating {
  readonly value: number;
  readonly scale: number;
}

function ratingIn({ text }: Page): Rating | null {
  const stars = STARS.exec(text);
  if (stars !== null)
    return { value: Array.from(stars[1] ?? '').length, scale: Math.max(5, Array.from(stars[0]).length) };
  const asterisks = /(?:^|\s|:)(\*{1,5})(?:\s|$)/m.exec(text);
  const outOf = OUT_OF.exec(text);
  if (outOf !== null) return { value: asNumber(outOf[1]), scale: asNumber(outOf[2]) };
  const counted = COUNTED.exec(text) ?? STATED.exec(text);
  if (counted !== null) return { value: asNumber(counted[1]), scale: 5 };
  return asterisks === null || (asterisks[1] ?? '').length < 2
    ? null
    : { value: (asterisks[1] ?? '').length, scale: 5 };
}

function asNumber(written = ''): number {
  return /^\d/.test(written) ? Number(written.replace(',', '.')) : (unspelled(written) ?? 0);
}

function ratingShare(page: Page): number | null {
  const rating = ratingIn(page);
  return rating === null || rating.value > rating.scale ? null : rating.value / rating.scale;
}

/** The rating on a scale up to `highest`; read from the words where no number is given. */
export function ratingOn(page: Page, highest: number): number {
  const rating = ratingIn(page);
  if (rating !== null && rating.value <= rating.scale) {
    return rating.scale === highest
      ? rating.value
      : Math.round((rating.value / rating.scale) * highest * 10) / 10;
  }
  const score = tone(page.text);
  const share = score >= 4 ? 1 : score > 0 ? 0.8 : score === 0 ? 0.6 : score > -3 ? 0.4 : 0.2;
  return Math.round(share * highest);
}

/** Whether it is recommended; null where nothing is said of it. */
export function recommendationIn({ text }: Page): boolean | null {
  const value = /\brecommend(?:ed)?\b\s*\??\s*[:=]\s*(yes|no|y|n|true|false|ja|nein|👍|👎)/i
    .exec(text)?.[1]
    ?.toLowerCase();
  if (value !== undefined) return /^(yes|y|true|ja|👍)$/.test(value);
  const match = /([^.!?\n]{0,50})\brecommend/i.exec(text);
  if (match !== null)
    return !/\b(?:not|never|n['’]t|cannot|can['’]t|hardly|wouldn['’]t|hesitate)\b/i.test(match[1] ?? '');
  if (
    /\b(?:avoid|stay away|(?:don['’]t|do not) (?:buy|bother|waste)|steer clear|save your money|look elsewhere)\b/i.test(
      text,
    )
  )
    return false;
  return /\b(?:buy it|get one|must[- ]have|would buy (?:it |this )?again|you won['’]t regret)\b/i.test(text)
    ? true
    : null;
}

const PROS = [
  'pros',
  'pro',
  'advantages',
  'likes',
  'liked',
  'what i liked',
  'what i like',
  'the good',
  'good',
  'positives',
  'positive',
  'plus',
  'upsides',
  'strengths',
  'vorteile',
  'avantages',
  'best parts',
];
const CONS = [
  'cons',
  'con',
  'disadvantages',
  'dislikes',
  'disliked',
  'what i didn t like',
  'what i don t like',
  'what i disliked',
  'the bad',
  'bad',
  'negatives',
  'negative',
  'minus',
  'downsides',
  'weaknesses',
  'nachteile',
  'inconvénients',
  'drawbacks',
];

/** What speaks for it, or against it: as listed, else the sentences that say so. */
export function reasonsIn(page: Page, side: 'pros' | 'cons'): readonly string[] {
  const listed = listedReasons(page, side === 'pros' ? PROS : CONS);
  if (listed.length > 0) return listed;
  const sign = side === 'pros' ? /^\s*(?:\+|✅|👍|✔)\s*(\p{L}.+)$/u : /^\s*(?:-|–|❌|👎|✘)\s*(\p{L}.+)$/u;
  if (page.lines.some((line) => /^\s*(?:\+|✅|👍|✔)\s*\p{L}/u.test(line))) {
    return page.lines.flatMap((line) => sign.exec(line)?.[1]?.trim() ?? []);
  }
  if (isOtherSideListed(page, side)) return [];
  return clausesOf(page)
    .filter((clause) => (side === 'pros' ? tone(clause) > 0 : tone(clause) < 0))
    .slice(0, 5);
}

function isOtherSideListed(page: Page, side: 'pros' | 'cons'): boolean {
  return listedReasons(page, side === 'pros' ? CONS : PROS).length > 0;
}

function listedReasons(page: Page, labels: readonly string[]): readonly string[] {
  const entry = page.labelled.find(
    ({ label, value, below }) => labels.includes(label) && (value !== '' || below.length > 0),
  );
  if (entry === undefined) return [];
  const parts =
    entry.value === ''
      ? entry.below.filter((line) => /^[-*•+–]|^\d+[.)]/.test(line) || entry.below.length < 8).map(bullet)
      : splitList(entry.value.replace(/\.$/, ''));
  return parts.filter((part) => part !== '' && !/^(?:none|n\/a|nothing|-|keine)\b/i.test(part));
}

function bullet(line: string): string {
  return line
    .replace(/^(?:[-*•+–]|\d+[.)])\s*/, '')
    .replace(/[.;,]$/, '')
    .trim();
}

function clausesOf({ sentences }: Page): readonly string[] {
  return sentences
    .flatMap((sentence) =>
      sentence.split(/\s*(?:[,;]\s*)?\b(?:but|however|although|though|yet|except)\b,?\s*|[.!?]+/i),
    )
    .map((clause) => clause.trim())
    .filter((clause) => clause.length >= 8 && clause.length <= 160);
}

/** The sentence that says most about it, no longer than allowed. */
export function summaryIn({ sentences, text }: Page, longest: number): string {
  const told = sentences.filter(
    (sentence) =>
      sentence.length >= 15 &&
      !/^(?:(?:hi|hello|dear|hey)\b|[[(★⭐]|(?!verdict|overall|summary|bottom)\p{L}[\p{L} ]{1,22}\s*:)/iu.test(
        sentence,
      ),
  );
  const [best] = told.toSorted((one, other) => weightOf(other) - weightOf(one));
  const chosen = best ?? sentences[0] ?? text.trim();
  const most = Math.min(longest, 240);
  return chosen.length <= most
    ? chosen
    : `${chosen.slice(0, Math.max(0, most - 1)).replace(/\s+\S*$/, '')}…`.slice(0, most);
}

function weightOf(sentence: string): number {
  return (
    Math.abs(tone(sentence)) +
    (/\b(?:overall|in short|verdict|bottom line|all in all|to sum up)\b/i.test(sentence) ? 2 : 0)
  );
}
