/**
 * The README's first command: a mix of the example documents through the embedded stack, with faults switched on.
 * Shows what the model got wrong, what it was told, and what was waited out.
 */
import { readFileSync } from 'node:fs';
import { styleText } from 'node:util';
import { DurableExtract } from '../src/client/index.ts';
import type { ExtractHandle, Outcome } from '../src/client/index.ts';
import { ensureRunning } from '../src/cli/running-stack.ts';
import { stackHome } from '../src/stack/home.ts';

/** Makes about two first answers in five wrong, and one call in eight fail. */
const FAULTY_MODEL = 'simulated/faulty';
const KINDS = ['user', 'review', 'order', 'person'] as const;
const DOCUMENTS_OF_A_KIND = 5;
const CONCURRENCY = 5;

interface Sample {
  readonly kind: (typeof KINDS)[number];
  readonly id: string;
  readonly text: string;
}

/** The kinds in turn, so that the screen shows a mix. */
function readSamples(): readonly Sample[] {
  const byKind = KINDS.map((kind) => {
    const file = new URL(`documents/${kind}.jsonl`, import.meta.url);
    const lines = readFileSync(file, 'utf8').trim().split('\n').slice(0, DOCUMENTS_OF_A_KIND);
    return lines.map((line) => ({ kind, ...(JSON.parse(line) as { id: string; text: string }) }));
  });
  return Array.from({ length: DOCUMENTS_OF_A_KIND }, (_, row) => byKind.map((kind) => kind[row]))
    .flat()
    .filter((sample) => sample !== undefined);
}

async function extractSample(extractor: DurableExtract, run: string, sample: Sample): Promise<Outcome> {
  const handle = await extractor.startExtract({
    id: `demo-${run}-${sample.id}`,
    text: sample.text,
    schema: sample.kind,
    model: FAULTY_MODEL,
    retry: { baseDelayMs: 250 },
  });
  const outcome = await handle.result();
  process.stdout.write(`${(await story(sample, handle, outcome)).join('\n')}\n\n`);
  return outcome;
}

/** What happened to one document, in the order in which it happened. */
async function story(
  sample: Sample,
  handle: ExtractHandle<unknown>,
  outcome: Outcome,
): Promise<readonly string[]> {
  const turns = (await handle.conversation())?.turns ?? [];
  const events = outcome.errors.flatMap((error) => {
    if ('delayMs' in error) {
      const waited = error.delayMs === null ? 'gave up' : `waited ${(error.delayMs / 1000).toFixed(1)} s`;
      return [styleText('yellow', `   ${error.type}: ${error.message}; ${waited}`)];
    }
    const feedback = turns.find(({ attempt }) => attempt === error.attempt)?.feedback ?? error.message;
    const told = feedback.split('\n').filter((line) => line.startsWith('- ') || error.details.length === 0);
    return [
      styleText('red', `   attempt ${error.attempt}: ${error.type}`),
      ...told.slice(0, 6).map((line) => styleText('dim', `     told: ${line}`)),
    ];
  });
  const repairs = outcome.repairs.map(({ path, message }) =>
    styleText('cyan', `   repaired without a call: ${path ? `${path}: ` : ''}${message}`),
  );
  const attempts = `${outcome.attempts} ${outcome.attempts === 1 ? 'attempt' : 'attempts'}`;
  const headline = outcome.success
    ? styleText('green', `✓ ${sample.id}  ${attempts}`)
    : styleText('red', `✗ ${sample.id}  ${attempts}, gave up: ${outcome.stopped}`);
  const data = outcome.success ? [`   ${shorten(JSON.stringify(outcome.data), 160)}`] : [];
  return [headline, ...events, ...repairs, ...data];
}

function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

function summary(outcomes: readonly Outcome[], elapsedMs: number): string {
  const extracted = outcomes.filter(({ success }) => success);
  const firstTry = extracted.filter(({ attempts }) => attempts === 1).length;
  const attempts = outcomes.reduce((sum, outcome) => sum + outcome.attempts, 0);
  const calls = outcomes.reduce((sum, { usage }) => sum + usage.calls, 0);
  const tokens = outcomes.reduce((sum, { usage }) => sum + usage.promptTokens + usage.completionTokens, 0);
  const waitedOut = outcomes.flatMap(({ errors }) => errors).filter((error) => 'delayMs' in error).length;
  return [
    `${extracted.length} of ${outcomes.length} documents extracted in ${(elapsedMs / 1000).toFixed(1)} s`,
    `  at the first attempt     ${firstTry}`,
    `  after feedback           ${extracted.length - firstTry}`,
    `  attempts on average      ${(attempts / outcomes.length).toFixed(2)}`,
    `  provider failures met    ${waitedOut}`,
    `  calls, tokens            ${calls}, ${tokens}`,
  ].join('\n');
}

/** At most {@link CONCURRENCY} at once. */
async function extractAll(
  extractor: DurableExtract,
  samples: readonly Sample[],
): Promise<readonly Outcome[]> {
  const run = Date.now().toString(36);
  const waiting = [...samples];
  const outcomes: Outcome[] = [];
  const lane = async (): Promise<void> => {
    for (let sample = waiting.shift(); sample !== undefined; sample = waiting.shift()) {
      outcomes.push(await extractSample(extractor, run, sample));
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
  return outcomes;
}

const stack = await ensureRunning({
  home: stackHome({ env: process.env }),
  env: process.env,
  onProgress: ({ message }) => process.stderr.write(`${message}\n`),
});
const extractor = await DurableExtract.connect();
process.stdout.write('\nSIMULATED: no model is asked. Faults are switched on.\n\n');
const startedAt = performance.now();
const outcomes = await extractAll(extractor, readSamples());
await extractor.close();
process.stdout.write(`${summary(outcomes, performance.now() - startedAt)}\n\n`);
if (!stack.external) {
  process.stdout.write(
    `Every conversation is in the Temporal Web UI: ${stack.uiUrl}\nEnd the server and the worker with: npx durable-extract down\n`,
  );
}
