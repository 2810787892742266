import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { codeOf } from './error-facts.ts';
import { formatElapsed } from './progress.ts';
import type { Environment, OnProgress } from './progress.ts';
import { TEMPORAL_CLI_VERSION } from './temporal-version.ts';

const MODULE = `github.com/temporalio/cli/cmd/temporal@v${TEMPORAL_CLI_VERSION}`;
const REPORT_MS = 2000;

/**
 * Builds the CLI from its source with `go install`, into `folder` (a temporary one). Takes about 4 minutes on
 * 2 cores the first time; reports every 2 seconds what it is at. Gives the path of the binary, not yet tried out.
 *
 * @throws with the reason in its message: no `go`, or the end of what it printed.
 */
export async function buildTemporalCli(options: {
  readonly folder: string;
  readonly env: Environment;
  readonly onProgress: OnProgress;
}): Promise<string> {
  // A cross-compilation setting of the user's would put a binary for another machine elsewhere.
  const { GOOS: _os, GOARCH: _arch, ...env } = options.env;
  const version = `-X github.com/temporalio/cli/temporalcli.Version=${TEMPORAL_CLI_VERSION}`;
  const child = spawn('go', ['install', '-v', '-ldflags', `-s -w ${version}`, MODULE], {
    env: { ...env, GOBIN: options.folder },
    cwd: options.folder,
    stdio: ['ignore', 'ignore', 'pipe'],
    windowsHide: true,
  });

  const startedAt = performance.now();
  const tail: string[] = [];
  let downloaded = 0;
  let compiled = 0;
  let current = 'looking up modules';
  createInterface({ input: child.stderr }).on('line', (line) => {
    tail.push(line);
    if (tail.length > 15) tail.shift();
    const download = /^go: downloading (\S+)/.exec(line);
    if (download !== null) {
      downloaded += 1;
      current = `downloading ${download[1]}`;
    } else if (/^[\w.-]+(\/[\w.~-]+)*$/.test(line)) {
      compiled += 1;
      current = `compiling ${line}`;
    }
  });
  const report = setInterval(() => {
    options.onProgress({
      step: 'temporal-cli',
      message:
        `building the Temporal CLI (once, takes minutes): ${formatElapsed(performance.now() - startedAt)}, ` +
        `${downloaded} modules downloaded, ${compiled} packages compiled, now ${current}`,
    });
  }, REPORT_MS);
  const stopWithUs = (): void => void child.kill();
  process.once('exit', stopWithUs);
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', (error) => {
        const isMissing = codeOf(error) === 'ENOENT';
        reject(new Error(isMissing ? 'no `go` on PATH' : error.message, { cause: error }));
      });
      child.once('close', (code, signal) => {
        if (code === 0) resolve();
        else reject(new Error(`go install ended with ${signal ?? `exit code ${code}`}:\n${tail.join('\n')}`));
      });
    });
  } finally {
    clearInterval(report);
    process.off('exit', stopWithUs);
  }
  return join(options.folder, process.platform === 'win32' ? 'temporal.exe' : 'temporal');
}
