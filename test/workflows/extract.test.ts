import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WorkflowFailedError } from '@temporalio/client';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { DurableExtract, InvalidInputError } from '../../src/client/index.ts';
import type { ExtractOptions } from '../../src/client/index.ts';
import { resolveTemporalConnection } from '../../src/stack/connection.ts';
import { ensureStack, stopStack } from '../../src/stack/stack.ts';
import { runWorkers } from '../../src/worker/run-workers.ts';
import { startScriptedProvider } from '../support/scripted-provider.ts';
import type { Reply, Seen } from '../support/scripted-provider.ts';

const home = mkdtempSync(join(tmpdir(), 'durable-extract-workflows-'));
const env = { ...process.env, DURABLE_EXTRACT_HOME: home, TEMPORAL_ADDRESS: undefined };
const user = z.strictObject({ name: z.string(), age: z.number().int().min(0), email: z.email() });
const good = JSON.stringify({ name: 'Ada Lovelace', age: 36, email: 'ada@example.org' });
const fast = { baseDelayMs: 20, maxDelayMs: 200 };

let extractor: DurableExtract;

beforeAll(async () => {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: 'OFF', forward: {} } },
  });
  await ensureStack({ home, env, onProgress: () => {} });
  extractor = await DurableExtract.connect({ env });
});

afterAll(async () => {
  await extractor?.close();
  await stopStack({ home, onProgress: () => {} });
  rmSync(home, { recursive: true, force: true });
});

type Extract = (
  options?: Partial<ExtractOptions<typeof user>>,
) => ReturnType<typeof extractor.extract<typeof user>>;

/** Runs a worker whose provider follows a script. */
async function withProvider(
  script: readonly Reply[],
  use: (extract: Extract, seen: readonly Seen[]) => Promise<void>,
): Promise<void> {
  const server = await startScriptedProvider(script);
  const { provider, seen } = server;
  const { nativeOptions, namespace } = resolveTemporalConnection({ env, home })!;
  const workers = await runWorkers({
    connection: nativeOptions ?? {},
    namespace,
    // Failures of one test would hold up the next.
    env: { ...env, DURABLE_EXTRACT_GATE: 'off' },
    providers: [provider],
    schemas: { user },
    callTimeoutMs: 1_000,
    shutdownGraceMs: 100,
  });
  try {
    await use(
      (options = {}) =>
        extractor.extract({ text: 'Ada Lovelace, 36', schema: user, retry: fast, ...options }),
      seen,
    );
  } finally {
    await workers.stop();
    await server.stop();
  }
}

describe('rejected answers', () => {
  it('repairs dirty JSON without a second call', () =>
    withProvider(
      [
        {
          answer:
            "Here you are:\n```json\n{'name': 'Ada Lovelace', 'age': 36, 'email': 'ada@example.org',}\n```",
        },
      ],
      async (extract, seen) => {
        const outcome = await extract();
        expect(outcome).toMatchObject({ success: true, attempts: 1, data: JSON.parse(good), stopped: null });
        expect(outcome.repairs.length).toBeGreaterThan(0);
        expect(seen).toHaveLength(1);
      },
    ));

  it('names each wrong field to the model, under feedback', () =>
    withProvider(
      [{ answer: '{"name": "Ada Lovelace", "age": "old", "mail": "x"}' }, { answer: good }],
      async (extract, seen) => {
        const outcome = await extract({ strategy: 'feedback' });
        expect(outcome).toMatchObject({ success: true, attempts: 2, usage: { calls: 2, promptTokens: 200 } });
        const feedback = seen[1]!.body.messages.at(-1)!.content;
        expect(feedback).toMatch(/^- Field 'age': expected integer.*\(got: "old"\)$/m);
        expect(feedback).toMatch(/^- Field 'email': /m);
        expect(feedback).toMatch(/^- Field 'mail': .*'email'/m);
      },
    ));

  it('asks again the same way under basic, and gives an honest outcome', () =>
    withProvider([{ answer: '{"name": "Ada"}' }], async (extract, seen) => {
      const outcome = await extract({ strategy: 'basic' });
      expect(outcome).toMatchObject({ success: false, data: null, attempts: 3, stopped: 'attempts' });
      expect(outcome.errors).toHaveLength(3);
      expect(seen.map(({ body }) => body.messages)).toEqual(
        Array.from({ length: 3 }, () => seen[0]!.body.messages),
      );
    }));

  it('stops at the first one where retryOnValidationError is false', () =>
    withProvider([{ answer: '{}' }], async (extract, seen) => {
      const outcome = await extract({ retry: { ...fast, retryOnValidationError: false } });
      expect(outcome).toMatchObject({ success: false, attempts: 1, stopped: 'validation_error' });
      expect(seen).toHaveLength(1);
    }));

  it('never accepts an answer that was cut off', () =>
    withProvider([{ answer: good.slice(0, -4), finish: 'length' }, { answer: good }], async (extract) => {
      const outcome = await extract();
      expect(outcome).toMatchObject({ success: true, attempts: 2, errors: [{ type: 'truncated' }] });
    }));

  it('stops before a call that would exceed the budget', () =>
    withProvider([{ answer: '{}' }], async (extract, seen) => {
      const outcome = await extract({ budget: { maxTokens: 150 } });
      expect(outcome).toMatchObject({ success: false, stopped: 'budget', attempts: 1 });
      expect(seen).toHaveLength(1);
    }));
});

