import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { codeOf } from './error-facts.ts';

const run = promisify(execFile);

/**
 * When a process started, as a string that only compares equal for the same process: a pid is reused, a pid
 * with its start time is not. It survives `exec`. `undefined`: no such process runs (a zombie counts as ended).
 */
export async function processStartTime(pid: number): Promise<string | undefined> {
  if (!Number.isInteger(pid) || pid <= 0 || !exists(pid)) return undefined;
  if (process.platform === 'linux') return linuxStartTime(pid);
  return process.platform === 'win32' ? windowsStartTime(pid) : posixStartTime(pid);
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it runs, as another user. Its start time tells whether it is ours.
    return codeOf(error) === 'EPERM';
  }
}

function linuxStartTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command in brackets may itself hold spaces and brackets; fields 3 (state) and 22 (start) follow the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const isEnded = fields[0] === 'Z' || fields[0] === 'X';
    // Ticks count from boot, so the boot belongs to it.
    return isEnded ? undefined : `${fields[19]}@${bootId()}`;
  } catch {
    // It ended between the two looks.
    return undefined;
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    // Some sandboxes hide it; ticks alone still tell processes of one boot apart.
    return 'unknown-boot';
  }
}

async function posixStartTime(pid: number): Promise<string | undefined> {
  try {
    const { stdout } = await run('ps', ['-o', 'state=,lstart=', '-p', String(pid)], {
      env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
    });
    const [state, ...start] = stdout.trim().split(/\s+/);
    return state === undefined || state.startsWith('Z') ? undefined : start.join(' ');
  } catch {
    // `ps` exits with 1 when there is no such process.
    return undefined;
  }
}

async function windowsStartTime(pid: number): Promise<string | undefined> {
  try {
    const script = `(Get-Process -Id ${pid}).StartTime.ToFileTimeUtc()`;
    const { stdout } = await run('powershell.exe', ['-NoProfile', '-NonInteractive', '-Command', script]);
    return stdout.trim() || undefined;
  } catch {
    // PowerShell fails when there is no such process.
    return undefined;
  }
}
