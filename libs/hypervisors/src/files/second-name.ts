/** A second name for bytes that must not go when the first name does. */
import { copyFile, link, open, rm } from 'node:fs/promises';

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
