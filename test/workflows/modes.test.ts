/** In which modes a schema is asked for, on the real server: with the simulated provider, which refuses what strict mode does. */
import { APIError } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { startSimulatedProvider } from '../../src/provider/simulated.ts';
import type { ModelRequest, Provider } from '../../src/provider/provider.ts';
import { SIMULATED_URL_VARIABLE, providersOf } from '../../src/worker/providers.ts';
import { readingProvider } from '../support/reading-provider.ts';
import { quietRuntime } from '../support/scripted-worker.ts';
import { endTestStacks, startTestStack, temporalCli } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';
import { withWorker } from '../support/test-worker.ts';

const person: JsonObject = {
  type: 'object',
  properties: {
    name: { type: 'string', minLength: 2 },
    age: { type: 'integer' },
    email: { type: 'string', format: 'email' },
    iban: { type: 'string', minLength: 15 },
  },
  required: ['name'],
  additionalProperties: false,
};
const text = 'My name is Ada Lovelace, I am 36 years old, write to ada@example.org.';
const right = { name: 'Ada Lovelace', age: 36, email: 'ada@example.org' };

let stack: TestStack;

beforeAll(async () => {
  quietRuntime();
  await temporalCli();
  stack = await startTestStack('modes');
}, 900_000);

afterAll(endTestStacks);

/** A provider that keeps what it is asked. */
function watched(provider: Provider): { readonly provider: Provider; readonly seen: ModelRequest[] } {
  const seen: ModelRequest[] = [];
  const call: Provider['call'] = (request, signal) => {
    seen.push(request);
    return provider.call(request, signal);
  };
  return { provider: { ...provider, call }, seen };
}

describe('a schema with optional fields', () => {
  it('is asked for in strict mode, and what is not known is absent in the data', async () => {
    const simulated = await startSimulatedProvider();
    try {
      const [real] = providersOf({ [SIMULATED_URL_VARIABLE]: simulated.url });
      const { provider, seen } = watched(real!);
      await withWorker(stack, { provider }, async () => {
        const outcome = await stack.extractor.extract({
          text,
          schema: { name: 'person', jsonSchema: person },
          model: 'simulated/clean',
        });
        expect(outcome).toMatchObject({ success: true, attempts: 1, errors: [], repairs: [] });
        expect(outcome.data).toEqual(right);
        expect(outcome.asks).toMatchObject([{ mode: 'json_schema' }]);
      });
      expect(seen).toHaveLength(1);
      expect(seen[0]).toMatchObject({
        mode: 'json_schema',
        schema: {
          jsonSchema: {
            properties: { name: { type: 'string' }, iban: { type: ['string', 'null'] } },
            required: ['name', 'age', 'email', 'iban'],
          },
        },
      });
    } finally {
      await simulated.stop();
    }
  });

  it('is held to what strict mode was not told: the answer is sent back', async () => {
    const answers = [
      { ...right, iban: 'short' },
      { ...right, iban: null },
    ];
    const { provider } = readingProvider({ answering: ({ call }) => JSON.stringify(answers[call - 1]) });
    await withWorker(stack, { provider }, async () => {
      const outcome = await stack.extractor.extract({ text, schema: { name: 'person', jsonSchema: person } });
      expect(outcome).toMatchObject({
        success: true,
        attempts: 2,
        errors: [{ type: 'validation_error', details: [{ path: 'iban', kind: 'constraint' }] }],
      });
      expect(outcome.data).toEqual(right);
    });
  });
});

/** Refuses some modes with 400, each with a message. */
function refusing(messages: Partial<Record<ModelRequest['mode'], string>>) {
  const { provider } = readingProvider({
    answering({ request }) {
      const message = messages[request.mode];
      if (message === undefined) return JSON.stringify(right);
      throw APIError.generate(400, { error: { message } }, message, new Headers());
    },
  });
  return watched(provider);
}

const modesOf = (seen: ModelRequest[]) => seen.splice(0).map(({ mode }) => mode);

describe('a mode that the provider refuses', () => {
  const schema = { name: 'person', jsonSchema: person };

  it('is remembered: the next extraction begins with the one that it takes', async () => {
    const { provider, seen } = refusing({
      json_schema: "'response_format' of type 'json_schema' is not supported with this model",
      tool: "unknown parameter 'tools'",
    });
    await withWorker(stack, { provider }, async () => {
      const first = await stack.extractor.extract({ text, schema });
      expect(first).toMatchObject({ success: true, attempts: 1, asks: [{ mode: 'json_object' }] });
      expect(modesOf(seen)).toEqual(['json_schema', 'tool', 'json_object']);

      const second = await stack.extractor.extract({ text: `${text} Again.`, schema });
      expect(second).toMatchObject({ success: true, usage: { calls: 1 } });
      expect(modesOf(seen)).toEqual(['json_object']);

      const other = { text, schema: { name: 'other', jsonSchema: { ...person, title: 'other' } } };
      expect(await stack.extractor.extract(other)).toMatchObject({ success: true });
      expect(modesOf(seen)).toEqual(['json_object']);
    });
  });

  it('is not replaced by a weaker one where somebody named it', async () => {
    const { provider, seen } = refusing({
      json_schema: "unknown parameter 'response_format'",
      tool: "unknown parameter 'tools'",
    });
    await withWorker(stack, { provider }, async () => {
      const outcome = await stack.extractor.extract({ text, schema, mode: 'json_schema' });
      expect(outcome).toMatchObject({ success: false, stopped: 'client_error' });
      expect(modesOf(seen)).toEqual(['json_schema', 'tool']);
    });
  });

  it('is tried again for another schema, where it was the schema that was refused', async () => {
    const { provider, seen } = refusing({ json_schema: 'Invalid schema for response_format: too deep' });
    await withWorker(stack, { provider }, async () => {
      for (const name of ['one', 'two', 'one']) {
        const named = { name, jsonSchema: { ...person, title: name } };
        const outcome = await stack.extractor.extract({ text, schema: named });
        expect(outcome).toMatchObject({ success: true });
      }
      expect(modesOf(seen)).toEqual(['json_schema', 'tool', 'json_schema', 'tool', 'tool']);
    });
  });
});

describe('bad JSON', () => {
  it('is answered with feedback, and the second time with a stricter mode', async () => {
    const { provider, seen } = watched(
      readingProvider({ answering: ({ call }) => (call < 4 ? 'no JSON at all' : JSON.stringify(right)) })
        .provider,
    );
    await withWorker(stack, { provider }, async () => {
      const outcome = await stack.extractor.extract({
        text,
        schema: { name: 'person', jsonSchema: person },
        mode: 'json_object',
        retry: { maxAttempts: 6 },
      });
      expect(outcome).toMatchObject({ success: true, attempts: 4 });
      expect(seen.map(({ mode }) => mode)).toEqual([
        'json_object',
        'json_object',
        'json_schema',
        'json_schema',
      ]);
    });
  });
});
