import { composeMessages } from '../../activities/compose-messages.ts';
import { asJsonSchema } from '../../activities/world.ts';
import { exampleSchemas } from '../../examples/schemas/index.ts';
import { compileStrict } from '../../src/core/compile-strict.ts';
import { BARE_QUEUE } from '../bare/names.ts';
import { withBareWorker } from '../bare/start.ts';
import type { Bench, Figure, Row } from '../figure.ts';
import { summarize, timeMs } from '../statistics.ts';
import type { Summary } from '../statistics.ts';

const TEXT = 'Grace Hopper is 85 years old. You can reach her at grace.hopper@example.org.';
const WARM_UP = 20;
const AIM = 1.5;

/** An extraction beside a workflow that calls one empty activity, in turn, on the same server. */
export const overhead: Figure = {
  title: 'Time of one extraction, from the client and back',
  async measure(bench) {
    return rowsOf(await withBareWorker(bench.address, () => measureInTurn(bench)));
  },
};

interface Times {
  readonly extraction: number[];
  readonly bare: number[];
  readonly provider: number[];
}

async function measureInTurn(bench: Bench): Promise<Times> {
  const { client } = bench.extractor;
  const runId = Date.now();
  const request = bareRequest(bench);
  const times: Times = { extraction: [], bare: [], provider: [] };
  for (let round = -WARM_UP; round < bench.samples; round += 1) {
    const extraction = await timeMs(() =>
      bench.extractor.extract({ text: TEXT, schema: 'user', model: 'simulated/clean' }),
    );
    const bare = await timeMs(() =>
      client.workflow.execute('bare', { taskQueue: BARE_QUEUE, workflowId: `bare/${runId}/${round}` }),
    );
    const provider = await timeMs(request);
    if (round < 0) continue;
    times.extraction.push(extraction);
    times.bare.push(bare);
    times.provider.push(provider);
  }
  return times;
}

/** The HTTP call that an extraction makes, without Temporal and without the provider's client. */
function bareRequest({ providerUrl }: Bench): () => Promise<void> {
  const strict = compileStrict(asJsonSchema(exampleSchemas['user']!));
  if (strict.status !== 'compiled') throw new Error('Expected a schema that strict mode can express.');
  const schema = { name: 'user', jsonSchema: strict.schema };
  const messages = composeMessages({ schema, mode: 'json_schema', text: TEXT, turns: [], reframe: false });
  const body = JSON.stringify({
    model: 'clean',
    temperature: 0,
    messages,
    response_format: {
      type: 'json_schema',
      json_schema: { name: schema.name, schema: schema.jsonSchema, strict: true },
    },
  });
  return async () => {
    const response = await fetch(`${providerUrl}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer simulated' },
      body,
    });
    if (!response.ok)
      throw new Error(`The simulated provider answered ${response.status}: ${await response.text()}`);
    await response.json();
  };
}

function rowsOf({ extraction, bare, provider }: Times): readonly Row[] {
  const [ours, theirs, http] = [summarize(extraction), summarize(bare), summarize(provider)];
  const added = ours.median - http.median;
  return [
    row('extraction', ours),
    row("the provider's part: the same HTTP call alone", http),
    {
      what: "extraction without the provider's part",
      figure: milliseconds(added),
      details: 'difference of medians',
    },
    row('bare workflow with one empty activity', theirs),
    {
      what: 'ratio',
      figure: `${(added / theirs.median).toFixed(2)} times the bare one`,
      details: `aim: at most ${AIM}`,
    },
  ];
}

function row(what: string, { n, median, p95 }: Summary): Row {
  return { what, figure: milliseconds(median), details: `median of ${n}; p95 ${milliseconds(p95)}` };
}

function milliseconds(time: number): string {
  return `${time.toFixed(1)} ms`;
}
