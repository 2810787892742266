/**
 * The nearest schema that strict structured outputs take, and the way back: what they cannot express is left out of it, so that
 * it takes at least all that the original takes, and the original, by which every answer is judged, enforces the rest.
 *
 * Three things are narrower than JSON Schema has them: an object is closed, a schema with `properties` is one of objects only, and
 * a field that may be absent and may be null is null where it is not known.
 */
import { isEnforcedFormat } from './compile-schema.ts';
import { fitsShape } from './fits-shape.ts';
import { isJsonArray, isJsonObject } from './json.ts';
import type { Json, JsonObject } from './json.ts';
import { pointerStep } from './json-path.ts';
import { mergeSchemas } from './merge-schemas.ts';
import { isStrictFormat, isStrictPattern, isStrictReference, strictModeObstacles } from './strict-schema.ts';
import { resolveLocal, unescapeStep } from './subschemas.ts';
import { takesNull } from './takes-null.ts';

/** What the strict schema does not say, and what happens instead. */
export interface DroppedKeyword {
  /** Where, as a JSON Pointer: `#/properties/age`. */
  readonly path: string;
  readonly keyword: string;
  readonly effect: DropEffect;
  readonly why: string;
}

/** What becomes of what is dropped. */
export type DropEffect = keyof typeof EFFECTS;

/** What no strict schema comes near to. */
export interface StrictObstacle {
  readonly path: string;
  readonly why: string;
}

/** A schema for strict mode, or why there is none. */
export type StrictCompilation =
  | {
      readonly status: 'compiled';
      /** The given one itself, where it is strict already. */
      readonly schema: JsonObject;
      readonly dropped: readonly DroppedKeyword[];
      /** An answer in the strict schema as the original has it: null where a field may be absent becomes absent. */
      readonly mapBack: (answer: Json) => Json;
    }
  | { readonly status: 'not_expressible'; readonly obstacles: readonly StrictObstacle[] };

/** A part of the strict schema, and the way back from its values. */
interface Part {
  readonly wire: JsonObject;
  readonly mapBack: (value: Json) => Json;
}

/** A compilation under way. Mutable on purpose: it collects. */
interface Work {
  readonly root: JsonObject;
  readonly dropped: DroppedKeyword[];
  readonly obstacles: StrictObstacle[];
  /** By reference; undefined while one is being compiled. */
  readonly definitions: Map<string, Part | undefined>;
  /** References that are replaced by what they refer to, from the outermost on. */
  readonly inlining: string[];
  parts: number;
  depth: number;
  /** The whole strict schema, once it is there. */
  wire: JsonObject;
}

/** More is no schema that strict mode takes; merged alternatives grow fast. */
const MOST_PARTS = 20_000;
/** As deep as a schema may be. Deeper is one that refers to itself where a reference cannot stay. */
const DEEPEST = 200;

const words = (...lines: readonly string[]): ReadonlySet<string> =>
  new Set(lines.flatMap((line) => line.split(' ')));

const DESCRIBING = words('title description');
/** What says nothing of values: left out without a word. */
const UNTOLD = words(
  '$schema $id $anchor $comment $vocabulary $dynamicAnchor $defs definitions title description',
  'examples deprecated readOnly writeOnly nullable contentEncoding contentMediaType contentSchema',
);
const KEPT = words(
  'type properties required additionalProperties unevaluatedProperties items prefixItems enum const',
  'pattern format minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minItems maxItems',
);
const ENFORCED_HERE = words(
  'allOf anyOf oneOf not if then else minLength maxLength uniqueItems contains minContains maxContains',
  'minProperties maxProperties propertyNames dependentRequired dependentSchemas unevaluatedItems',
);
/** What gives values a shape, rather than a condition. */
const SHAPING = words(
  'type properties items prefixItems enum const anyOf oneOf allOf $ref additionalProperties',
);
const OF_NUMBERS = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'];

