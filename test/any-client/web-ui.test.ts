import { defaultPayloadConverter } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { until } from '../stack/temp-home.ts';
import { quietRuntime, withScriptedWorker } from '../support/scripted-worker.ts';
import { endTestStacks, startTestStack, temporalCli } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';

const user = z.strictObject({ name: z.string(), age: z.number().int() }).meta({ title: 'user' });
const wrong = '{"name": "Ada Lovelace", "age": "unknown"}';
const good = '{"name": "Ada Lovelace", "age": 36}';

let stack: TestStack;

beforeAll(async () => {
  quietRuntime();
  await temporalCli();
  stack = await startTestStack('web-ui');
}, 900_000);

afterAll(endTestStacks);

/** What the Web UI shows as a workflow's current details, which it asks for by this query. */
async function currentDetails(workflowId: string): Promise<string> {
  const handle = stack.extractor.client.workflow.getHandle(workflowId);
  const metadata = await handle.query<{ readonly currentDetails?: string }>('__temporal_workflow_metadata');
  return metadata.currentDetails ?? '';
}

/** The summaries which the Web UI shows beside the activities of a history. */
async function summaries(workflowId: string): Promise<readonly unknown[]> {
  const { events } = await stack.extractor.client.workflow.getHandle(workflowId).fetchHistory();
  return (events ?? [])
    .filter(({ activityTaskScheduledEventAttributes }) => activityTaskScheduledEventAttributes)
    .map(({ userMetadata }) => defaultPayloadConverter.fromPayload(userMetadata!.summary!));
}

describe('the Web UI', () => {
  it('shows what was asked for, which attempt is being made, and what was wrong with the one before', () =>
    withScriptedWorker(
      stack,
      { script: [{ answer: wrong }, { hang: true }, { answer: good }] },
      async (seen) => {
        const handle = await stack.extractor.startExtract({
          text: 'Ada Lovelace, 36',
          schema: user,
          retry: { baseDelayMs: 20 },
        });
        await until(() => seen.length === 2);
        const described = await stack.extractor.client.workflow.getHandle(handle.workflowId).describe();
        expect(await described.staticSummary()).toBe('extract user · adaptive');
        expect(await described.staticDetails()).toBe(
          `- document: ${handle.id}\n- schema: user, inline\n- mode: auto\n- model: the worker's`,
        );
        const place = 'attempt 2 of 3: 1 field was wrong';
        const during = await currentDetails(handle.workflowId);
        expect(during).toContain(`**${place}**`);
        expect(during).toContain('adaptive · scripted/scripted');
        expect(during).toContain('- attempt 1: validation_error');
        expect(during).toMatch(/- `age`: expected integer/);
        // What an answer said can be personal data, and details are not encrypted.
        expect(during).not.toMatch(/unknown|Lovelace/);

        expect(await handle.result()).toMatchObject({ success: true, attempts: 2 });
        expect(await summaries(handle.workflowId)).toEqual(['attempt 1 of 3', place]);
        expect(await currentDetails(handle.workflowId)).toContain(
          '**Accepted after 2 of at most 3 attempts**',
        );
      },
    ));

  it('has words for every activity and timer of a batch', () =>
    withScriptedWorker(
      stack,
      { script: [{ answer: wrong }, { status: 500 }, { answer: good }] },
      async () => {
        const documents = ['a', 'b', 'c'].map((id) => ({ id, text: `Ada, 36, ${id}` }));
        const batch = await stack.extractor.batch(documents, {
          id: 'worded',
          schema: user,
          retry: { baseDelayMs: 20 },
        });
        expect(await batch.done()).toMatchObject({ succeeded: 3 });
        for (const workflowId of ['batch/worded', 'batch/worded/1']) {
          const handle = stack.extractor.client.workflow.getHandle(workflowId);
          expect(await (await handle.describe()).staticDetails()).toBeTruthy();
          const { events } = await handle.fetchHistory();
          const told = (events ?? []).filter(
            (event) =>
              event.activityTaskScheduledEventAttributes ??
              event.timerStartedEventAttributes ??
              event.markerRecordedEventAttributes?.markerName === 'core_local_activity',
          );
          expect(told.length).toBeGreaterThan(1);
          expect(told.filter(({ userMetadata }) => !userMetadata?.summary)).toEqual([]);
        }
      },
    ));

  it('shows why an extraction gave up', () =>
    withScriptedWorker(stack, { script: [{ answer: wrong }] }, async () => {
      const handle = await stack.extractor.startExtract({
        text: 'Ada Lovelace',
        schema: user,
        strategy: 'feedback',
        retry: { maxAttempts: 2 },
      });
      expect(await handle.result()).toMatchObject({ success: false, stopped: 'attempts' });
      const details = await currentDetails(handle.workflowId);
      expect(details).toContain(
        '**Gave up (attempts): all 2 attempts were rejected; at last, 1 field was wrong**',
      );
      expect(details).toContain('- attempt 2: validation_error');
    }));

  it('shows a call that waits for its provider, with the failure it waits out', () =>
    withScriptedWorker(stack, { script: [{ status: 429, headers: { 'retry-after': '60' } }] }, async () => {
      const handle = await stack.extractor.startExtract({ text: 'Ada', schema: user });
      const described = stack.extractor.client.workflow.getHandle(handle.workflowId);
      await until(async () => (await described.describe()).raw.pendingActivities?.[0]?.attempt === 2);
      const { raw } = await described.describe();
      const [call] = raw.pendingActivities!;
      expect(call!.activityType!.name).toBe('ask');
      expect(call!.lastFailure).toMatchObject({
        message: 'HTTP 429: rate limited',
        applicationFailureInfo: { type: 'rate_limit' },
      });
      const nextCallInMs = Number(call!.nextAttemptScheduleTime!.seconds) * 1_000 - Date.now();
      expect(nextCallInMs).toBeGreaterThan(30_000);
      await handle.cancel();
      await expect(handle.result()).rejects.toThrow('cancelled');
    }));
});
