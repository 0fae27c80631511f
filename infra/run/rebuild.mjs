/** `npm run rebuild`: makes the views anew from the log, and says whether they came out as they were. The service must be stopped. */
import { join } from 'node:path';
import { build, install, nodeBinary, root, run } from './prepare.mjs';

await install();
await build();
process.exitCode = await run(nodeBinary(), ['--enable-source-maps', join(root, 'dist/apps/standalone/src/rebuild.js')]);
