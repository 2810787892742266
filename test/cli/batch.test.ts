import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BatchResult, BatchStatus } from '../../src/core/batch-contract.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { CallStats } from '../../src/provider/simulated/call-log.ts';
import { readStackFile } from '../../src/stack/state-file.ts';
import {
  allAlive,
  cleanUp,
  pidsOf,
  run,
  runs,
  start,
  temporaryFolder,
  temporaryHome,
} from './command-line.ts';
import type { Ended } from './command-line.ts';

const home = temporaryHome();
const cwd = temporaryFolder();
const here = { home, cwd };
/** Each call takes two seconds. */
const SLOW = ['--schema', 'user', '--model', 'simulated/fault-slow!', '--concurrency', '4'];
/** A field is missing in every answer. */
const FAILING = ['--schema', 'user', '--model', 'simulated/fault-missing!'];

beforeAll(() => {
  write('people.jsonl', lines(people('p', 20)));
  write('fewer.jsonl', lines(people('p', 19)));
  write('slow.jsonl', lines(people('slow', 40)));
  write('crash.jsonl', lines(people('crash', 8)));
  write('down.jsonl', lines(people('down', 12)));
  write('detached.jsonl', lines(people('detached', 20)));
  const [good = {}, another = {}] = people('f', 2);
  write('failing.jsonl', lines([...people('f', 10)]));
  write(
    'bad.jsonl',
    [
      JSON.stringify(good),
      '{"id": "b", "text": ',
      '{"id": "c"}',
      '["d"]',
      JSON.stringify({ ...another, id: 'f-0' }),
      JSON.stringify(another),
      '',
    ].join('\n'),
  );
  write('empty.jsonl', '\n\n');
});

afterAll(cleanUp);

