import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BatchResult, BatchStatus } from '../../src/core/batch-contract.ts';
import { cleanUp, run, start, temporaryFolder, temporaryHome } from './command-line.ts';
import type { Ended } from './command-line.ts';

const home = temporaryHome();
const cwd = temporaryFolder();
const here = { home, cwd };
/** A field is missing in every answer. */
const FAILING = ['--schema', 'user', '--model', 'simulated/fault-missing!'];
const data = { name: 'Ada Lovelace', age: 36, email: 'ada@example.org', phone: null, city: null };

beforeAll(() => {
  write('people.jsonl', linesOf(60));
  write('failing.jsonl', linesOf(4));
});

afterAll(cleanUp);

describe('batch review and batch correct', () => {
  it('list the documents that wait, and write them as a file', async () => {
    const ran = await batch(
      'run',
      'failing.jsonl',
      ...FAILING,
      '--id',
      'failing',
      '--on-exhausted',
      'review',
    );
    expect(ran.exitCode).toBe(3);
    expect(ran.stderr).toMatch(
      /^4 of the failed ones wait for a person: durable-extract batch review failing$/m,
    );
    const listed = await batch('review', 'failing');
    expect(listed.stdout).toMatch(/^p-0 {2}\w+\n {4}\w+: .+$/m);
    const file = await batch('review', 'failing', '--out', 'review.jsonl');
    expect(file).toMatchObject({ exitCode: 0, stdout: '' });
    const lines = read('review.jsonl');
    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatchObject({
      id: 'p-0',
      text: expect.stringContaining('number 0') as string,
      until: null,
    });
  });

  it('write nothing down where one of them is wrong', async () => {
    write(
      'wrong.jsonl',
      `${JSON.stringify({ id: 'p-0', data })}\n${JSON.stringify({ id: 'p-1', data: {} })}\n{"id": 1}\n`,
    );
    const unreadable = await batch('correct', 'failing', '--from', 'wrong.jsonl');
    expect(unreadable.exitCode).toBe(2);
    expect(unreadable.stderr).toMatch(/^wrong\.jsonl line 3: expected \{"id": "…", "data": …\}/m);
    write(
      'wrong.jsonl',
      `${JSON.stringify({ id: 'p-0', data })}\n${JSON.stringify({ id: 'p-1', data: {} })}\n`,
    );
    const invalid = await batch('correct', 'failing', '--from', 'wrong.jsonl');
    expect(invalid.exitCode).toBe(2);
    expect(invalid.stderr).toMatch(/^wrong\.jsonl line 2: .*name: /m);
    expect(invalid.stderr).toMatch(/^Nothing was written down\.$/m);
    expect(await statusOf('failing')).toMatchObject({ inReview: 4, succeeded: 0 });
    const none = await batch('correct', 'failing', 'p-0');
    expect(none).toMatchObject({ exitCode: 2, stdout: '' });
    const badJson = await batch('correct', 'failing', 'p-0', '--data', '{"name":');
    expect(badJson.exitCode).toBe(2);
    expect(badJson.stderr).toMatch(/--data: expected JSON/);
  });

  it('take data one by one and from the file, and the export says that it was entered by hand', async () => {
    const one = await batch('correct', 'failing', 'p-3', '--data', JSON.stringify(data), '--by', 'Grace');
    expect(one.exitCode).toBe(0);
    expect(one.stderr).toMatch(/1 document of 'failing' corrected by hand; 3 more to review/);
    const entered = read('review.jsonl')
      .slice(0, 2)
      .map((line) => `${JSON.stringify({ ...line, data })}\n`);
    write('review.jsonl', entered.join(''));
    expect(await batch('correct', 'failing', '--from', 'review.jsonl')).toMatchObject({ exitCode: 0 });
    expect(await batch('correct', 'failing', 'p-2', '--give-up')).toMatchObject({ exitCode: 0 });
    expect(await batch('correct', 'failing', 'p-2', '--give-up')).toMatchObject({ exitCode: 2 });
    expect(await statusOf('failing')).toMatchObject({ inReview: 0, succeeded: 3, failed: 1 });
    const { stdout } = await batch('export', 'failing', '--out', '-');
    const results = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as BatchResult);
    expect(results[3]).toMatchObject({ success: true, data, correction: { by: 'Grace' } });
    expect(results[0]).toMatchObject({ success: true, correction: { by: null } });
    expect(results[2]).toMatchObject({ success: false, correction: null });
  });

  it('an extraction waits too: correct ends it', async () => {
    const options = [...FAILING, '--id', 'one', '--on-exhausted', 'review', '--json'];
    const waiting = start(['extract', 'Ada Lovelace is 36.', ...options], here);
    await expect.poll(() => waiting.stderr(), { timeout: 30_000 }).toMatch(/'one' waits for a person/);
    const refused = await run(['correct', 'one', '--data', '{}'], here);
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toMatch(/name: /);
    expect(await run(['correct', 'one', '--data', JSON.stringify(data)], here)).toMatchObject({
      exitCode: 0,
    });
    const { exitCode, stdout, stderr } = await waiting.ended;
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ success: true, data, correction: { by: null } });
    expect(stderr).toMatch(/^entered by hand$/m);
    expect(await run(['correct', 'one', '--give-up'], here)).toMatchObject({ exitCode: 2 });
  });
});

describe('batch run --max-tokens', () => {
  it('pauses where the budget is spent: 3, and says how to go on', async () => {
    const options = ['--schema', 'user', '--id', 'capped', '--concurrency', '5', '--max-tokens', '5000'];
    const { exitCode, stderr } = await batch('run', 'people.jsonl', ...options);
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(
      /^its budget of 5,000 tokens does not cover the next call; no further one is made\. Go on with:\n {2}durable-extract batch resume capped --max-tokens MORE$/m,
    );
    const status = await statusOf('capped');
    expect(status).toMatchObject({ state: 'paused', pausedFor: 'budget', budget: { maxTokens: 5_000 } });
    expect(status.succeeded).toBeGreaterThan(0);
    expect(status.pending).toBeGreaterThan(0);
    const refused = await batch('resume', 'capped');
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toMatch(/expected a budget above that, got none/);
    expect(await batch('resume', 'capped', '--max-tokens', 'many')).toMatchObject({ exitCode: 2 });
  });

  it('goes on with a higher one, and pays nothing twice', async () => {
    expect(await batch('resume', 'capped', '--max-tokens', '1000000')).toMatchObject({ exitCode: 0 });
    expect(await batch('watch', 'capped')).toMatchObject({ exitCode: 0 });
    expect(await statusOf('capped')).toMatchObject({ state: 'completed', succeeded: 60, calls: 60 });
  });
});

function batch(...args: readonly string[]): Promise<Ended> {
  return run(['batch', ...args], here);
}

async function statusOf(id: string): Promise<BatchStatus> {
  return JSON.parse((await batch('status', id, '--json')).stdout) as BatchStatus;
}

function linesOf(count: number): string {
  const people = Array.from({ length: count }, (_, index) => ({
    id: `p-${index}`,
    text: `My name is Grace Hopper, number ${index}, I am ${20 + index} years old; write to p${index}@example.org.`,
  }));
  return people.map((person) => `${JSON.stringify(person)}\n`).join('');
}

function write(name: string, content: string): void {
  writeFileSync(join(cwd, name), content);
}

function read(name: string): readonly Record<string, unknown>[] {
  return readFileSync(join(cwd, name), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
