/**
 * Text as both databases take it: NUL characters and lone surrogates, which no text means to hold and PostgreSQL refuses,
 * become U+FFFD (�).
 */
export function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD');
}