/** One home, from the first command to `down`: each test finds what the ones before it left running. */
describe('batch', () => {
  it('extracts all of a JSONL file: 0, and nothing on stdout', async () => {
    const { exitCode, stdout, stderr } = await batch(
      'run',
      'people.jsonl',
      '--schema',
      'user',
      '--id',
      'people',
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
    expect(stderr).toMatch(/^completed: 20 of 20 extracted, 0 failed; 20 calls, [\d,]+ tokens$/m);
    expect(stderr).not.toMatch(/joins/);
    expect(stderr).toMatch(/^SIMULATED: no model was asked/m);
    expect(stderr).toMatch(/^results: durable-extract batch export people --out results\.jsonl$/m);
    expect(await calls()).toBe(20);
  });

  it('joins with the same input, without a call, and refuses another', async () => {
    const same = ['run', 'people.jsonl', '--schema', 'user', '--id', 'people'];
    const again = await batch(...same, '--concurrency', '9', '--json');
    expect(again.exitCode).toBe(0);
    expect(again.stderr).toMatch(
      /^joins 'people', which is completed: 0 of 20 documents to be done\nits concurrency stays 50; change it with: durable-extract batch resume people --concurrency 9$/m,
    );
    expect(JSON.parse(again.stdout)).toEqual({
      id: 'people',
      state: 'completed',
      total: 20,
      succeeded: 20,
      failed: 0,
      pending: 0,
      inReview: 0,
      retrying: 0,
      calls: 20,
      promptTokens: expect.any(Number) as number,
      completionTokens: expect.any(Number) as number,
      costUsd: 0,
      round: 1,
      concurrency: 50,
      budget: null,
      pausedFor: null,
      learnt: null,
      schema: 'user',
      model: 'simulated/clean',
      simulated: true,
      createdAt: expect.stringMatching(ISO_TIME) as string,
      finishedAt: expect.stringMatching(ISO_TIME) as string,
    });
    const others = await Promise.all([
      batch('run', 'fewer.jsonl', '--schema', 'user', '--id', 'people'),
      batch('run', 'people.jsonl', '--schema', 'person', '--id', 'people'),
    ]);
    for (const { exitCode, stdout, stderr } of others) {
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
      expect(stderr).toMatch(/'people' was started with, got others\. Give another id/);
    }
    expect(await calls()).toBe(20);
  });

  it('exports a line for each document, in input order, with its metadata', async () => {
    const { exitCode, stdout, stderr } = await batch('export', 'people', '--out', '-');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '20 documents written to stdout\n' });
    const results = linesOf(stdout);
    for (const result of results) {
      expect(Object.keys(result)).toEqual([
        'id',
        'success',
        'data',
        'partial',
        'attempts',
        'errors',
        'usage',
        'stopped',
        'correction',
        'metadata',
      ]);
    }
    expect(results.map(({ id }) => id)).toEqual(people('p', 20).map(({ id }) => id));
    expect(results[7]).toEqual({
      id: 'p-7',
      success: true,
      data: expect.objectContaining({ age: 27, email: 'p7@example.org' }) as unknown,
      attempts: 1,
      errors: [],
      usage: {
        calls: 1,
        promptTokens: expect.any(Number) as number,
        completionTokens: expect.any(Number) as number,
        costUsd: 0,
      },
      stopped: null,
      partial: null,
      correction: null,
      metadata: { source: 'mail', nested: { number: 7 } },
    });
    const toFile = await batch('export', 'people', '--out', 'made/of/results.jsonl');
    expect(toFile).toMatchObject({ exitCode: 0, stdout: '' });
    expect(readFileSync(join(cwd, 'made/of/results.jsonl'), 'utf8')).toBe(stdout);
  });

  describe.concurrent('from any input:', () => {
    it('takes columns of a CSV file by name, and exports a CSV that reads back', async () => {
      const rows = people('csv', 5).map(
        ({ id, text }) => `${String(id)},"${String(text)}\nand ""more""","north, east"`,
      );
      write('people.csv', ['order,body,region', ...rows].join('\r\n'));
      const args = ['run', 'people.csv', '--schema', 'user', '--id', 'csv'];
      const without = await batch(...args);
      expect(without).toMatchObject({ exitCode: 2, stdout: '' });
      expect(without.stderr).toMatch(/expected a column "id", got "order", "body", "region".*--id-column/);
      expect(await batch(...args, '--id-column', 'order', '--text-column', 'body')).toMatchObject({
        exitCode: 0,
      });
      const { stdout } = await batch('export', 'csv', '--out', '-', '--format', 'csv');
      const records: readonly Record<string, string>[] = parse(stdout, { columns: true });
      expect(records.map(({ id }) => id)).toEqual(['csv-0', 'csv-1', 'csv-2', 'csv-3', 'csv-4']);
      expect(records[3]).toMatchObject({
        success: 'true',
        stopped: '',
        attempts: '1',
        calls: '1',
        'data.age': '23',
        'data.email': 'csv3@example.org',
        'data.phone': '',
        errors: '[]',
      });
      expect(JSON.parse(String(records[3]?.['metadata']))).toEqual({ region: 'north, east' });
    });

    it('takes a folder: an id is a path', async () => {
      mkdirSync(join(cwd, 'folder/below'), { recursive: true });
      for (const [index, { text }] of people('folder', 4).entries()) {
        write(`folder/${index % 2 === 0 ? '' : 'below/'}${index}.txt`, String(text));
      }
      expect(await batch('run', 'folder', '--schema', 'user', '--id', 'folder')).toMatchObject({
        exitCode: 0,
      });
      const results = await exported('folder');
      expect(results.map(({ id, data }) => [id, emailOf(data)])).toEqual([
        ['0.txt', 'folder0@example.org'],
        ['2.txt', 'folder2@example.org'],
        ['below/1.txt', 'folder1@example.org'],
        ['below/3.txt', 'folder3@example.org'],
      ]);
    });

    it("extracts by a line's own schema, a registered or an inline one", async () => {
      const email = { type: 'object', properties: { email: { type: 'string' } }, required: ['email'] };
      const [first, second, third] = people('own', 3);
      write('own.jsonl', lines([{ ...first }, { ...second, schema: 'person' }, { ...third, schema: email }]));
      expect(await batch('run', 'own.jsonl', '--schema', 'user', '--id', 'own')).toMatchObject({
        exitCode: 0,
      });
      const [byUser, byPerson, byEmail] = (await exported('own')).map(({ data }) => data as JsonObject);
      expect(Object.keys(byUser ?? {}).toSorted()).toEqual(['age', 'city', 'email', 'name', 'phone']);
      expect(Object.keys(byPerson ?? {})).not.toEqual(Object.keys(byUser ?? {}));
      expect(byEmail).toEqual({ email: 'own2@example.org' });
    });
  });

  it('names each bad line, duplicates with both places, and starts nothing', async () => {
    const { exitCode, stdout, stderr } = await batch('run', 'bad.jsonl', '--schema', 'user', '--id', 'bad');
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(/^4 of 6 lines cannot be used; nothing was started:$/m);
    expect(stderr).toMatch(/^ {2}bad\.jsonl line 2: expected a JSON object, got .* at character 21$/m);
    expect(stderr).toMatch(/^ {2}bad\.jsonl line 3: text: expected a string that is not blank, got none$/m);
    expect(stderr).toMatch(/^ {2}bad\.jsonl line 4: expected a JSON object, got \["d"\]$/m);
    expect(stderr).toMatch(/^ {2}bad\.jsonl line 5: id: .* got 'f-0', which bad\.jsonl line 1 has$/m);
    expect(stderr).toMatch(/--skip-bad-lines/);
    const [list, status] = await Promise.all([batch('list', '--json'), batch('status', 'bad')]);
    const listed = JSON.parse(list.stdout) as readonly { readonly id: string; readonly total: number }[];
    expect(listed).toContainEqual(expect.objectContaining({ id: 'people', state: 'completed', total: 20 }));
    expect(listed.map(({ id }) => id)).not.toContain('bad');
    expect(status).toMatchObject({ exitCode: 2, stdout: '' });
    expect(status.stderr).toMatch(/got 'bad': there is none/);
  });

  it('records bad lines as failed documents in their places with --skip-bad-lines', async () => {
    const before = await calls();
    const args = ['run', 'bad.jsonl', '--schema', 'user', '--id', 'bad', '--skip-bad-lines', '--json'];
    const { exitCode, stdout, stderr } = await batch(...args);
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(/^all that failed are lines that cannot be used: correct them/m);
    expect(stderr).not.toMatch(/retry-failed/);
    expect(JSON.parse(stdout)).toMatchObject({
      state: 'completed',
      total: 6,
      succeeded: 2,
      failed: 4,
      pending: 0,
    });
    expect(await calls()).toBe(before + 2);
    const results = await exported('bad');
    expect(results.map(({ id, stopped }) => [id, stopped])).toEqual([
      ['f-0', null],
      ['(bad.jsonl line 2)', 'invalid_input'],
      ['(bad.jsonl line 3)', 'invalid_input'],
      ['(bad.jsonl line 4)', 'invalid_input'],
      ['(bad.jsonl line 5)', 'invalid_input'],
      ['f-1', null],
    ]);
    expect(results[4]).toMatchObject({
      success: false,
      data: null,
      attempts: 0,
      errors: [
        { type: 'invalid_input', message: expect.stringContaining('which bad.jsonl line 1 has') as string },
      ],
      usage: { calls: 0 },
    });
  });

  it('starts, and leaves with --detach; watch gives the status at the end', async () => {
    const args = [
      'run',
      'detached.jsonl',
      '--schema',
      'user',
      '--id',
      'detached',
      '--model',
      'simulated/faulty@3',
    ];
    const { exitCode, stdout, stderr } = await batch(...args, '--detach');
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
    expect(stderr).toMatch(
      /^'detached' is running: 20 documents\. See: durable-extract batch watch detached$/m,
    );
    const watched = await batch('watch', 'detached', '--json');
    const status = JSON.parse(watched.stdout) as BatchStatus;
    expect(status).toMatchObject({ state: 'completed', total: 20, pending: 0 });
    expect(status.succeeded + status.failed).toBe(20);
    expect(watched.exitCode).toBe(status.failed === 0 ? 0 : 3);
    expect(await batch('status', 'detached', '--json')).toEqual({
      exitCode: 0,
      stdout: watched.stdout,
      stderr: '',
    });
  });

  describe.concurrent('refuses an unknown schema before any call,', () => {
    it.each([
      [
        'by the batch',
        [{}],
        ['--schema', 'nobody'],
        /^--schema: .*got 'nobody'[^]*--schema \.\/nobody\.json$/m,
      ],
      [
        'by a line',
        [{}, { schema: 'nobody' }],
        ['--schema', 'user'],
        /^unknown-\d\.jsonl line 2: schema\.name: expected one of user, .*got 'nobody'/m,
      ],
    ] as const)('named %s', async (_, own, flags, says) => {
      const before = await calls();
      const id = `unknown-${own.length}`;
      write(`${id}.jsonl`, lines(own.map((more, index) => ({ ...people('unknown', 2)[index], ...more }))));
      const { exitCode, stdout, stderr } = await batch('run', `${id}.jsonl`, '--id', id, ...flags);
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
      expect(stderr).toMatch(says);
      expect(stderr).not.toMatch(/\d %/);
      const status = await batch('status', id);
      const joined = await batch('run', `${id}.jsonl`, '--id', id, ...flags);
      expect(status.stdout).toMatch(new RegExp(`^${id}: failed$`, 'm'));
      expect(status.stderr).toMatch(/got 'nobody'/);
      expect(joined).toMatchObject({ exitCode: 2, stdout: '' });
      expect(joined.stderr).toMatch(says);
      const { stdout: listed } = await batch('list');
      expect(listed).toMatch(new RegExp(`^${id}  failed  `, 'm'));
      expect(await calls()).toBe(before);
    });
  });

  it('takes the corrected command under the id of a refused one', async () => {
    write('corrected.jsonl', lines(people('corrected', 3)));
    const args = ['run', 'corrected.jsonl', '--id', 'corrected', '--schema'];
    expect(await batch(...args, 'nobody')).toMatchObject({ exitCode: 2 });
    expect(await batch(...args, 'user')).toMatchObject({ exitCode: 0 });
    expect(await statusOf('corrected')).toMatchObject({ state: 'completed', schema: 'user', succeeded: 3 });
  });

  describe('that is slow', () => {
    let before: number;

    it('goes on after Ctrl-C, which says how to come back', async () => {
      before = await calls();
      const command = start(['batch', 'run', 'slow.jsonl', '--id', 'slow', ...SLOW], here);
      await expect
        .poll(() => command.stderr(), { timeout: 20_000, interval: 20 })
        .toMatch(/^slow .* of 40 /m);
      command.kill('SIGINT');
      const { exitCode, stdout, stderr } = await command.ended;
      expect({ exitCode, stdout }).toEqual({ exitCode: 130, stdout: '' });
      expect(stderr).toMatch(
        /'slow' goes on without this command\. Come back with:\n {2}durable-extract batch watch slow\n/,
      );
      expect(await allAlive(home)).toBe(true);
    });

    it('marks in an export what is not done yet', async () => {
      const [{ exitCode, stdout, stderr }, retried] = await Promise.all([
        batch('export', 'slow', '--out', '-'),
        batch('retry-failed', 'slow'),
      ]);
      const results = linesOf(stdout);
      const pending = results.filter(({ stopped }) => stopped === 'pending');
      expect(exitCode).toBe(0);
      expect(results.map(({ id }) => id)).toEqual(people('slow', 40).map(({ id }) => id));
      expect(pending.length).toBeGreaterThan(0);
      expect(stderr).toBe(`40 documents written to stdout, ${pending.length} of them still pending\n`);
      expect(pending.at(-1)).toEqual({
        id: 'slow-39',
        success: false,
        data: null,
        attempts: 0,
        errors: [],
        usage: { calls: 0, promptTokens: 0, completionTokens: 0, costUsd: 0 },
        stopped: 'pending',
        partial: null,
        correction: null,
        metadata: { source: 'mail', nested: { number: 39 } },
      });
      expect(retried).toMatchObject({ exitCode: 2, stdout: '' });
      expect(retried.stderr).toMatch(/'slow' is running: expected one that has ended/);
    });

    it('makes no call while it is paused', async () => {
      const paused = await batch('pause', 'slow');
      expect(paused).toMatchObject({ exitCode: 0, stdout: '' });
      expect(paused.stderr).toMatch(/^'slow' is paused: \d+ of 40 documents to be done$/m);
      await untilNoneInFlight();
      const atRest = await calls();
      expect(await statusOf('slow')).toMatchObject({ state: 'paused', total: 40 });
      const forPeople = await batch('status', 'slow');
      expect(forPeople.stdout).toMatch(/^slow: paused$/m);
      expect(await calls()).toBe(atRest);
      expect(atRest - before).toBeLessThan(40);
    });

    it('tells who watches it while it is paused how it goes on', async () => {
      const command = start(['batch', 'watch', 'slow'], here);
      await expect
        .poll(() => command.stderr(), { timeout: 20_000, interval: 20 })
        .toMatch(/^paused: .*\n {2}durable-extract batch resume slow$/m);
      command.kill('SIGINT');
      expect(await command.ended).toMatchObject({ exitCode: 130, stdout: '' });
    });

    it('goes on after resume, and keeps what is done when it is cancelled', async () => {
      const atRest = await calls();
      const resumed = await batch('resume', 'slow');
      expect(resumed).toMatchObject({ exitCode: 0, stdout: '' });
      expect(resumed.stderr).toMatch(/^'slow' is running/m);
      await expect.poll(calls, { timeout: 20_000, interval: 50 }).toBeGreaterThan(atRest);
      const cancelled = await batch('cancel', 'slow', '--json');
      expect(cancelled.exitCode).toBe(0);
      expect(cancelled.stderr).toMatch(
        /^cancelled: no further calls are made; those under way are let finish$/m,
      );
      const { state, calls: counted, succeeded: kept } = JSON.parse(cancelled.stdout) as BatchStatus;
      // Those that were under way are in its figures.
      const { calls: ended, inFlight } = await provider();
      expect({ state, counted, kept, inFlight }).toEqual({
        state: 'cancelled',
        counted: ended - before,
        kept: ended - before,
        inFlight: 0,
      });
      const watched = await batch('watch', 'slow');
      expect(watched).toMatchObject({ exitCode: 3, stdout: '' });
      expect(watched.stderr).toMatch(/^cancelled: \d+ of 40 extracted, 0 failed, \d+ not done; /m);
      expect(watched.stderr).toMatch(/^go on with: durable-extract batch resume slow$/m);
      const { succeeded, pending } = await statusOf('slow');
      expect(succeeded).toBeGreaterThan(0);
      expect(pending).toBeGreaterThan(0);
      const done = (await exported('slow')).filter(({ success }) => success);
      expect(done.length).toBeGreaterThanOrEqual(succeeded);
    });

    it('takes up the rest after resume, and asks no document twice whose answer was recorded', async () => {
      const kept = (await exported('slow')).filter(({ success }) => success);
      const resumed = await batch('resume', 'slow', '--concurrency', '40');
      expect(resumed).toMatchObject({ exitCode: 0, stdout: '' });
      const watched = await batch('watch', 'slow', '--json');
      expect(watched.exitCode).toBe(0);
      expect(JSON.parse(watched.stdout)).toMatchObject({
        state: 'completed',
        succeeded: 40,
        pending: 0,
        calls: 40,
        concurrency: 40,
      });
      expect((await calls()) - before).toBe(40);
      const results = await exported('slow');
      expect(results.filter(({ attempts, usage }) => attempts === 1 && usage.calls === 1)).toHaveLength(40);
      expect(results).toEqual(expect.arrayContaining(kept));
    });
  });

  describe('that fails', () => {
    it('ends with 3, and gives the reasons in the export', async () => {
      const { exitCode, stdout, stderr } = await batch('run', 'failing.jsonl', '--id', 'failing', ...FAILING);
      expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
      expect(stderr).toMatch(/^completed: 0 of 10 extracted, 10 failed; 30 calls/m);
      expect(stderr).toMatch(/^do the failed ones again with: durable-extract batch retry-failed failing$/m);
      const [first] = await exported('failing');
      expect(first).toMatchObject({ success: false, data: null, attempts: 3, stopped: 'attempts' });
      expect(first?.errors).toMatchObject(
        Array.from({ length: 3 }, () => ({ type: 'validation_error', details: [{ kind: 'missing' }] })),
      );
    });

    it('tells what it has learnt from them, and with --no-learn learns nothing', async () => {
      write('learning.jsonl', lines(people('learning', 60)));
      const learning = ['run', 'learning.jsonl', ...FAILING, '--max-attempts', '1', '--json'];
      const { learnt } = JSON.parse((await batch(...learning, '--id', 'learning')).stdout);
      expect(learnt).toMatchObject({ modes: [], rejectedModes: [] });
      expect(learnt.hints[0]).toMatch(/^- Field '.*': required field is missing/);
      expect((await batch('status', 'learning')).stdout).toMatch(/^ {2}learnt {7}Field '/m);
      const { stdout } = await batch(...learning, '--id', 'unlearning', '--no-learn');
      expect(JSON.parse(stdout)).toMatchObject({ failed: 60, learnt: null });
    });

    it('does only the failed ones again with retry-failed', async () => {
      write(
        'mixed.jsonl',
        lines([...people('mixed', 3), { ...people('mixed', 4)[3], schema: NOTHING_REQUIRED }]),
      );
      expect(await batch('run', 'mixed.jsonl', '--id', 'mixed', ...FAILING)).toMatchObject({ exitCode: 3 });
      const first = await statusOf('mixed');
      expect(first).toMatchObject({ round: 1, succeeded: 1, failed: 3, calls: 10 });
      const before = await calls();
      const again = await batch('retry-failed', 'mixed', '--json');
      expect(again.exitCode).toBe(3);
      expect(JSON.parse(again.stdout)).toMatchObject({
        state: 'completed',
        round: 2,
        succeeded: 1,
        failed: 3,
        calls: 19,
      });
      expect(await calls()).toBe(before + 9);
    });

    it('passes by a looser schema with rejudge, without a call', async () => {
      const before = await calls();
      write('loose.json', JSON.stringify(NOTHING_REQUIRED));
      const { exitCode, stdout } = await batch('rejudge', 'failing', '--schema', 'loose.json', '--json');
      expect(exitCode).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({
        state: 'completed',
        round: 2,
        succeeded: 10,
        failed: 0,
        calls: 30,
      });
      expect(await calls()).toBe(before);
      const results = await exported('failing');
      expect(results.map(({ id }) => id)).toEqual(people('f', 10).map(({ id }) => id));
      expect(
        results.every(({ success, data, stopped }) => success && data !== null && stopped === null),
      ).toBe(true);
    });

    it('is as it was where rejudge is given a name that nobody knows; a schema file is advised', async () => {
      const before = await calls();
      const statusBefore = await statusOf('people');
      const { exitCode, stdout, stderr } = await batch('rejudge', 'people', '--schema', 'nobody');
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
      expect(stderr).toMatch(/^--schema: .*got 'nobody'[^]*--schema \.\/nobody\.json$/m);
      expect(await calls()).toBe(before);
      expect(await statusOf('people')).toEqual(statusBefore);
      expect((await exported('people')).every(({ success }) => success)).toBe(true);
    });
  });

  it('completes although its worker is killed: the watching command starts another', async () => {
    const command = start(['batch', 'run', 'crash.jsonl', '--id', 'crash', ...SLOW, '--json'], here);
    const before = await calls();
    await expect.poll(calls, { timeout: 20_000, interval: 50 }).toBeGreaterThan(before);
    const { worker } = pidsOf(home);
    process.kill(worker!, 'SIGKILL');
    const { exitCode, stdout, stderr } = await command.ended;
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/^died, and is started again: worker$/m);
    expect(JSON.parse(stdout)).toMatchObject({ state: 'completed', succeeded: 8, failed: 0, pending: 0 });
    expect(pidsOf(home)['worker']).not.toBe(worker);
    expect(await runs(worker!)).toBe(false);
    expect((await exported('crash')).map(({ id, success }) => [id, success])).toEqual(
      people('crash', 8).map(({ id }) => [id, true]),
    );
  });

  it('stands where it was after down, says so without a server, and goes on with resume', async () => {
    expect(await batch('run', 'down.jsonl', '--id', 'down', ...SLOW, '--detach')).toMatchObject({
      exitCode: 0,
    });
    expect(await run(['down'], here)).toMatchObject({ exitCode: 0 });
    const status = await batch('status', 'down', '--json');
    const { pending } = JSON.parse(status.stdout) as BatchStatus;
    expect(pending).toBeGreaterThan(0);
    expect(status.stderr).toMatch(/^no Temporal server answers.*: durable-extract batch resume down$/m);
    expect((await exported('down')).filter(({ stopped }) => stopped === 'pending').length).toBeGreaterThan(0);
    const list = await batch('list');
    expect(list).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^down  running  /m) as string });
    expect(list.stderr).toMatch(/^no Temporal server answers.*: durable-extract batch resume ID$/m);
    for (const command of ['pause', 'cancel']) {
      const { exitCode, stderr } = await batch(command, 'people');
      expect({ exitCode, stderr }).toMatchObject({
        exitCode: 2,
        stderr: expect.stringMatching(/^The batch 'people' is completed: expected one that runs/) as string,
      });
    }
    expect(pidsOf(home)).toEqual({});
    expect(await batch('resume', 'down', '--concurrency', '12')).toMatchObject({ exitCode: 0 });
    expect(await batch('watch', 'down')).toMatchObject({ exitCode: 0, stdout: '' });
    expect(await statusOf('down')).toMatchObject({ state: 'completed', succeeded: 12 });
  });
});

