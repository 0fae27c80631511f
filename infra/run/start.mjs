/** `npm start`: installs, builds, and runs the ledger and one host agent in one process. */
import { join } from 'node:path';
import { build, install, nodeBinary, root, run } from './prepare.mjs';

await install();
await build();
process.exitCode = await run(nodeBinary(), [
  '--enable-source-maps',
  join(root, 'dist/apps/standalone/src/main.js'),
  ...process.argv.slice(2),
]);
