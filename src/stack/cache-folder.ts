import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import type { Environment } from './progress.ts';

/**
 * The user-level cache: outside every checkout and every home, so that a fresh clone finds what an older one got.
 * `DURABLE_EXTRACT_CACHE`, or `durable-extract` in the platform's own cache folder.
 */
export function cacheFolder(options: {
  readonly env: Environment;
  readonly platform?: NodeJS.Platform;
}): string {
  const { env } = options;
  if (env['DURABLE_EXTRACT_CACHE']) return resolve(env['DURABLE_EXTRACT_CACHE']);
  return join(platformCache(env, options.platform ?? process.platform), 'durable-extract');
}

function platformCache(env: Environment, platform: NodeJS.Platform): string {
  const home = env['HOME'] || env['USERPROFILE'] || homedir();
  if (platform === 'darwin') return join(home, 'Library', 'Caches');
  if (platform === 'win32') return env['LOCALAPPDATA'] || join(home, 'AppData', 'Local');
  // The XDG specification says to ignore a relative one.
  const xdg = env['XDG_CACHE_HOME'];
  return xdg && isAbsolute(xdg) ? xdg : join(home, '.cache');
}
