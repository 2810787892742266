import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { stringify } from 'csv-stringify/sync';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { csvRecords } from '../../src/cli/batch-input/csv-records.ts';
import type { CsvRecord } from '../../src/cli/batch-input/csv-records.ts';
import { readBatchInput } from '../../src/cli/batch-input/read-batch-input.ts';
import type { BatchInput } from '../../src/cli/batch-input/read-batch-input.ts';
import { UsageError } from '../../src/cli/exit-codes.ts';
import type { InputEntry } from '../../src/core/batch-input.ts';

const MEGABYTE = 1024 * 1024;
const MARK = Buffer.from([0xef, 0xbb, 0xbf]);

let root: string;
let written = 0;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'durable-extract-input-'));
});

afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

/** Writes a file of this name in a folder of its own, and returns its path. */
function file(name: string, ...content: readonly (string | Uint8Array)[]): string {
  const path = join(root, String(written++), name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(
    path,
    Buffer.concat(content.map((part) => (typeof part === 'string' ? Buffer.from(part) : part))),
  );
  return path;
}

/** Writes files into a folder of its own, and returns its path. */
function folder(files: Readonly<Record<string, string | Uint8Array>>): string {
  const path = join(root, String(written++));
  mkdirSync(path);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  }
  return path;
}

async function read(input: string | BatchInput): Promise<readonly InputEntry[]> {
  const entries: InputEntry[] = [];
  for await (const entry of readBatchInput(typeof input === 'string' ? { path: input } : input)) {
    entries.push(entry);
  }
  return entries;
}