const EFFECTS = {
  checked_here: 'not sent; each answer is checked against it here',
  mapped_back: 'sent as required and nullable; null is mapped back to an absent field',
  stays_null: 'sent as required; null, which the schema takes, says that there is none, and stays',
  closed: 'sent as a closed object: fields that are not listed are not asked for',
  not_checked: 'an annotation: not sent, and checked by nobody',
  not_filled_in: 'not sent; a field that is absent stays absent',
} as const;

const compilations = new WeakMap<JsonObject, StrictCompilation>();

/**
 * Compiles a JSON Schema for strict structured outputs. One that is strict already comes back as it is. The same object is
 * compiled once.
 */
export function compileStrict(jsonSchema: JsonObject): StrictCompilation {
  const done = compilations.get(jsonSchema) ?? compile(jsonSchema);
  compilations.set(jsonSchema, done);
  return done;
}

/** How an answer in strict mode becomes one in the schema; what there is no strict schema of stays as it is. */
export function mapBackOf(jsonSchema: JsonObject): (answer: Json) => Json {
  const compiled = compileStrict(jsonSchema);
  return compiled.status === 'compiled' ? compiled.mapBack : same;
}

function compile(jsonSchema: JsonObject): StrictCompilation {
  if (strictModeObstacles(jsonSchema).length === 0) {
    return { status: 'compiled', schema: jsonSchema, dropped: [], mapBack: same };
  }
  const work: Work = {
    root: jsonSchema,
    dropped: [],
    obstacles: [],
    definitions: new Map([['#', undefined]]),
    inlining: [],
    parts: 0,
    depth: 0,
    wire: {},
  };
  const root = compileRoot(work);
  work.definitions.set('#', root);
  work.wire = { ...root.wire, ...definitionsOf(work) };
  const obstacles = distinct(work.obstacles);
  if (obstacles.length > 0) return { status: 'not_expressible', obstacles };
  const tooMuch = strictModeObstacles(work.wire).map((why) => ({ path: '#', why }));
  if (tooMuch.length > 0) return { status: 'not_expressible', obstacles: tooMuch };
  const dropped = distinct(work.dropped);
  return { status: 'compiled', schema: work.wire, dropped, mapBack: root.mapBack };
}

/** The root is an object itself: no union, and no reference to one. */
function compileRoot(work: Work): Part {
  const schema = merged(work, expanded(work, work.root, '#'), '#');
  const union = schema['anyOf'] ?? schema['oneOf'];
  const isUnion = isJsonArray(union) && !union.every((branch) => isMereCondition(branch, schema));
  if (isUnion) return cannot(work, '#', 'the root is a union: wrap it in an object with one field');
  const types = typesOf(schema);
  if (types.length === 1 && types[0] === 'object') return compilePart(work, schema, '#');
  const got = types.length === 0 ? 'none' : types.join(' or ');
  return cannot(work, '#', `the root must be of type "object", got ${got}: wrap the value in an object`);
}

function definitionsOf({ definitions }: Work): JsonObject {
  const groups: Record<string, Record<string, Json>> = {};
  for (const [reference, part] of definitions) {
    const [, group, name] = reference.split('/');
    if (group === undefined || name === undefined || part === undefined) continue;
    groups[group] = { ...groups[group], [unescapeStep(name)]: part.wire };
  }
  return groups;
}

function compilePart(work: Work, given: Json, path: string): Part {
  if (given === false) return cannot(work, path, 'takes no value at all');
  if (!isJsonObject(given)) return cannot(work, path, 'takes any value: give it a type');
  work.parts += 1;
  if (work.parts > MOST_PARTS || work.depth > DEEPEST) {
    return cannot(work, '#', 'it is too large, or without end, once its parts are combined');
  }
  work.depth += 1;
  const part = compileSchemaPart(work, merged(work, given, path), path);
  work.depth -= 1;
  return part;
}

