import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { readLogSettings } from '../../src/telemetry/log-settings.ts';
import { jsonLine } from '../../src/telemetry/logger.ts';
import { tracesEndpoint } from '../../src/telemetry/traces-endpoint.ts';
import { readMetricsAddress } from '../../src/worker/metrics-address.ts';

describe('the address of metrics', () => {
  it.each([
    ['127.0.0.1:9464', { host: '127.0.0.1', firstPort: 9464, lastPort: 9464 }],
    ['localhost:9464-9473', { host: 'localhost', firstPort: 9464, lastPort: 9473 }],
    ['[::1]:9464', { host: '::1', firstPort: 9464, lastPort: 9464 }],
    ['', undefined],
    [undefined, undefined],
  ])('%s is read', (given, address) => {
    expect(readMetricsAddress(given)).toEqual(address);
  });

  it.each(['9464', '127.0.0.1', '127.0.0.1:0', '127.0.0.1:70000', '127.0.0.1:9473-9464', 'http://x:1'])(
    '%s is refused',
    (given) => {
      expect(() => readMetricsAddress(given)).toThrow(`expected HOST:PORT`);
    },
  );
});

describe('where spans go', () => {
  it.each([
    [{}, undefined],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: '' }, undefined],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318/' }, 'http://c:4318/v1/traces'],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c/x' }, 'http://c/x'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318', OTEL_SDK_DISABLED: 'true' }, undefined],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318', OTEL_TRACES_EXPORTER: 'none' }, undefined],
  ])('%j', (env, url) => {
    expect(tracesEndpoint(env)).toBe(url);
  });
});

describe('the log', () => {
  it('is text, from warnings on, unless told otherwise', () => {
    expect(readLogSettings({})).toEqual({ form: 'text', level: 'WARN' });
    expect(readLogSettings({ DURABLE_EXTRACT_LOG: 'JSON', DURABLE_EXTRACT_LOG_LEVEL: 'info' })).toEqual({
      form: 'json',
      level: 'INFO',
    });
    expect(() => readLogSettings({ DURABLE_EXTRACT_LOG: 'xml' })).toThrow("expected text, json, got 'xml'");
    expect(() => readLogSettings({ DURABLE_EXTRACT_LOG_LEVEL: 'loud' })).toThrow("got 'LOUD'");
  });

  it('has of an error what it is and where, and not what it quotes', () => {
    const cause = Object.assign(new Error('Ada Lovelace\n    is 36'), { code: 'ECONNRESET' });
    const error = ApplicationFailure.create({ message: 'Ada Lovelace', type: 'internal_error', cause });
    const line = jsonLine({
      level: 'WARN',
      message: 'Activity failed',
      timestampNanos: 1_000_000n,
      meta: { workflowId: 'extract/x', text: 'Ada Lovelace', error },
    });
    expect(line).not.toMatch(/Ada|36/);
    expect(JSON.parse(line)).toMatchObject({
      time: '1970-01-01T00:00:00.001Z',
      workflowId: 'extract/x',
      error: {
        type: 'internal_error',
        stack: expect.arrayContaining([expect.stringMatching(/^at /) as string]) as string[],
        cause: { code: 'ECONNRESET' },
      },
    });
  });
});
