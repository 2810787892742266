/** E-mail addresses, telephone numbers and web addresses. */

const DOT = String.raw`(?:\.|\s?[([]dot[)\]]\s?)`;
const EMAIL = new RegExp(
  String.raw`(?<![\p{L}\p{N}._%+'-])[\p{L}\p{N}._%+'-]{1,64}(?:@|\s?[([]at[)\]]\s?)[\p{L}\p{N}-]+(?:${DOT}[\p{L}\p{N}-]+)*${DOT}\p{L}{2,24}(?![\p{L}\p{N}@-])`,
  'giu',
);
const PHONE =
  /(?<![\w#./-])(?:\+|00)?\(?\d[\d\s().\-/]{6,20}\d(?:\s?(?:ext|x|extension)\.?\s?\d{1,6})?(?![\w/])/g;
const URL = /\b(?:https?:\/\/|www\.)[^\s<>"')\]]+[^\s<>"')\].,;:!?]/gi;

/** E-mail addresses in order, also those written `jane (at) example (dot) com`. */
export function emailsIn(text: string): readonly string[] {
  return [...text.matchAll(EMAIL)]
    .map(([match]) =>
      match
        .replace(/\s?[([]at[)\]]\s?/gi, '@')
        .replace(/\s?[([]dot[)\]]\s?/gi, '.')
        .replace(/\s/g, '')
        .replace(/^['.-]+/, '')
        .replace(/\.(?=@)/, ''),
    )
    .filter((email) => /^[\w.%+'-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}$/.test(email) && !email.includes('..'));
}

/** Telephone numbers in order, as they are written. */
export function phonesIn(text: string): readonly string[] {
  return [...text.matchAll(PHONE)]
    .filter((match) => isPhone(match[0], text, match.index))
    .map(([match]) => tidy(match));
}

function tidy(phone: string): string {
  const closed = phone.trim();
  return closed.startsWith('(') || !closed.includes(')') || closed.includes('(') ? closed : `(${closed}`;
}

function isPhone(candidate: string, text: string, index: number): boolean {
  const digits = candidate.replace(/\D/g, '').length;
  if (digits < 7 || digits > 15) return false;
  if (/^\d{1,4}[-./]\d{1,2}[-./]\d{1,4}$/.test(candidate.trim())) return false; // a date
  if (/^\d{4}[-/]\d{2}[-/]\d{2}/.test(candidate)) return false;
  const before = text.slice(Math.max(0, index - 24), index).toLowerCase();
  if (/(order|invoice|ref|id|no|nr|#|iban|account|tracking|ticket)\W*$/.test(before)) return false;
  const isNamed =
    /(phone|tel|mobile|cell|call|fax|whatsapp|ring|reach|number|text|contact)\W*(me|us|him|her)?\W*(at|on|is)?\W*$/.test(
      before,
    );
  return isNamed || candidate.includes('+') || /[\s().-]/.test(candidate.trim());
}

/** Web addresses in order. */
export function urlsIn(text: string): readonly string[] {
  return [...text.matchAll(URL)].map(([match]) =>
    match.toLowerCase().startsWith('www.') ? `https://${match}` : match,
  );
}