function compileSchemaPart(work: Work, schema: JsonObject, path: string): Part {
  if (typeof schema['$ref'] === 'string') return compileReference(work, schema, schema['$ref'], path);
  const branches = schema['anyOf'] ?? schema['oneOf'];
  return isJsonArray(branches)
    ? compileUnion(work, schema, branches, path)
    : compileByType(work, schema, path);
}

/** A schema with what its `allOf` and a reference beside other constraints say; one that only refers stays as it is. */
function merged(work: Work, schema: JsonObject, path: string): JsonObject {
  const { allOf, $ref: reference, ...own } = schema;
  const members = isJsonArray(allOf) ? allOf.filter((member) => member !== true) : [];
  const isShaped = Object.keys(own).some((keyword) => SHAPING.has(keyword));
  if (members.length === 0 && (reference === undefined || !isShaped)) return schema;
  const hasOwn = isConstrained(own);
  const parts = [
    ...(hasOwn ? [own] : []),
    ...(reference === undefined ? [] : [{ $ref: reference }]),
    ...members,
  ];
  const [only, ...others] = parts;
  if (isJsonObject(only) && others.length === 0) {
    const { default: given } = own;
    const hint = given === undefined ? {} : { default: given };
    return { ...merged(work, only, path), ...describing(own), ...hint };
  }
  return parts.reduce<JsonObject>((whole, part) => {
    if (!isJsonObject(part)) return noted(work, whole, path, 'allOf has a member that takes no value at all');
    const next = merged(work, expanded(work, part, path), path);
    const { schema: both, left, contradiction } = mergeSchemas(whole, next);
    for (const keyword of left) {
      dropSecond(work, { schema: both, keyword, second: next[keyword] }, path);
    }
    return contradiction === undefined ? both : noted(work, both, path, contradiction);
  }, describing(own));
}

/** A second one of a keyword, in the same place: only a union that gives no shape can be left out without its fields being lost. */
function dropSecond(
  work: Work,
  options: { readonly schema: JsonObject; readonly keyword: string; readonly second: Json | undefined },
  path: string,
): void {
  const { schema, keyword, second } = options;
  const isUnion = keyword === 'anyOf' || keyword === 'oneOf';
  if (isUnion && isJsonArray(second) && !second.every((branch) => isMereCondition(branch, schema))) {
    noted(work, {}, path, 'is of two unions at once: write out what they come to together');
  }
  drop(
    work,
    path,
    keyword,
    'checked_here',
    'one of several here; each answer is checked against all of them',
  );
}

/** What a schema refers to, in its place. */
function expanded(work: Work, schema: JsonObject, path: string): JsonObject {
  const { $ref: reference, ...own } = schema;
  if (typeof reference !== 'string' || Object.keys(own).some((keyword) => SHAPING.has(keyword)))
    return schema;
  const target = resolveLocal(work.root, reference);
  if (!isJsonObject(target)) {
    return noted(work, {}, path, `refers to '${reference}', which is no schema of its own here`);
  }
  return { ...expanded(work, target, path), ...own };
}

function compileReference(work: Work, schema: JsonObject, reference: string, path: string): Part {
  const { $ref: _reference, ...beside } = schema;
  dropUnsaid(work, beside, path);
  for (const keyword of Object.keys(beside)) if (KEPT.has(keyword)) drop(work, path, keyword);
  const description = describing(schema);
  const isDescribed = Object.keys(description).length > 0;
  if (isStrictReference(work.root, reference)) {
    define(work, reference);
    const wire = isDescribed ? { ...description, anyOf: [{ $ref: reference }] } : { $ref: reference };
    return { wire, mapBack: (value) => work.definitions.get(reference)?.mapBack(value) ?? value };
  }
  const target = resolveLocal(work.root, reference);
  if (target === undefined || work.inlining.includes(reference)) {
    return cannot(work, path, `refers to '${reference}': put what it refers to under $defs`);
  }
  work.inlining.push(reference);
  const part = compilePart(work, isJsonObject(target) ? { ...target, ...description } : target, path);
  work.inlining.pop();
  return part;
}

