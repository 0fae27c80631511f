/**
 * Files that come to be: written under a temporary name, flushed, renamed, and the folder flushed, so that a name never stands for half
 * a file, also after a power cut.
 *
 * A temporary name carries the process that writes it. What a dead process left is swept; what a living one writes is left alone.
 */
import { open, readdir, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { synchroniseFolder } from '@vw/runtime';

const TEMPORARY = /^\.vw-image-(\d+)-\d+\.part$/;

/** The temporary files of this process: a predecessor may have had the same process id, as in a container. */
const inHand = new Set<string>();
let made = 0;

/**
 * Makes `file` from what `write` puts into a temporary one beside it, and flushes; `write` flushes the bytes. When it throws, nothing is left.
 * `write` answers the final name, which may depend on what was written.
 */
export async function createWhole<Result>(
  folder: string,
  write: (temporary: FileHandle) => Promise<{ readonly file: string; readonly result: Result }>,
): Promise<Result> {
  const temporary = join(folder, `.vw-image-${process.pid}-${++made}.part`);
  const handle = await open(temporary, 'wx');
  inHand.add(temporary);
  try {
    const { file, result } = await write(handle).finally(() => handle.close());
    await rename(temporary, file);
    await synchroniseFolder(dirname(file));
    return result;
  } catch (cause) {
    // The first failure is the one to tell; a file that cannot even be removed is swept later.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw cause;
  } finally {
    inHand.delete(temporary);
  }
}

/** Removes what dead processes left in a folder. */
export async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const pid = Number(TEMPORARY.exec(name)?.[1]);
    const file = join(folder, name);
    if (pid > 0 && !inHand.has(file) && (pid === process.pid || !isAlive(pid))) await rm(file, { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'EPERM';
  }
}
