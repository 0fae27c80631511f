/**
 * `npm run check`: everything that can be judged without running the program. All of it runs, two at a time, and each line says what came of it; what fails says why
 * at once, and the last line says what failed.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { build, install, nodeBinary, pinned, root } from './prepare.mjs';

const tool = (path) => join(root, 'node_modules', path);
const script = (name) => join(root, 'infra/run', name);
const sources = ['apps', 'libs', 'test', 'bench', 'infra', 'bin'];

/** The slow ones first, so that two of them end together. */
const checks = [
  { name: 'types', args: [tool('typescript-native/bin/tsc'), '-p', 'tsconfig.json', '--noEmit'] },
  {
    name: 'format',
    args: [
      tool('prettier/bin/prettier.cjs'),
      ...['--check', '--log-level=warn', '--cache', '--cache-strategy=content', '.'],
    ],
  },
  { name: 'lint', args: [tool('oxlint/bin/oxlint'), '--type-aware', '--deny-warnings', ...sources] },
  { name: 'dead code', args: [tool('knip/bin/knip.js'), '--no-progress'] },
  { name: 'schemas', args: [script('schemas.mjs'), '--check'] },
  {
    name: 'imports',
    args: [tool('dependency-cruiser/bin/dependency-cruiser.mjs'), '--config', '.dependency-cruiser.cjs', ...sources],
  },
  { name: 'picture', args: [script('picture.mjs'), '--check'] },
];

await install();
await build();
const failed = [];
const waiting = [...checks];
await Promise.all([worker(), worker()]);
if (failed.length > 0) {
  const names = checks.map(({ name }) => name).filter((name) => failed.includes(name));
  console.error(`check failed: ${names.join(', ')}`);
  process.exitCode = 1;
}

async function worker() {
  for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
    const began = Date.now();
    const { code, output } = await judged(check.args);
    const seconds = ((Date.now() - began) / 1000).toFixed(1);
    console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${check.name.padEnd(10)} ${seconds.padStart(5)} s`);
    if (code === 0) continue;
    failed.push(check.name);
    console.log(output.trimEnd().replace(/^/gm, '     '));
  }
}

function judged(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(nodeBinary(), args, { cwd: root, env: pinned, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}
