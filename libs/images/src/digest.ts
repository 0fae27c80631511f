/**
 * What a file's bytes hash to: `sha256:` and 64 lower-case hexadecimal digits (FIPS 180-4). Read as a stream, so that memory stays bounded and
 * the event loop has its turn between blocks, however large the file is.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { ImageCorrupted, ImageRefused } from './port.js';

const DIGEST = /^sha256:([0-9a-f]{64})$/;
const BLOCK_BYTES = 1024 * 1024;

/** The 64 hexadecimal digits. Whatever passes is safe as a file's name. @throws ImageRefused BAD_DIGEST */
export function hexOf(digest: string): string {
  const hex = DIGEST.exec(digest)?.[1];
  if (hex !== undefined) return hex;
  throw new ImageRefused(
    'BAD_DIGEST',
    `${JSON.stringify(digest.slice(0, 100))} is no digest: sha256: and 64 lower-case hexadecimal digits`,
  );
}

/** @throws Node's own error when the file cannot be read, the signal's reason when it aborts. */
export async function digestOfFile(file: string, signal?: AbortSignal): Promise<string> {
  signal?.throwIfAborted();
  const hash = createHash('sha256');
  const blocks = createReadStream(file, { highWaterMark: BLOCK_BYTES });
  for await (const block of blocks) {
    signal?.throwIfAborted();
    hash.update(block as Buffer);
  }
  return `sha256:${hash.digest('hex')}`;
}

/**
 * Returns when the file's bytes hash to the digest (invariant I10).
 * @throws ImageRefused (no digest), ImageCorrupted (other bytes, or no file), Node's own error when the file cannot be read
 */
export async function verifyFile(file: string, digest: string, signal?: AbortSignal): Promise<void> {
  hexOf(digest);
  const actual = await digestOfFile(file, signal).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') throw new ImageCorrupted(digest, 'no file', file, { cause });
    throw cause;
  });
  if (actual !== digest) throw new ImageCorrupted(digest, actual, file);
}