/** What is typed, and what the message must say. */
const WRONG: readonly (readonly [what: string, args: readonly string[], says: readonly RegExp[]])[] = [
  ['no command that exists', ['rum'], [/unknown command 'rum'/, /batch --help/]],
  [
    'no input',
    ['run', '--schema', 'user', '--id', 'x'],
    [/missing required argument 'input'/, /batch run --help/],
  ],
  ['no schema', ['run', 'people.jsonl', '--id', 'x'], [/batch run: expected --schema NAME\|FILE, got none/]],
  ['no id', ['run', 'people.jsonl', '--schema', 'user'], [/batch run: expected --id ID, got none/, /joins/]],
  [
    'a bad --concurrency',
    ['run', 'people.jsonl', '--schema', 'user', '--id', 'x', '--concurrency', '0'],
    [/--concurrency: expected a whole number from 1 to 10000, got '0'/],
  ],
  ['no schema to rejudge by', ['rejudge', 'x'], [/batch rejudge: expected --schema NAME\|FILE, got none/]],
  ['an id that cannot be one', ['pause', 'x/y'], [/id: expected .* without slashes.* got "x\/y"/]],
  [
    'an id for run that cannot be one',
    ['run', 'people.jsonl', '--schema', 'user', '--id', 'x/y'],
    [/id: expected .* without slashes.* got "x\/y"/],
  ],
  ...['watch', 'pause', 'resume', 'cancel', 'retry-failed', 'status'].map(
    (command) =>
      [
        `${command} with an id that no batch has`,
        [command, 'x'],
        [/got 'x': there is none.* batch list/],
      ] as const,
  ),
  [
    'rejudge with an id that no batch has',
    ['rejudge', 'x', '--schema', 'user'],
    [/got 'x': there is none.* batch list/],
  ],
  ['no --out', ['export', 'x'], [/batch export: expected --out FILE, got none/, /- for standard output/]],
  [
    'a bad --format',
    ['export', 'x', '--out', '-', '--format', 'xml'],
    [/--format: expected one of jsonl, csv, got 'xml'/],
  ],
];

