import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExtractInput, Outcome } from '../../src/core/contract.ts';
import { quietRuntime, withScriptedWorker } from '../support/scripted-worker.ts';
import { endTestStacks, startTestStack, temporalCli } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';

const input = {
  document: { id: 'cli-1', text: 'Ada Lovelace, 36' },
  schema: {
    name: 'user',
    jsonSchema: {
      type: 'object',
      properties: { name: { type: 'string' }, age: { type: 'integer', minimum: 0 } },
      required: ['name', 'age'],
      additionalProperties: false,
    },
  },
} satisfies ExtractInput;
const good = { name: 'Ada Lovelace', age: 36 };

let cli: string;
let stack: TestStack;

beforeAll(async () => {
  quietRuntime();
  cli = await temporalCli();
  stack = await startTestStack('any-client');
}, 900_000);

afterAll(endTestStacks);

/** Runs `temporal workflow …`, the client that is nobody's own. */
async function temporal(
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const all = ['workflow', ...args, '--address', stack.address, '--output', 'json'];
  const settings = ['--disable-config-file', '--disable-config-env'];
  try {
    const { stdout, stderr } = await promisify(execFile)(cli, [...all, ...settings], { env: stack.env });
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    const failed = error as { readonly code: number; readonly stdout: string; readonly stderr: string };
    return { code: failed.code, out: failed.stdout, err: failed.stderr };
  }
}

function start(workflowId: string, payload: unknown): ReturnType<typeof temporal> {
  const what = ['--type', 'extract', '--task-queue', 'durable-extract', '--workflow-id', workflowId];
  return temporal('start', ...what, '--input', JSON.stringify(payload));
}

describe("the temporal CLI, which knows nothing of this package's code", () => {
  it('starts an extraction by its inline JSON Schema and gets its outcome', () =>
    withScriptedWorker(
      stack,
      { script: [{ answer: '{"name": "Ada Lovelace"}' }, { answer: JSON.stringify(good) }] },
      async (seen) => {
        expect(await start('extract/cli-1', input)).toMatchObject({ code: 0 });

        const { code, out } = await temporal('result', '--workflow-id', 'extract/cli-1');
        expect(code).toBe(0);
        const { status, result } = JSON.parse(out) as { readonly status: string; readonly result: Outcome };
        expect(status).toBe('COMPLETED');
        expect(result).toMatchObject({
          success: true,
          data: good,
          attempts: 2,
          errors: [{ attempt: 1, type: 'validation_error', details: [{ path: 'age', kind: 'missing' }] }],
          usage: { calls: 2, promptTokens: 200, completionTokens: 20 },
          stopped: null,
        });
        expect(seen).toHaveLength(2);

        const query = await temporal('query', '--workflow-id', 'extract/cli-1', '--type', 'conversation');
        expect(JSON.parse(query.out)).toMatchObject({ queryResult: [{ status: 'done', attempt: 2 }] });
      },
    ));

  it.each([
    ['no document', { schema: input.schema }, /document: .*expected object/],
    ['a setting that does not exist', { ...input, stategy: 'basic' }, /Unrecognized key: "stategy"/],
    ['a strategy that does not exist', { ...input, strategy: 'hope' }, /strategy: .*"basic"\|"feedback"/],
    ['no attempts', { ...input, retry: { maxAttempts: 0 } }, /retry\.maxAttempts: .*>=1/],
    ['an unknown schema', { ...input, schema: { name: 'order' } }, /schema\.name: .*got 'order'/],
    [
      'a schema that is wrong',
      { ...input, schema: { name: 'user', jsonSchema: { type: 'nonsense' } } },
      /schema 'user' is not valid JSON Schema 2020-12: .*type/,
    ],
    ['text instead of an object', 'Ada Lovelace, 36', /\(input\): .*expected object/],
  ])('is told what was wrong with its input: %s', (what, payload, message) =>
    withScriptedWorker(stack, { script: [{ answer: JSON.stringify(good) }] }, async (seen) => {
      const workflowId = `extract/wrong ${what}`;
      await start(workflowId, payload);
      const { code, out } = await temporal('result', '--workflow-id', workflowId);
      expect(code).toBe(1);
      const { status, closeEvent } = JSON.parse(out) as FailedResult;
      expect(status).toBe('FAILED');
      const { failure } = closeEvent.workflowExecutionFailedEventAttributes;
      expect(failure.applicationFailureInfo).toMatchObject({ type: 'invalid_input', nonRetryable: true });
      expect(failure.message).toMatch(message);
      expect(seen).toHaveLength(0);
    }),
  );
});

interface FailedResult {
  readonly status: string;
  readonly closeEvent: {
    readonly workflowExecutionFailedEventAttributes: {
      readonly failure: { readonly message: string; readonly applicationFailureInfo: unknown };
    };
  };
}