describe('provider failures', () => {
  it('waits out a rate limit for as long as it says, and reports it', () =>
    withProvider(
      [{ status: 429, headers: { 'retry-after': '1' } }, { answer: good }],
      async (extract, seen) => {
        const outcome = await extract();
        expect(outcome).toMatchObject({ success: true, attempts: 1, usage: { calls: 2 } });
        expect(outcome.errors).toMatchObject([{ attempt: 1, type: 'rate_limit', status: 429 }]);
        expect(seen[1]!.at - seen[0]!.at).toBeGreaterThanOrEqual(990);
      },
    ));

  it('makes exactly 1 + maxProviderRetries calls to a provider that always fails', () =>
    withProvider([{ status: 500 }], async (extract, seen) => {
      const outcome = await extract({ retry: { ...fast, maxProviderRetries: 4 } });
      expect(outcome).toMatchObject({
        success: false,
        attempts: 0,
        stopped: 'server_error',
        usage: { calls: 5 },
      });
      expect(seen).toHaveLength(5);
      const delays = outcome.errors.map((error) => ('delayMs' in error ? error.delayMs : undefined));
      expect(delays).toHaveLength(5);
      expect(delays.at(-1)).toBeNull();
    }));

  it('tries a broken connection and a hang again', () =>
    withProvider([{ reset: true }, { hang: true }, { answer: good }], async (extract) => {
      const outcome = await extract();
      expect(outcome).toMatchObject({ success: true, attempts: 1 });
      expect(outcome.errors.map(({ type }) => type)).toEqual(['connection_error', 'timeout']);
    }));

  it.each([
    [{ status: 400 }, 'client_error'],
    [{ status: 401 }, 'client_error'],
    [{ status: 429, code: 'insufficient_quota' }, 'quota_exhausted'],
  ] as const)('does not retry %j', (reply, stopped) =>
    withProvider([reply], async (extract, seen) => {
      const outcome = await extract();
      expect(outcome).toMatchObject({ success: false, stopped, usage: { calls: 1 } });
      expect(JSON.stringify(outcome)).not.toContain('sk-secret');
      expect(seen).toHaveLength(1);
    }),
  );
});

describe('an extraction', () => {
  it('cancels within a second in the middle of a call, and aborts the call', () =>
    withProvider([{ hang: true }], async (_, seen) => {
      const handle = await extractor.startExtract({
        text: 'x',
        schema: 'user',
        retry: { maxProviderRetries: 50 },
      });
      await expect.poll(() => seen.length, { timeout: 5_000 }).toBe(1);
      const at = Date.now();
      await handle.cancel();
      await expect(handle.result()).rejects.toBeInstanceOf(WorkflowFailedError);
      expect(Date.now() - at).toBeLessThan(1_000);
      await expect.poll(() => seen[0]!.abortedAt, { timeout: 2_000 }).toBeDefined();
    }));

  it('is started once for one id, and refuses other input under it', () =>
    withProvider([{ answer: good }], async (extract, seen) => {
      const first = await extract({ id: 'one' });
      expect(await extract({ id: 'one' })).toEqual(first);
      await expect(extract({ id: 'one', text: 'other' })).rejects.toBeInstanceOf(InvalidInputError);
      expect(seen).toHaveLength(1);
    }));

  it('refuses a wrong schema and wrong settings before any call', () =>
    withProvider([{ answer: good }], async (extract, seen) => {
      const wrong = { name: 'wrong', jsonSchema: { type: 'nonsense' } };
      await expect(extractor.extract({ text: 'x', schema: wrong })).rejects.toBeInstanceOf(InvalidInputError);
      await expect(extractor.extract({ text: 'x', schema: 'nobody' })).rejects.toThrow(
        /expected one of user/,
      );
      await expect(extract({ retry: { maxAttempts: 0 } })).rejects.toThrow(/retry\.maxAttempts/);
      expect(seen).toHaveLength(0);
    }));

  it('shows its turns and errors while it runs', () =>
    withProvider([{ answer: '{"name": 1}' }, { hang: true }], async (_, seen) => {
      const handle = await extractor.startExtract({ text: 'x', schema: user, retry: fast });
      await expect.poll(() => seen.length, { timeout: 5_000 }).toBe(2);
      const state = await handle.conversation();
      expect(state).toMatchObject({
        status: 'asking',
        attempt: 2,
        turns: [{ attempt: 1, answer: '{"name": 1}' }],
      });
      await handle.cancel();
      await expect(handle.result()).rejects.toBeInstanceOf(WorkflowFailedError);
    }));
});

describe('a completion', () => {
  it('gives text, over the same provider retries', () =>
    withProvider([{ status: 503 }, { answer: 'Hello.' }], async () => {
      const completion = await extractor.complete([{ role: 'user', content: 'Say hello' }], { retry: fast });
      expect(completion).toMatchObject({ success: true, text: 'Hello.', usage: { calls: 2 } });
    }));
});
