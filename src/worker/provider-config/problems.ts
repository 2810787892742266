/** What is wrong with a configuration file, a line for each thing. What may hold a key is never repeated. */
import type { z } from 'zod';
import { DEFAULT_GATE } from '../../core/gate-config.ts';
import { isJsonArray, isJsonObject } from '../../core/json.ts';
import type { Json } from '../../core/json.ts';
import { formatPath } from '../../core/json-path.ts';
import type { PathStep } from '../../core/json-path.ts';
import { shortenText } from '../../core/shorten-json.ts';
import { parseFallback } from './fallback.ts';
import type { ConfiguredProvider } from './shape.ts';

const KEY_ADVICE =
  'Keys are never in this file: put it into an environment variable, and name that variable in keyVariable';
const RATE_ADVICE = 'It belongs to the provider, beside gate';
/** A field by which people give keys to other programs. */
const KEY_FIELD = /key|secret|token|password|authorization/i;

/** Departures from the shape. */
export function shapeProblems(issues: readonly z.core.$ZodIssue[], file: Json): readonly string[] {
  return issues.flatMap((issue) => {
    const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
    if (issue.code !== 'unrecognized_keys') return [problem(path, issue.message, shown(file, path))];
    return issue.keys.map((key) =>
      problem([...path, key], issue.message, 'this one', fieldAdvice(path, key)),
    );
  });
}

/** What the shape cannot say: which providers there are, and how one field bears on another. */
export function contentProblems(providers: readonly ConfiguredProvider[]): readonly string[] {
  return providers.flatMap((provider, index) => {
    const at = ['providers', index];
    return [
      ...nameProblems(providers, index, at),
      ...repeatedModels(provider, at),
      ...fallbackProblems(providers, provider, at),
      ...gateProblems(provider, at),
    ];
  });
}

function nameProblems(
  providers: readonly ConfiguredProvider[],
  index: number,
  at: readonly PathStep[],
): readonly string[] {
  const name = providers[index]?.name;
  const first = providers.findIndex((other) => other.name === name);
  if (first === index) return [];
  const expected = 'a name that no other provider has';
  return [problem([...at, 'name'], expected, `'${name}', as providers[${first}] has`)];
}

function repeatedModels({ models }: ConfiguredProvider, at: readonly PathStep[]): readonly string[] {
  return models.flatMap((model, index) =>
    models.indexOf(model) === index
      ? []
      : [problem([...at, 'models', index], 'each model once', `'${model}' again`)],
  );
}

function fallbackProblems(
  providers: readonly ConfiguredProvider[],
  provider: ConfiguredProvider,
  at: readonly PathStep[],
): readonly string[] {
  const seen = new Set([`${provider.name}/${provider.models[0]}`]);
  return (provider.fallbacks ?? []).flatMap((written, index) => {
    const path = [...at, 'fallbacks', index];
    const fallback = parseFallback(written);
    const target = providers.find(({ name }) => name === fallback.provider);
    if (target === undefined) {
      const known = providers.map(({ name }) => name).join(', ');
      return [
        problem(path, `a provider of this file (${known}), or one of them and a model`, `'${written}'`),
      ];
    }
    const model = `${target.name}/${fallback.model ?? target.models[0]}`;
    if (!seen.has(model)) {
      seen.add(model);
      return [];
    }
    const isItself = model === `${provider.name}/${provider.models[0]}`;
    return [
      isItself
        ? problem(path, 'another provider or model than the one it is to stand in for', `'${written}'`)
        : problem(path, 'each fallback once', `'${written}', which is ${model} again`),
    ];
  });
}

function gateProblems({ gate }: ConfiguredProvider, at: readonly PathStep[]): readonly string[] {
  const { waitDurationInOpenStateMs: first, maxWaitDurationInOpenStateMs: longest } = {
    ...DEFAULT_GATE,
    ...gate,
  };
  if (longest >= first) return [];
  const said = gate?.maxWaitDurationInOpenStateMs === undefined ? `its default, ${longest}` : `${longest}`;
  const path = [...at, 'gate', 'maxWaitDurationInOpenStateMs'];
  return [problem(path, `at least waitDurationInOpenStateMs, which is ${first}`, said)];
}

function problem(path: readonly PathStep[], expected: string, got: string, advice?: string): string {
  const where = formatPath(path) || '(the whole file)';
  return `${where}: expected ${expected}; got ${got}${advice === undefined ? '' : `. ${advice}`}`;
}

function fieldAdvice(path: readonly PathStep[], key: string): string | undefined {
  if (path.at(-1) === 'gate') return key === 'rpm' || key === 'tpm' ? RATE_ADVICE : undefined;
  return KEY_FIELD.test(key) ? KEY_ADVICE : undefined;
}

function shown(file: Json, path: readonly PathStep[]): string {
  const value = valueAt(file, path);
  if (value === undefined) return 'nothing';
  if (isJsonArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (isJsonObject(value)) return 'an object';
  if (typeof value !== 'string') return JSON.stringify(value);
  if (path.includes('keyVariable')) return `something else. ${KEY_ADVICE}`;
  if (path.includes('baseUrl') && /[@?#]/.test(value)) return 'one with more in it';
  return `'${shortenText(value)}'`;
}

function valueAt(value: Json, path: readonly PathStep[]): Json | undefined {
  return path.reduce<Json | undefined>((at, step) => {
    if (typeof step === 'number') return isJsonArray(at) ? at[step] : undefined;
    return isJsonObject(at) && Object.hasOwn(at, step) ? at[step] : undefined;
  }, value);
}
