/** Requests for some fields of a record only, as durable-extract words them: each is to come back under its path. */
import { parsePath, type PathStep } from '../../core/json-path.ts';
import { isJsonArray, isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import type { Field } from './field.ts';

/** Some fields that are asked for by themselves. */
export interface WantedFields {
  /** As they were written, which is what their values come back under: `items[0].price`. */
  readonly paths: readonly string[];
  /** The message: where it names what was wrong, it corrects as feedback does. */
  readonly text: string;
}

const OPENING =
  /^(?:Of the record that you gave, only these fields are to be given again:|The whole record is too long for one answer\. Give only this part of it now:)/;
const KEYS = /exactly these keys, each with the field's value: (.+)$/m;

/** What the last message of this kind asks for; null where none does, and so the whole record is wanted. */
export function wantedFieldsIn(remarks: readonly string[]): WantedFields | null {
  const text = remarks.findLast((remark) => OPENING.test(remark));
  if (text === undefined) return null;
  const paths = keysIn(KEYS.exec(text)?.[1] ?? '');
  return paths.length === 0 ? null : { paths, text };
}

/** `"a", "b"` is a JSON array without its brackets. */
function keysIn(list: string): readonly string[] {
  try {
    return (JSON.parse(`[${list}]`) as readonly unknown[]).filter((key) => typeof key === 'string');
  } catch {
    return []; // not a list of keys after all
  }
}

/** The answer to such a request: each field of the record under its path. What the record does not have is left out. */
export function fieldsOf(record: Json, paths: readonly string[]): JsonObject {
  return Object.fromEntries(
    paths.flatMap((path) => {
      const value = valueAt(record, parsePath(path) ?? [path]);
      return value === undefined ? [] : [[path, value] as const];
    }),
  );
}

/** What is at a place of a record; undefined where there is none. */
export function valueAt(record: Json, steps: readonly PathStep[]): Json | undefined {
  let at: Json | undefined = record;
  for (const step of steps) {
    if (isJsonArray(at)) at = at[Number(step)];
    else at = isJsonObject(at) && Object.hasOwn(at, step) ? at[String(step)] : undefined;
  }
  return at;
}

/** Whether every path leads to a field of the record that is read so. */
export function hasFields(root: Field, paths: readonly string[]): boolean {
  return paths.every((path) => {
    let at: Field | null | undefined = root;
    for (const step of parsePath(path) ?? [path]) {
      at = typeof step === 'number' ? at?.items : at?.properties.find(({ name }) => name === step);
    }
    return at != null;
  });
}

/**
 * The schema of the record that such fields are from, as far as they tell it: `{"items[0].price": …}` is of one with `items`,
 * whose members have a `price`.
 */
export function assembledSchema({ properties, ...rest }: JsonObject): JsonObject {
  const record: Draft = { properties: {} };
  for (const [path, schema] of Object.entries(isJsonObject(properties) ? properties : {})) {
    put(record, parsePath(path) ?? [path], schema);
  }
  return { ...rest, ...written(record), additionalProperties: true };
}

/** A schema that is being put together. */
interface Draft {
  whole?: Json;
  items?: Draft;
  properties: Record<string, Draft>;
}

function put(draft: Draft, steps: readonly PathStep[], schema: Json): void {
  let at = draft;
  for (const step of steps) {
    at = typeof step === 'number' ? (at.items ??= { properties: {} }) : memberOf(at, step);
  }
  at.whole = schema;
}

function memberOf({ properties }: Draft, name: string): Draft {
  const known = Object.hasOwn(properties, name) ? properties[name] : undefined;
  if (known !== undefined) return known;
  const fresh: Draft = { properties: {} };
  Object.defineProperty(properties, name, { value: fresh, enumerable: true });
  return fresh;
}

function written({ whole, items, properties }: Draft): JsonObject {
  if (isJsonObject(whole)) return whole;
  if (items !== undefined) return { type: 'array', items: written(items) };
  const members = Object.entries(properties).map(([name, draft]) => [name, written(draft)] as const);
  return { type: 'object', properties: Object.fromEntries(members), required: Object.keys(properties) };
}
