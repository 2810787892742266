import type { Verdict } from '../../src/core/contract.ts';
import type { StoredOutcome } from '../../src/core/stored-outcome.ts';
import type { AttemptKey, StoredAttempt } from '../../src/store/attempts.ts';
import type { NewDocument } from '../../src/store/documents.ts';

export const REJECTED: Verdict = {
  status: 'rejected',
  problem: {
    type: 'validation_error',
    message: 'expected number',
    details: [{ path: 'age', kind: 'wrong_type', message: 'expected number', received: 'ten' }],
  },
  record: { age: 'ten' },
  fields: ['age'],
};

/** Document `d<seq>`, from line `<seq + 1>`. */
export function documentOf(seq: number, more: Partial<NewDocument> = {}): NewDocument {
  return {
    seq,
    id: `d${seq}`,
    text: `text ${seq}`,
    metadata: {},
    place: `docs.jsonl line ${seq + 1}`,
    ...more,
  };
}

/** An accepted answer: the first attempt of round 1, which cost 10 and 5 tokens and $0.25. */
export function answerOf(
  given: Pick<AttemptKey, 'batchId' | 'documentId'> & Partial<StoredAttempt>,
): StoredAttempt {
  return {
    round: 1,
    attempt: 1,
    kind: 'asked',
    verdict: { status: 'accepted', data: { age: 36 }, repairs: [] },
    answer: '{"age": 36}',
    finish: 'stop',
    requestId: 'request-1',
    schemaName: 'person',
    provider: 'openai',
    model: 'gpt-4o-mini',
    mode: 'json_schema',
    ask: { attempt: 1, mode: 'json_schema', why: 'attempt 1 of 3' },
    usage: { calls: 1, promptTokens: 10, completionTokens: 5, costUsd: 0.25 },
    failures: [],
    interrupted: 0,
    latencyMs: 120,
    askedAt: Date.UTC(2026, 0, 31),
    ...given,
  };
}

/** Gave up after one attempt. */
export const failedOutcome: StoredOutcome = {
  success: false,
  attempts: 1,
  errors: [],
  usage: { calls: 1, promptTokens: 10, completionTokens: 5, costUsd: 0.25 },
  stopped: 'attempts',
  model: 'openai/gpt-4o-mini',
  simulated: false,
  acceptedAttempt: null,
  unansweredCalls: 0,
  schemaName: 'person',
  strategy: 'adaptive',
};

/** Extracted, by the first attempt. */
export const succeededOutcome: StoredOutcome = {
  ...failedOutcome,
  success: true,
  stopped: null,
  acceptedAttempt: 1,
};
