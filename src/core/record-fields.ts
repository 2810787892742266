/** Fields of a record, set and removed by their paths. Nothing is changed in place, and nothing else is touched. */
import { isJsonArray, isJsonObject } from './json.ts';
import type { Json, JsonObject } from './json.ts';
import { parsePath } from './json-path.ts';
import type { PathStep } from './json-path.ts';

/** A record with fields set by their paths, where they are in the answer; the rest as it was. */
export function withFields(record: Json, paths: readonly string[], answer: JsonObject): Json {
  return paths.reduce<Json>((joined, path) => {
    const value = answer[path];
    const steps = parsePath(path);
    return value === undefined || steps === undefined ? joined : set(joined, steps, value);
  }, record);
}

/** A record without some of its fields. Of an array the elements are left out. */
export function withoutFields(record: Json, paths: readonly string[]): Json | null {
  if (paths.includes('')) return null;
  const all = paths.flatMap((path) => {
    const steps = parsePath(path);
    return steps === undefined ? [] : [steps];
  });
  // From behind, so that an index still means the same element when its turn comes.
  const fromBehind = all.toSorted((a, b) => compareSteps(b, a));
  return fromBehind.reduce<Json>((rest, steps) => remove(rest, steps), record);
}

/** What is one step inside a value. */
export function child(value: Json | undefined, step: PathStep): Json | undefined {
  if (typeof step === 'number') return isJsonArray(value) ? value[step] : undefined;
  return isJsonObject(value) && Object.hasOwn(value, step) ? value[step] : undefined;
}

function set(value: Json, [step, ...rest]: readonly PathStep[], field: Json): Json {
  if (step === undefined) return field;
  if (typeof step === 'number') {
    if (!isJsonArray(value)) return value;
    return value.map((item, index) => (index === step ? set(item, rest, field) : item));
  }
  if (!isJsonObject(value)) return value;
  const inner = rest.length === 0 ? field : set(child(value, step) ?? {}, rest, field);
  return { ...value, [step]: inner };
}

function remove(value: Json, [step, ...rest]: readonly PathStep[]): Json {
  if (step === undefined) return value;
  const isLast = rest.length === 0;
  if (typeof step === 'number') {
    if (!isJsonArray(value)) return value;
    if (isLast) return value.filter((_, index) => index !== step);
    return value.map((item, index) => (index === step ? remove(item, rest) : item));
  }
  if (!isJsonObject(value) || !Object.hasOwn(value, step)) return value;
  if (isLast) return Object.fromEntries(Object.entries(value).filter(([key]) => key !== step));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, key === step ? remove(item, rest) : item]),
  );
}

function compareSteps(a: readonly PathStep[], b: readonly PathStep[]): number {
  for (const [index, step] of a.entries()) {
    const other = b[index];
    if (other === undefined) return 1;
    if (typeof step === 'number' && typeof other === 'number' && step !== other) return step - other;
    if (step !== other) return String(step) < String(other) ? -1 : 1;
  }
  return a.length - b.length;
}
