/**
 * `npm run kills [-- number] [--store embedded|kurrentdb]`: kills the service with `kill -9` that often (200), at moments chosen by chance over every stage of a
 * workspace's life and of its own start-up, and judges each time what stands up again. On the embedded store half of the kills go to each hypervisor; with the
 * store in another process (`vw store serve`), which is killed as well, one hypervisor has the same half. Both stores unless told. A failure prints its seed;
 * VW_TEST_SEED repeats it.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build, install, nodeBinary, pinned, root, run } from './prepare.mjs';

const projects = { embedded: 'system', kurrentdb: 'system-kurrentdb' };
const { values, positionals } = parseArgs({ options: { store: { type: 'string' } }, allowPositionals: true });
const stores = values.store === undefined ? Object.keys(projects) : [values.store];
if (!stores.every((store) => store in projects)) {
  console.error(`--store is ${values.store}, expected embedded or kurrentdb`);
  process.exit(2);
}
await install();
await build();
process.exitCode = await run(
  nodeBinary(),
  [
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    ...stores.flatMap((store) => ['--project', projects[store]]),
    'test/faults/kill.spec.ts',
  ],
  { env: { ...pinned, VW_TEST_KILLS: positionals[0] ?? '200' } },
);
