import { describe, expect, it } from 'vitest';
import { whyItTakesTime } from '../../src/cli/watch-extraction.ts';

const NOW = 1_800_000_000_000;
const SCHEDULED = 1;
const STARTED = 2;

/** A time so many seconds from now, as Temporal writes it. */
function seconds(fromNow: number) {
  return { seconds: NOW / 1_000 + fromNow, nanos: 0 } as never;
}

describe('why an extraction takes its time', () => {
  it.each([
    [
      'nothing, while a worker has it',
      { pendingWorkflowTask: { scheduledTime: seconds(-9), startedTime: seconds(-8) } },
      undefined,
    ],
    ['nothing, in the first seconds', { pendingWorkflowTask: { scheduledTime: seconds(-1) } }, undefined],
    [
      'no worker',
      { pendingWorkflowTask: { scheduledTime: seconds(-9) } },
      /no worker .* 'durable-extract': start one with durable-extract worker/,
    ],
    [
      'a backoff',
      {
        pendingActivities: [
          {
            activityId: '1',
            state: SCHEDULED,
            attempt: 2,
            scheduledTime: seconds(12),
            lastFailure: { message: 'HTTP 429: rate limited' },
          },
        ],
      },
      /^HTTP 429: rate limited; call 2 follows in 12 s$/,
    ],
    [
      'a queue nobody serves',
      { pendingActivities: [{ activityId: '1', state: SCHEDULED, attempt: 1, scheduledTime: seconds(-9) }] },
      /rate limit, or no worker/,
    ],
    [
      'a call just made',
      { pendingActivities: [{ activityId: '1', state: STARTED, attempt: 1, lastStartedTime: seconds(-3) }] },
      undefined,
    ],
    [
      'a model that thinks',
      { pendingActivities: [{ activityId: '1', state: STARTED, attempt: 1, lastStartedTime: seconds(-11) }] },
      /waiting for the model's answer to call 1/,
    ],
    ['nothing, at its end', {}, undefined],
  ])('is said: %s', (_, state, line) => {
    const reason = whyItTakesTime(state, NOW);
    if (line === undefined) expect(reason).toBeUndefined();
    else expect(reason?.line).toMatch(line);
  });
});
