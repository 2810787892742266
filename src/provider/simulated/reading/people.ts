import { emailsIn } from './contacts.ts';
import { NUMBER_WORDS, unspelled } from '../spelled.ts';
import { oncePerPage, splitList, valuesUnder, type Page } from './page.ts';

/** Names, ages and occupations of people. */

const TITLE = String.raw`(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Herr|Frau|Señora?|Sra?|Mme|M|Sir|Madame|Monsieur|Ing|Rev)\.?`;
const PARTICLE = String.raw`(?:van der|van den|van de|van|von der|von|de la|de los|del|della|de|da|dos|di|du|le|la|bin|ibn|al|el|ter|ten|af|av|y|e|zu)`;
const NAME_WORD = String.raw`(?:(?:O['’]|D['’]|Mc|Mac|al-|El-)?\p{Lu}[\p{L}\p{M}’']*(?:-\p{Lu}[\p{L}\p{M}]+)*|\p{Lu}\.)`;
const FULL_NAME = String.raw`${NAME_WORD}(?:[ \t]+(?:${PARTICLE}[ \t]+)?${NAME_WORD}){1,3}`;
const ANY_NAME = String.raw`${NAME_WORD}(?:[ \t]+(?:${PARTICLE}[ \t]+)?${NAME_WORD}){0,3}`;

/** Words that begin with a capital and are nobody's name. */
const NO_NAMES = new Set(
  `the a an i we you he she it they this that these those my our your his her their its in on at by for from to of with and or but if so as is are was were be been
  hi hello hey dear thanks thank regards best kind cheers sincerely please yes no not new order invoice total subtotal date qty quantity price item items product customer client name email phone tel
  monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september october november december jan feb mar apr jun jul aug sep sept oct nov dec
  street st avenue ave road rd lane drive blvd way court square place apt suite unit floor box po north south east west united states kingdom
  inc ltd llc gmbh corp company co ag sa university college school hospital institute bank group department office team support service store shop
  pros cons review rating summary verdict overall great good bad love terrible excellent amazing update edit note subject re fwd fw ps hobbies skills age occupation address city country
  mr mrs ms miss dr prof sir madam all everyone folks guys there who what when where why how just also then once after before since while because although however here
  english german french spanish italian american british european usa uk eu us bill ship sold deliver attn attention contact sender recipient signed profile about member account patient resume cv status confirmation receipt shipping billing payment delivery`
    .split(/\s+/)
    .filter((word) => word !== ''),
);

const LABELS: readonly string[] = [
  'full name',
  'name',
  'customer name',
  'customer',
  'client',
  'bill to',
  'sold to',
  'ordered by',
  'ship to',
  'deliver to',
  'buyer',
  'reviewer',
  'author',
  'reviewed by',
  'contact person',
  'contact',
  'attn',
  'from',
  'kunde',
  'nom',
  'nombre',
  'naam',
  'member',
  'patient',
  'applicant',
  'employee',
  'recipient',
  'account holder',
  'user',
  'by',
  'passenger',
  'guest',
  'rechnung an',
  'client name',
  'attendee',
  'participant',
  'caller',
  'nom complet',
  'cliente',
];

interface Cue {
  readonly pattern: RegExp;
  readonly weight: number;
}

function cue(weight: number, pattern: string, flags = 'gu'): Cue {
  return { weight, pattern: new RegExp(pattern, flags) };
}

