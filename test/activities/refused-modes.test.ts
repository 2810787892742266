import { APIError } from 'openai';
import { expect, it, test } from 'vitest';
import { classifyFailure } from '../../activities/failures.ts';
import { refusedModes } from '../../activities/refused-modes.ts';
import type { AskedMode } from '../../activities/refused-modes.ts';

const asked: AskedMode = {
  route: { provider: 'south', model: 'small' },
  mode: 'json_schema',
  jsonSchema: { type: 'object' },
};
const others: readonly AskedMode[] = [
  { ...asked, mode: 'tool' },
  { ...asked, route: { provider: 'south', model: 'large' } },
  { ...asked, route: { provider: 'north', model: 'small' } },
];
const sameModeOfAnother: AskedMode = { ...asked, jsonSchema: { type: 'object', title: 'another' } };

it('remembers a mode for a model, whatever the schema', () => {
  const refused = refusedModes();
  expect(refused.has(asked)).toBe(false);
  refused.add(asked, 'mode');
  expect([asked, sameModeOfAnother].map((it) => refused.has(it))).toEqual([true, true]);
  expect(others.map((it) => refused.has(it))).toEqual([false, false, false]);
});

it('remembers a schema that is not taken in a mode, and nothing of other schemas', () => {
  const refused = refusedModes();
  refused.add(asked, 'schema');
  expect([asked, sameModeOfAnother, ...others].map((it) => refused.has(it))).toEqual([
    true,
    false,
    false,
    false,
    false,
  ]);
});

it('forgets the oldest where there are too many', () => {
  const refused = refusedModes();
  for (let n = 0; n <= 1_000; n += 1) {
    refused.add({ ...asked, route: { provider: 'south', model: `m${n}` } }, 'mode');
  }
  const has = (model: string) => refused.has({ ...asked, route: { provider: 'south', model } });
  expect([has('m0'), has('m1'), has('m1000')]).toEqual([false, true, true]);
});

test.each<
  [message: string, code: string | null, refuses: string | undefined, isAboutSchema: true | undefined]
>([
  [
    "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
    null,
    'mode',
    undefined,
  ],
  [
    "Invalid schema for response_format 'user': In context=(), 'allOf' is not permitted.",
    'invalid_json_schema',
    'mode',
    true,
  ],
  ['Invalid schema for function: nested too deep (tools[0])', 'invalid_function_parameters', 'mode', true],
  ["Unknown parameter: 'tools'.", 'unknown_parameter', 'mode', undefined],
  ['max_tokens is too large', null, 'cap', undefined],
  ['the model is tired', null, undefined, undefined],
])('%s: what of the request is refused', (message, code, refuses, isAboutSchema) => {
  const error = APIError.generate(400, { error: { message, code } }, message, new Headers());
  const failure = classifyFailure(error, 0);
  expect(failure?.refuses).toBe(refuses);
  expect(failure?.isAboutSchema).toBe(isAboutSchema);
});
