import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { messageOf } from './error-facts.ts';
import { cacheFolder } from './cache-folder.ts';
import { withProcessLock } from './process-lock.ts';
import { formatElapsed } from './progress.ts';
import type { Environment, OnProgress } from './progress.ts';
import { buildTemporalCli } from './temporal-build.ts';
import { downloadTemporalCli, officialDownloads } from './temporal-download.ts';
import { TEMPORAL_CLI_VERSION, probeTemporalVersion } from './temporal-version.ts';
import { isExecutable } from './is-executable.ts';

const EXECUTABLE = process.platform === 'win32' ? 'temporal.exe' : 'temporal';
/** Longer than the slowest build that was seen, several times. */
const LOCK_TIMEOUT_MS = 30 * 60_000;
const INCOMING = '.incoming-';

/** A Temporal CLI that was run and answered. */
export interface TemporalCli {
  /** Absolute. */
  readonly path: string;
  /** As it calls itself: `1.5.1 (server 1.29.1)`. */
  readonly version: string;
  readonly source: 'explicit' | 'path' | 'cache' | 'download' | 'build';
}

/** No Temporal CLI could be found or got. The message lists all that was tried, and what the user can do. */
export class TemporalCliError extends Error {
  override readonly name = 'TemporalCliError';
}

/**
 * Finds the Temporal CLI, or gets it: `DURABLE_EXTRACT_TEMPORAL_CLI` (which must work, nothing else is tried
 * then), `temporal` on PATH (one older than 1.3 is passed over), the user-level cache, the official download,
 * `go install`. `DURABLE_EXTRACT_TEMPORAL_DOWNLOAD` replaces the official download by the URL of an archive on a
 * mirror; `off` skips it.
 *
 * What is downloaded or built lands in the cache only when it is whole and runs. Of two processes at once, one
 * gets it and the other waits.
 *
 * @throws {TemporalCliError}
 */
export async function findTemporalCli(options: {
  readonly env: Environment;
  readonly onProgress: OnProgress;
}): Promise<TemporalCli> {
  const { env, onProgress } = options;
  const explicit = env['DURABLE_EXTRACT_TEMPORAL_CLI'];
  if (explicit) return useExplicit(explicit);

  const tried: string[] = [];
  const note = (what: string): void => {
    tried.push(what);
    onProgress({ step: 'temporal-cli', message: what });
  };
  const onPath = await findOnPath({ env, note });
  if (onPath !== undefined) return onPath;
  if (!env['PATH']?.trim()) tried.push('PATH is empty');
  else if (tried.length === 0) tried.push('PATH: no program named temporal');

  const cached = join(cacheFolder({ env }), 'temporal', TEMPORAL_CLI_VERSION, EXECUTABLE);
  const fromCache = await useCached({ cached, note });
  if (fromCache !== undefined) return fromCache;
  tried.push(`cache: nothing that works at ${cached}`);
  return getIntoCache({ env, cached, tried, note, onProgress });
}

async function useExplicit(explicit: string): Promise<TemporalCli> {
  const path = resolve(explicit);
  if (!isFile(path)) throw explicitError(explicit, 'there is no such file');
  if (!isExecutable(path)) throw explicitError(explicit, 'that file is not executable');
  const probed = await probeTemporalVersion(path);
  if (probed.kind === 'usable') return { path, version: probed.version, source: 'explicit' };
  const why =
    probed.kind === 'too_old' ? `that one is version ${probed.version}` : `it does not answer: ${probed.why}`;
  throw explicitError(explicit, why);
}

function explicitError(explicit: string, why: string): TemporalCliError {
  return new TemporalCliError(
    `DURABLE_EXTRACT_TEMPORAL_CLI is ${JSON.stringify(explicit)}, but ${why}. ` +
      'Expected the path of a Temporal CLI, 1.3 or newer. Correct it, or unset it to have one found.',
  );
}

