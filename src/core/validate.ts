/** All that is wrong with a value, field by field, in words that a model can follow. */
import type { ErrorObject } from 'ajv/dist/2020.js';
import type { CompiledSchema } from './compile-schema.ts';
import type { ProblemDetail } from './contract.ts';
import { allowedValues, dataOf, describeError, isWrongType, keywordValue } from './describe-error.ts';
import { describeSchema, either } from './describe-schema.ts';
import { discriminatorProblem, isWrongTag } from './discriminator.ts';
import type { Branch } from './discriminator.ts';
import { isJsonArray, isJsonObject } from './json.ts';
import type { Json } from './json.ts';
import { formatPath, stepsInto } from './json-path.ts';
import type { PathStep } from './json-path.ts';
import { shortenJson } from './shorten-json.ts';

/** Problems that are listed. More would fill a model's context and a workflow's history without helping either. */
export const MAX_LISTED_PROBLEMS = 50;

/**
 * The problems of a value: empty where the schema takes it. Of a union the problems of the nearest branch are told, as
 * one problem where the type fits none. At most {@link MAX_LISTED_PROBLEMS} are listed; then one entry for the whole
 * answer says how many more there are.
 */
export function validate(compiled: CompiledSchema, value: Json): readonly ProblemDetail[] {
  const errors = compiled.errorsOf(value);
  if (errors.length === 0) return [];
  const problems = distinct(explain(compiled, errors, value, []));
  if (problems.length === 0) {
    // Never silently valid: whatever is not explained is told in Ajv's own words.
    const message = errors.map((error) => error.message).find(Boolean) ?? 'does not match the schema';
    return [{ path: '', kind: 'constraint', message, received: shortenJson(value) }];
  }
  if (problems.length <= MAX_LISTED_PROBLEMS) return problems;
  const more = problems.length - MAX_LISTED_PROBLEMS;
  const rest: ProblemDetail = { path: '', kind: 'constraint', message: `and ${more} more problems` };
  return [...problems.slice(0, MAX_LISTED_PROBLEMS), rest];
}

/** `value` is what the errors' paths start from; `base` leads to it. */
function explain(
  compiled: CompiledSchema,
  errors: readonly ErrorObject[],
  value: Json,
  base: readonly PathStep[],
): readonly ProblemDetail[] {
  return withoutTypesOfEnums(withoutBranches(compiled, errors)).flatMap((error) => {
    const steps = [...base, ...stepsInto(value, error.instancePath)];
    return isUnion(error) ? explainUnion(compiled, error, steps) : [describeError(compiled, error, steps)];
  });
}

/**
 * Ajv lists the errors of all branches of a union, and of all items that `contains` did not find, just before the error
 * of the union itself. They are left out here: counted by validating the branches again, since nothing marks them.
 */
function withoutBranches(compiled: CompiledSchema, errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const kept: ErrorObject[] = [];
  for (let index = errors.length - 1; index >= 0; index -= 1) {
    const error = errors[index];
    if (error === undefined) break;
    // `if` only repeats that `then` or `else` failed; what is wrong with a name is told by `propertyNames`.
    if (error.keyword !== 'if' && error.propertyName === undefined) kept.push(error);
    for (let branchErrors = branchErrorCount(compiled, error); branchErrors > 0; branchErrors -= 1) {
      if (errors[index - 1]?.instancePath.startsWith(error.instancePath) !== true) break;
      index -= 1;
    }
  }
  return kept.toReversed();
}

function branchErrorCount(compiled: CompiledSchema, error: ErrorObject): number {
  const value = dataOf(error);
  const schema = keywordValue(error);
  if (value === undefined || schema === undefined) return 0;
  if (isUnion(error)) {
    const tried = isJsonArray(schema) ? schema.slice(0, lastTried(error)) : [];
    return sum(tried.map((branch) => compiled.errorsAgainst(branch, value).length));
  }
  if (error.keyword !== 'contains' || !isJsonArray(value)) return 0;
  return sum(triedItems(compiled, error, value).map((item) => compiled.errorsAgainst(schema, item).length));
}

