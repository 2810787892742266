import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ProcessStartError, ensureProcess, fingerprintOf, isAlive } from '../../src/stack/managed-process.ts';
import type { ManagedProcessSpec } from '../../src/stack/managed-process.ts';
import { processStartTime } from '../../src/stack/process-identity.ts';
import { recordProcess } from '../../src/stack/state-file.ts';
import { stackStatus, stopStack } from '../../src/stack/stack.ts';
import { cleanUp, kill, runChild, temporaryFolder, textOf, until } from './temp-home.ts';

afterAll(cleanUp);

const quiet = (): void => {};

/** A process that announces itself as `announceReady` does, and then runs `afterwards`. */
function announcing(
  options: { readonly fingerprint?: string; readonly afterwards?: string } = {},
): ManagedProcessSpec {
  const announce = `echo '{"url":"http://127.0.0.1:1"}' > "$DURABLE_EXTRACT_READY_FILE"`;
  return shell({ ...options, script: `${announce}; ${options.afterwards ?? 'exec sleep 600'}` });
}

function shell(options: {
  readonly script: string;
  readonly fingerprint?: string;
  readonly readyTimeoutMs?: number;
}): ManagedProcessSpec {
  return {
    command: '/bin/sh',
    args: ['-c', options.script],
    env: { PATH: process.env['PATH'], OPENAI_API_KEY: 'sk-secret' },
    fingerprint: options.fingerprint ?? 'same',
    readiness: { kind: 'announced' },
    stopGraceMs: 200,
    readyTimeoutMs: options.readyTimeoutMs ?? 20_000,
  };
}

describe('a managed process', () => {
  it('is started once, and attached to afterwards', async () => {
    const home = temporaryFolder();
    const options = { home, name: 'worker', spec: announcing(), onProgress: quiet };
    const [first, second] = await Promise.all([ensureProcess(options), ensureProcess(options)]);
    expect([first.how, second.how].toSorted()).toEqual(['attached', 'started']);
    expect(second.record.pid).toBe(first.record.pid);
    expect(first.record.details).toEqual({ url: 'http://127.0.0.1:1' });
    expect(await ensureProcess(options)).toEqual({ how: 'attached', record: first.record });
  });

  it('is started again when it was killed', async () => {
    const home = temporaryFolder();
    const options = { home, name: 'worker', spec: announcing(), onProgress: quiet };
    const { record } = await ensureProcess(options);
    kill(record.pid);
    await until(async () => !(await isAlive(record)));
    expect((await stackStatus(home)).processes).toMatchObject([
      { name: 'worker', state: 'dead', healthy: false },
    ]);
    const again = await ensureProcess(options);
    expect(again.how).toBe('restarted');
    expect(await isAlive(again.record)).toBe(true);
  });

  it('is replaced when what it was started with differs', async () => {
    const home = temporaryFolder();
    const options = { home, name: 'worker', onProgress: quiet };
    const first = await ensureProcess({
      ...options,
      spec: announcing({ fingerprint: fingerprintOf({ model: 'a' }) }),
    });
    const second = await ensureProcess({
      ...options,
      spec: announcing({ fingerprint: fingerprintOf({ model: 'b' }) }),
    });
    expect(second.how).toBe('restarted');
    expect(await isAlive(first.record)).toBe(false);
    expect(await isAlive(second.record)).toBe(true);
  });

  it('is replaced when it is alive but its probe gets no answer', async () => {
    const home = temporaryFolder();
    let answer: object | undefined = { port: 1 };
    const spec: ManagedProcessSpec = {
      ...shell({ script: 'exec sleep 600', readyTimeoutMs: 300 }),
      readiness: { kind: 'probe', probe: async () => answer && { port: 1 } },
    };
    const first = await ensureProcess({ home, name: 'provider', spec, onProgress: quiet });
    answer = undefined;
    const progress: string[] = [];
    const second = ensureProcess({
      home,
      name: 'provider',
      spec,
      onProgress: ({ message }) => {
        progress.push(message);
        if (message.includes('does not answer')) answer = { port: 1 };
      },
    });
    expect((await second).how).toBe('restarted');
    expect(progress.join()).toContain(
      `provider (process ${first.record.pid}) does not answer; starting it again`,
    );
    expect(await isAlive(first.record)).toBe(false);
  });

  it('that ends before it is ready is an error with its last lines, and leaves no record', async () => {
    const home = temporaryFolder();
    const spec = shell({ script: 'echo "cannot find the schema" >&2; exit 7' });
    const starting = ensureProcess({ home, name: 'worker', spec, onProgress: quiet });
    await expect(starting).rejects.toThrow(ProcessStartError);
    await expect(starting).rejects.toThrow(
      /worker did not start: it ended \(exit code 7\).*logs\/worker\.log[^]*cannot find the schema/,
    );
    expect((await stackStatus(home)).processes).toEqual([]);
  });

  it('that is not ready in time is ended', async () => {
    const home = temporaryFolder();
    const pidFile = join(home, 'pid');
    const spec = shell({ script: `echo $$ > '${pidFile}'; exec sleep 600`, readyTimeoutMs: 300 });
    const starting = ensureProcess({ home, name: 'worker', spec, onProgress: quiet });
    await expect(starting).rejects.toThrow('it was not ready within');
    expect(await processStartTime(Number(textOf(pidFile)))).toBeUndefined();
  });

  it('whose program does not exist is an error that names it', async () => {
    const home = temporaryFolder();
    const spec = { ...announcing(), command: '/no/such/program' };
    await expect(ensureProcess({ home, name: 'worker', spec, onProgress: quiet })).rejects.toThrow(
      '/no/such/program',
    );
  });

  it('leaves no secret of its environment or arguments on disk', async () => {
    const home = temporaryFolder();
    const spec = announcing({ afterwards: ': sk-argument; exec sleep 600' });
    const { record } = await ensureProcess({ home, name: 'worker', spec, onProgress: quiet });
    const written = [join(home, 'stack.json'), record.logFile]
      .map((path) => readFileSync(path, 'utf8'))
      .join();
    expect(written).not.toContain('sk-');
  });

  it('has a session of its own, so that Ctrl-C in the terminal of its starter does not reach it', async () => {
    const home = temporaryFolder();
    const { record } = await ensureProcess({ home, name: 'worker', spec: announcing(), onProgress: quiet });
    if (process.platform !== 'linux') return;
    const [, processGroup, session] =
      readFileSync(`/proc/${record.pid}/stat`, 'utf8').split(') ')[1]?.split(' ').slice(1) ?? [];
    expect([processGroup, session]).toEqual([String(record.pid), String(record.pid)]);
  });

  it('whose starter was killed while it started is waited for, not started twice', async () => {
    const home = temporaryFolder();
    const gate = join(home, 'gate');
    const begun = join(home, 'begun');
    const script = `echo > '${begun}'; until [ -e '${gate}' ]; do sleep 0.02; done; echo '{}' > "$DURABLE_EXTRACT_READY_FILE"; exec sleep 600`;
    const starter = runChild({ script: 'ensure-process.ts', args: [home, script] });
    // Being on record is not enough: the process runs only once its starter has said so, which comes after.
    await until(() => existsSync(begun));
    starter.kill();
    await starter.exited;
    const [orphan] = (await stackStatus(home)).processes;
    expect(orphan).toMatchObject({ state: 'starting', healthy: false });

    const attaching = ensureProcess({ home, name: 'worker', spec: shell({ script }), onProgress: quiet });
    writeFileSync(gate, '');
    expect(await attaching).toMatchObject({ how: 'attached', record: { pid: orphan?.pid, state: 'ready' } });
  });
});

