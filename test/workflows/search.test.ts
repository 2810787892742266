import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { APIError } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SEARCH_ATTRIBUTES, registerCommand } from '../../src/core/search-attributes.ts';
import type { ModelReply, ModelRequest, Provider } from '../../src/provider/provider.ts';
import { readStackFile, writeStackFile } from '../../src/stack/state-file.ts';
import { until } from '../stack/temp-home.ts';
import { quietRuntime } from '../support/scripted-worker.ts';
import { endTestStacks, startServer, startTestStack, temporalCli } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';
import { withWorker } from '../support/test-worker.ts';

const DOCS = readFileSync(fileURLToPath(new URL('../../docs/web-ui.md', import.meta.url)), 'utf8');
const NAMES = Object.values(SEARCH_ATTRIBUTES).map(({ name }) => name);
const namespace = 'default';

const jsonSchema = {
  type: 'object',
  properties: { name: { type: 'string' }, age: { type: 'integer' } },
  required: ['name', 'age'],
  additionalProperties: false,
};
const order = { name: 'order', jsonSchema };
const GOOD = '{"name": "Ada", "age": 36}';
const retry = { baseDelayMs: 20, maxProviderRetries: 0 };

/** A document's text is what becomes of its calls, one word each; the last for ever. */
function provider(): Provider {
  const calls = new Map<string, number>();
  const call = async ({ messages }: ModelRequest, signal: AbortSignal): Promise<ModelReply> => {
    const [, text = ''] =
      messages
        .map(({ content }) => /<document>\n([^]*)\n<\/document>/.exec(content))
        .find((match) => match !== null) ?? [];
    const words = text.split(' ').slice(1);
    const number = (calls.get(text) ?? 0) + 1;
    calls.set(text, number);
    const usage = { promptTokens: 100, completionTokens: 10 };
    switch (words[Math.min(number, words.length) - 1]) {
      case 'good':
        return { text: GOOD, finish: 'stop', usage };
      case 'cut':
        return { text: GOOD.slice(0, 9), finish: 'length', usage };
      case 'broken':
        throw APIError.generate(500, {}, 'broken', new Headers());
      case 'hangs':
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        });
      default:
        return { text: `{"name": "Ada", "age": "unknown ${number}"}`, finish: 'stop', usage };
    }
  };
  return { name: 'openai', simulated: true, defaultModel: 'gpt-4o-mini', call };
}

let stack: TestStack;

beforeAll(async () => {
  quietRuntime();
  await temporalCli();
  stack = await startTestStack('search');
}, 900_000);

afterAll(endTestStacks);

async function found(query: string): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const { workflowId } of stack.extractor.client.workflow.list({ query })) ids.push(workflowId);
  return ids.toSorted();
}

/** The documented queries, in order. Their only time is yesterday's. */
function documentedQueries(): readonly string[] {
  const yesterday = new Date(Date.now() - 86_400_000).toISOString();
  return [...DOCS.matchAll(/```sql\n([^]*?)```/g)].map(([, query = '']) =>
    query.trim().replaceAll(/\d{4}-\d\d-\d\dT[\d:]+Z/g, yesterday),
  );
}

async function start(
  id: string,
  words: string,
  settings: object = {},
): Promise<{ result(): Promise<unknown> }> {
  return stack.extractor.startExtract({ id, text: `${id} ${words}`, schema: order, retry, ...settings });
}

