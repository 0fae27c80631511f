/**
 * `npm test [vitest arguments]`: installs what the tests need, Debian's servers among it where this is Debian and the user is root, builds, and runs every
 * test. On a machine where a server cannot be installed the tests that need it say what they left out; with CI=true they fail instead.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { build, install, nodeBinary, root, run } from './prepare.mjs';

await install();
const debianRoot = existsSync('/etc/debian_version') && process.getuid?.() === 0;
if (debianRoot) {
  const provisioned = await run('bash', [join(root, 'infra/servers/provision.sh')]);
  if (provisioned !== 0) process.exit(provisioned);
}
await build();
process.exitCode = await run(nodeBinary(), [
  join(root, 'node_modules/vitest/vitest.mjs'),
  'run',
  ...process.argv.slice(2),
]);
