/**
 * Files that are there whole or not at all, whatever loses its power when: written beside their place, synchronised, moved into it, and the
 * move synchronised too.
 */
import { copyFile, link, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

export async function writeDurably(file: string, bytes: Uint8Array | string): Promise<void> {
  const unfinished = `${file}.unfinished`;
  try {
    const handle = await open(unfinished, 'w', 0o600);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await moveDurably(unfinished, file);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

/** Moves a file whose own bytes are already synchronised; both names lie in one directory. */
export async function moveDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  const directory = await open(dirname(to), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/**
 * Makes a synchronised file's bytes be found under a second name too, whatever becomes of the first: a link, or a copy where the two names
 * lie on different file systems.
 */
export async function giveSecondName(file: string, second: string): Promise<void> {
  await rm(second, { force: true });
  try {
    await link(file, second);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    await copyFile(file, second);
    const copy = await open(second, 'r+');
    await copy.sync().finally(() => copy.close());
  }
}
