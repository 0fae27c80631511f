/** `npm run demo [FILE]`: the whole life of one workspace, on an instance of its own that leaves nothing behind. */
import { join, resolve } from 'node:path';
import { build, install, nodeBinary, root, run } from './prepare.mjs';

await install();
await build();
const file = process.argv[2];
process.exitCode = await run(nodeBinary(), [
  '--enable-source-maps',
  join(root, 'dist/apps/standalone/src/demo/main.js'),
  ...(file === undefined ? [] : [resolve(process.env.INIT_CWD ?? process.cwd(), file)]),
]);
