import { defineConfig } from 'vitest/config';
import { FastFirst } from './test/support/fast-first.ts';

export default defineConfig({
  test: {
    // Forks: the Temporal SDK has a native module.
    pool: 'forks',
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    sequence: { sequencer: FastFirst },
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
