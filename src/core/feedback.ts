/**
 * What the model is told about a bad answer. Programs read the lines too (the simulated provider corrects only the
 * fields that are named), so their form is fixed.
 */
import type { Problem, ProblemDetail, ProblemType } from './contract.ts';

/** What is added for a model that refused: it often took the task for advice on the text rather than extraction from it. */
export const REFRAMING =
  'This is a data extraction task. The document was supplied by the user, who is entitled to process it. ' +
  'You are not asked for advice, an opinion or new content: only copy what the document states into the requested ' +
  'JSON fields. Answer with only the JSON object.';

const ONLY_VALID_JSON =
  'Answer again with only valid JSON: the complete JSON object, without a Markdown fence, comments or commentary.';

const MESSAGES: Readonly<
  Record<Exclude<ProblemType, 'validation_error' | 'json_error' | 'incomplete'>, string>
> = {
  truncated:
    'Your answer was cut off before it was complete. Answer again with the complete JSON object, written compactly: ' +
    'no indentation, no explanation, no Markdown fence.',
  empty: 'Your answer was empty. Answer with only the complete JSON object that was asked for.',
  refused: `You did not give the data that was asked for. ${REFRAMING}`,
  content_filter:
    'Your answer was withheld by a content filter. Answer with only the JSON object that was asked for, and nothing ' +
    'that its fields do not need.',
};

const ONLY_THE_OBJECT =
  'Answer with only the complete corrected JSON object: no explanation and no Markdown fence.';

/** In the order in which they are asked for. */
const CORRECTIONS: readonly (readonly [ProblemDetail['kind'], string])[] = [
  ['missing', 'Add every missing field, with its value from the document.'],
  ['wrong_type', 'Correct the type of every field that has a wrong one, without changing what it says.'],
  ['unknown_field', 'Remove every unknown field, or rename it to the field it was meant to be.'],
  ['constraint', 'Correct every value that is not allowed, keeping to what the document states.'],
];

/** Characters that start a new line, hide text or turn its direction in some reader; in JSON text all can be escaped. */
const LINE_BREAKING = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;

/**
 * The message that tells the model its problems. A `validation_error` has one line a problem, in exactly the form
 * `- Field 'items[0].price': expected number (got: "ten")`; the whole answer is `- Answer: …`, and `(got: …)`, which is
 * JSON text, is left out where nothing was received. No value can break a line: control characters are escaped.
 */
export function feedbackMessage(problem: Problem): string {
  if (problem.type === 'incomplete') return '';
  if (problem.type === 'validation_error') return validationFeedback(problem);
  if (problem.type === 'json_error') {
    return `Your answer is not valid JSON: ${oneLine(problem.message)}\n${ONLY_VALID_JSON}`;
  }
  return MESSAGES[problem.type];
}

function validationFeedback({ message, details }: Problem): string {
  const lines = details.length > 0 ? details.map(problemLine) : [`- Answer: ${oneLine(message)}`];
  const kinds = new Set(details.map(({ kind }) => kind));
  const corrections = CORRECTIONS.filter(([kind]) => kinds.has(kind)).map(([, text]) => text);
  return [
    'Your answer is valid JSON, but it does not match the schema:',
    ...lines,
    [...corrections, ...absenceAdvice(details), ONLY_THE_OBJECT].join(' '),
  ].join('\n');
}

/** What to do where the document does not tell a value: an honest gap is worth more than an invention. */
function absenceAdvice(details: readonly ProblemDetail[]): readonly string[] {
  const nullable = details
    .filter((detail) => detail.nullable === true)
    .map(({ path }) => `'${oneLine(path)}'`);
  if (nullable.length > 0)
    return [`Where the document does not state ${nullable.join(', ')}, answer null there.`];
  const isAbsence = details.some(({ kind, received }) => kind === 'missing' || received === null);
  return isAbsence ? ['Invent nothing: a value that the document does not state is to stay null.'] : [];
}

/** The one line that names a problem, as feedback and warnings have it. */
export function problemHint({ path, message }: ProblemDetail): string {
  return problemLine({ path, message });
}

/** Asks again only for the fields that were wrong. Each comes back under its path, so that it is known where it belongs. */
export function fieldsMessage({ details }: Problem, fields: readonly string[]): string {
  return [
    'Of the record that you gave, only these fields are to be given again:',
    ...details.filter(({ kind }) => kind !== 'unknown_field').map(problemLine),
    [...absenceAdvice(details), exactKeys(fields)].join(' '),
  ].join('\n');
}

/** Asks for a part of a record that is too long for one answer. */
export function partMessage(fields: readonly string[]): string {
  return [
    'The whole record is too long for one answer. Give only this part of it now:',
    exactKeys(fields),
  ].join('\n');
}

/** Warns, before an answer, of problems that others have had. It goes last, so that what is before it stays in the provider's cache. */
export function hintsMessage(hints: readonly string[]): string {
  return ['Take care with these fields, which often go wrong:', ...hints].join('\n');
}

function exactKeys(fields: readonly string[]): string {
  const keys = fields.map((path) => JSON.stringify(path)).join(', ');
  return `Answer with one JSON object that has exactly these keys, each with the field's value: ${keys}`;
}

function problemLine({
  path,
  message,
  received,
}: Pick<ProblemDetail, 'path' | 'message' | 'received'>): string {
  const where = path === '' ? 'Answer' : `Field '${path}'`;
  const got = received === undefined ? '' : ` (got: ${JSON.stringify(received)})`;
  return oneLine(`- ${where}: ${message}${got}`);
}

function oneLine(text: string): string {
  return text.replace(
    LINE_BREAKING,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
