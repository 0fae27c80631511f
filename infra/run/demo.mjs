/**
 * `npm run demo [-- FILE] [--store kurrentdb]`: the whole life of one workspace, on an instance of its own that leaves nothing behind. Its log is embedded, or
 * (`--store kurrentdb`) in a process of its own, `vw store serve`, which it reaches as it would a KurrentDB; VW_STORE names a real one instead.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { build, install, nodeBinary, pinned, root, run } from './prepare.mjs';

const { values, positionals } = parseArgs({ options: { store: { type: 'string' } }, allowPositionals: true });
if (values.store !== undefined && !['embedded', 'kurrentdb'].includes(values.store)) {
  console.error(`--store is ${values.store}, expected embedded or kurrentdb`);
  process.exit(2);
}
await install();
await build();
const [file] = positionals;
const program = [
  '--enable-source-maps',
  join(root, 'dist/apps/standalone/src/demo/main.js'),
  ...(file === undefined ? [] : [resolve(process.env.INIT_CWD ?? process.cwd(), file)]),
];
process.exitCode = await (values.store === 'kurrentdb' ? besideStore(live) : live(pinned));

function live(env) {
  return run(nodeBinary(), program, { env });
}

/** Starts a store of its own, on data of its own, for as long as the work lasts. */
async function besideStore(work) {
  const data = await mkdtemp(join(tmpdir(), 'vw-demo-store-'));
  const serving = [join(root, 'bin/vw.mjs'), 'store', 'serve', '--data', data, '--listen', '127.0.0.1:0'];
  const store = spawn(nodeBinary(), serving, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(store, 'exit');
  try {
    const port = await Promise.race([portOf(store), ended.then(() => undefined)]);
    if (port === undefined) return 1;
    console.log(`the log is in process ${store.pid}, at esdb://127.0.0.1:${port}?tls=false`);
    return await work({ ...pinned, VW_STORE: `esdb://127.0.0.1:${port}?tls=false` });
  } finally {
    store.kill('SIGTERM');
    await ended;
    await rm(data, { recursive: true, force: true });
  }
}

async function portOf(store) {
  for await (const line of createInterface(store.stdout)) {
    const found = /^LISTENING (\d+)$/.exec(line)?.[1];
    if (found !== undefined) return found;
  }
  return undefined;
}
