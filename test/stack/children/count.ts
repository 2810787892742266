// Adds one to the number in a file, again and again, in a way that loses counts unless nobody else does so meanwhile.
import { readFileSync, writeFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { withProcessLock } from '../../../src/stack/process-lock.ts';

const [lock = '', counter = '', times = '0'] = process.argv.slice(2);
for (let i = 0; i < Number(times); i += 1) {
  await withProcessLock({ path: lock, purpose: 'counting', timeoutMs: 20_000 }, async () => {
    const count = Number(readFileSync(counter, 'utf8'));
    await setImmediate();
    writeFileSync(counter, String(count + 1));
  });
}
