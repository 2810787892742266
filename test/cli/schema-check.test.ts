import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cleanUp, run, temporaryFolder, temporaryHome } from './command-line.ts';

const cwd = temporaryFolder();
const text = { type: 'string' } as const;

const FILES: Readonly<Record<string, unknown>> = {
  'strict.json': { type: 'object', properties: { a: text }, required: ['a'], additionalProperties: false },
  'person.schema.json': {
    type: 'object',
    properties: {
      name: { ...text, maxLength: 40 },
      site: { ...text, format: 'uri' },
      note: { type: ['string', 'null'], default: '' },
    },
    required: ['name', 'site'],
  },
  'labels.json': { type: 'object', properties: { labels: { type: 'object', additionalProperties: text } } },
  'list.json': { type: 'array', items: text },
  'wrong.json': { type: 'object', properties: { age: { type: 'nonsense' } } },
  'text.json': 'no schema',
};

beforeAll(() => {
  for (const [name, content] of Object.entries(FILES))
    writeFileSync(join(cwd, name), JSON.stringify(content));
  writeFileSync(join(cwd, 'unfinished'), '{"type": ');
  mkdirSync(join(cwd, 'folder'));
});

afterAll(cleanUp);

/** Starts nothing, says nothing on stderr, and ends with 0. */
async function check(...args: readonly string[]): Promise<string> {
  const home = temporaryHome();
  const { exitCode, stdout, stderr } = await run(['schema', 'check', ...args], { home, cwd });
  expect({ exitCode, stderr, started: existsSync(home) }).toEqual({
    exitCode: 0,
    stderr: '',
    started: false,
  });
  return stdout;
}

describe('schema check', () => {
  it.concurrent('says that a strict schema is sent as it is', async () => {
    const stdout = await check('strict.json');
    expect(stdout).toMatch(/^auto: json_schema; after bad JSON tool; .* json_object, prompt$/m);
    expect(stdout).toMatch(/sent as it is/);
    expect(stdout).not.toMatch(/warnings/);
  });

  it.concurrent('says what strict mode cannot express, where, and what happens instead', async () => {
    const stdout = await check('person.schema.json');
    expect(stdout).toMatch(/^person: a valid JSON Schema$/m);
    expect(stdout).toMatch(/^ {2}#\/properties\/name +maxLength +not sent; each answer is checked/m);
    expect(stdout).toMatch(/^ {2}#\/properties\/site +format: uri +not sent; each answer is checked/m);
    expect(stdout).toMatch(/^ {2}#\/properties\/note +default +not sent; .* stays absent/m);
    expect(stdout).toMatch(/^ {2}#\/properties\/note may be absent and may be null/m);
  });

  it.concurrent('says which modes are not possible, and why', async () => {
    const labels = await check('labels.json');
    expect(labels).toMatch(/^auto: tool;/m);
    expect(labels).toMatch(/json_schema +no .*\n +#\/properties\/labels takes fields of any name/);
    const list = await check('list.json');
    expect(list).toMatch(/^auto: prompt$/m);
    expect(list).toMatch(/tool +no .*\n +the root's type must be "object", not "array"/);
  });

  it.concurrent('prints all of it as JSON', async () => {
    const report = JSON.parse(await check('person.schema.json', '--json')) as unknown;
    expect(report).toMatchObject({
      name: 'person',
      auto: { mode: 'json_schema', stricterModes: ['tool'], weakerModes: ['json_object', 'prompt'] },
      modes: { json_schema: { possible: true, obstacles: [] }, prompt: { possible: true } },
      strict: {
        unchanged: false,
        obstacles: [],
        schema: { required: ['name', 'site', 'note'], additionalProperties: false },
      },
    });
    expect(report).toHaveProperty(
      'strict.dropped',
      expect.arrayContaining([
        {
          path: '#/properties/name',
          keyword: 'maxLength',
          effect: 'checked_here',
          why: expect.any(String) as string,
        },
      ]),
    );
    const list = JSON.parse(await check('list.json', '--json')) as unknown;
    expect(list).toMatchObject({
      auto: { mode: 'prompt', weakerModes: [] },
      strict: { schema: null, obstacles: [{ path: '#' }] },
    });
  });

  it.concurrent.each<[what: string, args: readonly string[], says: readonly RegExp[]]>([
    ['no file', [], [/missing required argument 'file'/, /schema check --help/]],
    [
      'a file that is not there',
      ['nope.json'],
      [/schema check: expected a JSON Schema file, got 'nope\.json': no such file/, /Give the path/],
    ],
    ['a folder', ['folder'], [/got 'folder': .*directory/]],
    ['no JSON', ['unfinished'], [/schema check: unfinished: expected JSON, got: .+/, /Correct it/]],
    ['no object', ['text.json'], [/text\.json: expected a JSON Schema, which is an object, got "no schema"/]],
    [
      'a wrong schema',
      ['wrong.json'],
      [/wrong\.json: expected a valid JSON Schema/, /properties\/age\/type/, /Correct it/],
    ],
    ['an unknown command', ['x', 'y'], [/too many arguments/]],
  ])('ends with 2 for %s', async (_what, args, says) => {
    const { exitCode, stdout, stderr } = await run(['schema', 'check', ...args], {
      home: temporaryHome(),
      cwd,
    });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    for (const pattern of says) expect(stderr).toMatch(pattern);
  });
});