describe('wrong usage of batch ends with 2, before anything is started:', () => {
  it.concurrent.each(WRONG)('%s', async (_, args, says) => {
    const untouched = temporaryHome();
    const { exitCode, stdout, stderr } = await run(['batch', ...args], { home: untouched, cwd });
    expect({ exitCode, stdout, serverStarted: existsSync(join(untouched, 'stack.json')) }).toEqual({
      exitCode: 2,
      stdout: '',
      serverStarted: false,
    });
    for (const pattern of says) expect(stderr).toMatch(pattern);
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});

describe('bad batches and inputs end with 2, on what runs already:', () => {
  it.concurrent.each([
    [
      'run',
      ['empty.jsonl', '--schema', 'user', '--id', 'new'],
      /expected documents, got none in 'empty\.jsonl'/,
    ],
    ['run', ['nope.jsonl', '--schema', 'user', '--id', 'new'], /got 'nope\.jsonl': no such file or folder/],
    ['export', ['x', '--out', '-'], /got 'x': there is none.* batch list/],
    ['pause', ['people'], /'people' is \w+: expected one that runs or is paused/],
    ['cancel', ['csv'], /'csv' is completed: expected one that runs or is paused/],
    [
      'export',
      ['people', '--out', 'folder'],
      /^--out: expected a file, got 'folder', which is a folder\. Name a file in it: --out folder\/results\.jsonl$/m,
    ],
    [
      'export',
      ['people', '--out', 'people.jsonl/results.jsonl'],
      /^--out: expected a file that can be written, got 'people\.jsonl\/results\.jsonl': \w+: [a-z ]+\.$/m,
    ],
  ] as const)('%s %j', async (command, args, says) => {
    const { exitCode, stdout, stderr } = await batch(command, ...args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(says);
  });
});

const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const NOTHING_REQUIRED: JsonObject = {
  title: 'loose',
  type: 'object',
  properties: Object.fromEntries(['name', 'age', 'email', 'phone', 'city'].map((field) => [field, {}])),
};

/** Texts that no other batch of this suite has: the simulated provider knows a text again. */
function people(prefix: string, count: number): readonly Readonly<Record<string, unknown>>[] {
  return Array.from({ length: count }, (_, number) => ({
    id: `${prefix}-${number}`,
    text: `My name is Grace Hopper, I am ${20 + number} years old, and my address is ${prefix}${number}@example.org.`,
    source: 'mail',
    nested: { number },
  }));
}

function lines(documents: readonly object[]): string {
  return documents.map((document) => `${JSON.stringify(document)}\n`).join('');
}

function write(path: string, content: string): void {
  writeFileSync(join(cwd, path), content);
}

function batch(...args: readonly string[]): Promise<Ended> {
  return run(['batch', ...args], here);
}

async function statusOf(id: string): Promise<BatchStatus> {
  const { stdout } = await batch('status', id, '--json');
  return JSON.parse(stdout) as BatchStatus;
}

async function exported(id: string): Promise<readonly BatchResult[]> {
  return linesOf((await batch('export', id, '--out', '-')).stdout);
}

function linesOf(stdout: string): readonly BatchResult[] {
  const all = stdout.split('\n');
  expect(all.pop()).toBe('');
  return all.map((line) => JSON.parse(line) as BatchResult);
}

function emailOf(data: unknown): unknown {
  return (data as JsonObject)['email'];
}

let providerPid: number | undefined;

async function provider(): Promise<CallStats> {
  const { pid, details } = readStackFile(home).processes['simulated-provider']!;
  // Every command replaces processes of other code than its own, and a new provider counts from nothing.
  providerPid ??= pid;
  if (pid !== providerPid) throw new Error('The sources were edited while this suite ran: run it again.');
  return (await (await fetch(new URL('/v1/simulated/stats', String(details['url'])))).json()) as CallStats;
}

/** Calls that have reached the provider so far, in all batches; those in flight count. */
async function calls(): Promise<number> {
  const { calls: ended, inFlight } = await provider();
  return ended + inFlight;
}

async function untilNoneInFlight(): Promise<void> {
  await expect.poll(async () => (await provider()).inFlight, { timeout: 20_000, interval: 50 }).toBe(0);
}
