import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { classifyFailure } from '../../activities/failures.ts';
import { composeMessages } from '../../activities/compose-messages.ts';
import { flatDocument, longOrderDocument, mixedDocuments } from '../../bench/documents.ts';
import { exampleSchemas } from '../../examples/schemas/index.ts';
import { compileStrict } from '../../src/core/compile-strict.ts';
import { compileSchema } from '../../src/core/compile-schema.ts';
import type { CompiledSchema } from '../../src/core/compile-schema.ts';
import type { Problem, Turn, Verdict } from '../../src/core/contract.ts';
import { feedbackMessage, fieldsMessage, partMessage, problemHint } from '../../src/core/feedback.ts';
import { countParts, fieldsSchema, partOfRecord } from '../../src/core/fields.ts';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { judge, judgeFields } from '../../src/core/judge.ts';
import { openAiProvider } from '../../src/provider/openai.ts';
import type { ModelReply, Provider } from '../../src/provider/provider.ts';
import { startSimulatedProvider } from '../../src/provider/simulated.ts';
import type { SimulatedProvider } from '../../src/provider/simulated.ts';

const order = schemaOf('order');
const text = [
  'Order #A-1042',
  'Customer: Jane Roe <jane.roe@example.com>',
  'Date: March 3, 2024',
  '',
  '2 x Blue Widget @ $9.99',
  '1 x Steel Bracket @ $14.50',
  '',
  'Total: $34.48',
].join('\n');

let simulated: SimulatedProvider;
let provider: Provider;

beforeAll(async () => {
  simulated = await startSimulatedProvider();
  provider = providerAt(simulated);
});

afterAll(() => simulated.stop());

function providerAt({ url }: SimulatedProvider): Provider {
  return openAiProvider({ name: 'simulated', apiKey: 'x', baseUrl: url, defaultModel: 'clean' });
}

function schemaOf(name: string): CompiledSchema {
  return compileSchema(z.toJSONSchema(exampleSchemas[name]!) as JsonObject);
}

interface Call {
  readonly text?: string;
  readonly schema?: CompiledSchema;
  readonly model?: string;
  readonly at?: Provider;
  readonly fields?: readonly string[];
  readonly request?: string;
  readonly hints?: readonly string[];
  readonly turns?: readonly Turn[];
  readonly reframe?: boolean;
  readonly maxOutputTokens?: number;
}

/** The model asked as the activity asks it: the schema on the wire is of the wanted fields only. */
function call(options: Call): Promise<ModelReply> {
  const { schema = order, fields, request, hints, turns = [], reframe = false, maxOutputTokens } = options;
  const jsonSchema = fields === undefined ? schema.jsonSchema : fieldsSchema(schema, fields)!;
  const named = { name: 'record', jsonSchema };
  const strict = compileStrict(jsonSchema);
  const isStrict =
    strict.status === 'compiled' && JSON.stringify(strict.schema) === JSON.stringify(jsonSchema);
  const mode = isStrict ? 'json_schema' : 'tool';
  return (options.at ?? provider).call(
    {
      model: options.model ?? 'clean',
      mode,
      schema: named,
      messages: composeMessages({
        schema: named,
        mode,
        text: options.text ?? text,
        turns,
        reframe,
        request,
        hints,
      }),
      timeoutMs: 5_000,
      requestId: 'test',
      ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
    },
    new AbortController().signal,
  );
}

async function fieldsOf(options: Call & { readonly fields: readonly string[] }): Promise<Json> {
  const { fields } = options;
  return JSON.parse((await call({ request: partMessage(fields), ...options })).text) as Json;
}

async function problemOf(options: Call): Promise<Problem> {
  const verdict = judge(await call(options), options.schema ?? order, { coerce: true });
  if (verdict.status !== 'rejected') throw new Error('Expected a rejected answer.');
  return verdict.problem;
}

function isAccepted(reply: ModelReply): Verdict['status'] {
  return judge(reply, order, { coerce: true }).status;
}

async function holding(
  faults: Parameters<SimulatedProvider['setFaults']>[0],
  use: (at: Provider) => Promise<void>,
): Promise<void> {
  simulated.setFaults(faults);
  try {
    await use(provider);
  } finally {
    simulated.setFaults(null);
  }
}

const turnOf = (problem: Problem): Turn => ({
  attempt: 1,
  answer: '{}',
  feedback: feedbackMessage(problem),
});