function define(work: Work, reference: string): void {
  if (work.definitions.has(reference)) return;
  work.definitions.set(reference, undefined);
  const target = resolveLocal(work.root, reference);
  if (target !== undefined) work.definitions.set(reference, compilePart(work, target, reference));
}

function compileUnion(work: Work, schema: JsonObject, branches: readonly Json[], path: string): Part {
  const { anyOf, oneOf, ...base } = schema;
  const keyword = anyOf === undefined ? 'oneOf' : 'anyOf';
  if (anyOf !== undefined && oneOf !== undefined) {
    dropSecond(work, { schema: base, keyword: 'oneOf', second: oneOf }, path);
  }
  const isShaped = Object.keys(base).some((key) => SHAPING.has(key));
  if (isShaped && branches.every((branch) => isMereCondition(branch, base))) {
    drop(work, path, keyword);
    return compileByType(work, base, path, branches);
  }
  if (keyword === 'oneOf') {
    drop(
      work,
      path,
      keyword,
      'checked_here',
      'sent as anyOf; that exactly one alternative matches is checked here',
    );
  }
  const { title: _title, description: _description, ...common } = base;
  const isJoined = isConstrained(common);
  if (!isJoined) dropUnsaid(work, base, path);
  const parts = branches.flatMap((branch, index) => {
    if (branch === false) return [];
    const joined = isJoined ? { allOf: [common, branch] } : branch;
    return [compilePart(work, joined, `${path}/${keyword}/${index}`)];
  });
  return alternatives(work, parts, describing(base));
}

/** One of several parts: on the way back, of the first one that an answer fits. */
function alternatives(work: Work, parts: readonly Part[], description: JsonObject): Part {
  return {
    wire: { ...description, anyOf: parts.map(({ wire }) => wire) },
    mapBack: (value) => {
      const taken = parts.find(({ wire }) => fitsShape(work.wire, wire, value));
      return taken === undefined ? value : taken.mapBack(value);
    },
  };
}

/** @param conditions schemas that are not sent, and that may name fields. */
function compileByType(work: Work, schema: JsonObject, path: string, conditions: readonly Json[] = []): Part {
  const types = typesOf(schema);
  const [type = 'none', ...others] = types.filter((it) => it !== 'null');
  if (types.length === 0) return cannot(work, path, 'takes any value: give it a type');
  const allowed = schema['enum'] ?? (schema['const'] === undefined ? undefined : [schema['const']]);
  if (isJsonArray(allowed)) return compileEnum(work, schema, types, allowed, path);
  if (type !== 'object' && type !== 'array' && !others.includes('object') && !others.includes('array')) {
    return compileScalar(work, schema, types, path);
  }
  if (others.length > 0) {
    const { title: _title, description: _description, nullable: _nullable, ...bare } = schema;
    const parts = types.map((it) => compileByType(work, { ...bare, type: it }, path, conditions));
    return alternatives(work, parts, describing(schema));
  }
  const part =
    type === 'object' ? compileObject(work, schema, path, conditions) : compileArray(work, schema, path);
  return types.includes('null') ? { ...part, wire: nullable(part.wire) } : part;
}

function compileEnum(
  work: Work,
  schema: JsonObject,
  types: readonly string[],
  allowed: readonly Json[],
  path: string,
): Part {
  const values = allowed.filter((value) => types.includes(typeNameOf(value)) || isWhole(value, types));
  if (values.length === 0) return cannot(work, path, 'none of its allowed values has its type');
  if (values.some((value) => isJsonObject(value) || isJsonArray(value))) {
    return cannot(work, path, 'its allowed values are objects or lists');
  }
  dropUnsaid(work, schema, path);
  for (const keyword of ['pattern', 'format', ...OF_NUMBERS]) {
    if (schema[keyword] !== undefined) drop(work, path, keyword);
  }
  const kept = types.filter((type) => values.some((value) => isOfType(value, type)));
  return { wire: { ...describing(schema), ...typed(kept), enum: values }, mapBack: same };
}

