import type { MetricMeter } from '@temporalio/common';
import type { Outcome, ProviderFailureType, Verdict } from '../src/core/contract.ts';
import type { GateStatus } from '../src/core/gate-contract.ts';
import { GATE_STATES } from '../src/core/gate-contract.ts';

/** Whom a call went to. */
interface Asked {
  readonly provider: string;
  readonly model: string;
}

/** How a call ended. `cancelled`: by us, in the middle. `internal_error`: by a fault of our own. */
export type CallResult = 'answered' | 'cancelled' | 'internal_error' | ProviderFailureType;

/** What a worker counts, for Prometheus. Names, ids of providers and models, and numbers: never a text, a document's id or a key. */
export interface Metrics {
  /** A call to a model has ended. */
  called(call: Asked & { readonly result: CallResult; readonly latencyMs: number }): void;
  /** What an answered call used. */
  used(
    call: Asked & {
      readonly promptTokens: number;
      readonly completionTokens: number;
      readonly costUsd: number | null;
    },
  ): void;
  /** An answer was judged, and written down. */
  judged(
    attempt: Asked & { readonly schema: string; readonly mode: string; readonly verdict: Verdict },
  ): void;
  /** An extraction has ended, and its outcome was written down. */
  ended(
    outcome: Pick<Outcome, 'success' | 'stopped'> & {
      readonly schema: string;
      readonly of: 'single' | 'batch';
    },
  ): void;
  /** How a gate stands. */
  gate(status: GateStatus): void;
}

/**
 * Their names, as they are scraped from the endpoint that `DURABLE_EXTRACT_METRICS` opens. Part of the contract: dashboards
 * and alerts are made of them.
 */
export const METRIC_NAMES = {
  calls: 'durable_extract_calls_total',
  callSeconds: 'durable_extract_call_seconds',
  tokens: 'durable_extract_tokens_total',
  costUsd: 'durable_extract_call_cost_usd',
  attempts: 'durable_extract_attempts_total',
  problems: 'durable_extract_problems_total',
  fieldProblems: 'durable_extract_field_problems_total',
  outcomes: 'durable_extract_outcomes_total',
  gateState: 'durable_extract_gate_state',
  gateRate: 'durable_extract_gate_calls_per_second',
} as const;

/** Of `callSeconds`: from a quick small model to a call's usual timeout. */
export const CALL_SECONDS_BUCKETS: readonly number[] = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120];
/** Of `costUsd`. */
export const COST_USD_BUCKETS: readonly number[] = [0.00001, 0.0001, 0.001, 0.01, 0.1, 1];

/** Names come from callers, and each is a series in the database of whoever scrapes: those that come later are `other`. */
const MOST_SCHEMAS = 200;
const MOST_MODELS = 200;
/** The server's limit where a gate has none. Prometheus takes no null, and a rate of 0 is a closed one. */
const NO_LIMIT = Number.POSITIVE_INFINITY;

/** Counts by the SDK's meter, so that both have one endpoint; where none was configured, nothing is counted. */
export function metricsBy(meter: MetricMeter): Metrics {
  const counter = (name: string, description: string) =>
    meter.createCounter(name.replace(/_total$/, ''), '', description);
  const calls = counter(METRIC_NAMES.calls, 'calls to a model, by how they ended');
  const seconds = meter.createHistogram(METRIC_NAMES.callSeconds, 'float', '', 'how long calls took');
  const tokens = counter(METRIC_NAMES.tokens, 'tokens of answered calls');
  const cost = meter.createHistogram(
    METRIC_NAMES.costUsd,
    'float',
    '',
    'US dollars that answered calls cost',
  );
  const attempts = counter(METRIC_NAMES.attempts, 'answers that were judged');
  const problems = counter(METRIC_NAMES.problems, 'rejected answers, by what was wrong');
  const fields = counter(METRIC_NAMES.fieldProblems, 'fields of rejected answers that were wrong');
  const outcomes = counter(METRIC_NAMES.outcomes, 'extractions that have ended');
  const state = meter.createGauge(METRIC_NAMES.gateState, 'int', '', '1 for the state that a gate is in');
  const rate = meter.createGauge(
    METRIC_NAMES.gateRate,
    'float',
    '',
    'calls a second that a gate lets through',
  );
  const schemaTag = bounded(MOST_SCHEMAS);
  const modelTag = bounded(MOST_MODELS);
  const tagsOf = ({ provider, model }: Asked) => ({ provider, model: modelTag(model) });
  return {
    called({ result, latencyMs, ...asked }) {
      const tags = { ...tagsOf(asked), result };
      calls.add(1, tags);
      seconds.record(latencyMs / 1_000, tags);
    },
    used({ promptTokens, completionTokens, costUsd, ...asked }) {
      const tags = tagsOf(asked);
      tokens.add(promptTokens, { ...tags, kind: 'prompt' });
      tokens.add(completionTokens, { ...tags, kind: 'completion' });
      if (costUsd !== null) cost.record(costUsd, tags);
    },
    judged({ schema, mode, verdict, ...asked }) {
      const tags = { ...tagsOf(asked), schema: schemaTag(schema) };
      attempts.add(1, { ...tags, mode, verdict: verdict.status });
      if (verdict.status === 'accepted') return;
      problems.add(1, { ...tags, kind: verdict.problem.type });
      for (const { kind } of verdict.problem.details) fields.add(1, { schema: tags.schema, kind });
    },
    ended({ success, stopped, schema, of }) {
      outcomes.add(1, {
        of,
        schema: schemaTag(schema),
        outcome: success ? 'success' : (stopped ?? 'unknown'),
      });
    },
    gate({ provider, state: current, callsPerSecond }) {
      for (const name of GATE_STATES) state.set(name === current ? 1 : 0, { provider, state: name });
      rate.set(callsPerSecond ?? NO_LIMIT, { provider });
    },
  };
}

function bounded(most: number): (name: string) => string {
  const known = new Set<string>();
  return (name) => {
    if (known.has(name)) return name;
    if (known.size >= most) return 'other';
    known.add(name);
    return name;
  };
}
