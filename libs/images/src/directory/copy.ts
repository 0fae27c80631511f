/**
 * One pass over a file's bytes: hashed, and written elsewhere without the zeros. `fs.copyFile` would fill holes and hash nothing.
 *
 * The bytes written are the bytes hashed, whatever happens to the source meanwhile.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { ImageRefused } from '../port.js';

const BLOCK_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(BLOCK_BYTES);

/**
 * Opens for reading without being held up by a pipe, and only what is a regular file.
 * @throws ImageRefused BAD_FILE, Node's own error
 */
export async function openRegular(file: string): Promise<{ readonly handle: FileHandle; readonly sizeBytes: number }> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new ImageRefused('BAD_FILE', `${file} is not a regular file`);
    return { handle, sizeBytes: stats.size };
  } catch (cause) {
    await handle.close();
    throw cause;
  }
}

/**
 * Copies at most `sizeBytes` bytes from an open file into an empty one, leaving holes where whole blocks are zero, and flushes them.
 * Where the source ends earlier, so does the copy.
 */
export async function copySparsely(
  from: FileHandle,
  to: FileHandle,
  sizeBytes: number,
  signal?: AbortSignal,
): Promise<{ readonly digest: string; readonly sizeBytes: number }> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(BLOCK_BYTES);
  let position = 0;
  while (position < sizeBytes) {
    signal?.throwIfAborted();
    const { bytesRead } = await from.read(buffer, 0, Math.min(BLOCK_BYTES, sizeBytes - position), position);
    if (bytesRead === 0) break;
    const block = buffer.subarray(0, bytesRead);
    hash.update(block);
    if (!block.equals(ZEROS.subarray(0, bytesRead))) await writeAll(to, block, position);
    position += bytesRead;
  }
  await to.truncate(position);
  await to.sync();
  signal?.throwIfAborted();
  return { digest: `sha256:${hash.digest('hex')}`, sizeBytes: position };
}

/** A disk that is nearly full takes a part of the bytes, and complains only about the rest. */
async function writeAll(to: FileHandle, block: Buffer, position: number): Promise<void> {
  for (let written = 0; written < block.length;) {
    written += (await to.write(block, written, block.length - written, position + written)).bytesWritten;
  }
}
