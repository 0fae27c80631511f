/** Multiboot kernels made for a fault, in a few bytes of code each (Multiboot Specification 0.6.96). */

const ORIGIN = 0x100000;
const MAGIC = 0x1badb002;
/** Bit 16: where the image lies and begins is said in its header. */
const FLAGS = 0x00010000;
const HEADER_BYTES = 32;

/** Counts so far down, then interrupts a processor that has no table of interrupts: a triple fault. */
export function crashingKernel(countdown: number): Uint8Array {
  const image = Buffer.alloc(64);
  const emptyTable = ORIGIN + image.length - 6;
  const words = [MAGIC, FLAGS, -(MAGIC + FLAGS) >>> 0, ORIGIN, ORIGIN, ORIGIN + image.length, ORIGIN + image.length];
  [...words, ORIGIN + HEADER_BYTES].forEach((word, at) => image.writeUInt32LE(word, at * 4));
  // mov ecx, countdown; here: dec ecx; jnz here; lidt [emptyTable]; int3
  const code = Buffer.from([0xb9, 0, 0, 0, 0, 0x49, 0x75, 0xfd, 0x0f, 0x01, 0x1d, 0, 0, 0, 0, 0xcc]);
  code.writeUInt32LE(countdown, 1);
  code.writeUInt32LE(emptyTable, 11);
  code.copy(image, HEADER_BYTES);
  return image;
}