async function findOnPath(options: {
  readonly env: Environment;
  readonly note: (what: string) => void;
}): Promise<TemporalCli | undefined> {
  // A relative entry would mean another program in each working folder.
  const folders = (options.env['PATH'] ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
  for (const path of new Set(folders.map((folder) => join(folder, EXECUTABLE)))) {
    if (!isFile(path) || !isExecutable(path)) continue;
    const probed = await probeTemporalVersion(path);
    if (probed.kind === 'usable') return { path, version: probed.version, source: 'path' };
    const why = probed.kind === 'too_old' ? `version ${probed.version} is older than 1.3` : probed.why;
    options.note(`PATH: passing over ${path}: ${why}`);
  }
  return undefined;
}

async function useCached(options: {
  readonly cached: string;
  readonly note: (what: string) => void;
}): Promise<TemporalCli | undefined> {
  const { cached } = options;
  if (!isFile(cached)) return undefined;
  const probed = await probeTemporalVersion(cached);
  if (probed.kind === 'usable') return { path: cached, version: probed.version, source: 'cache' };
  options.note(`cache: ${cached} does not work and is replaced`);
  return undefined;
}

async function getIntoCache(options: {
  readonly env: Environment;
  readonly cached: string;
  readonly tried: string[];
  readonly note: (what: string) => void;
  readonly onProgress: OnProgress;
}): Promise<TemporalCli> {
  const { env, cached, tried, note, onProgress } = options;
  const root = join(cached, '..', '..');
  mkdirSync(join(cached, '..'), { recursive: true });
  return withProcessLock(
    {
      path: join(root, `${TEMPORAL_CLI_VERSION}.lock`),
      purpose: 'getting the Temporal CLI',
      timeoutMs: LOCK_TIMEOUT_MS,
      onWait: ({ holder, waitedMs }) =>
        onProgress({ step: 'temporal-cli', message: `waiting for ${holder}: ${formatElapsed(waitedMs)}` }),
    },
    async () => {
      const meanwhile = await useCached({ cached, note });
      if (meanwhile !== undefined) return meanwhile;
      // What a killed predecessor left: nobody else can be using it, the lock is ours.
      for (const name of readdirSync(root)) {
        if (name.startsWith(INCOMING)) rmSync(join(root, name), { recursive: true, force: true });
      }
      for (const way of waysToGet({ env, onProgress })) {
        onProgress({ step: 'temporal-cli', message: way.announcement });
        const folder = mkdtempSync(join(root, INCOMING));
        try {
          const version = await land({ binary: await way.get(folder), cached });
          return { path: cached, version, source: way.source };
        } catch (error) {
          note(`${way.label}: ${messageOf(error)}`);
        } finally {
          rmSync(folder, { recursive: true, force: true });
        }
      }
      throw new TemporalCliError(noneFound(tried));
    },
  );
}

interface WayToGet {
  readonly source: 'download' | 'build';
  readonly label: string;
  readonly announcement: string;
  readonly get: (folder: string) => Promise<string>;
}

function waysToGet(options: {
  readonly env: Environment;
  readonly onProgress: OnProgress;
}): readonly WayToGet[] {
  const { env, onProgress } = options;
  const mirror = env['DURABLE_EXTRACT_TEMPORAL_DOWNLOAD'];
  const official = officialDownloads({ platform: process.platform, arch: process.arch });
  const urls = mirror === 'off' ? [] : mirror ? [mirror] : official;
  const downloads = urls.map((url): WayToGet => ({
    source: 'download',
    label: `download from ${url}`,
    announcement: `downloading the Temporal CLI from ${new URL(url).host}`,
    get: (folder) => downloadTemporalCli({ url, folder, onProgress }),
  }));
  const build: WayToGet = {
    source: 'build',
    label: 'build with go install',
    announcement: 'building the Temporal CLI with go install (once, takes minutes)',
    get: (folder) => buildTemporalCli({ folder, env, onProgress }),
  };
  return [...downloads, build];
}

/** Tries the binary out, then moves it to its place in one step. */
async function land(options: { readonly binary: string; readonly cached: string }): Promise<string> {
  if (!isFile(options.binary)) throw new Error(`expected a file named ${EXECUTABLE}, got none`);
  const probed = await probeTemporalVersion(options.binary);
  if (probed.kind !== 'usable') {
    const why = probed.kind === 'too_old' ? `it is version ${probed.version}` : probed.why;
    throw new Error(`what came does not run as a Temporal CLI: ${why}`);
  }
  renameSync(options.binary, options.cached);
  return probed.version;
}

function noneFound(tried: readonly string[]): string {
  return [
    'No Temporal CLI could be found or got. Tried:',
    ...tried.map((what) => `  - ${what}`),
    'Do one of these:',
    '  - install the Temporal CLI (https://docs.temporal.io/cli) so that `temporal` is on PATH',
    '  - set DURABLE_EXTRACT_TEMPORAL_CLI to the path of one',
    '  - install Go, which builds it from source in a few minutes',
    '  - set TEMPORAL_ADDRESS to use a Temporal server that already runs',
  ].join('\n');
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
