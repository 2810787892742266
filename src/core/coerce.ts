/** Values of the wrong type that say the right thing. */
import type { ErrorObject } from 'ajv/dist/2020.js';
import type { CompiledSchema } from './compile-schema.ts';
import type { Repair } from './contract.ts';
import { allowedValues, dataOf } from './describe-error.ts';
import { isJsonArray, isJsonObject } from './json.ts';
import type { Json } from './json.ts';
import { formatPath, pointerSteps } from './json-path.ts';
import { jsonExcerpt } from './shorten-json.ts';

/** A value and what was changed in it. */
export interface Coerced {
  readonly value: Json;
  readonly repairs: readonly Repair[];
}

/** No leading zeros (`030` is a code), separators (`1,299.50` is one number or the other), exponents, signs or units. */
const PLAIN_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/;
/** A double holds any decimal number of so many digits, so that no digit is lost. */
const EXACT_DIGITS = 15;

/**
 * Changes what loses nothing, where a value as it is does not fit its place and the changed one does:
 *
 * - `"30"`, `" 19.90 "` → number or integer (plain decimal notation, 15 significant digits at most; `"30.0"` is an integer)
 * - `"true"`, `"False"` → boolean
 * - `30` → `"30"` (integers only: `1.10` arrives as 1.1, and would become the wrong version number)
 * - `" Positive"` → `"positive"`, where exactly one allowed value is the same but for case and surrounding space;
 *   `"2"` → 2 likewise
 * - `"null"` → null, where no string is taken
 *
 * A value is never wrapped in a list, split, rounded or left out. `value` itself is not touched.
 */
export function coerce(compiled: CompiledSchema, value: Json): Coerced {
  let pending = misfits(compiled.errorsOf(value));
  let coerced = value;
  const repairs: Repair[] = [];
  // One candidate of every place at a time, so that a list of thousands is validated a few times and not thousands.
  for (let round = 0; pending.length > 0; round += 1) {
    const trials = pending.flatMap(({ pointer, from, candidates }) => {
      const to = candidates[round];
      return to === undefined ? [] : [{ pointer, steps: pointerSteps(pointer), from, to }];
    });
    if (trials.length === 0) break;
    const stillWrong = places(compiled.errorsOf(replaced(coerced, trials, 0)));
    const fitting = trials.filter(({ pointer }) => !stillWrong.has(pointer));
    for (const { steps, from, to } of fitting) repairs.push(repair(value, steps, from, to));
    coerced = replaced(coerced, fitting, 0);
    const done = new Set(fitting.map(({ pointer }) => pointer));
    pending = pending.filter(({ pointer }) => !done.has(pointer));
  }
  return { value: coerced, repairs };
}

/** A scalar that does not fit its place, and what it may have been meant to be, most literal first. */
interface Misfit {
  readonly pointer: string;
  readonly from: Json;
  readonly candidates: readonly Json[];
}

function misfits(errors: readonly ErrorObject[]): readonly Misfit[] {
  const byPlace = new Map<string, ErrorObject[]>();
  for (const error of errors) {
    // An error of a field's name is not one of a value.
    if (error.propertyName !== undefined) continue;
    collect(byPlace, error.instancePath, error);
  }
  return [...byPlace].flatMap(([pointer, placeErrors]) => {
    const [first] = placeErrors;
    const from = first === undefined ? undefined : dataOf(first);
    if (from === undefined) return [];
    const candidates = candidatesFor(from, placeErrors);
    return candidates.length === 0 ? [] : [{ pointer, from, candidates }];
  });
}

function candidatesFor(from: Json, errors: readonly ErrorObject[]): readonly Json[] {
  const allowed = errors.flatMap((error) => sameButForForm(from, allowedValues(error) ?? []));
  const types = new Set(errors.flatMap(expectedTypes));
  if (typeof from === 'string') return [...new Set([...allowed, ...fromText(from.trim(), types)])];
  if (typeof from !== 'number' || !Number.isSafeInteger(from) || Object.is(from, -0)) return [];
  return types.has('string') ? [...allowed, String(from)] : allowed;
}

function fromText(text: string, types: ReadonlySet<string>): readonly Json[] {
  const candidates: Json[] = [];
  if ((types.has('number') || types.has('integer')) && isPlainNumber(text)) candidates.push(Number(text));
  const word = text.toLowerCase();
  if (types.has('boolean') && (word === 'true' || word === 'false')) candidates.push(word === 'true');
  if (types.has('null') && text === 'null') candidates.push(null);
  return candidates;
}

function isPlainNumber(text: string): boolean {
  const digits = text.replaceAll(/^-?0*\.?0*|\./g, '').length;
  return PLAIN_NUMBER.test(text) && digits <= EXACT_DIGITS;
}

function sameButForForm(from: Json, allowed: readonly Json[]): readonly Json[] {
  if (typeof from !== 'string' && typeof from !== 'number') return [];
  const form = normalized(from);
  const same = allowed.filter(
    (value) => value !== null && typeof value !== 'object' && normalized(value) === form,
  );
  return same.length === 1 ? same : [];
}

function normalized(value: string | number | boolean): string {
  return String(value).trim().toLowerCase();
}

function expectedTypes({ keyword, params }: ErrorObject): readonly string[] {
  const type: unknown = keyword === 'type' ? params['type'] : [];
  return (Array.isArray(type) ? type : [type]).map(String);
}

function places(errors: readonly ErrorObject[]): ReadonlySet<string> {
  return new Set(errors.map((error) => error.instancePath));
}

interface Replacement {
  readonly steps: readonly string[];
  readonly to: Json;
}

/** A copy with some parts replaced; what is not on the way to them is shared. */
function replaced(value: Json, replacements: readonly Replacement[], depth: number): Json {
  const here = replacements.find(({ steps }) => steps.length === depth);
  if (here !== undefined) return here.to;
  if (replacements.length === 0) return value;
  const byStep = new Map<string, Replacement[]>();
  for (const replacement of replacements) collect(byStep, replacement.steps[depth] ?? '', replacement);
  const inner = (step: string, part: Json): Json => replaced(part, byStep.get(step) ?? [], depth + 1);
  if (isJsonArray(value)) return value.map((item, index) => inner(String(index), item));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, inner(key, part)]));
}

function collect<T>(groups: Map<string, T[]>, key: string, item: T): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [item]);
  else group.push(item);
}

function repair(root: Json, steps: readonly string[], from: Json, to: Json): Repair {
  let at: Json | undefined = root;
  const path = steps.map((step) => {
    const isIndex = isJsonArray(at);
    if (isJsonArray(at)) at = at[Number(step)];
    else at = isJsonObject(at) ? at[step] : undefined;
    return isIndex ? Number(step) : step;
  });
  return { kind: 'coercion', path: formatPath(path), message: `${jsonExcerpt(from)} → ${jsonExcerpt(to)}` };
}
