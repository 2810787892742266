/** The field that tells the branches of a union apart: `kind: "card"` or `kind: "cash"`. */
import type { ErrorObject } from 'ajv/dist/2020.js';
import type { CompiledSchema } from './compile-schema.ts';
import type { ProblemDetail } from './contract.ts';
import { allowedValues, dataOf } from './describe-error.ts';
import { describeValues } from './describe-schema.ts';
import { isJsonArray, isJsonObject } from './json.ts';
import type { Json } from './json.ts';
import { formatPath, pointerSteps, stepsInto } from './json-path.ts';
import type { PathStep } from './json-path.ts';
import { shortenJson } from './shorten-json.ts';

/** A branch of a union, and what a value lacks to be in it. */
export interface Branch {
  readonly schema: Json;
  readonly errors: readonly ErrorObject[];
}

/**
 * The one problem there is where a value's tag fits none of several branches, or is missing: that of the tag, with the
 * values of all branches. Undefined where it fits one of them, or the branches have no tag.
 */
export function discriminatorProblem(
  compiled: CompiledSchema,
  branches: readonly Branch[],
  value: Json,
  steps: readonly PathStep[],
): ProblemDetail | undefined {
  if (branches.length < 2) return undefined;
  return wrongTag(branches, value, steps) ?? missingTag(compiled, branches, steps);
}

/** Whether an error is about a field of the value itself that allows certain values only. */
export function isWrongTag(error: ErrorObject): boolean {
  return allowedValues(error) !== undefined && pointerSteps(error.instancePath).length === 1;
}

function wrongTag(
  branches: readonly Branch[],
  value: Json,
  steps: readonly PathStep[],
): ProblemDetail | undefined {
  const tag = branches[0]?.errors.find(isWrongTag);
  if (tag === undefined) return undefined;
  const allowed = branches.map(({ errors }) => {
    const error = errors.find((it) => isWrongTag(it) && it.instancePath === tag.instancePath);
    return error === undefined ? [] : (allowedValues(error) ?? []);
  });
  if (allowed.some((values) => values.length === 0)) return undefined;
  const received = shortenJson(dataOf(tag) ?? null);
  const path = formatPath([...steps, ...stepsInto(value, tag.instancePath)]);
  return { path, kind: 'constraint', message: `expected ${describeAll(allowed)}`, received };
}

function missingTag(
  compiled: CompiledSchema,
  branches: readonly Branch[],
  steps: readonly PathStep[],
): ProblemDetail | undefined {
  for (const error of branches[0]?.errors ?? []) {
    const name: unknown =
      error.keyword === 'required' && error.instancePath === '' && error.params['missingProperty'];
    if (typeof name !== 'string') continue;
    const allowed = branches.map(({ schema }) => tagValues(compiled, schema, name));
    if (allowed.some((values) => values.length === 0)) continue;
    const message = `required field is missing (expected ${describeAll(allowed)})`;
    return { path: formatPath([...steps, name]), kind: 'missing', message };
  }
  return undefined;
}

function tagValues(compiled: CompiledSchema, schema: Json, name: string): readonly Json[] {
  const resolved = compiled.resolve(schema);
  const properties = isJsonObject(resolved) ? resolved['properties'] : undefined;
  const property = isJsonObject(properties) ? compiled.resolve(properties[name]) : undefined;
  if (!isJsonObject(property)) return [];
  const { const: constant, enum: allowed } = property;
  if (constant !== undefined) return [constant];
  return isJsonArray(allowed) ? allowed : [];
}

function describeAll(allowed: readonly (readonly Json[])[]): string {
  return describeValues([...new Set(allowed.flat())]);
}
