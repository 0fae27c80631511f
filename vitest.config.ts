import { defineConfig } from 'vitest/config';

/**
 * One runner for every test. `unit` is pure and quick; the others start real processes, files and machines, so they run
 * one file at a time: a figure of time or an fsync seen by one must not be the noise of another. `system-kurrentdb` is what of
 * `system` depends on the event store, once more with the log in another process behind EventStoreDB's protocol.
 */
const shared = {
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true }, typescript: { onlyRemoveTypeImports: false } },
  resolve: { tsconfigPaths: true },
};

export default defineConfig({
  ...shared,
  test: {
    projects: [
      {
        ...shared,
        test: { name: 'unit', sequence: { groupOrder: 0 }, include: ['{apps,libs}/**/*.spec.ts'], environment: 'node' },
      },
      {
        ...shared,
        test: {
          name: 'contracts',
          sequence: { groupOrder: 1 },
          include: ['test/contracts/**/*.spec.ts'],
          environment: 'node',
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        ...shared,
        test: {
          name: 'system',
          sequence: { groupOrder: 2 },
          include: ['test/{e2e,faults}/**/*.spec.ts'],
          environment: 'node',
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        ...shared,
        test: {
          name: 'system-kurrentdb',
          sequence: { groupOrder: 3 },
          include: ['test/e2e/{commands,life,lifetime,running}.spec.ts', 'test/faults/kill.spec.ts'],
          environment: 'node',
          env: { VW_TEST_STORE: 'kurrentdb' },
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
} as never);
