import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { BatchResult } from '../../src/core/batch-contract.ts';
import type { CallRecord } from '../../src/provider/simulated.ts';
import { openStore } from '../../src/store/open-store.ts';
import { until } from '../stack/temp-home.ts';
import { cleanUp, pidsOf, run, start, temporaryFolder } from '../cli/command-line.ts';

/** The whole form takes 1000 documents and 12 kills: set both to try it. */
const DOCUMENTS = Number(process.env['CRASH_DOCUMENTS'] ?? 150);
const KILLS = Number(process.env['CRASH_KILLS'] ?? 5);
const CONCURRENCY = 10;
/** Documents are sent ahead where calls are long, and asked about in series where they are short and none fails (`clean`). */
const LATENCY_MS = process.env['CRASH_LATENCY_MS'] ?? '300-1200';
const MODEL = process.env['CRASH_MODEL'] ?? 'faulty';
const PROVIDER = fileURLToPath(new URL('../../src/provider/simulated/main.ts', import.meta.url));
/** Between an answer and its row in the store: longer only on a machine that stands still. */
const WRITING_MS = 2_000;

const children: ChildProcess[] = [];
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await cleanUp();
});

/** A provider that fails and makes mistakes, in a process that nobody kills. */
async function startProvider(logFile: string): Promise<string> {
  const args = [PROVIDER, '--log-file', logFile, '--latency-ms', LATENCY_MS, '--seed', '11'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return (JSON.parse(line) as { readonly url: string }).url;
}

async function inFlight(url: string): Promise<number> {
  const response = await fetch(new URL('/v1/simulated/stats', url));
  return ((await response.json()) as { readonly inFlight: number }).inFlight;
}

function writeDocuments(file: string): void {
  const lines = Array.from({ length: DOCUMENTS }, (_, number) =>
    JSON.stringify({
      id: `doc-${number}`,
      text: `Order ${number}: Grace Hopper${number} is ${20 + (number % 60)} years old. Write to g${number}@example.org.`,
    }),
  );
  writeFileSync(file, `${lines.join('\n')}\n`);
}

/** `kill -9`; it may have ended by itself. */
function kill(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already, which is as good.
  }
}

/** The same document and attempt, whichever try it was. */
const questionOf = (requestId: string): string => requestId.slice(0, requestId.lastIndexOf('/'));

describe('a batch during which worker, server and command are killed at random moments', () => {
  it('has one outcome for each document, and asks for no recorded answer again', async () => {
    const folder = temporaryFolder();
    const home = join(folder, 'home');
    const logFile = join(folder, 'calls.jsonl');
    const input = join(folder, 'docs.jsonl');
    writeDocuments(input);
    const url = await startProvider(logFile);
    const place = { home, cwd: folder, env: { OPENAI_API_KEY: 'sk-test', OPENAI_BASE_URL: url } };
    const command = [
      'batch',
      'run',
      input,
      '--schema',
      'user',
      '--id',
      'crash',
      '--model',
      `openai/${MODEL}`,
    ];
    const runIt = () => start([...command, '--concurrency', String(CONCURRENCY)], place);

    let running = runIt();
    /** Where what the command was starting was killed, it says so and ends, and is started again as a person would. */
    const runAgainWhereItFailed = async (): Promise<void> => {
      if (!running.hasEnded()) return;
      const { exitCode, stderr } = await running.ended;
      expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringContaining('did not start') });
      running = runIt();
    };
    let mayRepeat = 0;
    for (let kills = 0; kills < KILLS; kills += 1) {
      // At a random moment: mostly while calls are under way, at times while all is being started.
      if (kills % 5 !== 4) {
        await until(async () => {
          await runAgainWhereItFailed();
          return (await inFlight(url)) > 0;
        }, 60_000);
      }
      await sleep(Math.random() * 2_000);
      await runAgainWhereItFailed();
      const victim = ['worker', 'server', 'command', 'everything'][kills % 4];
      mayRepeat += await inFlight(url);
      const pids = pidsOf(home);
      if (victim === 'worker' || victim === 'everything') kill(pids['worker']);
      if (victim === 'server' || victim === 'everything') kill(pids['server']);
      if (victim === 'command' || victim === 'everything') {
        running.kill('SIGKILL');
        await running.ended;
        running = runIt();
      }
    }
    let ended = await running.ended;
    while (ended.exitCode === 1) {
      await runAgainWhereItFailed();
      ended = await running.ended;
    }
    expect(ended).toMatchObject({ exitCode: expect.toBeOneOf([0, 3]) as unknown });

    const out = join(folder, 'out.jsonl');
    await run(['batch', 'export', 'crash', '--out', out], place);
    const results = readFileSync(out, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as BatchResult);
    expect(results.map(({ id }) => id)).toEqual(
      Array.from({ length: DOCUMENTS }, (_, number) => `doc-${number}`),
    );
    expect(results.filter(({ stopped }) => stopped === 'pending')).toEqual([]);
    for (const { data, success, id } of results) {
      if (success) expect(data).toMatchObject({ email: `g${id.slice(4)}@example.org` });
    }
    // What gave up did so by its own fault: three wrong answers, refusals, a content filter.
    expect(results.filter(({ success }) => success).length).toBeGreaterThan(DOCUMENTS * 0.9);

    const calls = readFileSync(logFile, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as CallRecord);
    await noRecordedAnswerWasAskedForAgain(home, calls, results);
    const answered = calls
      .filter((call) => call.answered)
      .map(({ requestId }) => questionOf(requestId ?? ''));
    const repeated = answered.length - new Set(answered).size;
    process.stderr.write(
      `${DOCUMENTS} documents, ${KILLS} kills: ${calls.length} calls, ${answered.length} answered, ${repeated} answers paid for again; ${mayRepeat} calls were in flight at the kills\n`,
    );
    expect(repeated).toBeLessThanOrEqual(mayRepeat);
  }, 600_000);
});

async function noRecordedAnswerWasAskedForAgain(
  home: string,
  calls: readonly CallRecord[],
  results: readonly BatchResult[],
): Promise<void> {
  const store = await openStore({ env: {}, home });
  try {
    let recorded = 0;
    const byQuestion = Map.groupBy(calls, ({ requestId }) => questionOf(requestId ?? ''));
    for (const { id } of results) {
      const attempts = await store.attempts.before({
        batchId: 'crash',
        documentId: id,
        round: 1,
        attempt: 100,
      });
      for (const { requestId, askedAt, latencyMs } of attempts) {
        recorded += 1;
        const recordedBy = askedAt + latencyMs + WRITING_MS;
        const again = (byQuestion.get(questionOf(requestId)) ?? []).filter(
          (call) => Date.parse(call.time) > recordedBy,
        );
        expect(again).toEqual([]);
      }
    }
    expect(recorded).toBeGreaterThanOrEqual(DOCUMENTS * 0.99);
  } finally {
    await store.close();
  }
}
