/** `npm run bench [name …]`: the figures of the README, as ratios in one run on this machine. */
import { join } from 'node:path';
import { build, install, nodeBinary, root, run } from './prepare.mjs';

await install();
await build();
process.exitCode = await run(nodeBinary(), [join(root, 'node_modules/vitest/vitest.mjs'), 'bench-never']);
