import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { InvalidInputError } from '../../src/client/invalid-input-error.ts';
import {
  DEFAULT_CONFIG_FILE,
  readProviderConfig,
} from '../../src/worker/provider-config/read-provider-config.ts';
import { defaultProviderName, providersOf, SIMULATED_URL_VARIABLE } from '../../src/worker/providers.ts';

const folders: string[] = [];

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'durable-extract-config-'));
  folders.push(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

/** An environment that names a file of this content. */
function envOf(file: unknown): { readonly DURABLE_EXTRACT_CONFIG: string } {
  const folder = folderWith({ 'c.json': typeof file === 'string' ? file : JSON.stringify(file) });
  return { DURABLE_EXTRACT_CONFIG: join(folder, 'c.json') };
}

/** What a file of this content is refused with. */
function refusal(file: unknown, read: (env: Readonly<Record<string, string>>) => unknown): string {
  const env = envOf(file);
  try {
    read(env);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidInputError);
    return (error as Error).message.replaceAll(env.DURABLE_EXTRACT_CONFIG, 'c.json');
  }
  throw new Error('It was taken.');
}

const openai = { name: 'openai', keyVariable: 'OPENAI_API_KEY', models: ['gpt-4o-mini', 'gpt-4o'] };
const other = {
  name: 'other-2',
  baseUrl: 'http://localhost:8000/v1',
  keyVariable: 'OTHER_KEY',
  models: ['small'],
  rpm: 60.5,
  tpm: 200_000,
  prices: { 'org/big': { promptUsdPerMillion: 0, completionUsdPerMillion: 0.5 } },
  outputTokenLimits: { 'org/big': 4_096 },
  fallbacks: ['openai', 'other-2/org/big', 'openai/gpt-4o'],
  gate: { failureRateThreshold: 25, waitDurationMultiplier: 1.5, maxWaitDurationInOpenStateMs: 90_000 },
};
const KEYS = { OPENAI_API_KEY: 'sk-openai', OTHER_KEY: 'other' };

const FIELDS = 'name, baseUrl, keyVariable, models, rpm, tpm, prices, outputTokenLimits, fallbacks, gate';

