/** The verdict on an answer: the one place that decides whether it is data. */
import { coerce } from './coerce.ts';
import type { CompiledSchema } from './compile-schema.ts';
import type { Problem, ProblemDetail, ProblemType, Rejection, Repair, Verdict } from './contract.ts';
import { completedFields } from './cut-answer.ts';
import { countParts, fieldNames, fieldsToRepair, takesNull, unknownFields } from './fields.ts';
import type { Json, JsonObject } from './json.ts';
import { isJsonArray, isJsonObject } from './json.ts';
import { parseAnswer } from './parse-answer.ts';
import { withFields, withoutFields } from './record-fields.ts';
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
  /** Of an answer that was held to a stricter form of the schema than the one it is judged by: what it says in that one. */
  readonly mapBack?: (answer: Json) => Json;
}

const REFUSAL =
  /^(?:i['’]?m (?:very |so |really )?sorry|i am (?:very |so |really )?sorry|sorry|(?:i['’]?m|i am) (?:not able|unable)|i (?:can['’]?t|cannot|can not|won['’]?t|will not|must decline)|as an ai\b|unfortunately,? i (?:can['’]?t|cannot|can not|am unable))/i;
/** A refusal is short, and has no data in it. */
const MAX_REFUSAL_LENGTH = 1_000;

/**
 * Judges an answer, in this order: refused, withheld by a content filter, empty, cut off, not JSON, not in the schema.
 * What can be accepted without changing what it says is accepted, and each change is reported. An answer that was cut off
 * is never made into a record, though what it has said in full is kept; one that was cut before its first character (all tokens went into reasoning) is
 * `truncated` and not `empty`, since more tokens are its remedy. Never throws, whatever the answer is.
 */
export function judge(reply: Reply, schema: CompiledSchema, options: JudgeOptions): Verdict {
  const read = readReply(reply);
  if ('value' in read) return judgeValue(read.value, read.repairs, schema, options);
  if (read.problem.type !== 'truncated') return read;
  return { ...read, parts: countParts(schema), ...cutOff(reply, fieldNames(schema.jsonSchema), {}, options) };
}

/** What a cut answer has said in full, joined with what was there before, and what is still to come; empty where it has said nothing. */
function cutOff(
  { text }: Reply,
  wanted: readonly string[],
  record: Json,
  { mapBack = same }: JudgeOptions,
): Pick<Rejection, 'record' | 'rest'> {
  const given = completedFields(text) ?? {};
  const rest = wanted.filter((path) => !Object.hasOwn(given, path));
  if (rest.length === wanted.length) return {};
  const known = wanted.filter((path) => Object.hasOwn(given, path));
  return { record: withFields(record, known, objectIn(mapBack(given)) ?? given), rest };
}

/** An answer that has only some fields of a record, each under its path. */
export interface FieldsAnswer {
  readonly fields: readonly string[];
  /** What earlier answers gave. */
  readonly record: Json;
  /** Whether other parts of the record are still to come. */
  readonly isIncomplete: boolean;
}

/**
 * Judges an answer that has only some fields, joined with what was there before: what is valid already stays as it is, and what
 * it was told to be unknown is removed. An answer that is a whole record all the same is judged as one.
 */
export function judgeFields(
  reply: Reply,
  schema: CompiledSchema,
  options: JudgeOptions,
  { fields, record, isIncomplete }: FieldsAnswer,
): Verdict {
  const read = readReply(reply);
  if (!('value' in read)) {
    const kept: Rejection = { ...read, record };
    if (read.problem.type !== 'truncated') return { ...kept, fields };
    const parts = countParts(schema);
    return isIncomplete ? { ...kept, parts } : { ...kept, parts, ...cutOff(reply, fields, record, options) };
  }
  const given = objectIn(read.value);
  const isEmpty = given !== undefined && Object.keys(given).length === 0;
  // Who leaves out all that was asked for gives nothing new: what was missing still is.
  if (given === undefined || !(isEmpty || fields.some((path) => Object.hasOwn(given, path)))) {
    const whole = judgeValue(read.value, read.repairs, schema, options);
    if (whole.status === 'accepted') return whole;
    const paths = fields.join(', ');
    const problem: Problem = {
      type: 'json_error',
      message: `expected an object with the keys ${paths}`,
      details: [],
    };
    return { status: 'rejected', problem, record, fields };
  }
  const { mapBack = same, ...rest } = options;
  const mapped = objectIn(mapBack(given)) ?? given;
  const absent = fields.filter((path) => Object.hasOwn(given, path) && !Object.hasOwn(mapped, path));
  const left = [...unknownFields(validate(schema, record)), ...absent];
  const known = withoutFields(record, left) ?? record;
  const joined = withFields(known, fields, mapped);
  if (!isIncomplete) return judgeValue(joined, read.repairs, schema, rest);
  const problem: Problem = { type: 'incomplete', message: 'a part of the record is there', details: [] };
  return { status: 'rejected', problem, record: joined };
}

function same(value: Json): Json {
  return value;
}

function objectIn(value: Json): JsonObject | undefined {
  const plain = typeof value === 'string' ? (unwrap(value)?.value ?? value) : value;
  return isJsonObject(plain) ? plain : undefined;
}

type ReadReply = { readonly value: Json; readonly repairs: readonly Repair[] } | Rejection;

function readReply({ text, finish, refusal = '' }: Reply): ReadReply {
  if (finish === 'refusal' || refusal !== '')
    return rejected('refused', said('the model refused', refusal || text));
  if (finish === 'content_filter')
    return rejected('content_filter', 'the answer was withheld by a content filter');

  const parsed = parseAnswer(text, { cutOff: finish === 'length' });
  if (parsed.status !== 'failed-parse') return parsed;
  const { problem } = parsed;
  const isRefusal = problem.type === 'json_error' && isPlainRefusal(text);
  return isRefusal ? rejected('refused', said('the model refused', text)) : { status: 'rejected', problem };
}

/** Judges a record that needs no reading: one that was entered by hand. */
export function judgeRecord(record: Json, schema: CompiledSchema, options: JudgeOptions): Verdict {
  return judgeValue(record, [], schema, options);
}

function judgeValue(
  given: Json,
  repairs: readonly Repair[],
  schema: CompiledSchema,
  options: JudgeOptions,
): Verdict {
  const value = options.mapBack?.(given) ?? given;
  const problems = validate(schema, value);
  if (problems.length === 0) return { status: 'accepted', data: value, repairs };

  const unwrapped = typeof value === 'string' ? unwrap(value) : undefined;
  if (unwrapped !== undefined) {
    return judgeValue(unwrapped.value, [...repairs, ...unwrapped.repairs], schema, options);
  }
  if (!options.coerce) return invalid(schema, value, problems);

  const coerced = coerce(schema, value);
  if (coerced.repairs.length === 0) return invalid(schema, value, problems);
  const remaining = validate(schema, coerced.value);
  if (remaining.length > 0) return invalid(schema, coerced.value, remaining);
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

function invalid(schema: CompiledSchema, record: Json, problems: readonly ProblemDetail[]): Verdict {
  const details = problems.map((detail): ProblemDetail => {
    const mayBeNull =
      (detail.kind === 'missing' || detail.kind === 'wrong_type') && takesNull(schema, detail.path);
    return mayBeNull ? { ...detail, nullable: true } : detail;
  });
  const fields = fieldsToRepair(schema, record, details);
  const count = details.length === 1 ? '1 problem' : `${details.length} problems`;
  const [first] = details;
  const where = first === undefined || first.path === '' ? '' : `${first.path}: `;
  const message =
    first === undefined ? count : `${count}: ${where}${first.message}${details.length > 1 ? ', …' : ''}`;
  const problem: Problem = { type: 'validation_error', message, details };
  return { status: 'rejected', problem, record, ...(fields === undefined ? {} : { fields }) };
}

function rejected(type: ProblemType, message: string): Rejection {
  const problem: Problem = { type, message, details: [] };
  return { status: 'rejected', problem };
}

function said(what: string, words: string): string {
  return words.trim() === '' ? what : `${what}: ${shortenText(words.trim())}`;
}
