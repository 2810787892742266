import { execFile } from 'node:child_process';

/** The Temporal CLI that is downloaded or built: the newest one that `go install` takes. */
export const TEMPORAL_CLI_VERSION = '1.5.1';

/** The oldest CLI that is used when found, and the server it came with. */
const OLDEST_CLI = [1, 3] as const;
const OLDEST_SERVER = [1, 27] as const;

/** What became of asking a program for its version. */
export type TemporalVersion =
  | { readonly kind: 'usable'; readonly version: string }
  | { readonly kind: 'too_old'; readonly version: string }
  | { readonly kind: 'not_temporal'; readonly why: string };

/** Runs `<path> --version` (at most 15 s) and judges the answer. Never throws. */
export async function probeTemporalVersion(path: string): Promise<TemporalVersion> {
  return new Promise((resolve) => {
    execFile(path, ['--version'], { timeout: 15_000, windowsHide: true }, (error, stdout) => {
      resolve(error ? { kind: 'not_temporal', why: firstLine(error.message) } : judgeTemporalVersion(stdout));
    });
  });
}

/**
 * Judges what `temporal --version` prints: `temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)`. A CLI built from
 * source calls itself `0.0.0-DEV`; the server inside then decides.
 */
export function judgeTemporalVersion(output: string): TemporalVersion {
  const match = /^temporal version (\d+)\.(\d+)\.(\d+)(\S*)(?: \(Server (\d+)\.(\d+)\.(\d+))?/m.exec(output);
  if (match === null) {
    const got = firstLine(output);
    return {
      kind: 'not_temporal',
      why: `expected "temporal version …", got ${JSON.stringify(got.slice(0, 60))}`,
    };
  }
  const [, major, minor, patch, suffix, serverMajor, serverMinor, serverPatch] = match;
  const isFromSource = major === '0' && minor === '0';
  const server = serverMajor === undefined ? '' : ` (server ${serverMajor}.${serverMinor}.${serverPatch})`;
  const version = `${major}.${minor}.${patch}${suffix}${server}`;
  const isUsable = isFromSource
    ? isAtLeast([Number(serverMajor ?? 0), Number(serverMinor ?? 0)], OLDEST_SERVER)
    : isAtLeast([Number(major), Number(minor)], OLDEST_CLI);
  return { kind: isUsable ? 'usable' : 'too_old', version };
}

function isAtLeast(version: readonly [number, number], oldest: readonly [number, number]): boolean {
  return version[0] > oldest[0] || (version[0] === oldest[0] && version[1] >= oldest[1]);
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}
