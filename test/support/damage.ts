/** What a failing disk does to a file behind everybody's back. */
import { open, truncate } from 'node:fs/promises';
import { join } from 'node:path';

/** Where the repository of a data folder keeps the bytes of a digest. */
export function bytesOf(data: string, digest: string): string {
  const hex = digest.replace('sha256:', '');
  return join(data, 'images/sha256', hex.slice(0, 2), hex);
}

/** A file of a workspace on the host of a data folder. */
export function onHost(data: string, workspaceId: string, file: 'boot.img' | 'hot.img'): string {
  return join(data, 'hosts/local/workspaces', workspaceId, file);
}

/** Turns over every bit of one byte; the last one unless told. */
export async function flipByte(file: string, at?: number): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    const place = at ?? (await handle.stat()).size - 1;
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, place);
    buffer[0]! ^= 0xff;
    await handle.write(buffer, 0, 1, place);
  } finally {
    await handle.close();
  }
}

export async function cutOff(file: string, bytes: number): Promise<void> {
  await truncate(file, bytes);
}