describe('search attributes', () => {
  it('answer the questions of docs/web-ui.md', async () => {
    const worker = { provider: provider(), callTimeoutMs: 60_000 };
    await withWorker(stack, worker, async () => {
      const ended = await Promise.all([
        start('at-once', 'good'),
        start('third-time', 'wrong wrong good'),
        start('never', 'wrong', { strategy: 'feedback' }),
        start('cut-off', 'cut good', { model: 'openai/gpt-4o', schema: { name: 'user', jsonSchema } }),
        start('broken', 'broken'),
      ]);
      const hanging = await Promise.all([start('retrying', 'wrong hangs'), start('first-call', 'hangs')]);
      const monday = await stack.extractor.batch(
        [
          { id: 'a', text: 'a good' },
          { id: 'b', text: 'b wrong' },
        ],
        { id: 'monday', schema: order, retry, strategy: 'feedback' },
      );
      const held = await stack.extractor.batch([{ id: 'c', text: 'c hangs' }], { id: 'held', schema: order });
      await held.pause();
      await start('for-a-person', 'wrong', {
        strategy: 'feedback',
        onExhausted: 'review',
        retry: { ...retry, maxAttempts: 1 },
      });
      await Promise.all([...ended.map((handle) => handle.result()), monday.done()]);

      const expected = [
        ['extract/never', 'extract/third-time'],
        ['extract/broken', 'extract/for-a-person', 'extract/never'],
        ['extract/for-a-person', 'extract/never'],
        ['extract/for-a-person', 'extract/retrying'],
        ['extract/cut-off'],
        ['extract/broken'],
        ['extract/never', 'extract/third-time'],
        ['batch/monday', 'batch/monday/1'],
        ['batch/monday'],
        ['batch/held'],
        ['extract/for-a-person'],
      ];
      const queries = documentedQueries();
      expect(queries).toHaveLength(expected.length);
      for (const [index, query] of queries.entries()) {
        // Visibility is eventually consistent.
        await until(async () => (await found(query)).length >= expected[index]!.length);
        expect({ query, ids: await found(query) }).toEqual({ query, ids: expected[index] });
      }
      expect(hanging).toHaveLength(2);
      // Corrected, it waits no more.
      const waiting = stack.extractor.client.workflow.getHandle('extract/for-a-person');
      await waiting.executeUpdate('correct', { args: [{ data: JSON.parse(GOOD) as unknown }] });
      await until(async () =>
        (await found("DurableExtractOutcome = 'success'")).includes('extract/for-a-person'),
      );
      await Promise.all(
        ['extract/retrying', 'extract/first-call', 'batch/held', 'batch/held/1'].map((id) =>
          stack.extractor.client.workflow.getHandle(id).terminate(),
        ),
      );
    });
  });

  it('cost an extraction that is accepted at once two events', async () => {
    await withWorker(stack, { provider: provider() }, async () => {
      await (await start('counted', 'good')).result();
    });
    const { events } = await stack.extractor.client.workflow.getHandle('extract/counted').fetchHistory();
    const upserts = (events ?? []).filter((event) => event.upsertWorkflowSearchAttributesEventAttributes);
    expect(upserts).toHaveLength(2);
  });

  it('are left alone where the server does not have them, and given to a database of an earlier version', async () => {
    const { operatorService } = stack.extractor.client.connection as unknown as {
      readonly operatorService: {
        removeSearchAttributes(request: object): Promise<unknown>;
        listSearchAttributes(
          request: object,
        ): Promise<{ readonly customAttributes?: Record<string, unknown> }>;
      };
    };
    const registered = async () =>
      Object.keys((await operatorService.listSearchAttributes({ namespace })).customAttributes ?? {}).filter(
        (name) => NAMES.includes(name as never),
      );
    await operatorService.removeSearchAttributes({ namespace, searchAttributes: NAMES });
    await until(async () => (await registered()).length === 0);
    await withWorker(stack, { provider: provider() }, async () => {
      const outcome = await (await start('unsearchable', 'wrong good')).result();
      expect(outcome).toMatchObject({ success: true, attempts: 2 });
      const batch = await stack.extractor.batch([{ id: 'a', text: 'a good' }], {
        id: 'unsearchable',
        schema: order,
      });
      expect(await batch.done()).toMatchObject({ state: 'completed', succeeded: 1 });
    });

    const { database, ...state } = readStackFile(stack.home);
    const { searchAttributes: _known, ...earlier } = database!;
    writeStackFile(stack.home, { ...state, database: earlier });
    await startServer(stack);
    await until(async () => (await registered()).length === NAMES.length);
    await withWorker(stack, { provider: provider() }, async () => {
      await (await start('searchable-again', 'good')).result();
      await until(async () => (await found("DurableExtractOutcome = 'success'")).length > 0);
      expect(await found("DurableExtractOutcome = 'success'")).toContain('extract/searchable-again');
    });
  });

  it('are registered by the documented command', () => {
    const [, documented = ''] = /```sh\n(temporal operator[^]*?)```/.exec(DOCS) ?? [];
    const oneLine = documented.replaceAll(/\\\n\s*/g, '').trim();
    expect(oneLine).toBe(registerCommand(namespace, Object.values(SEARCH_ATTRIBUTES)));
    const compose = readFileSync(fileURLToPath(new URL('../../docker-compose.yml', import.meta.url)), 'utf8');
    expect(compose.replaceAll(/\\\n\s*/g, '')).toContain(oneLine);
  });
});
