/** Whether a file is a multiboot kernel. v86 boots nothing at all, without a word, where it finds no header. */

const MAGIC = 0x1badb002;
/** Multiboot Specification 0.6.96, 3.1: the header lies in the first 8192 bytes, on a 4-byte boundary. */
const SEARCHED_BYTES = 8192;

export function isMultibootKernel(image: Uint8Array): boolean {
  const view = new DataView(image.buffer, image.byteOffset, Math.min(image.byteLength, SEARCHED_BYTES));
  for (let at = 0; at + 12 <= view.byteLength; at += 4) {
    if (view.getUint32(at, true) !== MAGIC) continue;
    const sum = MAGIC + view.getUint32(at + 4, true) + view.getUint32(at + 8, true);
    if (sum % 2 ** 32 === 0) return true;
  }
  return false;
}
