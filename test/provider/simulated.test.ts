import { readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { classifyFailure } from '../../activities/failures.ts';
import { composeMessages } from '../../activities/compose-messages.ts';
import { compileSchema } from '../../src/core/compile-schema.ts';
import type { ResolvedMode, Turn, Verdict } from '../../src/core/contract.ts';
import { feedbackMessage } from '../../src/core/feedback.ts';
import { judge } from '../../src/core/judge.ts';
import { openAiProvider } from '../../src/provider/openai.ts';
import type { ModelReply, Provider } from '../../src/provider/provider.ts';
import { documentHash, startSimulatedProvider } from '../../src/provider/simulated.ts';
import type { SimulatedProvider } from '../../src/provider/simulated.ts';

const folder = mkdtempSync(join(tmpdir(), 'simulated-provider-'));
const logFile = join(folder, 'calls.jsonl');
const jsonSchema = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    age: { type: 'integer', minimum: 0, maximum: 150 },
    email: { type: 'string', format: 'email' },
  },
  required: ['name', 'age', 'email'],
  additionalProperties: false,
};
const schema = compileSchema(jsonSchema);
const right = { name: 'Ada Lovelace', age: 36, email: 'ada@example.org' };

let simulated: SimulatedProvider;
let provider: Provider;
let documents = 0;

beforeAll(async () => {
  simulated = await startSimulatedProvider({ logFile });
  provider = openAiProvider({
    name: 'simulated',
    apiKey: 'x',
    baseUrl: simulated.url,
    defaultModel: 'clean',
  });
});