/** What stands around a name, the surest first. Each pattern's only group is the name. */
const CUES: readonly Cue[] = [
  cue(
    9,
    String.raw`(?:[Mm]y (?:full )?name is|[Mm]y name['’]s|[Nn]ame is|[Tt]he name['’]s|[Ii]ch heiße|[Jj]e m['’]appelle|[Mm]e llamo|[Mm]ein Name ist)[ \t]+(?:${TITLE}[ \t]+)?(${ANY_NAME})`,
  ),
  cue(8, String.raw`^[ \t]*From:[ \t]*"?(?:${TITLE}[ \t]+)?(${FULL_NAME})`, 'gmu'),
  cue(7, String.raw`(?:I['’]m|I am|[Tt]his is|[Ii]t['’]s|[Ii]ch bin)[ \t]+(?:${TITLE}[ \t]+)?(${FULL_NAME})`),
  cue(
    7,
    String.raw`(?:[Oo]rder(?:ed)? (?:by|for|from)|[Pp]laced by|[Cc]ustomer|[Cc]lient|[Pp]atient|[Ss]igned(?: by)?|[Nn]amed|[Cc]alled|[Bb]ehalf of|[Aa]ddressed to|[Dd]eliver(?:ed)? to|[Ss]hip(?:ped)? to|[Ff]or our customer|[Rr]eviewed by|[Ww]ritten by|[Mm]eet|[Ii]ntroduc(?:e|ing)|[Ww]elcome)[ \t:,-]+(?:${TITLE}[ \t]+)?(${FULL_NAME})`,
  ),
  cue(
    6,
    String.raw`(?:[Rr]egards|[Ss]incerely|[Cc]heers|[Tt]hanks(?: again)?|[Tt]hank you|[Bb]est|[Bb]est wishes|[Yy]ours(?: truly| faithfully| sincerely)?|[Gg]rüßen?|[Ss]aludos|[Cc]ordialement|[Ww]armly|[Tt]ake care|[Gg]ruß)[ \t,.!]*\n+[ \t–-]*(?:${TITLE}[ \t]+)?(${ANY_NAME})[ \t]*(?=\n|$|,|\|)`,
  ),
  cue(6, String.raw`\b${TITLE}[ \t]+(${ANY_NAME})`),
  cue(
    5,
    String.raw`(?<![\p{L}])(${FULL_NAME})(?:,[ \t]+(?:aged?[ \t]+)?\d{1,3}[,. ]|[ \t]+\(\d{1,3}[,)]|,[ \t]+(?:an?|the|our)[ \t]|,?[ \t]+(?:is (?:an?|the|our|my)\b|was born|works|lives|worked|born))`,
  ),
  cue(4, String.raw`^[ \t]*[–—~-]+[ \t]*(${ANY_NAME})[ \t]*$`, 'gmu'),
  cue(4, String.raw`(?:^|\n)[ \t]*(${FULL_NAME})[ \t]*(?:\n|$|[,|<(–—])`),
  cue(
    3,
    String.raw`(?:[Aa]sk for|[Cc]ontact|[Cc]all|[Mm]et|[Tt]o|[Ff]or|[Ww]ith|[Bb]y|[Hh]i|[Hh]ello|[Hh]ey|[Dd]ear),?[ \t]+(${FULL_NAME})`,
  ),
  cue(2, String.raw`(?<![\p{L}])(${FULL_NAME})`),
  cue(1, String.raw`(?:I['’]m|I am|[Tt]his is|[Ii]t['’]s)[ \t]+(${NAME_WORD})(?=[,.! \n])`),
];

