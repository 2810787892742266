/**
 * Records the histories that test/replay replays: `node scripts/record-histories.ts`. Those that are there already stay as
 * they are; delete one to record it anew.
 *
 * Histories are evidence of what runs in somebody's server when this package is upgraded. When the replay test fails
 * after a change to workflows/, running extractions would fail as well: make the change replay (`patched`), and record
 * anew only what no release has ever written.
 *
 * Starts a Temporal server in a temporary home, a worker in this process, and a provider that follows a script; ends
 * all of it.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ExtractInput } from '../src/core/contract.ts';
import { historyToText } from '../test/support/recorded-history.ts';
import type { Reply } from '../test/support/scripted-provider.ts';
import { quietRuntime, withScriptedWorker } from '../test/support/scripted-worker.ts';
import { endTestStacks, startTestStack, temporalCli } from '../test/support/test-stack.ts';

const FOLDER = fileURLToPath(new URL('../test/replay/histories/', import.meta.url));

const jsonSchema = {
  type: 'object',
  properties: { name: { type: 'string' }, age: { type: 'integer', minimum: 0 } },
  required: ['name', 'age'],
  additionalProperties: false,
};
const good: Reply = { answer: '{"name": "Ada Lovelace", "age": 36}' };
const wrong: Reply = { answer: '{"name": "Ada Lovelace", "age": "old", "mail": "x"}' };
const broken: Reply = { answer: 'I could not find anything.' };
const retry = { baseDelayMs: 20, maxDelayMs: 100 };

interface Scenario {
  readonly name: string;
  readonly script: readonly Reply[];
  readonly settings?: Omit<ExtractInput, 'document' | 'schema'>;
}

const SCENARIOS: readonly Scenario[] = [
  { name: 'accepted-at-once', script: [good] },
  { name: 'accepted-after-feedback', script: [wrong, broken, good] },
  { name: 'gave-up-futile', script: [wrong], settings: { retry: { ...retry, maxAttempts: 5 } } },
  { name: 'gave-up-basic', script: [wrong], settings: { strategy: 'basic' } },
  { name: 'accepted-after-truncation', script: [{ answer: '{"name": "A', finish: 'length' }, good] },
  { name: 'accepted-after-refusal', script: [{ answer: '', refusal: 'I cannot help with that.' }, good] },
  {
    name: 'accepted-after-provider-failures',
    script: [{ status: 500 }, { status: 429, headers: { 'retry-after-ms': '50' } }, { reset: true }, good],
  },
  {
    name: 'gave-up-on-provider',
    script: [wrong, { status: 500 }],
    settings: { retry: { ...retry, maxProviderRetries: 2 } },
  },
  { name: 'found-by-search', script: [wrong, { status: 500 }, good] },
  { name: 'gave-up-over-budget', script: [wrong], settings: { budget: { maxTokens: 150 } } },
];

try {
  quietRuntime();
  await temporalCli();
  mkdirSync(FOLDER, { recursive: true });
  const stack = await startTestStack('record');
  const { extractor } = stack;
  for (const { name, script, settings } of SCENARIOS) {
    await withScriptedWorker(stack, { script }, async () => {
      const schema = { name: 'user', jsonSchema };
      const handle = await extractor.startExtract({ id: name, text: 'Ada, 36', schema, retry, ...settings });
      await handle.result();
      await record(name, handle.workflowId);
    });
  }
  await withScriptedWorker(stack, { script: [{ status: 503 }, { answer: 'Hello.' }] }, async () => {
    await extractor.complete([{ role: 'user', content: 'Say hello' }], { id: 'completion', retry });
    await record('completion', 'complete/completion');
  });

  // One document after the other, so that the script's answers are theirs in order.
  await withScriptedWorker(stack, { script: [wrong, good, { status: 500 }, good, good] }, async () => {
    const documents = ['a', 'b', 'c'].map((id) => ({ id, text: `Ada, 36, ${id}` }));
    const schema = { name: 'user', jsonSchema };
    const batch = await extractor.batch(documents, { id: 'three', schema, concurrency: 1, retry });
    await batch.done();
    await record('batch', 'batch/three');
    await record('shard', 'batch/three/1');
  });

  // The same, with search attributes.
  await withScriptedWorker(stack, { script: [wrong, good, { status: 500 }, good] }, async () => {
    const documents = ['a', 'b'].map((id) => ({ id, text: `Ada, 36, ${id}` }));
    const schema = { name: 'user', jsonSchema };
    const batch = await extractor.batch(documents, { id: 'found', schema, concurrency: 1, retry });
    await batch.done();
    await record('batch-found-by-search', 'batch/found');
    await record('shard-found-by-search', 'batch/found/1');
  });

  // Short calls, soon in series: one of them fails, and one is wrong.
  const short = Array.from({ length: 40 }, (_, index) =>
    index === 20 ? { status: 500 } : index === 30 ? wrong : good,
  );
  await withScriptedWorker(stack, { script: short }, async () => {
    const documents = Array.from({ length: 40 }, (_, index) => ({
      id: `d${index}`,
      text: `Ada, 36, ${index}`,
    }));
    const schema = { name: 'user', jsonSchema };
    const batch = await extractor.batch(documents, { id: 'short', schema, concurrency: 1, retry });
    await batch.done();
    await record('batch-in-series', 'batch/short');
    await record('shard-in-series', 'batch/short/1');
  });

  // Longer ones: documents are sent ahead.
  const slow: Reply = {
    ...good,
    get after() {
      return sleep(350);
    },
  };
  await withScriptedWorker(stack, { script: [slow] }, async () => {
    const documents = Array.from({ length: 10 }, (_, index) => ({
      id: `d${index}`,
      text: `Ada, 36, ${index}`,
    }));
    const schema = { name: 'user', jsonSchema };
    const batch = await extractor.batch(documents, { id: 'long', schema, concurrency: 2, retry });
    await batch.done();
    await record('batch-sent-ahead', 'batch/long');
    await record('shard-sent-ahead', 'batch/long/1');
  });

  // Its provider fails once, in a row too short to open the circuit, and is then tripped and reset by hand.
  await withScriptedWorker(stack, { script: [{ status: 500 }, good], gates: 'on' }, async () => {
    const schema = { name: 'user', jsonSchema };
    await extractor.extract({ id: 'gated', text: 'Ada, 36', schema, retry, onOutage: 'fail' });
    await record('gated', 'extract/gated');
    const gate = await extractor.gate('scripted');
    await gate.trip({ reason: 'recorded' });
    await gate.reset({ reason: 'recorded too' });
    await record('gate', 'gate/scripted');
  });

  /** Writes a history down, but for what says on whose machine it was. */
  async function record(name: string, workflowId: string): Promise<void> {
    const file = join(FOLDER, `${name}.json`);
    if (existsSync(file)) return;
    const history = await extractor.client.workflow.getHandle(workflowId).fetchHistory();
    const json = historyToText(history)
      .replaceAll(/"identity": "[^"]*"/g, '"identity": "recorder"')
      .replaceAll(/"\d+@[^"]*"/g, '"recorder"')
      .replaceAll(/"stackTrace": "[^"]*"/g, '"stackTrace": ""');
    writeFileSync(file, json);
    process.stderr.write(`${name}: ${history.events?.length ?? 0} events\n`);
  }
} finally {
  await endTestStacks();
}
