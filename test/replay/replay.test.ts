import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultPayloadConverter } from '@temporalio/common';
import { Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { beforeAll, describe, expect, it } from 'vitest';
import type { BatchSummary } from '../../src/core/batch-signals.ts';
import type { Completion, Outcome } from '../../src/core/contract.ts';
import { workflowBundle } from '../../src/worker/workflow-bundle.ts';
import { historyFromText } from '../support/recorded-history.ts';
import { quietRuntime } from '../support/scripted-worker.ts';
import { testEnvironment } from '../support/test-stack.ts';

type History = ReturnType<typeof historyFromText>;

/** Recorded by scripts/record-histories.ts, which says when to record them anew. */
const FOLDER = fileURLToPath(new URL('histories/', import.meta.url));
const NAMES = globSync('*.json', { cwd: FOLDER })
  .map((file) => basename(file, '.json'))
  .toSorted();

let codePath: string;

beforeAll(async () => {
  quietRuntime();
  codePath = await workflowBundle(testEnvironment());
});

function recorded(name: string): History {
  return historyFromText(readFileSync(`${FOLDER}${name}.json`, 'utf8'));
}

/** What today's workflows make of histories: an error for each that they do not follow. */
async function replay(
  histories: Readonly<Record<string, History>>,
  bundle = codePath,
): Promise<Record<string, unknown>> {
  const named = Object.entries(histories).map(([workflowId, history]) => ({ workflowId, history }));
  const results: Record<string, unknown> = {};
  for await (const { workflowId, error } of Worker.runReplayHistories(
    { workflowBundle: { codePath: bundle }, sinks: { exporter: { export: { fn() {} } } } },
    named,
  )) {
    results[workflowId] = error;
  }
  return results;
}

/** A shard tells its coordinator, and returns nothing. */
function outcomeOf({ events }: History): Outcome | Completion | BatchSummary | undefined {
  const payload = events?.at(-1)?.workflowExecutionCompletedEventAttributes?.result?.payloads?.[0];
  if (!payload) throw new Error('Expected a history that ends with a result');
  return defaultPayloadConverter.fromPayload(payload);
}

/** The activities of a history whose workflow asked three times. */
function threeAsks() {
  const history = recorded('accepted-after-feedback');
  const events = history.events ?? [];
  return {
    history,
    scheduled: events.flatMap((event) => event.activityTaskScheduledEventAttributes ?? []),
    completed: events.flatMap((event) => event.activityTaskCompletedEventAttributes ?? []),
  };
}

describe('histories of earlier runs', () => {
  it('are followed by the workflows of today', async () => {
    const results = await replay(Object.fromEntries(NAMES.map((name) => [name, recorded(name)])));
    expect(results).toEqual(Object.fromEntries(NAMES.map((name) => [name, undefined])));
  });

  it('are followed with traces on, too, so that they can be switched on at any time', async () => {
    const traced = await workflowBundle(testEnvironment(), { isTraced: true });
    const results = await replay(Object.fromEntries(NAMES.map((name) => [name, recorded(name)])), traced);
    expect(results).toEqual(Object.fromEntries(NAMES.map((name) => [name, undefined])));
  });

  it('are of all kinds', () => {
    // A gate never ends.
    const ended = NAMES.filter((name) => name !== 'gate');
    const outcomes = Object.fromEntries(ended.map((name) => [name, outcomeOf(recorded(name))]));
    expect(outcomes).toMatchObject({
      'accepted-after-feedback': { success: true, attempts: 3 },
      'accepted-after-provider-failures': {
        success: true,
        attempts: 1,
        errors: [{ type: 'server_error' }, { type: 'rate_limit' }, { type: 'connection_error' }],
      },
      'accepted-after-refusal': { success: true, attempts: 2, errors: [{ type: 'refused' }] },
      'accepted-after-truncation': { success: true, attempts: 2, errors: [{ type: 'truncated' }] },
      'accepted-at-once': { success: true, attempts: 1 },
      'batch-found-by-search': { id: 'found', state: 'completed', succeeded: 2 },
      'batch-before-series': { id: 'long', succeeded: 10 },
      'batch-in-series': { id: 'short', succeeded: 40 },
      'batch-sent-ahead': { id: 'long', succeeded: 10 },
      batch: { id: 'three', state: 'completed', round: 1, succeeded: 3, failed: 0 },
      'found-by-search': { success: true, attempts: 2 },
      completion: { success: true, text: 'Hello.' },
      gated: { success: true, errors: [{ type: 'server_error' }] },
      'gave-up-basic': { success: false, stopped: 'attempts', attempts: 3 },
      'gave-up-futile': { success: false, stopped: 'futile', attempts: 3 },
      'gave-up-on-provider': { success: false, stopped: 'server_error', attempts: 1 },
      'gave-up-over-budget': { success: false, stopped: 'budget', attempts: 1 },
      shard: undefined,
      'shard-before-series': undefined,
      'shard-found-by-search': undefined,
      'shard-in-series': undefined,
      'shard-sent-ahead': undefined,
    });
  });
});

describe('a history that the workflows would not have written', () => {
  it('is refused where another activity was called', async () => {
    const { history, scheduled } = threeAsks();
    scheduled[1]!.activityType = { name: 'say' };
    const { tampered } = await replay({ tampered: history });
    expect(tampered).toBeInstanceOf(DeterminismViolationError);
  });

  it('is refused where another decision followed a verdict', async () => {
    const { history, completed } = threeAsks();
    completed[0]!.result = completed[2]!.result ?? null;
    const { tampered } = await replay({ tampered: history });
    expect(tampered).toBeInstanceOf(DeterminismViolationError);
  });

  it('is accepted as long as nothing was changed', async () => {
    const { history, scheduled, completed } = threeAsks();
    expect([scheduled.length, completed.length]).toEqual([3, 3]);
    expect(await replay({ untouched: history })).toEqual({ untouched: undefined });
  });
});
