// Starts a shell script as the worker of the given home.
import { ensureProcess } from '../../../src/stack/managed-process.ts';

const [home = '', script = ''] = process.argv.slice(2);
await ensureProcess({
  home,
  name: 'worker',
  spec: {
    command: '/bin/sh',
    args: ['-c', script],
    env: process.env,
    fingerprint: 'same',
    readiness: { kind: 'announced' },
  },
  onProgress: () => {},
});
