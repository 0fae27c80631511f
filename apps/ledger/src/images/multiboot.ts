/** Telling a multiboot kernel from a disk by its first bytes (Multiboot Specification 0.6.96, §3.1.1). */
import { open } from 'node:fs/promises';

const magic = 0x1badb002;
const searched = 8192;

/** Whether the file has a multiboot header: magic, flags and checksum that add up to zero, 4-byte aligned in the first 8 KiB. */
export async function isMultibootKernel(file: string): Promise<boolean> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(searched), 0, searched, 0);
    for (let at = 0; at + 12 <= bytesRead; at += 4) {
      if (buffer.readUInt32LE(at) !== magic) continue;
      const sum = magic + buffer.readUInt32LE(at + 4) + buffer.readUInt32LE(at + 8);
      if (sum % 2 ** 32 === 0) return true;
    }
    return false;
  } finally {
    await handle.close();
  }
}