function compileScalar(work: Work, schema: JsonObject, types: readonly string[], path: string): Part {
  dropUnsaid(work, schema, path);
  const { pattern, format } = schema;
  const isText = types.includes('string');
  const described = isText ? withLengths(schema) : schema;
  const wire: Record<string, Json> = { ...describing(described), ...typed(types) };
  if (typeof pattern === 'string' && isText) {
    if (isStrictPattern(pattern)) wire['pattern'] = pattern;
    else drop(work, path, 'pattern');
  }
  if (typeof format === 'string') {
    if (isText && isStrictFormat(format)) wire['format'] = format;
    else drop(work, path, `format: ${format}`, isEnforcedFormat(format) ? 'checked_here' : 'not_checked');
  }
  for (const keyword of OF_NUMBERS) {
    const value = schema[keyword];
    const isOfNumber = types.includes('number') || types.includes('integer');
    if (value !== undefined && isOfNumber) wire[keyword] = value;
  }
  return { wire, mapBack: same };
}

function compileObject(work: Work, schema: JsonObject, path: string, conditions: readonly Json[]): Part {
  dropUnsaid(work, schema, path);
  const properties = Object.entries(mapOf(schema['properties'])).filter(([, field]) => field !== false);
  const names = new Set(properties.map(([key]) => key));
  const required = new Set(isJsonArray(schema['required']) ? schema['required'] : []);
  noteOpenObject(work, schema, path, names);
  noteUnknownFields(work, { schema, names, conditions, path });

  const parts = new Map<string, Part & { readonly isAbsentByNull: boolean }>();
  for (const [key, field] of properties) {
    const place = `${path}/properties/${pointerStep(key)}`;
    const part = compilePart(work, field, place);
    const isOptional = !required.has(key);
    const mayBeNull = takesNull(work.root, field);
    if (isOptional) drop(work, place, 'optional', mayBeNull ? 'stays_null' : 'mapped_back');
    const isAbsentByNull = isOptional && !mayBeNull;
    parts.set(key, { ...part, wire: isAbsentByNull ? nullable(part.wire) : part.wire, isAbsentByNull });
  }
  return {
    wire: {
      ...describing(schema),
      type: 'object',
      properties: Object.fromEntries([...parts].map(([key, { wire }]) => [key, wire])),
      required: [...names],
      additionalProperties: false,
    },
    mapBack: (value) => (isJsonObject(value) ? fieldsBack(value, parts) : value),
  };
}

function fieldsBack(
  value: JsonObject,
  parts: ReadonlyMap<string, Part & { readonly isAbsentByNull: boolean }>,
): JsonObject {
  const fields = Object.entries(value).flatMap(([key, field]): (readonly [string, Json])[] => {
    const part = parts.get(key);
    if (part === undefined) return [[key, field]];
    return field === null && part.isAbsentByNull ? [] : [[key, part.mapBack(field)]];
  });
  return Object.fromEntries(fields);
}

function noteOpenObject(work: Work, schema: JsonObject, path: string, names: ReadonlySet<string>): void {
  const { additionalProperties: more, patternProperties: byPattern, unevaluatedProperties: rest } = schema;
  const isOpenOnPurpose = [more, rest].some((keyword) => keyword !== undefined && keyword !== false);
  if (isJsonObject(byPattern) && Object.keys(byPattern).length > 0) {
    noted(
      work,
      {},
      path,
      'has fields that are named by a pattern (patternProperties): list them, or use a list of pairs',
    );
  } else if (isOpenOnPurpose || (names.size === 0 && more !== false && rest !== false)) {
    noted(
      work,
      {},
      path,
      'takes fields of any name (a map): list them under properties, or use a list of name and value',
    );
  } else if (more === undefined && rest === undefined) {
    drop(work, path, 'additionalProperties', 'closed');
  }
}

