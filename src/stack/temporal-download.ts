import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { messageOf } from './error-facts.ts';
import { formatElapsed } from './progress.ts';
import type { OnProgress } from './progress.ts';
import { TEMPORAL_CLI_VERSION } from './temporal-version.ts';

const run = promisify(execFile);

/** How long a host may take to begin its answer: a machine without internet should go on to the build soon. */
const ANSWER_TIMEOUT_MS = 8_000;
/** How long a download that began may stand still. */
const STALL_TIMEOUT_MS = 30_000;

/** The official archives of the CLI for this platform, in the order in which they are tried. */
export function officialDownloads(options: {
  readonly platform: NodeJS.Platform;
  readonly arch: string;
}): readonly string[] {
  const platform = options.platform === 'win32' ? 'windows' : options.platform;
  const arch = options.arch === 'x64' ? 'amd64' : options.arch;
  const version = TEMPORAL_CLI_VERSION;
  const extension = platform === 'windows' ? 'zip' : 'tar.gz';
  return [
    `https://temporal.download/cli/archive/v${version}?platform=${platform}&arch=${arch}`,
    `https://github.com/temporalio/cli/releases/download/v${version}/temporal_cli_${version}_${platform}_${arch}.${extension}`,
  ];
}

/**
 * Downloads one archive into `folder` (a temporary one) and unpacks it there with the system's `tar`, which
 * reads zip files too on Windows. Gives the path where the binary should now lie; it is not yet tried out.
 *
 * @throws with the reason in its message: no answer in 8 s, a status other than 200, a body cut off or standing
 * still for 30 s, an archive that `tar` does not read.
 */
export async function downloadTemporalCli(options: {
  readonly url: string;
  readonly folder: string;
  readonly onProgress: OnProgress;
}): Promise<string> {
  const archive = join(options.folder, 'temporal.archive');
  await fetchTo({ ...options, archive });
  try {
    await run('tar', ['-xf', archive, '-C', options.folder]);
  } catch (error) {
    throw new Error(`the archive cannot be unpacked: ${messageOf(error).trim()}`, { cause: error });
  }
  return join(options.folder, process.platform === 'win32' ? 'temporal.exe' : 'temporal');
}

async function fetchTo(options: {
  readonly url: string;
  readonly archive: string;
  readonly onProgress: OnProgress;
}): Promise<void> {
  const abort = new AbortController();
  const abortAfter = (timeoutMs: number, why: string): NodeJS.Timeout =>
    setTimeout(() => abort.abort(new Error(why)), timeoutMs);
  let watchdog = abortAfter(ANSWER_TIMEOUT_MS, `no answer within ${formatElapsed(ANSWER_TIMEOUT_MS)}`);
  try {
    const response = await fetch(options.url, { signal: abort.signal });
    if (response.status !== 200 || response.body === null) {
      throw new Error(`expected status 200, got ${response.status}`);
    }
    const totalBytes = Number(response.headers.get('content-length') ?? 0);
    let bytes = 0;
    let nextReportAt = performance.now() + 1000;
    const source = Readable.fromWeb(response.body);
    source.on('data', (chunk: Uint8Array) => {
      clearTimeout(watchdog);
      watchdog = abortAfter(STALL_TIMEOUT_MS, `no data for ${formatElapsed(STALL_TIMEOUT_MS)}`);
      bytes += chunk.byteLength;
      if (performance.now() < nextReportAt) return;
      nextReportAt = performance.now() + 1000;
      const total = totalBytes > 0 ? ` of ${megabytes(totalBytes)}` : '';
      options.onProgress({
        step: 'temporal-cli',
        message: `downloading the Temporal CLI: ${megabytes(bytes)}${total} MB`,
      });
    });
    await pipeline(source, createWriteStream(options.archive), { signal: abort.signal });
  } catch (error) {
    throw new Error(reasonOf(abort.signal.aborted ? abort.signal.reason : error), { cause: error });
  } finally {
    clearTimeout(watchdog);
  }
}

/** `fetch` says only "fetch failed"; what failed is in the causes. */
function reasonOf(error: unknown): string {
  const parts: string[] = [];
  for (let cause: unknown = error; cause instanceof Error && parts.length < 3; cause = cause.cause) {
    parts.push(cause.message);
  }
  return parts.join(': ') || String(error);
}

function megabytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(0);
}