describe('single fields', () => {
  const fields = ['order_id', 'items[1].name', 'items[0].price', 'total'];
  const values = {
    order_id: 'A-1042',
    'items[1].name': 'Steel Bracket',
    'items[0].price': 9.99,
    total: 34.48,
  };

  it('have the values that they have in the whole record', async () => {
    await call({});
    expect(await fieldsOf({ fields })).toEqual(values);
  });

  it('are known by their paths where the whole was never asked for', async () => {
    const unseen = `${text}\nThank you!`;
    expect(await fieldsOf({ text: unseen, fields })).toEqual(values);
  });

  it('are given for every field of every kind of document', async () => {
    for (const { text: its, schema, truth } of mixedDocuments(5)) {
      const compiled = typeof schema === 'string' ? schemaOf(schema) : compileSchema(schema);
      const names = Object.keys(truth as JsonObject);
      const options = { text: its, schema: compiled };
      expect(JSON.parse((await call(options)).text)).toEqual(truth);
      expect(await fieldsOf({ ...options, fields: names })).toEqual(truth);
    }
  });

  it.each(['wrong_type', 'missing', 'constraint'])(
    'that were %s are right when they are asked for again',
    async (kind) => {
      const model = `fault-${kind}`;
      const problem = await problemOf({ model });
      const paths = problem.details.map(({ path }) => path);
      const options = { model, fields: paths, request: fieldsMessage(problem, paths) };
      const answer = { fields: paths, record: JSON.parse((await call({ model })).text) as Json };
      expect(
        judgeFields(await call(options), order, { coerce: true }, { ...answer, isIncomplete: false }),
      ).toMatchObject({ status: 'accepted' });
    },
  );

  it('stay wrong, in the same way, with a model that always is', async () => {
    const model = 'fault-wrong_type!';
    const first = JSON.parse((await call({ model })).text) as JsonObject;
    const problem = await problemOf({ model });
    const paths = problem.details.map(({ path }) => path);
    const again = await call({ model, fields: paths, request: fieldsMessage(problem, paths) });
    expect(JSON.parse(again.text)).toEqual({ [paths[0]!]: first[paths[0]!] });
  });
});

describe('a record in parts', () => {
  it('is as it would be in one', async () => {
    const { text: its, schema, truth } = longOrderDocument(7);
    const compiled = compileSchema(schema as JsonObject);
    expect(countParts(compiled)).toBe(8);
    const parts = await Promise.all(
      [1, 2, 3].map((number) => {
        const fields = partOfRecord(compiled, { number, of: 3 });
        return fieldsOf({ text: its, schema: compiled, fields });
      }),
    );
    expect(Object.assign({}, ...parts)).toEqual(truth);
  });

  it('fits under a limit that the whole does not', async () => {
    const limited = await startSimulatedProvider({ mostOutputTokens: 2_048 });
    try {
      const { text: its, schema } = longOrderDocument(8);
      const options = { at: providerAt(limited), text: its, schema: compileSchema(schema as JsonObject) };
      expect(await call(options)).toMatchObject({ finish: 'length' });
      const tooMuch = await call({ ...options, maxOutputTokens: 4_096 }).catch((error: unknown) => error);
      expect(classifyFailure(tooMuch, Date.now())).toMatchObject({ status: 400, refuses: 'cap' });
      const fields = partOfRecord(options.schema, { number: 1, of: 2 });
      expect(await call({ ...options, fields, request: partMessage(fields) })).toMatchObject({
        finish: 'stop',
      });
    } finally {
      await limited.stop();
    }
  });

  it('is needed no more where a default cap is raised', async () => {
    const short = await startSimulatedProvider({ defaultOutputTokens: 2_048 });
    try {
      const { text: its, schema } = longOrderDocument(9);
      const options = { at: providerAt(short), text: its, schema: compileSchema(schema as JsonObject) };
      expect(await call(options)).toMatchObject({ finish: 'length', usage: { completionTokens: 2_048 } });
      expect(await call({ ...options, maxOutputTokens: 4_096 })).toMatchObject({ finish: 'stop' });
    } finally {
      await short.stop();
    }
  });
});

