import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/build.ts'],
    setupFiles: ['test/support/seed.ts'],
    // By default one core of two stands idle.
    maxWorkers: '100%',
    testTimeout: 120_000,
    coverage: { include: ['src/**'], reporter: ['text-summary'] },
  },
});
