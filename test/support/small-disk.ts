/** Disks of a test's own, to be full or to fail. Only root may mount one. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, open, rm, rmdir, statfs, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';

const run = promisify(execFile);

/**
 * @returns whether this process may mount a disk; where it may not, standard error names what is left out.
 * @throws Error in CI as root, where nothing may be left out
 */
export async function requireMount(): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'vw-mount-'));
  try {
    await run('mount', ['-t', 'tmpfs', 'none', folder]);
    await run('umount', [folder]);
    return true;
  } catch (cause) {
    if (process.env['CI'] === 'true' && process.getuid?.() === 0)
      throw new Error('root cannot mount a tmpfs', { cause });
    process.stderr.write('LEFT OUT: all that needs a disk which is full or fails, for only root may mount one\n');
    return false;
  } finally {
    await rmdir(folder);
  }
}

export interface SmallDisk {
  readonly folder: string;
  /** Leaves no byte free, or about so many. */
  fill(exceptBytes?: number): Promise<void>;
  /** Gives back what `fill` took. */
  free(): Promise<void>;
  /** Nothing on it may be open. */
  turnReadOnly(): Promise<void>;
}

/** A disk in memory. It goes, with all that is on it, when the test is over: end first what uses it. */
export async function smallDisk(sizeMiB: number): Promise<SmallDisk> {
  const folder = await mountPoint(['-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'none']);
  const filler = join(folder, 'filler');
  return {
    folder,
    async fill(exceptBytes = 0) {
      const { bavail, bsize } = await statfs(folder);
      const file = await open(filler, 'a');
      try {
        for (let left = bavail * bsize - exceptBytes; left > 0; left -= bsize)
          await file.appendFile(Buffer.alloc(bsize));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error; // others write too, and it is full now
      } finally {
        await file.close();
      }
    },
    free: () => rm(filler, { force: true }),
    turnReadOnly: async () => void (await run('mount', ['-o', 'remount,ro', folder])),
  };
}

/** Whether the kernel lets a test break a disk: ext4 over a loop device. */
export async function canBreakDisks(): Promise<boolean> {
  const found =
    existsSync('/dev/loop-control') &&
    (await run('mkfs.ext4', ['-V']).then(
      () => true,
      () => false,
    ));
  if (!found) process.stderr.write('LEFT OUT: a disk that becomes read-only, for there is no ext4 or no loop device\n');
  return found;
}

/** A disk that the kernel makes read-only under those who have files open on it, as it does when a disk fails. */
export async function breakableDisk(): Promise<{ readonly folder: string; turnReadOnly(): Promise<void> }> {
  const holder = await mkdtemp(join(tmpdir(), 'vw-image-'));
  onTestFinished(() => rm(holder, { recursive: true, force: true }));
  const image = join(holder, 'disk');
  await writeFile(image, '');
  await truncate(image, 64 << 20);
  await run('mkfs.ext4', ['-q', '-F', image]);
  const folder = await mountPoint(['-o', 'loop,errors=remount-ro', image]);
  const { stdout: device } = await run('findmnt', ['-n', '-o', 'SOURCE', folder]);
  return {
    folder,
    turnReadOnly: () => writeFile(`/sys/fs/ext4/${basename(device.trim())}/trigger_fs_error`, 'a test'),
  };
}

async function mountPoint(what: readonly string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'vw-disk-'));
  await run('mount', [...what, folder]);
  onTestFinished(async () => {
    await run('umount', ['-l', folder]);
    await rmdir(folder);
  });
  return folder;
}