afterAll(async () => {
  await simulated.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A text of its own for each test, since failures are counted by document. */
function newDocument(): string {
  documents += 1;
  return `Note ${documents}. My name is Ada Lovelace, I am 36 years old, write to ada@example.org.`;
}

interface Call {
  readonly model: string;
  readonly text: string;
  readonly mode?: ResolvedMode;
  readonly turns?: readonly Turn[];
  readonly reframe?: boolean;
  readonly maxOutputTokens?: number;
  readonly signal?: AbortSignal;
}

function call({
  model,
  text,
  mode = 'json_schema',
  turns = [],
  reframe = false,
  maxOutputTokens,
  signal,
}: Call): Promise<ModelReply> {
  const named = { name: 'user', jsonSchema };
  return provider.call(
    {
      model,
      mode,
      schema: named,
      messages: composeMessages({ schema: named, mode, text, turns, reframe }),
      timeoutMs: 1_000,
      requestId: `test/${model}`,
      ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
    },
    signal ?? new AbortController().signal,
  );
}

async function verdictOf(options: Call): Promise<Verdict> {
  return judge(await call(options), schema, { coerce: true });
}

async function failureOf(options: Call) {
  return call(options).then(
    () => undefined,
    (error: unknown) => classifyFailure(error, Date.now()),
  );
}

describe('a clean model', () => {
  it.each(['json_schema', 'json_object', 'tool', 'prompt'] as const)(
    'reads the text into the schema in mode %s',
    async (mode) => {
      expect(await verdictOf({ model: 'clean', text: newDocument(), mode })).toEqual({
        status: 'accepted',
        data: right,
        repairs: [],
      });
    },
  );

  it('refuses a model it does not know, as OpenAI does', async () => {
    expect(await failureOf({ model: 'gpt-99', text: 'x' })).toMatchObject({
      type: 'client_error',
      status: 404,
    });
  });

  it('cuts an answer at the token cap', async () => {
    expect(await call({ model: 'clean', text: newDocument(), maxOutputTokens: 3 })).toMatchObject({
      finish: 'length',
    });
  });
});

describe('semantic faults', () => {
  it.each([
    'json_fenced',
    'json_prose',
    'json_trailing_commas',
    'json_single_quotes',
    'json_unquoted_keys',
    'json_python_literals',
    'json_comments',
    'wrong_type_lossless',
  ])('%s is repaired without a second call', async (kind) => {
    const verdict = await verdictOf({ model: `fault-${kind}`, text: newDocument() });
    expect(verdict).toMatchObject({ status: 'accepted', data: right });
  });

  it.each([
    ['json_garbage', 'json_error'],
    ['truncated_length', 'truncated'],
    ['truncated_silent', 'truncated'],
    ['missing', 'validation_error'],
    ['wrong_type', 'validation_error'],
    ['unknown_field', 'validation_error'],
    ['constraint', 'validation_error'],
    ['refused', 'refused'],
    ['refused_text', 'refused'],
    ['empty', 'empty'],
    ['content_filter', 'content_filter'],
  ])('%s is judged %s, the same each time it is asked the same', async (kind, type) => {
    const options = { model: `fault-${kind}`, text: newDocument() };
    const [first, second] = [await call(options), await call(options)];
    expect(judge(first, schema, { coerce: true })).toMatchObject({ status: 'rejected', problem: { type } });
    expect(second).toEqual(first);
  });

  it.each([
    'missing',
    'wrong_type',
    'unknown_field',
    'constraint',
    'json_garbage',
    'truncated_silent',
    'empty',
  ])('%s is mended where the feedback names it', async (kind) => {
    const options = { model: `fault-${kind}`, text: newDocument() };
    const reply = await call(options);
    const verdict = judge(reply, schema, { coerce: true });
    if (verdict.status !== 'rejected') throw new Error('Expected a rejected answer');
    const turn = { attempt: 1, answer: reply.text, feedback: feedbackMessage(verdict.problem) };
    expect(await verdictOf({ ...options, turns: [turn] })).toMatchObject({ status: 'accepted', data: right });
  });

  it.each(['missing', 'wrong_type', 'constraint'])(
    '%s stays where the feedback names another field',
    async (kind) => {
      const options = { model: `fault-${kind}`, text: newDocument() };
      const reply = await call(options);
      const turn = {
        attempt: 1,
        answer: reply.text,
        feedback: "- Field 'nickname': expected string (got: 1)",
      };
      expect(await verdictOf({ ...options, turns: [turn] })).toMatchObject({ status: 'rejected' });
    },
  );

  it('truncated_length is mended by a higher cap, refused by reframing', async () => {
    const text = newDocument();
    expect(await verdictOf({ model: 'fault-truncated_length', text })).toMatchObject({ status: 'rejected' });
    expect(await verdictOf({ model: 'fault-truncated_length', text, maxOutputTokens: 1_024 })).toMatchObject({
      data: right,
    });
    expect(await verdictOf({ model: 'fault-refused', text, reframe: true })).toMatchObject({ data: right });
  });
});

describe('provider failures', () => {
  it.each([
    ['rate_limit', { type: 'rate_limit', status: 429, retryable: true, retryAfterMs: expect.any(Number) }],
    ['quota_exhausted', { type: 'quota_exhausted', status: 429, retryable: false }],
    ['server_error', { type: 'server_error', retryable: true }],
    ['overloaded', { type: 'server_error', status: 503, retryAfterMs: expect.any(Number) }],
    ['reset_before', { type: 'connection_error', retryable: true }],
    ['reset_mid_body', { type: 'connection_error', retryable: true }],
    ['hang', { type: 'timeout', retryable: true }],
    ['client_error', { type: 'client_error', status: 400, retryable: false }],
    ['auth', { type: 'client_error', status: 401, retryable: false }],
    ['conflict', { type: 'server_error', status: 409, retryable: true }],
    ['request_timeout', { type: 'timeout', status: 408, retryable: true }],
  ])('%s is classified', async (kind, expected) => {
    expect(await failureOf({ model: `fault-${kind}`, text: newDocument() })).toMatchObject(expected);
  });

  it('pass after the first calls of a document, and with ! never', async () => {
    const text = newDocument();
    const failures = [];
    for (let n = 0; n < 4; n += 1) failures.push(await failureOf({ model: 'fault-server_error', text }));
    expect(failures.map((failure) => failure?.type)).toEqual([
      'server_error',
      'server_error',
      undefined,
      undefined,
    ]);
    for (let n = 0; n < 4; n += 1) {
      expect(await failureOf({ model: 'fault-server_error!', text })).toMatchObject({ type: 'server_error' });
    }
  });

  it('are the real ones of a rate limit where an rpm is set', async () => {
    const limited = await startSimulatedProvider({ rpm: 60, burst: 1 });
    try {
      const at = openAiProvider({ name: 's', apiKey: 'x', baseUrl: limited.url, defaultModel: 'clean' });
      const request = {
        model: 'clean',
        messages: [{ role: 'user', content: 'hello' }],
        mode: 'text',
        timeoutMs: 1_000,
        requestId: 'r',
      } as const;
      const calls = await Promise.allSettled(
        [1, 2, 3].map(() => at.call(request, new AbortController().signal)),
      );
      const failures = calls.flatMap((result) =>
        result.status === 'rejected' ? [classifyFailure(result.reason, Date.now())] : [],
      );
      expect(failures).toHaveLength(2);
      for (const failure of failures)
        expect(failure).toMatchObject({ type: 'rate_limit', retryAfterMs: expect.any(Number) });
    } finally {
      await limited.stop();
    }
  });
});

describe('the log', () => {
  it('says of each call what became of it', async () => {
    const text = newDocument();
    await call({ model: 'clean', text });
    await failureOf({ model: 'fault-server_error', text });
    const abort = new AbortController();
    const hanging = call({ model: 'fault-hang', text, signal: abort.signal }).catch(
      (error: unknown) => error,
    );
    await expect.poll(() => simulated.stats().inFlight).toBe(1);
    abort.abort();
    await hanging;
    await expect.poll(() => simulated.stats().inFlight).toBe(0);
    const lines = readFileSync(logFile, 'utf8')
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    const mine = lines.filter(
      (line) => (line as { documentHash: string }).documentHash === documentHash(text),
    );
    expect(mine).toMatchObject([
      { model: 'clean', status: 200, answered: true, fault: null, requestId: 'test/clean' },
      { model: 'fault-server_error', answered: false, fault: 'server_error' },
      { model: 'fault-hang', answered: false, fault: 'hang' },
    ]);
  });
});