/** What is required, or put under a condition, and has no schema of its own: nobody could ever give it. */
function noteUnknownFields(
  work: Work,
  options: {
    readonly schema: JsonObject;
    readonly names: ReadonlySet<string>;
    readonly conditions: readonly Json[];
    readonly path: string;
  },
): void {
  const { schema, names, conditions, path } = options;
  const conditional = [
    ...conditions,
    ...['then', 'else'].flatMap((keyword) => schema[keyword] ?? []),
    ...Object.values(mapOf(schema['dependentSchemas'])),
  ];
  const named = [schema, ...conditional].flatMap((it) =>
    isJsonObject(it)
      ? [...(isJsonArray(it['required']) ? it['required'] : []), ...Object.keys(mapOf(it['properties']))]
      : [],
  );
  const isForbidden = (key: string): boolean => mapOf(schema['properties'])[key] === false;
  const unknown = named.find((key) => typeof key === 'string' && !names.has(key) && !isForbidden(key));
  if (typeof unknown === 'string') {
    noted(
      work,
      {},
      path,
      `requires "${unknown}", or describes it under a condition: list it under properties`,
    );
  }
}

function compileArray(work: Work, schema: JsonObject, path: string): Part {
  dropUnsaid(work, schema, path);
  const { items, prefixItems, minItems, maxItems } = schema;
  if (isJsonArray(prefixItems) && prefixItems.length > 0)
    return compileTuple(work, schema, prefixItems, path);
  const part = compilePart(work, items ?? true, `${path}/items`);
  return {
    wire: {
      ...describing(schema),
      type: 'array',
      items: part.wire,
      ...(minItems === undefined ? {} : { minItems }),
      ...(maxItems === undefined ? {} : { maxItems }),
    },
    mapBack: (value) => (isJsonArray(value) ? value.map(part.mapBack) : value),
  };
}

/** Places of a tuple are told apart by nothing that strict mode knows: each may hold what any may. */
function compileTuple(work: Work, schema: JsonObject, places: readonly Json[], path: string): Part {
  const { items, minItems, maxItems } = schema;
  const parts = places.map((place, index) => compilePart(work, place, `${path}/prefixItems/${index}`));
  const rest = isJsonObject(items) ? compilePart(work, items, `${path}/items`) : undefined;
  drop(
    work,
    path,
    'prefixItems',
    'checked_here',
    'sent as a list of what any place may hold; which goes where is checked here',
  );
  const all = [...parts, ...(rest === undefined ? [] : [rest])];
  const wires = [...new Map(all.map(({ wire }) => [JSON.stringify(wire), wire])).values()];
  const [only, ...others] = wires;
  const most = rest === undefined ? Math.min(places.length, Number(maxItems ?? places.length)) : maxItems;
  return {
    wire: {
      ...describing(schema),
      type: 'array',
      items: only !== undefined && others.length === 0 ? only : { anyOf: wires },
      ...(minItems === undefined ? {} : { minItems }),
      ...(most === undefined ? {} : { maxItems: most }),
    },
    mapBack: (value) =>
      isJsonArray(value) ? value.map((item, index) => (parts[index] ?? rest)?.mapBack(item) ?? item) : value,
  };
}

/** The same schema, with null as an alternative. */
function nullable(wire: JsonObject): JsonObject {
  const { type, enum: allowed, anyOf, title: _title, description: _description, ...rest } = wire;
  const described = describing(wire);
  const isComplex = type === 'object' || type === 'array' || type === undefined;
  if (isJsonArray(anyOf)) {
    const hasNull = anyOf.some((branch) => isJsonObject(branch) && branch['type'] === 'null');
    return hasNull ? wire : { ...described, ...rest, anyOf: [...anyOf, { type: 'null' }] };
  }
  if (isComplex) {
    const { title: _ofBare, description: _wordsOfBare, ...bare } = wire;
    return { ...described, anyOf: [bare, { type: 'null' }] };
  }
  const types = (isJsonArray(type) ? type : [type]).filter((it) => it !== 'null');
  const values = isJsonArray(allowed) ? { enum: [...allowed.filter((it) => it !== null), null] } : {};
  return { ...described, type: [...types, 'null'], ...rest, ...values };
}

