import type { MetricMeter, MetricTags } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { METRIC_NAMES, metricsBy } from '../../activities/metrics.ts';

/** Keeps what is counted, by metric. */
function recordingMeter(): { readonly meter: MetricMeter; readonly said: [string, number, MetricTags][] } {
  const said: [string, number, MetricTags][] = [];
  const metric = (name: string) => {
    const keep = (value: number, tags: MetricTags = {}) => void said.push([name, value, tags]);
    return { name, add: keep, record: keep, set: keep };
  };
  const meter = { createCounter: metric, createHistogram: metric, createGauge: metric };
  return { meter: meter as unknown as MetricMeter, said };
}

const asked = { provider: 'openai', model: 'gpt-4o-mini' };

describe('metrics', () => {
  it('count a rejected answer once, and each of its wrong fields', () => {
    const { meter, said } = recordingMeter();
    const details = [
      { path: 'a', kind: 'missing', message: '' },
      { path: 'b', kind: 'missing', message: '' },
      { path: 'c', kind: 'wrong_type', message: '' },
    ] as const;
    metricsBy(meter).judged({
      ...asked,
      schema: 'order',
      mode: 'tool',
      verdict: { status: 'rejected', problem: { type: 'validation_error', message: '', details } },
    });
    expect(said.map(([name, value, tags]) => [name, value, tags['kind'] ?? tags['verdict']])).toEqual([
      ['durable_extract_attempts', 1, 'rejected'],
      ['durable_extract_problems', 1, 'validation_error'],
      ['durable_extract_field_problems', 1, 'missing'],
      ['durable_extract_field_problems', 1, 'missing'],
      ['durable_extract_field_problems', 1, 'wrong_type'],
    ]);
    // A path can be a key of somebody's map.
    expect(JSON.stringify(said)).not.toContain('path');
  });

  it('leave out a cost that is not known', () => {
    const { meter, said } = recordingMeter();
    const metrics = metricsBy(meter);
    metrics.used({ ...asked, promptTokens: 3, completionTokens: 4, costUsd: null });
    metrics.used({ ...asked, promptTokens: 0, completionTokens: 0, costUsd: 0 });
    expect(said.filter(([name]) => name === METRIC_NAMES.costUsd)).toHaveLength(1);
  });

  it('make no series of their own of names without end', () => {
    const { meter, said } = recordingMeter();
    const metrics = metricsBy(meter);
    for (let number = 0; number < 1_000; number += 1) {
      metrics.ended({ of: 'single', schema: `schema-${number}`, success: true, stopped: null });
    }
    const schemas = new Set(said.map(([, , tags]) => tags['schema']));
    expect(schemas.size).toBe(201);
    expect(schemas).toContain('other');
    metrics.ended({ of: 'single', schema: 'schema-7', success: true, stopped: null });
    expect(said.at(-1)?.[2]).toMatchObject({ schema: 'schema-7' });
  });

  it('show a gate in one state', () => {
    const { meter, said } = recordingMeter();
    const gate = { provider: 'openai', reason: '', since: 0, until: null, callsPerSecond: null } as const;
    metricsBy(meter).gate({ ...gate, state: 'open' });
    const states = said.filter(([name]) => name === METRIC_NAMES.gateState);
    expect(states.filter(([, value]) => value === 1).map(([, , tags]) => tags['state'])).toEqual(['open']);
    expect(states).toHaveLength(5);
  });
});
