import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { draw, pick } from './draw.ts';
import { FIELD_FAULTS, type FaultRates, type FieldFault } from './faults.ts';
import type { Field } from './field.ts';
import { spelled } from './spelled.ts';
import { valueAt } from './wanted-fields.ts';
import { ofAllItems } from './warnings.ts';

type Step = string | number;

/** A wrong field. */
export interface Mistake {
  readonly kind: FieldFault;
  /** Where the mistake is made. */
  readonly at: readonly Step[];
  /** The paths, in normal form, by which feedback may name it. */
  readonly names: readonly string[];
  /** How often it must be named before it is corrected. */
  readonly patience: number;
  readonly make: (whole: Json) => void;
}

/** One value of the right answer, and the field it fills. */
interface Spot {
  readonly field: Field;
  readonly at: readonly Step[];
  readonly value: Json;
  /** The closed object around it. */
  readonly inObject: boolean;
  readonly inClosed: boolean;
}

interface MistakeRequest {
  readonly root: Field;
  /** The right answer. */
  readonly data: Json;
  readonly first: FieldFault;
  readonly rates: FaultRates;
  readonly seed: readonly (string | number)[];
}

const MOST_MISTAKES = 3;

/**
 * Which fields of an answer are wrong, and how. Where no field can have the wanted kind of mistake (no
 * number to misspell), another kind is made.
 */
export function planMistakes({ root, data, first, rates, seed }: MistakeRequest): readonly Mistake[] {
  const spots = spotsOf(root, data, [], false);
  const mistakes: Mistake[] = [];
  let kind: FieldFault | undefined = first;
  while (kind !== undefined && mistakes.length < MOST_MISTAKES) {
    const number = mistakes.length;
    const within = kind === 'unless_warned' ? hardest(root, spots) : spots;
    const mistake = planMistake(kind, within, mistakes, rates, [...seed, number]);
    if (mistake === null) break;
    mistakes.push(mistake);
    const again = draw('several', ...seed, number) < (rates.several ?? 0);
    kind = again
      ? pick(
          FIELD_FAULTS.filter((other) => other !== 'unless_warned' && (rates[other] ?? 0) > 0),
          'next',
          ...seed,
          number,
        )
      : undefined;
  }
  return mistakes;
}

function planMistake(
  wanted: FieldFault,
  spots: readonly Spot[],
  made: readonly Mistake[],
  rates: FaultRates,
  seed: readonly (string | number)[],
): Mistake | null {
  const free = spots.filter(({ at }) => !made.some((mistake) => overlaps(mistake.at, at)));
  for (const kind of [wanted, 'wrong_type', 'missing', 'unknown_field'] as const) {
    const possible = free.filter((spot) => canCommit(kind, spot));
    const spot = pick(possible, 'spot', kind, ...seed);
    if (spot !== undefined) return commit(kind, spot, patience(rates, seed), seed);
  }
  return null;
}

/** Where the field stands that is hardest in this schema: drawn from its fields' names, not from the document. */
function hardest(root: Field, spots: readonly Spot[]): readonly Spot[] {
  const names = leavesOf(root, '');
  const name = pick(names, 'hardest', ...names);
  return spots.filter(({ at }) => ofAllItems(at.join('.')) === name).slice(0, 1);
}

/** The fields that always have a value of one type, in the form of {@link ofAllItems}. */
function leavesOf(
  { type, properties, items, options, nullable, required }: Field,
  at: string,
): readonly string[] {
  if (type === 'object') return properties.flatMap((field) => leavesOf(field, `${at}.${field.name}`));
  if (type === 'array') return items === null ? [] : leavesOf(items, `${at}.0`);
  return required && !nullable && type !== 'any' && options.length === 0 ? [ofAllItems(at.slice(1))] : [];
}

function patience({ stubborn = 0 }: FaultRates, seed: readonly (string | number)[]): number {
  if (stubborn === Number.POSITIVE_INFINITY) return stubborn;
  return draw('stubborn', ...seed) < stubborn ? 2 : 1;
}

/** Whether one path leads to the other, or the two share their parent and one is a rename. */
function overlaps(one: readonly Step[], other: readonly Step[]): boolean {
  const shorter = Math.min(one.length, other.length);
  return one.slice(0, shorter).every((step, index) => step === other[index]);
}

function spotsOf(
  field: Field,
  value: Json | undefined,
  at: readonly Step[],
  inClosed: boolean,
): readonly Spot[] {
  if (value === undefined) return [];
  const inObject = typeof at.at(-1) === 'string';
  const here: Spot = { field, at, value, inObject, inClosed };
  if (isJsonObject(value)) {
    return [
      here,
      ...field.properties.flatMap((property) =>
        spotsOf(property, value[property.name], [...at, property.name], field.closed),
      ),
    ];
  }
  if (Array.isArray(value) && field.items !== null) {
    const { items } = field;
    return [
      here,
      ...(value as readonly Json[]).flatMap((item, index) => spotsOf(items, item, [...at, index], false)),
    ];
  }
  return [here];
}

function canCommit(kind: FieldFault, { field, value, at, inObject, inClosed }: Spot): boolean {
  if (at.length === 0) return false;
  switch (kind) {
    case 'missing':
      return inObject && field.required;
    case 'wrong_type_lossless':
      return typeof value === 'number' || typeof value === 'boolean';
    case 'wrong_type':
    case 'unless_warned':
      return field.type !== 'any' && value !== null && field.options.length === 0;
    case 'unknown_field':
      return inObject && (inClosed || field.required);
    case 'constraint':
      return value !== null && brokenValue(field, value) !== undefined;
    default:
      return kind satisfies never;
  }
}

