import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Stats } from '../../src/core/stats.ts';
import type { CallRecord, CallStats } from '../../src/provider/simulated/call-log.ts';
import { readStackFile } from '../../src/stack/state-file.ts';
import { cleanUp, run, temporaryFolder, temporaryHome } from './command-line.ts';

const home = temporaryHome();
const cwd = temporaryFolder();
const here = { home, cwd };
const DOCUMENTS = 40;

beforeAll(() => {
  const documents = Array.from({ length: DOCUMENTS }, (_, number) =>
    JSON.stringify({
      id: `p-${number}`,
      text: `My name is Grace Hopper, I am ${20 + number} years old, and my address is p${number}@example.org.`,
    }),
  );
  writeFileSync(join(cwd, 'people.jsonl'), `${documents.join('\n')}\n`);
});

afterAll(cleanUp);

describe('stats', () => {
  it('says that there is nothing where nothing was extracted, and starts nothing', async () => {
    const { exitCode, stdout } = await run(['stats'], here);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'nothing was extracted\n' });
  });

  it.each([
    [['--since', 'yesterday'], /^--since: expected how long ago .*, got 'yesterday'\. Write it so, or leave/],
    [['--since', '2026-11-25T08:00'], /^--since: expected .* with its zone/],
    [['--since', '1h', '--until', '2h'], /^--until: expected a time after --since \('1h'\), got '2h'/],
    [['--schema', ''], /^--schema: expected a name/],
    [['--batch', 'none'], /none/],
  ])('refuses %j: 2', async (args, message) => {
    const { exitCode, stdout, stderr } = await run(['stats', ...args], here);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });

  it('tells of a batch with faults what the provider’s own log tells, while the stack runs and after it', async () => {
    const args = ['--schema', 'user', '--model', 'simulated/faulty@7', '--id', 'people'];
    const ended = await run(['batch', 'run', 'people.jsonl', ...args], here);
    expect([0, 3]).toContain(ended.exitCode);
    const { details } = readStackFile(home).processes['simulated-provider']!;
    const log = (await (
      await fetch(new URL('/v1/simulated/stats', String(details['url'])))
    ).json()) as CallStats;
    const stats = await read('--since', '1h', '--batch', 'people');
    expect(stats).toMatchObject({
      extractions: DOCUMENTS,
      calls: log.calls,
      promptTokens: await promptTokensOfAnswers(String(details['url'])),
      completionTokens: log.completionTokens,
    });
    const answers = stats.successByAttempt.reduce((all, it) => all + it.answers, 0);
    expect(answers).toBe(log.answered);
    expect(stats.wastedCalls).toBe(log.calls - stats.succeeded);
    const failures = stats.providerFailures.reduce((all, { count }) => all + count, 0);
    expect(failures).toBe(log.calls - log.answered);
    expect(stats.errors.length).toBeGreaterThan(0);
    await run(['down'], here);
    expect(await read('--since', '1h', '--batch', 'people')).toMatchObject({ calls: log.calls });
    const { stdout } = await run(['stats', '--model', 'simulated/faulty@7'], here);
    expect(stdout).toMatch(/^40 extractions\n {2}succeeded {9}\d+ {2}\d+\.\d %$/m);
    expect(stdout.split('\n').every((line) => line.length <= 80)).toBe(true);
  });
});

/** Of calls that failed, the provider logs what was sent, and nobody is told. */
async function promptTokensOfAnswers(url: string): Promise<number> {
  const calls = (await (await fetch(new URL('/v1/simulated/log', url))).json()) as readonly CallRecord[];
  return calls.filter(({ answered }) => answered).reduce((sum, call) => sum + call.promptTokens, 0);
}

async function read(...args: readonly string[]): Promise<Stats> {
  const { stdout } = await run(['stats', ...args, '--json'], here);
  return JSON.parse(stdout) as Stats;
}
