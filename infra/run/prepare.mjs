/**
 * Brings a checkout to where it can run, on a machine that has npm and nothing else: the packages of the lock file, among them the pinned Node that
 * runs everything else, and a build of the sources as they are. Plain JavaScript without packages, because it runs before they are there, on
 * whatever Node the machine has (20 is enough). What is done already is not done again.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const bin = join(root, 'node_modules', '.bin');

/** The environment in which `node` and every tool are the pinned ones. */
export const pinned = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` };

/** The pinned Node where this platform has one, else the one that is running. */
export function nodeBinary() {
  const own = join(bin, 'node');
  return existsSync(own) ? own : process.execPath;
}

/** Installs the packages of the lock file unless they are there. */
export async function install() {
  const stamp = join(root, 'node_modules', '.installed');
  const wanted = digest([join(root, 'package-lock.json')]);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  await step('installing packages (about 20 s)', npm(), ['ci', '--no-fund', '--no-audit', '--loglevel=error']);
  writeFileSync(stamp, wanted);
  refuseOldNode();
}

/** Builds what is in the sources, unless the build is of these very sources. */
export async function build() {
  const stamp = join(root, 'dist', '.built');
  const wanted = digest(sources());
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  const nest = join(root, 'node_modules', '@nestjs', 'cli', 'bin', 'nest.js');
  for (const app of ['standalone', 'cli', 'store']) {
    await step(`building ${app} (about 10 s)`, nodeBinary(), [nest, 'build', app]);
  }
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, wanted);
}

/** Runs a program with the pinned Node first in PATH and this process's own streams; resolves with its exit code. */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', env: pinned, ...options });
    const forward = (signal) => child.kill(signal);
    process.on('SIGINT', forward).on('SIGTERM', forward);
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      process.off('SIGINT', forward).off('SIGTERM', forward);
      resolve(code ?? (signal === 'SIGINT' ? 130 : 1));
    });
  });
}

/** One step of the preparation: its name, a sign of life while it lasts, its time; all of its output if it fails. */
function step(name, command, args) {
  const started = Date.now();
  const seconds = () => `${((Date.now() - started) / 1000).toFixed(0)} s`;
  const live = process.stderr.isTTY;
  const ticker = setInterval(() => process.stderr.write(live ? `\r${name} … ${seconds()} ` : '.'), live ? 500 : 5000);
  process.stderr.write(`${name} … `);
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, env: pinned, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => (output += error.message));
    child.on('close', (code) => {
      clearInterval(ticker);
      process.stderr.write(`${live ? `\r${name} … ` : ' '}${code === 0 ? 'done' : 'failed'} after ${seconds()}\n`);
      if (code === 0) return resolve();
      process.stderr.write(output);
      process.exit(1);
    });
  });
}

function refuseOldNode() {
  const version = spawnSync(nodeBinary(), ['--version'], { encoding: 'utf8' }).stdout.trim();
  const [major, minor] = version.slice(1).split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 15)) return;
  console.error(
    `workspace-ledger needs Node 22.15 or newer; no pinned Node exists for this platform and its own is ${version}`,
  );
  process.exit(1);
}

const npm = () => (process.platform === 'win32' ? 'npm.cmd' : 'npm');

function sources() {
  const files = ['nest-cli.json', 'tsconfig.json', 'package-lock.json'].map((name) => join(root, name));
  for (const top of ['apps', 'libs']) {
    for (const entry of readdirSync(join(root, top), { recursive: true })) {
      if (/\.(ts|json)$/.test(entry) && !entry.endsWith('.spec.ts')) files.push(join(root, top, entry));
    }
  }
  return files.filter((file) => statSync(file).isFile()).sort();
}

function digest(files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(file.slice(root.length)).update('\0').update(readFileSync(file)).update('\0');
  return hash.digest('hex');
}