/** What is changed in a good provider, and the lines that must be said about it. */
const WRONG_PROVIDERS: readonly (readonly [
  what: string,
  change: Readonly<Record<string, unknown>>,
  says: readonly string[],
])[] = [
  [
    'a provider without its fields',
    { name: undefined, keyVariable: undefined, models: undefined },
    [
      "providers[0].name: expected a name of a-z, 0-9 and hyphens that is not 'simulated'; got nothing",
      'providers[0].keyVariable: expected the name of an environment variable in upper case, such as OPENAI_API_KEY; got nothing',
      "providers[0].models: expected a list of at least one model's name, the default first; got nothing",
    ],
  ],
  ['a name with other characters', { name: 'Open AI' }, ["providers[0].name: … got 'Open AI'"]],
  ['a name that is taken', { name: 'simulated' }, ["providers[0].name: … got 'simulated'"]],
  [
    'an address without http',
    { baseUrl: 'localhost:8000' },
    [
      "providers[0].baseUrl: expected an http or https address without user, password and query; got 'localhost:8000'",
    ],
  ],
  [
    'an address with a password, which is not shown',
    { baseUrl: 'https://me:sk-hidden@host/v1' },
    ['providers[0].baseUrl: … got one with more in it'],
  ],
  [
    'a key in the place of its variable, which is not shown',
    { keyVariable: 'sk-hidden' },
    ['providers[0].keyVariable: … got something else. Keys are never in this file: …'],
  ],
  [
    'a key, which is not shown',
    { apiKey: 'sk-hidden', key: { value: 'sk-hidden' } },
    [
      `providers[0].apiKey: expected no field but ${FIELDS}; got this one. Keys are never in this file: put it into an environment variable, and name that variable in keyVariable`,
      'providers[0].key: … Keys are never in this file: …',
    ],
  ],
  [
    'a field that is misspelt',
    { models: ['m'], model: 'm' },
    [`providers[0].model: expected no field but ${FIELDS}; got this one`],
  ],
  ['no models', { models: [] }, ["providers[0].models[0]: expected a model's name; got nothing"]],
  [
    'models that are no names, and one twice',
    { models: ['m', '', 7] },
    ["providers[0].models[1]: … got ''", "providers[0].models[2]: expected a model's name; got 7"],
  ],
  [
    'a model twice',
    { models: ['m', 'm'] },
    ["providers[0].models[1]: expected each model once; got 'm' again"],
  ],
  [
    'rates that are none',
    { rpm: 0, tpm: '200k' },
    [
      'providers[0].rpm: expected a number above 0; got 0',
      "providers[0].tpm: expected a number above 0; got '200k'",
    ],
  ],
  [
    'prices that are none',
    { prices: { m: { promptUsdPerMillion: -1 }, n: 0.15 } },
    [
      'providers[0].prices.m.promptUsdPerMillion: expected US dollars, 0 or more; got -1',
      'providers[0].prices.m.completionUsdPerMillion: expected US dollars, 0 or more; got nothing',
      'providers[0].prices.n: expected what a model costs, as an object of promptUsdPerMillion, completionUsdPerMillion; got 0.15',
    ],
  ],
  [
    'an output limit that is none',
    { outputTokenLimits: { m: 0.5 } },
    ['providers[0].outputTokenLimits.m: expected a whole number from 1; got 0.5'],
  ],
  ['a list of prices', { prices: [] }, ['providers[0].prices: … got an empty list']],
  [
    'fallbacks that are none',
    { fallbacks: ['/m', 'openai/', 'openai /m', null] },
    [0, 1, 2, 3].map((at) => `providers[0].fallbacks[${at}]: expected provider or provider/model; got …`),
  ],
  [
    'a fallback to a provider that is not there',
    { fallbacks: ['nobody/m'] },
    [
      "providers[0].fallbacks[0]: expected a provider of this file (openai), or one of them and a model; got 'nobody/m'",
    ],
  ],
  [
    'a fallback to itself',
    { fallbacks: ['openai', 'openai/gpt-4o-mini'] },
    [
      "providers[0].fallbacks[0]: expected another provider or model than the one it is to stand in for; got 'openai'",
      "providers[0].fallbacks[1]: … got 'openai/gpt-4o-mini'",
    ],
  ],
  [
    'a fallback twice',
    { fallbacks: ['openai/m', 'openai/m'] },
    ["providers[0].fallbacks[1]: expected each fallback once; got 'openai/m', which is openai/m again"],
  ],
  [
    'settings of the gate that are out of range',
    {
      gate: {
        failureRateThreshold: 101,
        slidingWindowSize: 1.5,
        minimumNumberOfCalls: 0,
        waitDurationInOpenStateMs: 0,
        waitDurationMultiplier: 0.5,
        consecutiveFailures: 'ten',
      },
    },
    [
      'providers[0].gate.failureRateThreshold: expected a percentage above 0, up to 100; got 101',
      'providers[0].gate.slidingWindowSize: expected a whole number from 1; got 1.5',
      'providers[0].gate.minimumNumberOfCalls: expected a whole number from 1; got 0',
      'providers[0].gate.waitDurationInOpenStateMs: expected a number above 0; got 0',
      'providers[0].gate.waitDurationMultiplier: expected a number from 1; got 0.5',
      "providers[0].gate.consecutiveFailures: expected a whole number from 1; got 'ten'",
    ],
  ],
  [
    'a first wait that is longer than the longest',
    { gate: { waitDurationInOpenStateMs: 90_000 } },
    [
      'providers[0].gate.maxWaitDurationInOpenStateMs: expected at least waitDurationInOpenStateMs, which is 90000; got its default, 60000',
    ],
  ],
  [
    'rates in the gate',
    { gate: { rpm: 60 } },
    ['providers[0].gate.rpm: … It belongs to the provider, beside gate'],
  ],
];

