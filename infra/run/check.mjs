/** `npm run check`: everything that can be judged without running the program. Runs all of it, then says what failed. */
import { join } from 'node:path';
import { build, install, nodeBinary, root, run } from './prepare.mjs';

await install();
await build();
const tool = (path) => join(root, 'node_modules', path);
const checks = [
  ['types', [tool('typescript-native/bin/tsc'), '-p', 'tsconfig.json', '--noEmit']],
  ['lint', [tool('oxlint/bin/oxlint'), '--type-aware', '--deny-warnings', 'apps', 'libs', 'test', 'bench', 'infra', 'bin']],
  ['format', [tool('prettier/bin/prettier.cjs'), '--check', '--log-level=warn', '.']],
  ['imports', [tool('dependency-cruiser/bin/dependency-cruise.mjs'), '--config', '.dependency-cruiser.cjs', '--output-type', 'err', 'apps', 'libs', 'test', 'bench']],
  ['dead code', [tool('knip/bin/knip.js'), '--no-progress']],
  ['schemas', [join(root, 'infra/run/schemas.mjs'), '--check']],
  ['picture', [join(root, 'infra/run/picture.mjs'), '--check']],
];
const failed = [];
for (const [name, args] of checks) {
  const code = await run(nodeBinary(), args);
  console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${name}`);
  if (code !== 0) failed.push(name);
}
if (failed.length > 0) {
  console.error(`check failed: ${failed.join(', ')}`);
  process.exit(1);
}
