import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readingProvider } from '../support/reading-provider.ts';
import { quietRuntime } from '../support/scripted-worker.ts';
import { endTestStacks, startTestStack, temporalCli } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';
import { withWorker } from '../support/test-worker.ts';
import { until } from '../stack/temp-home.ts';

const PER_SECOND = 10;
const schema = { name: 'thing', jsonSchema: { type: 'object' } };
let stack: TestStack;

beforeAll(async () => {
  quietRuntime();
  await temporalCli();
  stack = await startTestStack('rate');
}, 900_000);

afterAll(endTestStacks);

/** A provider that notes when it is called. */
function timedProvider() {
  const calledAt: number[] = [];
  const { provider, calls } = readingProvider({
    answering: () => {
      calledAt.push(performance.now());
      return '{}';
    },
  });
  return { calledAt, calls, provider };
}

const documents = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ id: `d${index}`, text: `document ${index}` }));

describe("a provider's rpm", () => {
  it('is kept by all calls together, single extractions first, and taken away with its setting', async () => {
    const { provider, calledAt, calls } = timedProvider();
    const limited = { ...provider, rpm: PER_SECOND * 60 };
    await withWorker(stack, { provider: limited }, async () => {
      const batch = await stack.extractor.batch(documents(60), { id: 'limited', schema, concurrency: 60 });
      await until(() => calledAt.length >= 20);
      // Forty documents, four seconds of calls, are before it.
      await stack.extractor.extract({ text: 'single', schema });
      expect(calls.has('single')).toBe(true);
      expect(calledAt.length).toBeLessThan(40);
      await batch.done();
    });
    const seconds = (calledAt.at(-1)! - calledAt[0]!) / 1_000;
    expect(calledAt).toHaveLength(61);
    // The server lets a second's worth through at first.
    expect(seconds).toBeGreaterThan((61 - 2 * PER_SECOND) / PER_SECOND);

    const unlimited = timedProvider();
    await withWorker(stack, { provider: unlimited.provider }, async () => {
      const batch = await stack.extractor.batch(documents(60), { id: 'unlimited', schema, concurrency: 60 });
      await batch.done();
    });
    const { calledAt: at } = unlimited;
    expect((at.at(-1)! - at[0]!) / 1_000).toBeLessThan(seconds / 2);
  });
});