const WRONG_FILES: readonly (readonly [what: string, file: unknown, says: string])[] = [
  [
    'no object',
    [],
    '  (the whole file): expected the configuration, as an object of providers; got an empty list',
  ],
  [
    'no providers',
    {},
    '  providers: expected a list of at least one provider, the default first; got nothing',
  ],
  [
    'an empty list',
    { providers: [] },
    `  providers[0]: expected a provider, as an object of ${FIELDS}; got nothing`,
  ],
  [
    'providers by name, which may hold keys',
    { providers: { openai: 'sk-hidden' } },
    '  providers: expected a list of at least one provider, the default first; got an object',
  ],
  [
    'another field',
    { providers: [openai], gates: {} },
    '  gates: expected no field but providers; got this one',
  ],
  [
    'a name twice',
    { providers: [openai, openai] },
    "  providers[1].name: expected a name that no other provider has; got 'openai', as providers[0] has",
  ],
  [
    'a fallback twice, by its default model',
    {
      providers: [
        { ...openai, fallbacks: ['other-2', 'other-2/small'] },
        { ...other, fallbacks: [] },
      ],
    },
    "  providers[0].fallbacks[1]: expected each fallback once; got 'other-2/small', which is other-2/small again",
  ],
  [
    'text that is not JSON, which is not shown',
    '{"providers": [\n  {"apiKey": "sk-hidden",}\n]}',
    'c.json, line 2, column 26: expected JSON, got: Expected double-quoted property name.',
  ],
  ['an empty file', '', 'c.json, line 1, column 1: expected JSON, got: Unexpected end of JSON input.'],
];

/** A line where `…` stands for anything. */
function lineLike(line: string): RegExp {
  return new RegExp(
    `^  ${line.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll('…', '.*')}$`,
    'm',
  );
}

describe('a configuration file is refused for', () => {
  it.each(WRONG_PROVIDERS)('%s', (_, change, says) => {
    const file = { providers: [{ ...openai, ...change }] };
    const message = refusal(file, (env) => readProviderConfig({ env }));
    const [first, ...lines] = message.split('\n');
    expect(first).toBe('c.json is not as expected:');
    expect(lines.pop()).toMatch(/^Correct it there; .*docs\/operators\.md/);
    expect(lines).toHaveLength(says.length);
    for (const line of says) expect(message).toMatch(lineLike(line));
    expect(message).not.toContain('hidden');
  });

  it.each(WRONG_FILES)('%s', (_, file, says) => {
    const message = refusal(file, (env) => readProviderConfig({ env }));
    expect(message).toContain(says);
    expect(message).not.toContain('hidden');
  });

  it('every key that is not set, by its variable', () => {
    const message = refusal({ providers: [openai, other] }, (env) => providersOf({ ...env, OTHER_KEY: '' }));
    expect(message).toBe(
      "c.json names keys that the worker's environment does not have:\n" +
        "  providers[0].keyVariable: expected OPENAI_API_KEY to hold the key of 'openai'; it is not set\n" +
        "  providers[1].keyVariable: expected OTHER_KEY to hold the key of 'other-2'; it is not set\n" +
        'Set them (any text, for a server that asks for none), or take these providers out of the file.',
    );
  });
});

describe('the configuration file', () => {
  it('is that of the working folder where none is named, and need not be there', () => {
    const cwd = folderWith({ [DEFAULT_CONFIG_FILE]: `\uFEFF${JSON.stringify({ providers: [openai] })}` });
    expect(readProviderConfig({ env: {}, cwd })).toEqual({ path: DEFAULT_CONFIG_FILE, providers: [openai] });
    expect(readProviderConfig({ env: { DURABLE_EXTRACT_CONFIG: '' }, cwd: folderWith({}) })).toBeUndefined();
  });

  it('must be there where it is named, from the working folder on', () => {
    const cwd = folderWith({
      [DEFAULT_CONFIG_FILE]: 'not looked at',
      'mine.json': JSON.stringify({ providers: [openai] }),
    });
    const env = { DURABLE_EXTRACT_CONFIG: 'nope.json' };
    expect(() => readProviderConfig({ env, cwd })).toThrow(
      "DURABLE_EXTRACT_CONFIG: expected the path of a configuration file, got 'nope.json': no such file. Correct it or unset it.",
    );
    expect(readProviderConfig({ env: { DURABLE_EXTRACT_CONFIG: 'mine.json' }, cwd })).toEqual({
      path: 'mine.json',
      providers: [openai],
    });
  });

  it('must be a file', () => {
    const cwd = folderWith({});
    mkdirSync(join(cwd, DEFAULT_CONFIG_FILE));
    expect(() => readProviderConfig({ env: {}, cwd })).toThrow(
      /^durable-extract\.config\.json: expected a configuration file that can be read, got: EISDIR/,
    );
  });
});

