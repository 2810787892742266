import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cacheFolder } from '../../src/stack/cache-folder.ts';
import { findTemporalCli } from '../../src/stack/temporal-cli.ts';
import type { TemporalCli } from '../../src/stack/temporal-cli.ts';
import { judgeTemporalVersion } from '../../src/stack/temporal-version.ts';
import { cleanUp, kill, runChild, temporaryFolder, textOf, until } from './temp-home.ts';

const GOOD = 'temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)';
const OLD = 'temporal version 1.2.0 (Server 1.26.2, UI 2.32.0)';
const OTHER = 'Temporal, the calendar, v9';

let origin: Server;
let originUrl: string;
let goodArchive: Buffer;

beforeAll(async () => {
  goodArchive = archiveWith(GOOD);
  const answers: Readonly<Record<string, (response: ServerResponse) => void>> = {
    '/good': (response) => response.end(goodArchive),
    '/cut-off': (response) => {
      // Says how long it is, and goes away in the middle.
      response.writeHead(200, { 'content-length': goodArchive.length });
      response.write(goodArchive.subarray(0, goodArchive.length / 2), () => response.destroy());
    },
    '/half': (response) => response.end(goodArchive.subarray(0, goodArchive.length / 2)),
    '/not-a-temporal': (response) => response.end(archiveWith(OTHER)),
    '/not-executable': (response) => response.end(archiveWith(GOOD, 0o644)),
    '/without-it': (response) => response.end(archiveWith(GOOD, 0o755, 'LICENSE')),
  };
  origin = createServer((request, response) => {
    const answer = answers[request.url ?? ''];
    if (answer) answer(response);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  const address = origin.address();
  originUrl = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
});

afterAll(async () => {
  origin.close();
  origin.closeAllConnections();
  await cleanUp();
});

describe('finding the Temporal CLI', () => {
  interface Case {
    readonly title: string;
    readonly explicit?: string;
    readonly path?: readonly string[];
    readonly cache?: string;
    readonly download?: string;
    readonly go?: string;
    readonly found: TemporalCli['source'];
    readonly noted?: RegExp;
  }
  const cases: readonly Case[] = [
    {
      title: 'an explicit one goes before all others',
      explicit: GOOD,
      path: [GOOD],
      cache: GOOD,
      found: 'explicit',
    },
    { title: 'then the one on PATH', path: [GOOD], cache: GOOD, found: 'path' },
    {
      title: 'one that is too old is passed over for the next on PATH',
      path: [OLD, GOOD],
      found: 'path',
      noted: /1\.2\.0.*older than 1\.3/,
    },
    {
      title: 'another program of that name is passed over',
      path: [OTHER],
      cache: GOOD,
      found: 'cache',
      noted: /expected "temporal version …", got "Temporal, the calendar/,
    },
    { title: 'then the cache', cache: GOOD, download: '/good', go: GOOD, found: 'cache' },
    {
      title: 'a broken one in the cache is replaced',
      cache: OTHER,
      download: '/good',
      found: 'download',
      noted: /does not work and is replaced/,
    },
    { title: 'then the download', download: '/good', go: GOOD, found: 'download' },
    { title: 'then the build', download: 'off', go: GOOD, found: 'build' },
    {
      title: 'a missing archive leads on to the build',
      download: '/none',
      go: GOOD,
      found: 'build',
      noted: /expected status 200, got 404/,
    },
    {
      title: 'a connection cut in the archive leads on to the build',
      download: '/cut-off',
      go: GOOD,
      found: 'build',
      noted: /download from .*: terminated|aborted|other side/,
    },
    {
      title: 'half an archive leads on to the build',
      download: '/half',
      go: GOOD,
      found: 'build',
      noted: /cannot be unpacked/,
    },
    {
      title: 'an archive with another program leads on to the build',
      download: '/not-a-temporal',
      go: GOOD,
      found: 'build',
      noted: /does not run as a Temporal CLI/,
    },
    {
      title: 'an archive with a file that is not executable leads on to the build',
      download: '/not-executable',
      go: GOOD,
      found: 'build',
      noted: /does not run as a Temporal CLI/,
    },
    {
      title: 'an archive without it leads on to the build',
      download: '/without-it',
      go: GOOD,
      found: 'build',
      noted: /expected a file named temporal/,
    },
  ];

  it.each(cases)('$title', async (given) => {
    const place = prepare(given);
    const notes: string[] = [];
    const cli = await findTemporalCli({ env: place.env, onProgress: ({ message }) => notes.push(message) });
    expect(cli.source).toBe(given.found);
    expect(cli.version).toBe('1.5.1 (server 1.29.1)');
    expect(execFileSync(cli.path, ['--version'], { encoding: 'utf8' }).trim()).toBe(GOOD);
    expect(notes.join('\n')).toMatch(given.noted ?? '');
    expect(leftovers(place.cache)).toEqual([]);
    // What was got is there to stay; what was found stays where it is.
    const again = await findTemporalCli({ env: place.env, onProgress: () => {} });
    const isGot = cli.source === 'download' || cli.source === 'build';
    expect(again).toEqual(isGot ? { ...cli, source: 'cache' } : cli);
  });

  it.each([
    { title: 'is missing', make: (path: string) => path, why: 'there is no such file' },
    {
      title: 'is not executable',
      make: (path: string) => executable(path, GOOD, 0o644),
      why: 'not executable',
    },
    { title: 'is too old', make: (path: string) => executable(path, OLD), why: 'version 1.2.0' },
    { title: 'is another program', make: (path: string) => executable(path, OTHER), why: 'does not answer' },
  ])('an explicit one that $title is an error, not a reason to look elsewhere', async ({ make, why }) => {
    const place = prepare({ path: [GOOD], cache: GOOD });
    const explicit = make(join(temporaryFolder(), 'my-temporal'));
    const finding = findTemporalCli({
      env: { ...place.env, DURABLE_EXTRACT_TEMPORAL_CLI: explicit },
      onProgress: () => {},
    });
    await expect(finding).rejects.toThrow(why);
    await expect(finding).rejects.toThrow(`DURABLE_EXTRACT_TEMPORAL_CLI is "${explicit}"`);
  });

  it('lists all that was tried and what to do, where nothing works', async () => {
    const { env, cache } = prepare({ path: [OLD], download: '/none' });
    const finding = findTemporalCli({ env, onProgress: () => {} });
    for (const part of [
      /PATH: passing over .*1\.2\.0/,
      /cache: nothing/,
      /got 404/,
      /no `go` on PATH/,
      /TEMPORAL_ADDRESS/,
    ]) {
      await expect(finding).rejects.toThrow(part);
    }
    expect(leftovers(cache)).toEqual([]);
  });

  it('shows how far a build is, every few seconds', async () => {
    const { env } = prepare({ download: 'off', go: GOOD, slowly: 'exec_sleep 2.3' });
    const messages: string[] = [];
    await findTemporalCli({ env, onProgress: ({ message }) => messages.push(message) });
    expect(messages.join('\n')).toMatch(
      /2 s, 1 modules downloaded, 2 packages compiled, now compiling google\.golang\.org\/grpc/,
    );
  });

  it('shows the end of what go printed when the build fails', async () => {
    const { env } = prepare({ download: 'off', go: GOOD, slowly: 'echo "disk quota exceeded" >&2; exit 1' });
    await expect(findTemporalCli({ env, onProgress: () => {} })).rejects.toThrow(
      /exit code 1:[^]*disk quota exceeded/,
    );
  });

  it('is built once when two processes need it at once', async () => {
    const { env, goLog } = prepare({ download: 'off', go: GOOD, slowly: 'exec_sleep 0.5' });
    const children = [1, 2].map(() => runChild({ script: 'find-cli.ts', args: [], env: { ...env } }));
    expect(await Promise.all(children.map((child) => child.exited))).toEqual([0, 0]);
    const sources = children.map((child) => (/"source":"(\w+)"/.exec(child.out.join('')) ?? [])[1]);
    expect(new Set(sources)).toEqual(new Set(['build', 'cache']));
    expect(readFileSync(goLog, 'utf8').trim().split('\n')).toHaveLength(1);
  });

  it('starts clean after a process that was killed in the middle of a build', async () => {
    const { env, cache, goLog } = prepare({ download: 'off', go: GOOD, slowly: 'exec_sleep 600' });
    const child = runChild({ script: 'find-cli.ts', args: [], env: { ...env } });
    await until(() => textOf(goLog).endsWith('\n'));
    expect(leftovers(cache)).toHaveLength(1);
    child.kill();
    await child.exited;
    kill(Number(textOf(goLog)));

    fakeGo({ bin: env['PATH'] ?? '', goLog, version: GOOD, slowly: ':' });
    expect((await findTemporalCli({ env, onProgress: () => {} })).source).toBe('build');
    expect(leftovers(cache)).toEqual([]);
  });
});

describe("the CLI's version", () => {
  it.each([
    ['temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)', 'usable'],
    ['temporal version 1.3.0 (Server 1.27.1, UI 2.36.0)', 'usable'],
    ['temporal version 2.0.0', 'usable'],
    ['temporal version 1.6.0-rc.1 (Server 1.30.0-1, UI 2)', 'usable'],
    ['temporal version 0.0.0-DEV (Server 1.29.1, UI 2.42.1)', 'usable'],
    ['temporal version 0.0.0-DEV (Server 1.26.2, UI 2.32.0)', 'too_old'],
    ['temporal version 1.2.9 (Server 1.26.2, UI 2.32.0)', 'too_old'],
    ['temporal version 0.13.2 (server 1.25.0) (ui 2.30.3)', 'too_old'],
    ['tctl version 1.18', 'not_temporal'],
    ['', 'not_temporal'],
  ])('%s is %s', (output, kind) => {
    expect(judgeTemporalVersion(output).kind).toBe(kind);
  });
});

describe('the cache folder', () => {
  it.each([
    ['linux', { HOME: '/h' }, '/h/.cache/durable-extract'],
    ['linux', { HOME: '/h', XDG_CACHE_HOME: '/x' }, '/x/durable-extract'],
    ['linux', { HOME: '/h', XDG_CACHE_HOME: 'relative' }, '/h/.cache/durable-extract'],
    ['linux', { HOME: '/h', DURABLE_EXTRACT_CACHE: '/c' }, '/c'],
    ['darwin', { HOME: '/h' }, '/h/Library/Caches/durable-extract'],
    ['win32', { USERPROFILE: '/u', LOCALAPPDATA: '/l' }, '/l/durable-extract'],
  ] as const)('on %s with %o is %s', (platform, env, expected) => {
    expect(cacheFolder({ platform, env })).toBe(expected);
  });
});

/** An environment in which the CLI is to be found only where the test puts one. */
function prepare(given: {
  readonly explicit?: string;
  readonly path?: readonly string[];
  readonly cache?: string;
  readonly download?: string;
  readonly go?: string;
  readonly slowly?: string;
}): { readonly env: Readonly<Record<string, string>>; readonly cache: string; readonly goLog: string } {
  const root = temporaryFolder('cli');
  const cache = join(root, 'cache');
  const goLog = join(root, 'go.log');
  const bins = (given.path ?? []).map((version, index) => {
    const bin = join(root, `bin${index}`);
    executable(join(bin, 'temporal'), version);
    return bin;
  });
  if (given.go !== undefined) {
    const bin = join(root, 'go');
    fakeGo({ bin, goLog, version: given.go, slowly: given.slowly ?? ':' });
    bins.push(bin);
  }
  if (given.cache !== undefined) executable(join(cache, 'temporal', '1.5.1', 'temporal'), given.cache);
  const download = given.download ?? 'off';
  const env = {
    PATH: bins.join(':'),
    DURABLE_EXTRACT_CACHE: cache,
    DURABLE_EXTRACT_TEMPORAL_DOWNLOAD: download === 'off' ? download : originUrl + download,
  };
  if (given.explicit === undefined) return { env, cache, goLog };
  const explicit = executable(join(root, 'explicit', 'temporal'), given.explicit);
  return { env: { ...env, DURABLE_EXTRACT_TEMPORAL_CLI: explicit }, cache, goLog };
}

/** A `go` that writes its pid to a log, prints what `go install -v` prints, and installs a script. */
function fakeGo(options: {
  readonly bin: string;
  readonly goLog: string;
  readonly version: string;
  readonly slowly: string;
}): void {
  const installed = executable(join(options.bin, 'installed'), options.version);
  const slowly = options.slowly.replace(/^exec_sleep/, '/bin/sleep');
  const lines = [
    '#!/bin/sh',
    'echo "go: downloading github.com/temporalio/cli v1.5.1" >&2',
    'echo "internal/goarch" >&2; echo "google.golang.org/grpc" >&2',
    `echo $$ >> '${options.goLog}'`,
    slowly.includes(' 600') ? `exec ${slowly}` : slowly,
    `/bin/cp '${installed}' "$GOBIN/temporal"`,
  ];
  writeFileSync(join(options.bin, 'go'), `${lines.join('\n')}\n`, { mode: 0o755 });
}

function executable(path: string, output: string, mode = 0o755): string {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, `#!/bin/sh\necho '${output}'\n`);
  chmodSync(path, mode);
  return path;
}

function archiveWith(output: string, mode = 0o755, name = 'temporal'): Buffer {
  const folder = temporaryFolder('archive');
  executable(join(folder, name), output, mode);
  execFileSync('tar', ['-czf', 'archive.tar.gz', name], { cwd: folder });
  return readFileSync(join(folder, 'archive.tar.gz'));
}

function leftovers(cache: string): readonly string[] {
  const root = join(cache, 'temporal');
  return existsSync(root) ? readdirSync(root).filter((name) => name.startsWith('.incoming-')) : [];
}
