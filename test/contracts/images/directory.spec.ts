import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openDirectoryRepository } from '@vw/images';
import { imageRepositoryContract } from './suite.js';

const run = promisify(execFile);

/** Being root is not enough: a plain container may not mount. */
const mayMount = await (async () => {
  const folder = await mkdtemp(join(tmpdir(), 'vw-mount-'));
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', folder]);
    await run('umount', [folder]);
    return true;
  } catch {
    return false;
  } finally {
    await rm(folder, { recursive: true });
  }
})();

imageRepositoryContract('directory', async () => {
  const outer = await mkdtemp(join(tmpdir(), 'vw-image-repository-'));
  const directory = join(outer, 'repository');
  let mounted = false;
  const mount = async (...args: string[]) => {
    await mkdir(directory, { recursive: true });
    await run('mount', [...args, directory]);
    mounted = true;
  };
  const stored = (digest: string) => join(directory, 'sha256', digest.slice(7, 9), digest.slice(7));
  return {
    open: (now) => openDirectoryRepository({ directory, clock: { now, monotonic: now } }),
    bytesOf: stored,
    manifestOf: (digest, name) => `${stored(digest)}.${name}.json`,
    leftovers: () => readdir(join(directory, 'incoming')),
    putter: { file: join(import.meta.dirname, 'directory', 'putter.ts'), args: [directory] },
    ...(mayMount && {
      fill: () => mount('-t', 'tmpfs', '-o', 'size=2m', 'none'),
      makeReadOnly: async () => {
        await mount('--bind', directory);
        await run('mount', ['-o', 'remount,ro,bind', directory]);
      },
    }),
    async dispose() {
      if (mounted) await run('umount', [directory]);
      await rm(outer, { recursive: true });
    },
  };
});
