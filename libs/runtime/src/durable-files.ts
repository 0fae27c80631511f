/**
 * Files that are there whole or not at all, whatever loses its power when: written beside their place, synchronised, moved into it, and the
 * move synchronised too.
 */
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Makes `file` hold these bytes, for its owner's eyes only. When it throws, the file is as it was. */
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
    // The first failure is the one to tell.
    await rm(unfinished, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** Moves a file whose own bytes are already synchronised; both names lie in one folder. */
export async function moveDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  await synchroniseFolder(dirname(to));
}

/** What was made, moved or removed in a folder is so after a power cut too; a file's own synchronisation does not do it. */
export async function synchroniseFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  await handle.sync().finally(() => handle.close());
}