describe('the providers', () => {
  it('are those of the file, the first one the default, and the simulated one last', () => {
    const env = { ...envOf({ providers: [other, openai] }), ...KEYS, [SIMULATED_URL_VARIABLE]: 'http://x' };
    const { name: _name, baseUrl: _baseUrl, keyVariable: _keyVariable, ...traits } = other;
    expect(providersOf(env)).toEqual([
      {
        ...traits,
        name: 'other-2',
        simulated: false,
        defaultModel: 'small',
        fallbacks: [
          { provider: 'openai' },
          { provider: 'other-2', model: 'org/big' },
          { provider: 'openai', model: 'gpt-4o' },
        ],
        call: expect.any(Function) as unknown,
        isReachable: expect.any(Function) as unknown,
      },
      expect.objectContaining({ name: 'openai', defaultModel: 'gpt-4o-mini', models: openai.models }),
      expect.objectContaining({ name: 'simulated', simulated: true, defaultModel: 'clean' }),
    ]);
    expect(defaultProviderName(env)).toBe('other-2');
  });

  it('have the default model and the rates that variables say, before those of the file', () => {
    const env = {
      ...envOf({ providers: [other, openai] }),
      ...KEYS,
      DURABLE_EXTRACT_MODEL: 'org/big',
      DURABLE_EXTRACT_RPM: 'other-2=7',
    };
    expect(providersOf(env)).toMatchObject([
      { name: 'other-2', defaultModel: 'org/big', models: ['org/big', 'small'], rpm: 7, tpm: 200_000 },
      { name: 'openai', defaultModel: 'gpt-4o-mini' },
    ]);
    expect(() => providersOf({ ...env, DURABLE_EXTRACT_RPM: 'groq=7' })).toThrow(
      "DURABLE_EXTRACT_RPM: expected requests a minute by provider (other-2=500), got 'groq=7'. " +
        'The providers are other-2, openai, simulated; several are parted by commas.',
    );
  });

  it.each([
    ['openai, with a key', { OPENAI_API_KEY: 'sk' }, ['openai/gpt-4o-mini', 'simulated/clean'], 'openai'],
    [
      'openai, with a key and a model',
      { OPENAI_API_KEY: 'sk', DURABLE_EXTRACT_MODEL: 'm' },
      ['openai/m', 'simulated/clean'],
      'openai',
    ],
    ['simulated, without a key', { DURABLE_EXTRACT_MODEL: 'm' }, ['simulated/m'], 'simulated'],
  ])('are, without a file, %s', (_, env, expected, defaultName) => {
    const providers = providersOf({ ...env, [SIMULATED_URL_VARIABLE]: 'http://x' });
    expect(providers.map(({ name, defaultModel }) => `${name}/${defaultModel}`)).toEqual(expected);
    expect(defaultProviderName(env)).toBe(defaultName);
  });

  it.each(['openai', 'openai=', 'openai=0', 'openai=-1', 'openai=1=2', 'other=5', 'openai=5,', '=5'])(
    'are refused for DURABLE_EXTRACT_RPM=%s',
    (given) => {
      expect(() => providersOf({ OPENAI_API_KEY: 'sk', DURABLE_EXTRACT_RPM: given })).toThrow(
        /^DURABLE_EXTRACT_RPM: expected requests a minute by provider \(openai=500\)/,
      );
    },
  );
});
