/** Files that are there whole or not at all: written beside their place, synchronised, moved into it, and the move synchronised too. */
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

export async function writeDurably(file: string, text: string): Promise<void> {
  const unfinished = `${file}.unfinished`;
  const handle = await open(unfinished, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await moveDurably(unfinished, file);
}

/** For a file whose own bytes are synchronised already; both names lie in one folder. */
export async function moveDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  await synchroniseFolder(dirname(to));
}

/** What was made, moved or removed in a folder is so after a power cut too. */
export async function synchroniseFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
