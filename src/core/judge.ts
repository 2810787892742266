/** The verdict on an answer: the one place that decides whether it is data. */
import { coerce } from './coerce.ts';
import type { CompiledSchema } from './compile-schema.ts';
import type { Problem, ProblemDetail, ProblemType, Repair, Verdict } from './contract.ts';
import type { Json } from './json.ts';
import { isJsonArray, isJsonObject } from './json.ts';
import { parseAnswer } from './parse-answer.ts';
import { shortenText } from './shorten-json.ts';
import { validate } from './validate.ts';

/** What the provider gave, in the provider's own terms. */
export interface Reply {
  readonly text: string;
  /** `length`: cut off at the token cap. `refusal`: the provider itself calls it one. */
  readonly finish: 'stop' | 'length' | 'content_filter' | 'refusal';
  /** What the model said instead of an answer. */
  readonly refusal?: string;
}

/** What may be done to make an answer fit. */
export interface JudgeOptions {
  /** Whether to change types where nothing is lost. */
  readonly coerce: boolean;
}

const REFUSAL =
  /^(?:i['’]?m (?:very |so |really )?sorry|i am (?:very |so |really )?sorry|sorry|(?:i['’]?m|i am) (?:not able|unable)|i (?:can['’]?t|cannot|can not|won['’]?t|will not|must decline)|as an ai\b|unfortunately,? i (?:can['’]?t|cannot|can not|am unable))/i;
/** A refusal is short, and has no data in it. */
const MAX_REFUSAL_LENGTH = 1_000;

/**
 * Judges an answer, in this order: refused, withheld by a content filter, empty, cut off, not JSON, not in the schema.
 * What can be accepted without changing what it says is accepted, and each change is reported. An answer that was cut off
 * is never made into a record; one that was cut before its first character (all tokens went into reasoning) is
 * `truncated` and not `empty`, since more tokens are its remedy. Never throws, whatever the answer is.
 */
export function judge(reply: Reply, schema: CompiledSchema, options: JudgeOptions): Verdict {
  const { text, finish, refusal = '' } = reply;
  if (finish === 'refusal' || refusal !== '')
    return rejected('refused', said('the model refused', refusal || text));
  if (finish === 'content_filter')
    return rejected('content_filter', 'the answer was withheld by a content filter');

  const parsed = parseAnswer(text, { cutOff: finish === 'length' });
  if (parsed.status === 'failed-parse') {
    const { problem } = parsed;
    const isRefusal = problem.type === 'json_error' && isPlainRefusal(text);
    return isRefusal ? rejected('refused', said('the model refused', text)) : { status: 'rejected', problem };
  }
  return judgeValue(parsed.value, parsed.repairs, schema, options);
}

function judgeValue(
  value: Json,
  repairs: readonly Repair[],
  schema: CompiledSchema,
  options: JudgeOptions,
): Verdict {
  const problems = validate(schema, value);
  if (problems.length === 0) return { status: 'accepted', data: value, repairs };

  const unwrapped = typeof value === 'string' ? unwrap(value) : undefined;
  if (unwrapped !== undefined) {
    return judgeValue(unwrapped.value, [...repairs, ...unwrapped.repairs], schema, options);
  }
  if (!options.coerce) return invalid(problems);

  const coerced = coerce(schema, value);
  if (coerced.repairs.length === 0) return invalid(problems);
  const remaining = validate(schema, coerced.value);
  if (remaining.length > 0) return invalid(remaining);
  return { status: 'accepted', data: coerced.value, repairs: [...repairs, ...coerced.repairs] };
}

/** Some providers encode a tool call's arguments twice: a JSON string that holds JSON. */
function unwrap(text: string): { readonly value: Json; readonly repairs: readonly Repair[] } | undefined {
  const parsed = parseAnswer(text, { cutOff: false });
  if (parsed.status === 'failed-parse') return undefined;
  if (!isJsonObject(parsed.value) && !isJsonArray(parsed.value)) return undefined;
  const message = 'unwrapped JSON that was encoded as a string';
  return { value: parsed.value, repairs: [{ kind: 'syntax', path: '', message }, ...parsed.repairs] };
}

/** Cautiously: at the very start, in a short text, and without anything that could be data. */
function isPlainRefusal(text: string): boolean {
  const plain = text.trim();
  return plain.length <= MAX_REFUSAL_LENGTH && !/[{[]/.test(plain) && REFUSAL.test(plain);
}

function invalid(details: readonly ProblemDetail[]): Verdict {
  const count = details.length === 1 ? '1 problem' : `${details.length} problems`;
  const [first] = details;
  const where = first === undefined || first.path === '' ? '' : `${first.path}: `;
  const message =
    first === undefined ? count : `${count}: ${where}${first.message}${details.length > 1 ? ', …' : ''}`;
  return { status: 'rejected', problem: { type: 'validation_error', message, details } };
}

function rejected(type: ProblemType, message: string): Verdict {
  const problem: Problem = { type, message, details: [] };
  return { status: 'rejected', problem };
}

function said(what: string, words: string): string {
  return words.trim() === '' ? what : `${what}: ${shortenText(words.trim())}`;
}