/** What a read says that cannot be done. */
async function refusal(input: string | BatchInput): Promise<string> {
  const error: unknown = await read(input).then(
    () => new Error('It was read.'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(UsageError);
  const { message } = error as UsageError;
  expect(message).not.toContain('\n');
  return message;
}

/** Bytes as a file gives them that is read so many at a time. */
async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

/** Each entry as `line id` or `line: what is bad`; of a folder's, the path is all that is known of the place. */
function summary(entries: readonly InputEntry[]): readonly string[] {
  return entries.map((entry) => {
    const place = entry.place.replace(/^.* line /, '');
    return 'bad' in entry ? `${place}: ${entry.bad}` : `${place} ${entry.document.id}`;
  });
}

/** The only entry's account of what is wrong. */
async function badOf(path: string): Promise<string> {
  const entries = await read(path);
  expect(entries).toHaveLength(1);
  const [entry] = entries;
  if (entry === undefined || !('bad' in entry)) throw new Error(`Not bad: ${JSON.stringify(entry)}`);
  expect(entry.bad).not.toMatch(/[\n\r]/);
  expect(entry.bad.length).toBeLessThan(320);
  return entry.bad;
}

function jsonl(...values: readonly unknown[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join('');
}

const LONG_JSONL = jsonl({ id: 'a', text: 'x' }).repeat(10_000);
const LONG_CSV = `id,text\n${'a,x\n'.repeat(50_000)}`;

function isOpen(path: string): boolean {
  return readdirSync('/proc/self/fd').some((descriptor) => {
    const link = join('/proc/self/fd', descriptor);
    return existsSync(link) && readlinkSync(link) === path;
  });
}

describe('what INPUT may be', () => {
  it.each(['docs.jsonl', 'docs.ndjson', 'DOCS.JSONL'])('%s is read line by line', async (name) => {
    const entries = await read(file(name, jsonl({ id: 'a', text: 'x' })));
    expect(entries).toEqual([{ place: `${name} line 1`, document: { id: 'a', text: 'x', metadata: {} } }]);
  });

  it.each(['docs.json', 'docs.tsv', 'docs', 'docs.csv.gz'])('%s is refused', async (name) => {
    const message = await refusal(file(name, '{}'));
    expect(message).toMatch(
      /^INPUT: expected a folder of texts, or a file that ends in \.jsonl, \.ndjson or \.csv, got '/,
    );
    expect(message).toMatch(/Convert it/);
  });

  it('a path that is not there is refused', async () => {
    const path = join(root, 'nope.jsonl');
    expect(await refusal(path)).toMatch(/got '.*nope\.jsonl': no such file or folder\. Correct the path/);
    expect(await refusal(join(file('a.csv', 'id,text\n'), 'b.csv'))).toMatch(/ENOTDIR/);
  });

  it.each(['--id-column', '--text-column'])('%s is refused where INPUT is not a CSV file', async (option) => {
    const path = file('docs.jsonl', jsonl({ id: 'a', text: 'x' }));
    const columns = option === '--id-column' ? { idColumn: 'key' } : { textColumn: 'body' };
    expect(await refusal({ path, ...columns })).toMatch(`${option}: expected a .csv file as INPUT`);
  });

  it.each([
    ['an empty JSONL file', () => file('docs.jsonl', '')],
    ['a JSONL file of blank lines', () => file('docs.jsonl', '\n  \n\t\r\n')],
    ['an empty CSV file', () => file('docs.csv', '')],
    ['a CSV file with a header only', () => file('docs.csv', 'id,text\n\n')],
    ['an empty folder', () => folder({})],
    ['a folder with hidden files only', () => folder({ '.env': 'x', '.git/config': 'x' })],
  ])('%s is refused, since it holds no document', async (_, write) => {
    expect(await refusal(write())).toMatch(/expected documents, got none in '.*'\. Give a file or a folder/);
  });

  it('UTF-16 is refused with how to convert it', async () => {
    const text = '\uFEFF' + jsonl({ id: 'a', text: 'x' });
    expect(await refusal(file('docs.jsonl', Buffer.from(text, 'utf16le')))).toMatch(/got UTF-16.*iconv/);
    expect(await refusal(file('docs.csv', Buffer.from('\uFEFFid,text\na,x\n', 'utf16le').swap16()))).toMatch(
      /got UTF-16/,
    );
  });

  it.runIf(process.platform === 'linux')('is closed where reading stops early', async () => {
    for (const path of [file('docs.jsonl', LONG_JSONL), file('docs.csv', LONG_CSV)]) {
      for await (const entry of readBatchInput({ path })) {
        expect(entry).toHaveProperty('document.id', 'a');
        expect(isOpen(path)).toBe(true);
        break;
      }
      await vi.waitFor(() => expect(isOpen(path)).toBe(false));
    }
  });
});

describe('a JSONL file', () => {
  it('comes back as it was written, metadata and all', async () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
      .filter((id) => id.length <= 500 && !/\p{Cc}/u.test(id));
    const text = fc.string({ unit: 'binary', maxLength: 200 }).filter((each) => each.trim() !== '');
    const metadata = fc.dictionary(
      fc.string({ unit: 'binary', maxLength: 10 }).filter((key) => !['id', 'text', 'schema'].includes(key)),
      fc.jsonValue(),
      { noNullPrototype: true },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ id: name, text, metadata }), { minLength: 1 }),
        fc.constantFrom('\n', '\r\n', '\n\n'),
        fc.boolean(),
        async (documents, lineEnd, isEnded) => {
          const lines = documents.map(({ id, text: each, metadata: more }) =>
            JSON.stringify({ id, text: each, ...more }),
          );
          const entries = await read(file('docs.jsonl', lines.join(lineEnd) + (isEnded ? lineEnd : '')));
          // As text: `-0` and `__proto__` are what JSON makes of them.
          expect(
            entries.map((entry) => JSON.parse(JSON.stringify('document' in entry ? entry.document : entry))),
          ).toEqual(JSON.parse(JSON.stringify(documents)));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('is numbered by its lines, of which blank ones are skipped', async () => {
    const path = file('docs.jsonl', '\n', jsonl({ id: 'a', text: 'x' }), '  \r\n', '{"id":"b","text":"x"}');
    expect(await read(path)).toMatchObject([{ place: 'docs.jsonl line 2' }, { place: 'docs.jsonl line 4' }]);
  });

  it('may start with a byte order mark', async () => {
    expect(summary(await read(file('docs.jsonl', MARK, jsonl({ id: 'a', text: 'x' }))))).toEqual(['1 a']);
    expect(await refusal(file('docs.jsonl', MARK))).toMatch(/got none/);
  });

  it('goes on after each bad line', async () => {
    const path = file(
      'docs.jsonl',
      jsonl({ id: 'a', text: 'x' }),
      '{"id":"b",\n',
      Buffer.from([0x7b, 0xff, 0xfe, 0x0a]),
      '[1]\n',
      jsonl({ id: 'c', text: 'x' }),
    );
    expect(summary(await read(path))).toEqual([
      '1 a',
      String.raw`2: expected a JSON object, got "{\"id\":\"b\",": Unexpected end of JSON input at character 11`,
      '3: expected text in UTF-8, got other bytes',
      '4: expected a JSON object, got [1]',
      '5 c',
    ]);
  });

  it('has characters that are cut by the chunks in which it is read', async () => {
    const text = '數👍'.repeat(100_000);
    const entries = await read(file('docs.jsonl', jsonl({ id: 'a', text }, { id: 'b', text: `.${text}` })));
    expect(entries).toMatchObject([{ document: { text } }, { document: { text: `.${text}` } }]);
  });

  it('may have lines of up to 64 MB; a longer one is bad, and reading goes on', async () => {
    const start = '{"id":"long","text":"';
    const end = '"}\n';
    const most = 64 * MEGABYTE - start.length - end.length + 1;
    const path = file('docs.jsonl', start, 'x'.repeat(most), end, start, 'x'.repeat(most + 1), end);
    appendFileSync(path, jsonl({ id: 'after', text: 'x' }));
    expect(summary(await read(path))).toEqual([
      '1 long',
      '2: expected a line of at most 64 MB, got a longer one',
      '3 after',
    ]);
  });

  it('is read in little memory, a line without an end too', async () => {
    const path = file('docs.jsonl');
    const descriptor = openSync(path, 'w');
    const line = jsonl({ id: 'a', text: 'x'.repeat(1_000) }).repeat(1_000);
    for (let megabytes = 0; megabytes < 60; megabytes++) writeSync(descriptor, line);
    closeSync(descriptor);
    // A hole: 300 MB of NUL that take no disk.
    const endless = file('endless.jsonl');
    truncateSync(endless, 300 * MEGABYTE);
    const before = process.memoryUsage();
    let most = 0;
    let count = 0;
    for await (const _ of readBatchInput({ path })) {
      if (count++ % 1_000 === 0) most = Math.max(most, process.memoryUsage().heapUsed);
    }
    expect(count).toBe(60_000);
    expect(most - before.heapUsed).toBeLessThan(50 * MEGABYTE);
    expect(await badOf(endless)).toMatch(/at most 64 MB/);
  });

  it('may have schemas, each checked', async () => {
    const path = file(
      'docs.jsonl',
      jsonl({ id: 17, text: 'x', schema: 'user', note: 1 }, { id: 'b', text: 'x', schema: { type: 'none' } }),
    );
    expect(await read(path)).toEqual([
      {
        place: 'docs.jsonl line 1',
        document: { id: '17', text: 'x', schema: { name: 'user' }, metadata: { note: 1 } },
      },
      {
        place: 'docs.jsonl line 2',
        bad: expect.stringMatching(/^schema: expected a valid JSON Schema .* got: #\/type must be/),
      },
    ]);
  });

  it('keeps as metadata what only looks special', async () => {
    const line = '{"id":"a","text":"x","metadata":{"n":1},"__proto__":{"polluted":true},"constructor":null}';
    const [entry] = await read(file('docs.jsonl', line));
    if (entry === undefined || !('document' in entry)) throw new Error('Not a document');
    const { metadata } = entry.document;
    expect(JSON.stringify(metadata)).toBe(
      '{"metadata":{"n":1},"__proto__":{"polluted":true},"constructor":null}',
    );
    expect(Object.getPrototypeOf(metadata)).toBe(Object.prototype);
    expect(metadata['polluted']).toBeUndefined();
  });

  it('is not ended by a line that is nested too deeply to be written again', async () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    const path = file('docs.jsonl', `{"id":"a","text":"x","deep":${deep}}\n`, jsonl({ id: 'b', text: 'x' }));
    expect(summary(await read(path))).toEqual([
      '1: expected values that JSON can hold, got others, or ones nested too deeply to be written',
      '2 b',
    ]);
    expect(await badOf(file('docs.jsonl', `{"id":${deep},"text":"x"}`))).toMatch(
      /^id: expected .* got \[+…$/,
    );
  });
});

describe('a CSV file', () => {
  it('comes back as it was written, with quotes and line breaks in its cells', async () => {
    const cell = fc.string({
      unit: fc.constantFrom('a', 'é', '數', '"', ',', ';', '\t', '\n', '\r\n', ' ', '👍'),
      maxLength: 30,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ text: cell.filter((each) => each.trim() !== ''), note: cell }), {
          minLength: 1,
        }),
        fc.constantFrom(',', ';', '\t'),
        fc.constantFrom('\n', '\r\n'),
        fc.boolean(),
        async (rows, delimiter, lineEnd, hasMark) => {
          const numbered = rows.map(({ text, note }, index) => ({ id: `d${index}`, text, note }));
          // By itself it quotes none but its own line end.
          const csv = stringify(numbered, {
            header: true,
            delimiter,
            record_delimiter: lineEnd,
            quoted_match: /\n/,
          });
          const entries = await read(file('docs.csv', hasMark ? MARK : '', csv));
          let line = 2;
          expect(entries).toEqual(
            numbered.map(({ id, text, note }) => {
              const entry = {
                place: `docs.csv line ${line}`,
                document: { id, text, metadata: { note } },
              };
              line += 1 + (text + note).split('\n').length - 1;
              return entry;
            }),
          );
        },
      ),
      { numRuns: 200 },
    );
  });

  it('has other columns as metadata, as strings, whatever they are called', async () => {
    const path = file('docs.csv', 'id,__proto__, price ,text,constructor,\na,1,2.50,x,,last\n');
    const [entry] = await read(path);
    if (entry === undefined || !('document' in entry)) throw new Error('Not a document');
    expect(JSON.stringify(entry.document.metadata)).toBe(
      '{"__proto__":"1","price":"2.50","constructor":"","":"last"}',
    );
    expect(Object.getPrototypeOf(entry.document.metadata)).toBe(Object.prototype);
  });

  it('may call its columns otherwise', async () => {
    const path = file('docs.csv', 'text,key,id\nx,a,1\n');
    expect(await read({ path, idColumn: 'key', textColumn: 'text' })).toMatchObject([
      { document: { id: 'a', text: 'x', metadata: { id: '1' } } },
    ]);
  });

  it('may have a column of registered schemas', async () => {
    const path = file('docs.csv', 'id,text,schema\na,x,user\nb,y, \n');
    expect(await read(path)).toEqual([
      {
        place: 'docs.csv line 2',
        document: { id: 'a', text: 'x', schema: { name: 'user' }, metadata: {} },
      },
      { place: 'docs.csv line 3', document: { id: 'b', text: 'y', metadata: {} } },
    ]);
    const asText = await read({ path, textColumn: 'schema', idColumn: 'id' });
    expect(asText[0]).toHaveProperty('document', { id: 'a', text: 'user', metadata: { text: 'x' } });
  });

  it.each([
    ['semicolons', 'id;text\na;x, y\n'],
    ['tabs', 'id\ttext\na\tx, y\n'],
    ['semicolons, and a comma in a quoted name', 'id;text;"a, b"\na;x, y;\n'],
    ['commas, and semicolons too', 'id,text,a;b\na,"x, y",\n'],
  ])('may have %s', async (_, content) => {
    expect(await read(file('docs.csv', content))).toMatchObject([{ document: { id: 'a', text: 'x, y' } }]);
  });

  it.each([
    ['id', 'key,text\n', /expected a column "id", got "key", "text"\. Name the column with --id-column/],
    ['text', 'id,body\n', /expected a column "text", got "id", "body"\. Name the column with --text-column/],
    ['everything', 'x', /expected a column "id", got "x"/],
  ])('that lacks a column for %s is refused', async (_, content, says) => {
    expect(await refusal(file('docs.csv', content))).toMatch(says);
  });

  it('lists only so many columns', async () => {
    const names = Array.from({ length: 1_000 }, (_, index) => `column ${index}`);
    expect((await refusal(file('docs.csv', names.join(',')))).length).toBeLessThan(500);
  });

  it('that has a name twice, or no header that can be read, is refused', async () => {
    expect(await refusal(file('docs.csv', 'id,text,note, note\n'))).toMatch(
      /each name once, got "note" twice/,
    );
    expect(await refusal(file('docs.csv', 'id,te"xt\na,x\n'))).toMatch(
      /expected a header, got: expected a cell/,
    );
  });

  it('that is not UTF-8 is refused, with the line', async () => {
    const latin = Buffer.from('id,text\na,x\nb,"über\nalles"\nc,\u00fcber\n', 'latin1');
    expect(await refusal(file('docs.csv', latin))).toMatch(
      /^INPUT .*docs\.csv line 3: expected text in UTF-8, got other bytes\. Convert the file first/,
    );
    const cut = Buffer.from('id,text\na,數').subarray(0, -1);
    expect(await refusal(file('docs.csv', cut))).toMatch(/line 2: expected text in UTF-8/);
  });

  it('goes on after each bad record', async () => {
    const path = file(
      'docs.csv',
      [
        'id,text',
        'a,x',
        'b',
        'c,x,y',
        'd,"x\r\ny"',
        'e,x"y',
        'f,"x"y',
        ',x',
        'g,',
        'h,x',
        '',
        ',',
        '  ',
        'i,x',
        '',
      ].join('\n'),
    );
    expect(summary(await read(path))).toEqual([
      '2 a',
      '3: expected 2 cells, as in the header, got 1',
      '4: expected 2 cells, as in the header, got 3',
      '5 d',
      '7: expected a cell with quotes in it to be quoted as a whole, and quotes inside it to be doubled (""), got other quotes',
      '8: expected a quoted cell to end with its quote, and quotes inside it to be doubled (""), got other quotes',
      '9: id: expected a string of 1 to 500 characters without control characters, or a whole number, got ""',
      '10: text: expected a string that is not blank, got ""',
      '11 h',
      '15 i',
    ]);
  });

  it('loses one line to a stray quote, as far as another quote tells', async () => {
    const long = 'x'.repeat(200_000);
    const path = file('docs.csv', `id,text\na,"x\nb,${long}\nc,${long}\nd,"${long}"\ne,x\n`);
    expect(summary(await read(path))).toEqual([
      expect.stringMatching(/^2: expected a quoted cell to end/),
      '3 b',
      '4 c',
      '5 d',
      '6 e',
    ]);
  });

  it('accounts for every line, however it is broken and wherever it is cut in reading', async () => {
    const line = fc.constantFrom('a,x', 'a,"x', 'a,x"', 'a,x"y', '"a"b,x', 'a', '"a","x"');
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { minLength: 1, maxLength: 20 }),
        fc.constantFrom('\n', '\r\n'),
        fc.boolean(),
        fc.integer({ min: 1, max: 50 }),
        async (lines, lineEnd, isEnded, size) => {
          const bytes = Buffer.from(['id,text', ...lines].join(lineEnd) + (isEnded ? lineEnd : ''));
          const records: CsvRecord[] = [];
          let refused = '';
          try {
            for await (const record of csvRecords(pieces(bytes, size), 'docs.csv')) records.push(record);
          } catch (error) {
            expect(error).toBeInstanceOf(UsageError);
            refused = (error as UsageError).message;
            expect(refused).toMatch(/^INPUT docs\.csv line \d+: expected a quote that is closed/);
          }
          const unclosed = Number(/ line (\d+)/.exec(refused)?.[1] ?? lines.length + 2);
          const until = unclosed - 1;
          const covered = records.flatMap((record) => [
            record.line,
            // Two stray quotes can be taken for a cell that goes over several lines.
            ...('cells' in record
              ? Array.from(
                  { length: record.cells.join('').split('\n').length - 1 },
                  (_, more) => record.line + 1 + more,
                )
              : []),
          ]);
          expect(covered).toEqual(Array.from({ length: until }, (_, index) => index + 1));
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('is numbered right after a broken line that is longer than what is read at once', async () => {
    const long = 'x'.repeat(200_000);
    const path = file('docs.csv', `id,text\na,x"${long}\nb,x\n\nc,"${long}\n"\nd,x"${long}`);
    expect(summary(await read(path))).toEqual([
      expect.stringMatching(/^2: expected a cell with quotes/),
      '3 b',
      '5 c',
      expect.stringMatching(/^7: expected a cell with quotes/),
    ]);
  });

  it('with a quote that is never closed is refused, with the line on which the quote starts', async () => {
    const rest = 'c,x\n'.repeat(50_000);
    expect(await refusal(file('docs.csv', 'id,text\n\na,x\nb,"x\n', rest))).toMatch(
      /^INPUT .*docs\.csv line 4: expected a quote that is closed, got the end of the file\. Close it there/,
    );
    expect(await refusal(file('docs.csv', 'id,text\na,x\r\n\n"b\nb\n","x\n', rest))).toMatch(/ line 6: /);
    expect(await refusal(file('docs.csv', 'id,"text\n'))).toMatch(/ line 1: /);
    expect(await refusal(file('docs.csv', 'id,text\na,x"\n\nb,"x'))).toMatch(/ line 4: /);
  });

  it('is not read into memory by a quote without an end', async () => {
    const path = file('docs.csv', 'id,text\na,x\nb,"x');
    truncateSync(path, 80 * MEGABYTE);
    expect(await refusal(path)).toMatch(
      /docs\.csv line 3: expected a record of at most 64 MB.*Close the quote/,
    );
  });
});

describe('a folder', () => {
  it('is read in the order of its paths, whatever is a folder in it', async () => {
    const path = folder({
      'a/b.txt': 'in a',
      'a/c/d.md': 'in c',
      'a-b.txt': 'beside a',
      'a.txt': 'after -, before /',
      'B.txt': 'capital',
      '\uFF5E.txt': 'of the last of the first plane',
      '👍.txt': 'beyond it',
      '.hidden': 'no',
      'a/.hidden/x.txt': 'no',
    });
    const entries = await read(path);
    const ids = ['B.txt', 'a-b.txt', 'a.txt', 'a/b.txt', 'a/c/d.md', '\uFF5E.txt', '👍.txt'];
    expect(entries.map((entry) => 'document' in entry && entry.document.id)).toEqual(ids);
    expect(entries.map(({ place }) => place)).toEqual(ids);
    expect(entries[3]).toHaveProperty('document', { id: 'a/b.txt', text: 'in a', metadata: {} });
  });

  it('may have bad files among the others', async () => {
    const path = folder({
      '1.txt': 'x',
      '2.pdf': Buffer.from([0x25, 0x50, 0xff]),
      '3.txt': '',
      '4.txt': ' \n',
      '5.txt': '',
      'a\nb.txt': 'x',
      'mark.txt': Buffer.concat([MARK, Buffer.from('x\0')]),
    });
    truncateSync(join(path, '5.txt'), 64 * MEGABYTE + 1);
    symlinkSync('nowhere', join(path, '6.txt'));
    symlinkSync('7.txt', join(path, '7.txt'));
    const entries = await read(path);
    expect(summary(entries)).toEqual([
      '1.txt 1.txt',
      '2.pdf: expected text in UTF-8, got other bytes',
      '3.txt: text: expected a string that is not blank, got ""',
      String.raw`4.txt: text: expected a string that is not blank, got " \n"`,
      '5.txt: expected a file of at most 64 MB, got 67108865 bytes',
      expect.stringMatching(/^6\.txt: expected a file that can be read, got: ENOENT/),
      expect.stringMatching(/^7\.txt: expected a file that can be read, got: ELOOP/),
      expect.stringMatching(/^"a\\nb\.txt": id: expected .* got "a\\nb\.txt"$/),
      'mark.txt mark.txt',
    ]);
    expect(entries[8]).toHaveProperty('document.text', 'x\0');
  });

  it('has links to files, and none to folders, so that it ends', async () => {
    const elsewhere = folder({ 'x.txt': 'elsewhere' });
    const path = folder({ 'a/b.txt': 'x' });
    symlinkSync(path, join(path, 'a', 'again'));
    symlinkSync(join(elsewhere, 'x.txt'), join(path, 'link.txt'));
    expect(summary(await read(path))).toEqual(['a/b.txt a/b.txt', 'link.txt link.txt']);
    const link = join(root, `link-${written++}`);
    symlinkSync(elsewhere, link);
    expect(summary(await read(link))).toEqual(['x.txt x.txt']);
  });
});
