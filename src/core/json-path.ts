/** Paths as people and models read them: `items[0].price`, with `["odd key"]` where a key is not a name. */

import { isJsonArray, isJsonObject } from './json.ts';
import type { Json } from './json.ts';

/** One step into a value: a key of an object, or an index of an array. */
export type PathStep = string | number;

/** Keys come from the model and may be of any length; longer ones are cut in a path. */
const MAX_KEY_LENGTH = 100;
const NAME = /^[\p{L}_$][\p{L}\p{N}_$]*$/u;

/**
 * Writes a path. The empty path is the whole value.
 *
 * @example formatPath(['items', 0, 'unit price']) // items[0]["unit price"]
 */
export function formatPath(steps: readonly PathStep[]): string {
  return steps.reduce<string>((path, step) => {
    if (typeof step === 'number') return `${path}[${step}]`;
    const key = step.length > MAX_KEY_LENGTH ? `${step.slice(0, MAX_KEY_LENGTH)}…` : step;
    if (!NAME.test(key)) return `${path}[${JSON.stringify(key)}]`;
    return path === '' ? key : `${path}.${key}`;
  }, '');
}

/** The steps of a JSON Pointer (RFC 6901), all of them as strings: the pointer does not tell a key `0` from an index. */
export function pointerSteps(pointer: string): readonly string[] {
  if (pointer === '') return [];
  return pointer
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** One step of a JSON Pointer, escaped. */
export function pointerStep(step: PathStep): string {
  return String(step).replaceAll('~', '~0').replaceAll('/', '~1');
}

/** The steps of a JSON Pointer into a value: a step into an array is a number. */
export function stepsInto(value: Json, pointer: string): readonly PathStep[] {
  let at: Json | undefined = value;
  return pointerSteps(pointer).map((step) => {
    if (isJsonArray(at)) {
      at = at[Number(step)];
      return Number(step);
    }
    at = isJsonObject(at) && Object.hasOwn(at, step) ? at[step] : undefined;
    return step;
  });
}

const STEP = /\.?([\p{L}_$][\p{L}\p{N}_$]*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/uy;

/** The steps of a path as {@link formatPath} writes it; undefined where it is none, or has a key that was cut. */
export function parsePath(path: string): readonly PathStep[] | undefined {
  const steps: PathStep[] = [];
  STEP.lastIndex = 0;
  while (STEP.lastIndex < path.length) {
    const [, name, index, quoted] = STEP.exec(path) ?? [];
    const step = name ?? (quoted === undefined ? undefined : quotedKey(quoted));
    if (index !== undefined) steps.push(Number(index));
    else if (step === undefined || isCut(step)) return undefined;
    else steps.push(step);
  }
  return steps;
}

/** An index, or a quoted key, in which a bracket is none. */
const INDEX = /\[(\d+)\]|\["(?:[^"\\]|\\.)*"\]/g;

/** The same place in all items of an array: `items[0].price` → `items[].price`. Undefined where it is no path, as in {@link parsePath}. */
export function ofAllItems(path: string): string | undefined {
  if (parsePath(path) === undefined) return undefined;
  return path.replace(INDEX, (whole, index: string | undefined) => (index === undefined ? whole : '[]'));
}

function quotedKey(text: string): string | undefined {
  try {
    return String(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function isCut(key: string): boolean {
  return key.length > MAX_KEY_LENGTH && key.endsWith('…');
}
