// Takes the lock, says so, and keeps it until it is killed.
import { withProcessLock } from '../../../src/stack/process-lock.ts';

await withProcessLock(
  { path: process.argv[2] ?? '', purpose: 'testing', timeoutMs: 20_000 },
  () =>
    new Promise<void>((resolve) => {
      console.log('held');
      setTimeout(resolve, 600_000);
    }),
);
