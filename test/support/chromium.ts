import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import { isExecutable } from '../../src/stack/is-executable.ts';

const run = promisify(execFile);
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'] as const;

/**
 * The path of a Chromium: `CHROMIUM_PATH`, one on `PATH`, or Playwright's own in its cache. Where there is none it is installed:
 * Debian's as root, else Playwright's by download.
 *
 * @throws with what to do, where neither can be.
 */
export async function ensureChromium(): Promise<string> {
  const given = process.env['CHROMIUM_PATH'];
  if (given) {
    if (isExecutable(given)) return given;
    throw new Error(`CHROMIUM_PATH: expected a program, got '${given}'. Correct it, or unset it.`);
  }
  const found = find();
  if (found !== undefined) return found;
  const failures: string[] = [];
  for (const install of [installFromDebian, downloadPlaywrights]) {
    await install().catch((error: unknown) => failures.push(String(error)));
    const installed = find();
    if (installed !== undefined) return installed;
  }
  throw new Error(
    `There is no Chromium, and none could be installed: ${failures.join('; ')}. ` +
      'Install one (apt-get install chromium, or npx playwright-core install chromium), or set CHROMIUM_PATH to it.',
  );
}

function find(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const onPath = NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
  const own = chromium.executablePath();
  return onPath ?? (existsSync(own) ? own : undefined);
}

async function installFromDebian(): Promise<void> {
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) return;
  process.stderr.write('installing Chromium (apt-get)\n');
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, maxBuffer: 64 * 1024 * 1024 };
  await run('apt-get', ['update'], options);
  await run('apt-get', ['install', '--yes', '--no-install-recommends', 'chromium'], options);
}

async function downloadPlaywrights(): Promise<void> {
  process.stderr.write('installing Chromium (download by Playwright)\n');
  const cli = join(createRequire(import.meta.url).resolve('playwright-core/package.json'), '../cli.js');
  await run(process.execPath, [cli, 'install', 'chromium'], { maxBuffer: 64 * 1024 * 1024 });
}
