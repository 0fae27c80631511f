/** `vw` as a process: its entry for any Node, its exit codes, its pipes. Built apart, so that no other build is in its way. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answers, type StandIn, standIn, workspace } from './testing/ledger.js';

const execute = promisify(execFile);
const root = fileURLToPath(new URL('../../..', import.meta.url));
const olderNode = `data:text/javascript,Object.defineProperty(process.versions, 'node', { value: '20.20.2' })`;

describe('the process', () => {
  let folder: string;
  let entry: string;
  let ledger: StandIn;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vw-process-'));
    entry = join(folder, 'bin', 'vw.mjs');
    await cp(join(root, 'bin', 'vw.mjs'), entry);
    await cp(join(root, 'package.json'), join(folder, 'package.json'));
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
    const compiler = join(root, 'node_modules', 'typescript-native', 'bin', 'tsc');
    const project = join(root, 'apps', 'cli', 'tsconfig.app.json');
    await execute(process.execPath, [compiler, '-p', project, '--outDir', join(folder, 'dist'), '--rootDir', root]);
    ledger = await standIn();
    ledger.workspaces = [workspace()];
  }, 60_000);
  afterAll(async () => {
    await ledger.close();
    await rm(folder, { recursive: true });
  });

  async function run(args: string[], env: Record<string, string> = {}) {
    const child = spawn(process.execPath, args, { env: { ...process.env, VW_URL: ledger.url, ...env } });
    let out = '';
    let err = '';
    child.stdout.on('data', (text) => (out += text));
    child.stderr.on('data', (text) => (err += text));
    const [code] = (await once(child, 'close')) as [number];
    return { code, out, err };
  }

  it('answers, and exits 0', async () => {
    expect(await run([entry, '--version'])).toEqual({
      code: 0,
      out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
      err: '',
    });
    expect(await run([entry, 'ls'])).toMatchObject({ code: 0, out: expect.stringContaining('blast'), err: '' });
  });

  it('exits by the kind of failure', async () => {
    expect(await run([entry, 'nonsense'])).toMatchObject({ code: 2, out: '' });
    expect(await run([entry, 'show', 'nobody'])).toMatchObject({ code: 4, out: '' });
    expect(await run([entry, 'ls'], { VW_URL: 'http://127.0.0.1:1' })).toMatchObject({ code: 5, out: '' });
  });

  it('says in one sentence that an older Node will not do', async () => {
    expect(await run(['--import', olderNode, entry, 'ls'])).toEqual({
      code: 2,
      out: '',
      err: 'vw needs Node 22.15 or newer, and this is 20.20.2; in a checkout run it as `npx vw`.\n',
    });
  });

  it('says in one sentence that it is not built', async () => {
    const unbuilt = join(folder, 'unbuilt', 'bin', 'vw.mjs');
    await cp(entry, unbuilt);
    expect(await run([unbuilt, 'ls'])).toEqual({
      code: 2,
      out: '',
      err: 'vw is not built yet: run `npm run build` (or `npm start`) first.\n',
    });
  });

  it('ends quietly when its reader does', async () => {
    const many = Array.from({ length: 2_000 }, (_, at) => workspace({ workspaceId: `w${at}`, name: 'x'.repeat(200) }));
    ledger.on('GET /v1/hosts', answers(200, { items: many, position: 1 }));
    const command = `"${process.execPath}" "${entry}" hosts --json | head -n 1; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = await execute('bash', ['-c', command], { env: { ...process.env, VW_URL: ledger.url } });
    expect({ stdout, stderr }).toEqual({ stdout: '{\n0\n', stderr: '' });
  });

  it('exits 130 on Ctrl-C, quietly, also when it waits for standard input', async () => {
    const child = spawn(process.execPath, [entry, 'create', '-f', '-'], {
      env: { ...process.env, VW_URL: ledger.url },
    });
    let said = '';
    child.stderr.on('data', (text) => (said += text));
    child.stdout.on('data', (text) => (said += text));
    // It listens to Ctrl-C before it reads a byte: once it has taken what a pipe cannot hold, it listens.
    await new Promise<void>((resolve, reject) =>
      child.stdin.write(Buffer.alloc(1_048_576, ' '), (error) => (error ? reject(error) : resolve())),
    );
    child.kill('SIGINT');
    expect(await once(child, 'close')).toEqual([130, null]);
    expect(said).toBe('');
  });
});