/** `Benedict "Ben" Achebe` */
const NICKNAME = /[ \t]["“'(]\p{Lu}\p{Ll}{1,12}["”')](?=[ \t]\p{Lu})/gu;

/** The names of people in a document, the most likely first. */
export const peopleIn: (page: Page) => readonly string[] = oncePerPage((page) => {
  const text = page.text.replace(NICKNAME, '');
  const found = new Map<string, number>();
  const add = (name: string | null, weight: number): void => {
    if (name !== null && weight > (found.get(name) ?? 0)) found.set(name, weight);
  };
  for (const [rank, { value, below }] of valuesUnder(page, LABELS).entries()) {
    add(cleanName(value === '' ? (below[0] ?? '') : value, true), 12 - rank / 100);
  }
  add(splitNameFields(page), 13);
  for (const { pattern, weight } of CUES) {
    let rank = 0;
    for (const match of text.matchAll(pattern)) add(cleanName(match[1] ?? ''), weight - rank++ / 100);
  }
  add(lastNameFirst(page.text), 2.5);
  if (found.size === 0) add(nameInEmail(page.text), 0.5);
  return withoutParts([...found].toSorted(([, one], [, other]) => other - one).map(([name]) => name));
});

/** `First name: … Last name: …` */
function splitNameFields(page: Page): string | null {
  const [first] = valuesUnder(page, ['first name', 'given name', 'vorname', 'prénom', 'forename']);
  const [last] = valuesUnder(page, ['last name', 'family name', 'surname', 'nachname']);
  return first !== undefined && last !== undefined ? `${first.value} ${last.value}` : null;
}

/** A first name alone gives way to the full name it begins. */
function withoutParts(names: readonly string[]): readonly string[] {
  return names.map((name) => names.find((other) => other.startsWith(`${name} `)) ?? name);
}

const LAST_FIRST = new RegExp(
  String.raw`^((?:${PARTICLE} )?${NAME_WORD}(?:[ -]${NAME_WORD})?),\s+(${NAME_WORD}(?:[ \t]${NAME_WORD})?)\s*(?:\(|$|,|;)`,
  'u',
);

function lastNameFirst(text: string): string | null {
  for (const line of text.split('\n').slice(0, 60)) {
    const match = LAST_FIRST.exec(line.replace(/^[\s\-*•\d.]+/, ''));
    if (match === null) continue;
    const name = cleanName(`${match[2]} ${match[1]}`);
    if (name !== null) return name;
  }
  return null;
}

const LEADING_TITLES = new RegExp(String.raw`^(?:${TITLE}[ \t]+)+`, 'u');

/** A candidate without title, address or firm; null where nothing of a name is left. */
function cleanName(raw: string, isLabelled = false): string | null {
  const [beforeAddress = ''] = raw.split(/[<([|\n/]|\s[-–—]\s|\s{2,}|,\s*(?=\d)|;\s|\be-?mail\b|\bage\b/i);
  const swapped = LAST_FIRST.exec(beforeAddress.trim());
  const plain = swapped === null ? (beforeAddress.split(',')[0] ?? '') : `${swapped[2]} ${swapped[1]}`;
  const name = plain
    .replace(LEADING_TITLES, '')
    .replace(/["“”*_:]/g, '')
    .replace(/['’]s$/, '')
    .replace(/[\s.]+$/, (end) => (/\s\p{Lu}\.$/u.test(plain.trim()) ? '.' : end.trim() === '' ? '' : ''))
    .trim();
  return isName(name, isLabelled) ? properCase(name) : null;
}

function isName(name: string, isLabelled: boolean): boolean {
  const words = name.split(/\s+/);
  if (name.length < 2 || words.length > 6 || /[\d@#$€£%]/.test(name)) return false;
  if (
    words.some((word) => NO_NAMES.has(word.toLowerCase().replace(/[.,]/g, '')) && !/^\p{Lu}\.$/u.test(word))
  )
    return false;
  return isLabelled ? /^\p{L}/u.test(name) && words.length <= 5 : /^\p{Lu}/u.test(name);
}

/** Names in capitals or in small letters are written as names are. */
function properCase(name: string): string {
  const letters = name.replace(/[^\p{L}]/gu, '');
  if (letters !== letters.toUpperCase() && letters !== letters.toLowerCase()) return name;
  if (letters.length <= 2) return name;
  return name
    .toLowerCase()
    .replace(/(^|[\s'’-])(\p{Ll})/gu, (_, before: string, letter: string) => before + letter.toUpperCase());
}

function nameInEmail(text: string): string | null {
  const [email] = emailsIn(text);
  const words = (email?.split('@')[0] ?? '').split(/[._-]+/).filter((word) => /^[a-z]{2,}$/i.test(word));
  return words.length === 0 ? null : properCase(words.join(' ').toLowerCase());
}

const AGES: readonly RegExp[] = [
  /\b(?:age|alter|edad|âge)\s*[:=|]\s*(\d{1,3})(?![\d-])/iu,
  /(?<![\d.,-])(\d{1,3})[\s-]*(?:years?|yrs?|yo\b|y\/o|Jahre|ans|años)[\s-]*(?:old|of age|alt)?/iu,
  /\b(?:aged?|age is|alter|edad|âge)[\s:=]*(?:of\s+)?(\d{1,3})\b(?!-)/iu,
  new RegExp(
    String.raw`\b((?:${NUMBER_WORDS})(?:[- ](?:${NUMBER_WORDS}))?)[\s-]+(?:years?|yrs?)[\s-]*(?:old|of age|young)`,
    'iu',
  ),
  new RegExp(
    String.raw`\b(?:aged?|turned|turning|turns|I am|I['’]m|he is|she is|he['’]s|she['’]s)\s+(?:just\s+|now\s+|only\s+)?(\d{1,3}|(?:${NUMBER_WORDS})(?:[- ](?:${NUMBER_WORDS}))?)\b(?!\s*(?:%|minutes|hours|days|weeks|months|km|miles|cm|kg|st\b|nd\b|rd\b|th\b))`,
    'iu',
  ),
  /\p{Lu}\p{Ll}+,\s+(\d{2})(?=[,.\s])(?!\s*(?:%|minutes|hours|days|weeks|months|km|miles|USD|EUR|\p{Lu}))/u,
  /\b[Aa]t (\d{2}),? (?:he|she|they)\b/u,
  /\p{Lu}\p{Ll}+\s+\((\d{2})(?:[,)\s])/u,
  /\((\d{2})\s*[,/]?\s*[mfMF]\)|\b(\d{2})\s?[mMfF]\b/,
];

/** How old somebody is; null where it does not say. */
export function ageIn({ text }: Page): number | null {
  for (const pattern of AGES) {
    const match = pattern.exec(text);
    const written = match?.[1] ?? match?.[2];
    const age = written === undefined ? null : /^\d/.test(written) ? Number(written) : unspelled(written);
    if (age !== null && age > 0 && age < 130) return age;
  }
  return null;
}

const WORK_END = String.raw`(?=\s+(?:at|for|in|from|with|who|and|by|near|since|of|on|based|living|working|but|from)\b|[,.;:!?\n(|]|\s[-–—]\s|$)`;
const WORKS = String.raw`((?:[\p{L}-]+[ \t]){0,3}?[\p{L}-]+?)${WORK_END}`;
const TRADE =
  /(?:er|or|ist|ian|ant|eer|ect|yst|ess|man|woman|nurse|chef|clerk|coach|pilot|midwife|student|retiree|cook|judge|artist|surgeon|therapist|assistant|consultant|accountant|agent|officer|representative|lead|head|ceo|cto|intern|apprentice|analyst|specialist|technician|engineer|guide|smith|wright|physician|dentist|carpenter|plumber|monk|priest)$/i;
const NOT_A_TRADE =
  /\b(?:customer|member|user|owner|reader|lover|buyer|order|number|letter|father|mother|brother|sister|daughter|neighbou?r|winner|former|newcomer|resident|person|man|woman|fan|traveller|reminder|matter|order|better|other|never|ever|over|under|after|summer|winter|later|partner|visitor|never|computer|either|another|together|however|rather|offer)$/i;
const OCCUPATIONS: readonly RegExp[] = [
  new RegExp(
    String.raw`\b(?:work(?:s|ing|ed)?|job|employed|career|trained|living)\s+(?:currently\s+|now\s+|is\s+)?as\s+(?:an?\s+|the\s+)?${WORKS}`,
    'iu',
  ),
  new RegExp(
    String.raw`\b(?:profession|occupation|job|day job|trade)\s+is\s+(?:an?\s+|being an?\s+)?${WORKS}`,
    'iu',
  ),
  new RegExp(String.raw`\b\d+[- ]year[- ]old\s+${WORKS}`, 'iu'),
  new RegExp(
    String.raw`(?:,|\bis|\bam|I['’]m|he['’]s|she['’]s|\bwas|\bbecame|\bbecome)\s+(?:now\s+|currently\s+)?(?:an?|the|our|my)\s+${WORKS}`,
    'giu',
  ),
  new RegExp(String.raw`,[ \t]*\d{2},[ \t]+(?:an?[ \t]+)?${WORKS}`, 'giu'),
  new RegExp(String.raw`\bas\s+(?:an?|our|the)\s+(?:new\s+)?${WORKS}`, 'giu'),
];

/** What somebody works as, in the document's words. */
export function occupationIn(page: Page): string | null {
  for (const { value } of valuesUnder(page, [
    'occupation',
    'profession',
    'job title',
    'job',
    'position',
    'role',
    'title',
    'beruf',
    'work',
  ])) {
    const [plain = ''] = value.split(/\s+(?:at|@)\s+|[,;(|]/);
    if (plain !== '' && plain.length <= 60) return plain.trim();
  }
  for (const pattern of OCCUPATIONS) {
    const matches = pattern.global ? [...page.text.matchAll(pattern)] : [pattern.exec(page.text)];
    for (const match of matches) {
      const work = (match?.[1] ?? '').trim();
      const isSure = !pattern.global && !/year/.test(pattern.source);
      if (work !== '' && !NOT_A_TRADE.test(work) && (isSure || TRADE.test(work))) return tidyWork(work);
    }
  }
  return null;
}

function tidyWork(work: string): string {
  return work
    .replace(/^(?:an?|the|now|very|currently)\s+/i, '')
    .replace(/\s+/g, ' ')
    .trim();
}

const PURSUITS: readonly RegExp[] = [
  /\b(?:hobb(?:y|ies)|interests|pastimes?)\s+(?:are|is|were|was|include|includes|including|:)\s*([^.!?\n]+)/iu,
  /\b(?:enjoy(?:s|ing)?|loves?|likes|adores?|fond of|passionate about|keen on|is into|am into|['’]m into|['’]s into|interested in|enthusiast of)\s+([^.!?\n]+)/giu,
  /\b(?:(?:free|spare|leisure) time|weekends?|evenings?|(?:not|when(?:ever)? (?:he|she|I|they)['’]?(?:s|m|re)? (?:is |am |are )?not) working|off duty),?\s+(?:and [\p{L} ]+,\s*)?(?:(?:you(?:['’]ll| will| can)? find (?:him|her|me|them)|(?:he|she|I|they)(?:['’]s| is| am)?)\s+)?(?:usually\s+|often\s+|mostly\s+)?([^.!?\n]+)/giu,
];
const TRAILING =
  /\s+(?:in (?:his|her|my|their) (?:free|spare|leisure) time|on (?:the )?weekends?|at the weekend|when (?:he|she|I|they|the)\b.*|with (?:his|her|my|their)\b.*|after work|in the (?:evenings?|summer|winter)|whenever\b.*|as well|too|most of all|these days|every\b.*|around\b.*|on the \p{L}+)$/iu;

/** What somebody likes to do. */
export function pursuitsIn(page: Page): readonly string[] {
  for (const { value, below } of valuesUnder(page, [
    'hobbies',
    'interests',
    'hobbies interests',
    'hobbys',
    'hobbies and interests',
    'likes',
    'free time',
    'aficiones',
    'loisirs',
  ])) {
    const list = value === '' ? below.flatMap(splitList) : splitList(value);
    if (list.length > 0) return list.map(tidyPursuit).filter((pursuit) => pursuit !== '');
  }
  for (const pattern of PURSUITS) {
    const matches = pattern.global ? [...page.text.matchAll(pattern)] : [pattern.exec(page.text)];
    const found = matches.flatMap((match) =>
      match === null ? [] : splitList((match[1] ?? '').replace(/\s+or\s+/g, ', ')),
    );
    const list = [...new Set(found.map(tidyPursuit))].filter(
      (pursuit) => pursuit !== '' && pursuit.split(' ').length <= 5,
    );
    if (list.length > 0) return list;
  }
  return [];
}

function tidyPursuit(pursuit: string): string {
  return pursuit
    .replace(TRAILING, '')
    .replace(
      /^(?:also|to|a bit of|some|going|doing|mostly|especially|enjoys?|loves?|likes?|is|he|she|I)\s+/iu,
      '',
    )
    .replace(TRAILING, '')
    .trim();
}
