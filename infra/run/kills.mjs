/**
 * `npm run kills [number]`: kills the service with `kill -9` that often (200), at moments chosen by chance over every stage of a workspace's life and of its own
 * start-up, and judges each time what stands up again. A failure prints its seed; VW_TEST_SEED repeats it.
 */
import { join } from 'node:path';
import { build, install, nodeBinary, pinned, root, run } from './prepare.mjs';

await install();
await build();
process.exitCode = await run(
  nodeBinary(),
  [join(root, 'node_modules/vitest/vitest.mjs'), 'run', 'test/faults/kill.spec.ts'],
  { env: { ...pinned, VW_TEST_KILLS: process.argv[2] ?? '200' } },
);
