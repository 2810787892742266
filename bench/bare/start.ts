import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** Runs the yardstick's worker for as long as `use` takes. */
export async function withBareWorker<T>(address: string, use: () => Promise<T>): Promise<T> {
  const worker = await startBareWorker(address);
  try {
    return await use();
  } finally {
    await end(worker);
  }
}

async function startBareWorker(address: string): Promise<ChildProcess> {
  const script = fileURLToPath(new URL('worker.ts', import.meta.url));
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script, address], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`The bare worker ended with exit code ${code} before it was ready.`);
  });
  await Promise.race([once(child.stdout, 'data'), ended]);
  // From here on its end is expected.
  ended.catch(() => {});
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}
