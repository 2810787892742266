import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cleanUp, run, temporaryFolder, temporaryHome } from './command-line.ts';

const cwd = temporaryFolder();

beforeAll(() => {
  writeFileSync(join(cwd, 'unfinished.json'), '{"type": ');
  writeFileSync(join(cwd, 'list.json'), '["string"]');
  writeFileSync(join(cwd, 'wrong.json'), '{"type": "object", "properties": {"age": {"type": "nonsense"}}}');
  writeFileSync(join(cwd, 'blank.txt'), ' \n');
  writeFileSync(join(cwd, 'page.pdf'), Buffer.from([0x25, 0x50, 0x44, 0x46, 0xff, 0xfe, 0x00]));
  writeFileSync(join(cwd, 'long.txt'), 'x'.repeat(1_600_000));
  mkdirSync(join(cwd, 'folder'));
});

afterAll(cleanUp);

const user = ['--schema', 'user'];

/** What is typed, and what the message must say: where, expected, got, what to do. */
const WRONG: readonly (readonly [what: string, args: readonly string[], says: readonly RegExp[]])[] = [
  ['no command that exists', ['extrakt', 'x'], [/unknown command 'extrakt'/, /extract/]],
  ['an unknown flag', ['extract', 'x', ...user, '--shema'], [/unknown option '--shema'/, /extract --help/]],
  ['a flag without its value', ['extract', 'x', '--schema'], [/--schema <name\|file>/, /argument missing/]],
  ['two texts', ['extract', 'a', 'b', ...user], [/too many arguments/, /got 2: a, b/, /--help/]],
  ['no schema', ['extract', 'x'], [/expected --schema NAME\|FILE, got none/, /JSON Schema file/]],
  [
    'TEXT and --file',
    ['extract', 'x', '--file', 'y', ...user],
    [/expected TEXT or --file, got both/, /Leave one out/],
  ],
  ['an empty text', ['extract', '', ...user], [/expected a text/, /got an empty one/, /--file FILE/]],
  ['empty standard input', ['extract', ...user], [/expected a text/, /got an empty one/, /standard input/]],
  [
    'a blank file',
    ['extract', '--file', 'blank.txt', ...user],
    [/--file blank\.txt: expected a text/, /empty/],
  ],
  [
    'a file that is not there',
    ['extract', '--file', 'nope.txt', ...user],
    [/--file: expected a text file, got 'nope\.txt': no such file/, /Give the path/],
  ],
  [
    'a folder as file',
    ['extract', '--file', 'folder', ...user],
    [/--file: expected a text file, got 'folder': .*directory/],
  ],
  [
    'a file that is no text',
    ['extract', '--file', 'page.pdf', ...user],
    [/--file page\.pdf: expected text in UTF-8/, /Convert it/],
  ],
  [
    'a text that is too long',
    ['extract', '--file', 'long.txt', ...user],
    [/at most 1500000 bytes, got 1600000/, /Split it/],
  ],
  [
    'an input of a batch that is not there',
    ['batch', 'run', 'nope.jsonl', '--id', 'b', ...user],
    [/INPUT: expected .* got 'nope\.jsonl': no such file/, /Correct the path/],
  ],
  [
    'a schema file that is not there',
    ['extract', 'x', '--schema', 'nope.json'],
    [/--schema: expected .* got 'nope\.json': no such file/, /Correct the path/],
  ],
  [
    'a schema file that is no JSON',
    ['extract', 'x', '--schema', './unfinished.json'],
    [/--schema \.\/unfinished\.json: expected JSON, got: .+/, /Correct it/],
  ],
  [
    'a schema file that is no object',
    ['extract', 'x', '--schema', 'list.json'],
    [/list\.json: expected a JSON Schema, which is an object, got \["string"\]/],
  ],
  [
    'a schema that is wrong',
    ['extract', 'x', '--schema', 'wrong.json'],
    [/wrong\.json: expected a valid JSON Schema/, /properties\/age\/type/],
  ],
  [
    'a bad --max-attempts',
    ['extract', 'x', ...user, '--max-attempts', 'many'],
    [/--max-attempts: expected a whole number from 1 to 100, got 'many'/],
  ],
  ['too many attempts', ['extract', 'x', ...user, '--max-attempts', '101'], [/from 1 to 100, got '101'/]],
  [
    'a bad --strategy',
    ['extract', 'x', ...user, '--strategy', 'hope'],
    [/--strategy: expected one of basic, feedback, adaptive, got 'hope'/],
  ],
  [
    'an empty --id',
    ['extract', 'x', ...user, '--id', ''],
    [/--id: expected a name of 1 to 900 characters, got an empty one/],
  ],
  ['an empty --model', ['extract', 'x', ...user, '--model', ' '], [/--model: expected a name/]],
];

describe('bad input ends a command with 2, before anything is started:', () => {
  it.concurrent.each(WRONG)('%s', async (_, args, says) => {
    const home = temporaryHome();
    const { exitCode, stdout, stderr } = await run(args, { home, cwd });
    expect({ exitCode, stdout, started: existsSync(home) }).toEqual({
      exitCode: 2,
      stdout: '',
      started: false,
    });
    for (const pattern of says) expect(stderr).toMatch(pattern);
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});

describe('help', () => {
  it.concurrent.each([[['--help']], [['extract', '--help']], [['help', 'down']]])(
    'is on stdout and ends with 0: %j',
    async (args) => {
      const { exitCode, stdout, stderr } = await run(args, { home: temporaryHome() });
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      expect(stdout).toMatch(/^Usage: durable-extract/);
    },
  );
});