describe('a warning', () => {
  it('keeps the field that a model finds hardest right', async () => {
    const model = 'fault-unless_warned';
    const problem = await problemOf({ model });
    expect(problem.details).toHaveLength(1);
    const hints = problem.details.map(problemHint);
    expect(isAccepted(await call({ model, hints }))).toBe('accepted');
    expect(isAccepted(await call({ model, hints: ["- Field 'nickname': expected string"] }))).toBe(
      'rejected',
    );
  });

  it('is of the same field for all documents, and for all items of an array together', async () => {
    const paths = new Set<string>();
    for (const { text: its, schema } of mixedDocuments(100).filter(({ schema: name }) => name === 'order')) {
      expect(schema).toBe('order');
      for (const { path } of (await problemOf({ model: 'fault-unless_warned', text: its })).details)
        paths.add(path.replaceAll(/\d+/g, ''));
    }
    expect([...paths]).toHaveLength(1);
    const inItems = await problemOf({ model: 'fault-wrong_type@3', text });
    const [detail] = inItems.details;
    const hint = problemHint({ ...detail!, path: detail!.path.replaceAll(/\d+/g, '') });
    expect(isAccepted(await call({ model: 'fault-wrong_type@3', hints: [hint] }))).toBe('accepted');
  });
});

describe('a model that holds to what it said', () => {
  it('corrects a field only when it is asked afresh with a warning, or is another one', async () => {
    await holding({ wrong_type: 1, anchored: 1 }, async (at) => {
      const problem = await problemOf({ at });
      const paths = problem.details.map(({ path }) => path);
      const { text: answer } = await call({ at });
      const turn = { ...turnOf(problem), answer };
      expect(isAccepted(await call({ at, turns: [turn] }))).toBe('rejected');
      expect(isAccepted(await call({ at, turns: [turn, { ...turn, attempt: 2 }] }))).toBe('rejected');
      const again = await call({ at, fields: paths, request: fieldsMessage(problem, paths) });
      const first = JSON.parse((await call({ at })).text) as JsonObject;
      expect(JSON.parse(again.text)).toEqual({ [paths[0]!]: first[paths[0]!] });
      expect(isAccepted(await call({ at, hints: problem.details.map(problemHint) }))).toBe('accepted');
    });
    expect(isAccepted(await call({ model: 'clean' }))).toBe('accepted');
  });

  it('refuses until it is told afresh what it is asked for', async () => {
    await holding({ refused: 1, anchored: 1 }, async (at) => {
      const problem = await problemOf({ at });
      expect(problem.type).toBe('refused');
      expect(isAccepted(await call({ at, turns: [turnOf(problem)] }))).toBe('rejected');
      expect(isAccepted(await call({ at, reframe: true }))).toBe('accepted');
    });
  });
});

describe('what there is not', () => {
  it('is null rather than guessed where the model is honest', async () => {
    const without = text.replace(/^Order.*\n/, '');
    expect(JSON.parse((await call({ text: without })).text)).toMatchObject({ order_id: expect.any(String) });
    simulated.setFaults({ absent: 1 });
    try {
      const problem = await problemOf({ text: without });
      expect(problem.details).toMatchObject([{ path: 'order_id', received: null }]);
    } finally {
      simulated.setFaults(null);
    }
  });

  it.each(['json_schema', 'tool'] as const)('is refused with status 400: mode %s', async (mode) => {
    const bare = await startSimulatedProvider({ rejectedModes: [mode] });
    try {
      const named = { name: 'record', jsonSchema: order.jsonSchema };
      const request = {
        model: 'clean',
        mode,
        schema: named,
        messages: composeMessages({ schema: named, mode, text, turns: [], reframe: false }),
        timeoutMs: 5_000,
        requestId: 'test',
      };
      const failed = await providerAt(bare)
        .call(request, new AbortController().signal)
        .catch((error: unknown) => error);
      expect(classifyFailure(failed, Date.now())).toMatchObject({ status: 400, refuses: 'mode' });
    } finally {
      await bare.stop();
    }
  });

  it('is no option: bad ones are refused', async () => {
    await expect(startSimulatedProvider({ mostOutputTokens: 0 })).rejects.toThrow('mostOutputTokens');
    await expect(startSimulatedProvider({ rejectedModes: ['grammar' as 'tool'] })).rejects.toThrow(
      'rejectedModes',
    );
  });
});

it('a flat object with sixty fields is read line by line', async () => {
  const { text: its, schema, truth } = flatDocument(3);
  const reply = await call({ text: its, schema: compileSchema(schema as JsonObject) });
  expect(JSON.parse(reply.text)).toEqual(truth);
});