/** Once a second branch of `oneOf` passes, the rest is not tried. */
function lastTried(error: ErrorObject): number | undefined {
  const passing: unknown = error.params['passingSchemas'];
  return Array.isArray(passing) ? Number(passing[1]) : undefined;
}

/** Once more items match than `maxContains` allows, the rest is not tried. */
function triedItems(compiled: CompiledSchema, error: ErrorObject, items: readonly Json[]): readonly Json[] {
  const most: unknown = error.params['maxContains'];
  if (typeof most !== 'number') return items;
  const schema = keywordValue(error) ?? true;
  let matching = 0;
  const last = items.findIndex((item) => {
    if (compiled.errorsAgainst(schema, item).length === 0) matching += 1;
    return matching > most;
  });
  return last === -1 ? items : items.slice(0, last + 1);
}

function isUnion({ keyword }: ErrorObject): boolean {
  return keyword === 'anyOf' || keyword === 'oneOf';
}

function explainUnion(
  compiled: CompiledSchema,
  error: ErrorObject,
  steps: readonly PathStep[],
): readonly ProblemDetail[] {
  const value = dataOf(error) ?? null;
  const schemas = keywordValue(error);
  const branches = (isJsonArray(schemas) ? schemas : []).map((schema): Branch => {
    return { schema, errors: withoutBranches(compiled, compiled.errorsAgainst(schema, value)) };
  });
  const place = { path: formatPath(steps), received: shortenJson(value) };
  const passing = branches.filter(({ errors }) => errors.length === 0).length;
  if (passing > 1) {
    const message = `expected exactly one of ${branches.length} alternatives to match, but ${passing} do`;
    return [{ ...place, kind: 'constraint', message }];
  }
  const fitting = branches.filter(fitsType);
  const nearest = nearestBranch(fitting, value);
  if (nearest === undefined) {
    const expected = either(branches.map(({ schema }) => describeSchema(compiled, schema)));
    return [
      { ...place, kind: fitting.length === 0 ? 'wrong_type' : 'constraint', message: `expected ${expected}` },
    ];
  }
  const tag = discriminatorProblem(compiled, fitting, value, steps);
  if (tag !== undefined) return [tag];
  return explain(compiled, compiled.errorsAgainst(nearest.schema, value), value, steps);
}

function fitsType({ errors }: Branch): boolean {
  return !errors.some(
    (error) => error.instancePath === '' && (error.keyword === 'false schema' || isWrongType(error)),
  );
}

/** The branch a value was probably meant for; undefined where naming all of them says more. */
function nearestBranch(fitting: readonly Branch[], value: Json): Branch | undefined {
  if (isJsonObject(value) || isJsonArray(value))
    return fitting.toSorted((a, b) => distance(a) - distance(b))[0];
  const [only, ...others] = fitting;
  return others.length === 0 && only?.errors.every((error) => allowedValues(error) === undefined)
    ? only
    : undefined;
}

/** A field that tells branches apart (`kind: "card"`) weighs more than any number of fields that are wrong. */
function distance({ errors }: Branch): number {
  return errors.length + 1_000 * errors.filter(isWrongTag).length;
}

/** A list of allowed values says more than their type does. */
function withoutTypesOfEnums(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const enums = errors.filter((error) => allowedValues(error) !== undefined);
  const places = new Set(enums.map((error) => error.instancePath));
  return errors.filter(({ keyword, instancePath }) => !(keyword === 'type' && places.has(instancePath)));
}

/** Schemas that are combined may ask the same thing twice; it is told once. */
function distinct(problems: readonly ProblemDetail[]): readonly ProblemDetail[] {
  const byKey = new Map(problems.map((it) => [JSON.stringify([it.path, it.kind, it.message]), it]));
  return [...byKey.values()];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