describe('ending a stack', () => {
  it('ends the worker first and the server last, kills what does not end, and can be repeated', async () => {
    const home = temporaryFolder();
    const spec = announcing();
    await ensureProcess({ home, name: 'server', spec, onProgress: quiet });
    await ensureProcess({ home, name: 'worker', spec, onProgress: quiet });
    const stubborn = announcing({ afterwards: "trap '' TERM; sleep 600 & wait; wait; wait; sleep 600" });
    const { record } = await ensureProcess({
      home,
      name: 'simulated-provider',
      spec: stubborn,
      onProgress: quiet,
    });

    const stopped = await stopStack({ home, onProgress: quiet });
    expect(stopped.map(({ name, how }) => `${name} ${how}`)).toEqual([
      'worker ended',
      'simulated-provider killed',
      'server ended',
    ]);
    expect(await isAlive(record)).toBe(false);
    expect(await stopStack({ home, onProgress: quiet })).toEqual([]);
    expect((await stackStatus(home)).processes).toEqual([]);
  });

  it('leaves alone another process that has got the pid meanwhile', async () => {
    const home = temporaryFolder();
    const { record } = await ensureProcess({ home, name: 'worker', spec: announcing(), onProgress: quiet });
    kill(record.pid);
    await until(async () => !(await isAlive(record)));
    // Linux counts start times in ticks of 10 ms: a process of the same tick would be the same one but for its pid.
    await until(() => Date.now() - Date.parse(record.startedAt) > 50);
    const bystander = runChild({ script: 'hold-lock.ts', args: [join(temporaryFolder(), 'a.lock')] });
    await until(() => bystander.out.includes('held'));
    recordProcess(home, { ...record, pid: bystander.pid });

    expect(await stackStatus(home)).toMatchObject({ processes: [{ state: 'dead' }] });
    expect(await stopStack({ home, onProgress: quiet })).toEqual([
      { name: 'worker', pid: bystander.pid, how: 'not_running' },
    ]);
    expect(await processStartTime(bystander.pid)).toBeDefined();
  });

  it('does nothing, and creates nothing, in a home that is not there', async () => {
    const home = join(temporaryFolder(), 'none');
    expect(await stopStack({ home, onProgress: quiet })).toEqual([]);
    expect(await stackStatus(home)).toEqual({ home, processes: [], database: undefined });
  });

  it('refuses a stack.json that is not ours, and says what it expected', async () => {
    const home = temporaryFolder();
    writeFileSync(join(home, 'stack.json'), '{"version": 2}');
    await expect(stopStack({ home, onProgress: quiet })).rejects.toThrow(
      /stack\.json: expected .*"version": 1.*got "\{/,
    );
    rmSync(join(home, 'stack.json'));
  });
});