function commit(
  kind: FieldFault,
  spot: Spot,
  patienceOfIt: number,
  seed: readonly (string | number)[],
): Mistake {
  const { at, field, value } = spot;
  const path = at.join('.');
  const mistake = (make: Mistake['make'], ...names: readonly string[]): Mistake => ({
    kind,
    at,
    names: [path, ...names],
    patience: patienceOfIt,
    make,
  });
  switch (kind) {
    case 'missing':
      return mistake((whole) => editParent(whole, at, ({ [String(at.at(-1))]: _dropped, ...rest }) => rest));
    case 'wrong_type_lossless':
      return mistake((whole) => replace(whole, at, JSON.stringify(value)));
    case 'wrong_type':
    case 'unless_warned':
      return mistake((whole) => replace(whole, at, wrongType(field, value, seed)));
    case 'constraint':
      return mistake((whole) => replace(whole, at, brokenValue(field, value) ?? null));
    case 'unknown_field':
      return unknownField(spot, mistake, seed);
    default:
      return kind satisfies never;
  }
}

/** A field under another name, or one too many. */
function unknownField(
  { at, inClosed, field }: Spot,
  mistake: (make: Mistake['make'], ...names: readonly string[]) => Mistake,
  seed: readonly (string | number)[],
): Mistake {
  const name = String(at.at(-1));
  const parent = at.slice(0, -1);
  if (inClosed && (!field.required || draw('extra', ...seed) < 0.35)) {
    const extra = 'confidence';
    return mistake(
      (whole) => editParent(whole, at, (members) => ({ ...members, [extra]: 0.92 })),
      [...parent, extra].join('.'),
    );
  }
  const renamed = rename(name, seed);
  return mistake(
    (whole) =>
      editParent(whole, at, (members) =>
        Object.fromEntries(
          Object.entries(members).map(([key, value]) => [key === name ? renamed : key, value]),
        ),
      ),
    [...parent, renamed].join('.'),
  );
}

function rename(name: string, seed: readonly (string | number)[]): string {
  const camel = name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  const names = [`${name}_value`, `extracted_${name}`, ...(camel === name ? [] : [camel])];
  return pick(names, 'rename', ...seed) ?? `${name}_value`;
}

function wrongType(field: Field, value: Json, seed: readonly (string | number)[]): Json {
  switch (field.type) {
    case 'integer':
    case 'number':
      return typeof value === 'number' ? spelled(value) : { value };
    case 'boolean':
      return value === true ? 'absolutely' : 'not at all';
    case 'array':
      return Array.isArray(value) && draw('list', ...seed) < 0.5
        ? (value as readonly Json[])
            .map((item) => (typeof item === 'string' ? item : JSON.stringify(item)))
            .join('; ')
        : { values: value };
    case 'object':
      return isJsonObject(value)
        ? Object.values(value)
            .filter((part) => typeof part !== 'object')
            .join(', ')
        : [value];
    case 'string':
    case 'any':
    case 'null':
      return draw('scalar', ...seed) < 0.5 ? { value } : [value];
    default:
      return field.type satisfies never;
  }
}

/** A value of the right type that breaks the field's constraint; undefined where it has none that can be broken. */
function brokenValue(field: Field, value: Json): Json | undefined {
  if (field.options.length > 0) return typeof value === 'string' ? `mostly ${value}` : undefined;
  if (typeof value === 'number') {
    if (field.maximum !== null) return field.maximum + 5;
    return field.minimum === null ? undefined : field.minimum - 1;
  }
  if (typeof value === 'string') return brokenText(field, value);
  if (Array.isArray(value) && field.minItems > 0) return [];
  return undefined;
}

function brokenText(field: Field, value: string): string | undefined {
  const { format } = field;
  if (format === 'email') return value.replace('@', ' at ');
  if (format === 'uri') return value.replace(/^\w+:\/*/, '');
  if (format !== null && /date|time/.test(format)) return `on or about ${value}`;
  if (field.pattern !== null) {
    return ['?', `${value} (approx.)`, ''].find((broken) => field.pattern?.matcher(broken).find() === false);
  }
  if (field.minLength > 0) return '';
  return field.maxLength < 200 ? value.padEnd(field.maxLength + 5, ' etc.') : undefined;
}

/** The parts of the copy that is spoiled are ours alone to change. */
function editParent(whole: Json, at: readonly Step[], edit: (members: JsonObject) => JsonObject): void {
  const parent = valueAt(whole, at.slice(0, -1));
  if (!isJsonObject(parent)) return;
  const edited = edit(parent);
  const members = parent as Record<string, Json>;
  for (const key of Object.keys(members)) delete members[key];
  for (const [key, value] of Object.entries(edited)) define(members, key, value);
}

function replace(whole: Json, at: readonly Step[], value: Json): void {
  const parent = valueAt(whole, at.slice(0, -1));
  const step = at.at(-1);
  if (Array.isArray(parent) && typeof step === 'number') (parent as Json[])[step] = value;
  else if (isJsonObject(parent)) define(parent, String(step), value);
}

/** Also for a property named `__proto__`. */
function define(members: Record<string, Json>, key: string, value: Json): void {
  Object.defineProperty(members, key, { value, enumerable: true, configurable: true, writable: true });
}
