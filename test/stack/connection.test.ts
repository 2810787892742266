import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { resolveTemporalConnection } from '../../src/stack/connection.ts';
import { writeStackFile } from '../../src/stack/state-file.ts';
import { cleanUp, temporaryFolder } from './temp-home.ts';

afterAll(cleanUp);

describe('the connection to Temporal', () => {
  it('is the one that TEMPORAL_* names, with namespace and API key, whatever the home holds', () => {
    const env = {
      TEMPORAL_ADDRESS: 'cloud:7233',
      TEMPORAL_NAMESPACE: 'n',
      TEMPORAL_API_KEY: 'k',
      HOME: temporaryFolder(),
    };
    const home = homeWithServer();
    expect(resolveTemporalConnection({ env, home })).toMatchObject({
      external: true,
      address: 'cloud:7233',
      namespace: 'n',
      clientOptions: { address: 'cloud:7233', apiKey: 'k', tls: true },
      nativeOptions: { address: 'cloud:7233', apiKey: 'k', tls: true },
    });
  });

  it('is the one of a profile in a configuration file that is named', () => {
    const file = join(temporaryFolder(), 'temporal.toml');
    writeFileSync(file, '[profile.staging]\naddress = "staging:7233"\nnamespace = "s"\n');
    const env = { TEMPORAL_CONFIG_FILE: file, TEMPORAL_PROFILE: 'staging' };
    expect(resolveTemporalConnection({ env, home: temporaryFolder() })).toMatchObject({
      external: true,
      address: 'staging:7233',
      namespace: 's',
    });
  });

  it('is the embedded server otherwise, past any proxy', () => {
    expect(resolveTemporalConnection({ env: {}, home: homeWithServer() })).toEqual({
      external: false,
      address: '127.0.0.1:7999',
      namespace: 'default',
      clientOptions: { address: '127.0.0.1:7999', channelArgs: { 'grpc.enable_http_proxy': 0 } },
      nativeOptions: { address: '127.0.0.1:7999' },
    });
  });

  it('is not there before the stack was started', () => {
    expect(resolveTemporalConnection({ env: {}, home: temporaryFolder() })).toBeUndefined();
  });
});

function homeWithServer(): string {
  const home = temporaryFolder();
  const server = {
    name: 'server',
    pid: 1,
    startTime: 'x',
    startedAt: '2026-01-01T00:00:00.000Z',
    state: 'ready',
    fingerprint: 'x',
    logFile: 'x',
    stopGraceMs: 1,
    details: { address: '127.0.0.1:7999' },
  } as const;
  writeStackFile(home, { version: 1, processes: { server } });
  return home;
}
