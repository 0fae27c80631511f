/**
 * `npm run bench [name …]`: the figures that the README quotes, measured on this machine, one benchmark after the other.
 *
 * Each runs in a process of its own, from compiled JavaScript, as the service does: what one leaves in the heap or in the optimiser is not the next one's
 * noise. An aim that is missed is shown and fails nothing, because a busy machine is no defect; a benchmark that cannot be run fails.
 */
import { fork, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, install, nodeBinary, pinned, root, run } from './prepare.mjs';

const self = fileURLToPath(import.meta.url);
const suffix = '.bench.ts';

if (process.send) {
  const { bench } = await import(pathToFileURL(process.argv[2]).href);
  const rows = await bench();
  process.send(rows, () => process.disconnect());
} else {
  process.exitCode = await measure(process.argv.slice(2));
}

async function measure(wanted) {
  const known = readdirSync(join(root, 'bench'))
    .filter((file) => file.endsWith(suffix))
    .map((file) => file.slice(0, -suffix.length))
    .toSorted();
  const unknown = wanted.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    console.error(`there is no benchmark ${unknown.join(', ')}; there are ${known.join(', ')}`);
    return 2;
  }
  await install();
  await build();
  const built = await run(nodeBinary(), [join(root, 'node_modules/@nestjs/cli/bin/nest.js'), 'build', 'bench']);
  if (built !== 0) return 1;
  console.log(machine());
  const failed = [];
  const rows = [];
  for (const name of wanted.length > 0 ? wanted : known) {
    process.stderr.write(`measuring ${name} …\n`);
    const measured = await inItsOwnProcess(join(root, `dist/bench/${name}.bench.js`));
    if (measured === undefined) failed.push(name);
    else rows.push(...measured);
  }
  if (rows.length > 0) console.log(table(rows));
  if (failed.length > 0) console.error(`could not be measured: ${failed.join(', ')}`);
  return failed.length > 0 ? 1 : 0;
}

/** The rows of one benchmark; undefined when it did not come to its end, and has said why. */
function inItsOwnProcess(file) {
  return new Promise((resolve, reject) => {
    let rows;
    const child = fork(self, [file], {
      cwd: root,
      env: pinned,
      execPath: nodeBinary(),
      execArgv: ['--enable-source-maps'],
      stdio: ['ignore', process.stderr, 'inherit', 'ipc'],
    });
    child.on('message', (message) => (rows = message));
    child.on('error', reject);
    child.on('exit', (code) => resolve(code === 0 ? rows : undefined));
  });
}

function machine() {
  const node = spawnSync(nodeBinary(), ['--version'], { encoding: 'utf8' }).stdout.trim();
  const gibibytes = (totalmem() / 1024 ** 3).toFixed(0);
  const busy = loadavg()[0].toFixed(1);
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  return `${model}, ${cpus().length} cores, ${gibibytes} GiB, node ${node}, load ${busy} at the start\n`;
}

/** Markdown, so that it can be put into the README as it is; how each figure was measured comes in a list below. */
function table(rows) {
  const cells = [
    ['figure', 'value', 'aim', ''],
    ...rows.map(({ figure, value, unit, aim }) => [figure, shown(value, unit), aim, verdict(value, aim)]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(3, ...cells.map((row) => row[column].length)));
  const line = ([figure, value, aim, met]) =>
    `| ${[figure.padEnd(widths[0]), value.padStart(widths[1]), aim.padEnd(widths[2]), met.padEnd(widths[3])].join(' | ')} |`;
  const rule = `| ${'-'.repeat(widths[0])} | ${'-'.repeat(widths[1] - 1)}: | ${'-'.repeat(widths[2])} | ${'-'.repeat(widths[3])} |`;
  const [head, ...body] = cells.map(line);
  const details = rows.map(({ figure, detail }) => `- ${figure}: ${detail}`);
  return [head, rule, ...body, '', ...details].join('\n');
}

function shown(value, unit) {
  const digits = Math.abs(value) >= 1000 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 };
  const number = new Intl.NumberFormat('en', digits).format(value);
  return unit === 'ratio' ? number : `${number} ${unit}`;
}

/** Holds a value to an aim such as `>= 0.8`; no aim, no verdict. */
function verdict(value, aim) {
  if (aim === '') return '';
  const [, sign, bound] = /^(<=|>=|<|>)\s*(-?[\d.]+)/.exec(aim) ?? [];
  if (sign === undefined) throw new Error(`an aim is <, <=, > or >= and a number, not ${JSON.stringify(aim)}`);
  const limit = Number(bound);
  const met = { '<': value < limit, '<=': value <= limit, '>': value > limit, '>=': value >= limit }[sign];
  return met ? 'met' : 'MISSED';
}