function dropUnsaid(work: Work, schema: JsonObject, path: string): void {
  for (const keyword of Object.keys(schema)) {
    if (UNTOLD.has(keyword) || KEPT.has(keyword)) continue;
    if (keyword === 'default') drop(work, path, keyword, 'not_filled_in');
    else if (keyword === 'patternProperties') continue;
    else drop(work, path, keyword, ENFORCED_HERE.has(keyword) ? 'checked_here' : 'not_checked');
  }
}

function typesOf(schema: JsonObject): readonly string[] {
  const { type, enum: allowed, const: only } = schema;
  const named = (isJsonArray(type) ? type : [type]).filter((it) => typeof it === 'string');
  if (named.length > 0) {
    return schema['nullable'] === true && !named.includes('null') ? [...named, 'null'] : named;
  }
  if (isJsonArray(allowed)) return [...new Set(allowed.map(typeNameOf))];
  if (only !== undefined) return [typeNameOf(only)];
  if (schema['properties'] !== undefined) return ['object'];
  return schema['items'] === undefined && schema['prefixItems'] === undefined ? [] : ['array'];
}

function typeNameOf(value: Json): string {
  if (value === null) return 'null';
  return isJsonArray(value) ? 'array' : typeof value;
}

function isWhole(value: Json, types: readonly string[]): boolean {
  return Number.isInteger(value) && types.includes('integer');
}

function isOfType(value: Json, type: string): boolean {
  return typeNameOf(value) === type || (type === 'integer' && Number.isInteger(value));
}

function typed(types: readonly string[]): JsonObject {
  const [only, ...others] = types;
  return { type: only !== undefined && others.length === 0 ? only : types };
}

/** Whether a branch gives no shape of its own to what its union stands beside. */
function isMereCondition(branch: Json, base: JsonObject): boolean {
  if (!isJsonObject(branch)) return true;
  const fields = mapOf(base['properties']);
  const isKnown = Object.keys(mapOf(branch['properties'])).every((key) => Object.hasOwn(fields, key));
  return isKnown && Object.keys(branch).every((keyword) => !SHAPING.has(keyword) || keyword === 'properties');
}

function isConstrained(schema: JsonObject): boolean {
  return Object.keys(schema).some((keyword) => !UNTOLD.has(keyword) && keyword !== 'default');
}

function describing(schema: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(schema).filter(([keyword]) => DESCRIBING.has(keyword)));
}

/** Of what a text may be long, which strict mode does not take, the model is told in words. */
function withLengths(schema: JsonObject): JsonObject {
  const { description, minLength, maxLength } = schema;
  const lengths = [
    ...(typeof minLength === 'number' && minLength > 0 ? [`at least ${characters(minLength)}`] : []),
    ...(typeof maxLength === 'number' ? [`at most ${characters(maxLength)}`] : []),
  ].join(', ');
  if (lengths === '') return schema;
  return {
    ...schema,
    description: typeof description === 'string' ? `${description} (${lengths})` : lengths,
  };
}

function characters(count: number): string {
  return `${count} character${count === 1 ? '' : 's'}`;
}

function drop(
  work: Work,
  path: string,
  keyword: string,
  effect: DropEffect = 'checked_here',
  why: string = EFFECTS[effect],
): void {
  work.dropped.push({ path, keyword, effect, why });
}

function cannot(work: Work, path: string, why: string): Part {
  noted(work, {}, path, why);
  return { wire: { type: 'null' }, mapBack: same };
}

/** Notes an obstacle, and goes on with something, so that all of them are told at once. */
function noted<T>(work: Work, instead: T, path: string, why: string): T {
  work.obstacles.push({ path, why });
  return instead;
}

function distinct<T>(entries: readonly T[]): readonly T[] {
  return [...new Map(entries.map((entry) => [JSON.stringify(entry), entry])).values()];
}

function mapOf(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

function same(value: Json): Json {
  return value;
}
