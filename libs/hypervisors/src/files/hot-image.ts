/**
 * The hot image's container: a page of our own before the VMM's bytes, so that a torn, flipped or foreign state is refused before a VMM
 * sees it. VMMs check little themselves: v86 takes any bytes for memory, QEMU ends in the middle.
 *
 *   offset 0     8 bytes   "VWHOT\0\0\1": name and format
 *   offset 8     4 bytes   length of the header, little endian
 *   offset 12    n bytes   the header, JSON (HotImageHeader)
 *   …            zeros
 *   offset 4064  32 bytes  SHA-256 of the bytes 0 … 4063
 *   offset 4096            the VMM's bytes, as many and with the digest that the header says; then nothing
 *
 * The file gets its name only when all of it is synchronised; a crash in between leaves `<name>.unfinished`, which nobody reads.
 */
import { createHash, type Hash } from 'node:crypto';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { GuestNotStarted, IncompatibleHotImage } from '../errors.js';
import type { HotImageFile, VmmType } from '../port.js';
import { moveDurably } from '@vw/runtime';

export const HEADER_BYTES = 4096;
const MAGIC = Buffer.from('VWHOT\0\0\u0001', 'latin1');
const SEAL_BYTES = 32;
const READ_BYTES = 1 << 20;

/** What a state needs around it to be continued: the VMM and the machine's size. */
export interface MachineShape {
  readonly vmmType: VmmType;
  readonly vmmVersion: string;
  readonly machine: string;
  readonly memoryMiB: number;
  readonly cpus: number;
}

export interface HotImageHeader extends MachineShape {
  readonly stateBytes: number;
  readonly stateSha256: string;
}

/** Takes the VMM's bytes in their order; nothing bears the file's name before `seal` has made it durable. */
export class HotImageWriter {
  readonly #digest: Hash = createHash('sha256');
  #length = 0;

  private constructor(
    private readonly file: string,
    private readonly handle: FileHandle,
  ) {}

  static async open(file: string): Promise<HotImageWriter> {
    return new HotImageWriter(file, await open(unfinished(file), 'w', 0o600));
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#digest.update(bytes);
    let done = 0;
    while (done < bytes.length) {
      const { bytesWritten } = await this.handle.write(
        bytes,
        done,
        bytes.length - done,
        HEADER_BYTES + this.#length + done,
      );
      done += bytesWritten;
    }
    this.#length += bytes.length;
  }

  async seal(shape: MachineShape): Promise<void> {
    const page = headerPage({ ...shape, stateBytes: this.#length, stateSha256: this.#digest.digest('hex') });
    await this.handle.write(page, 0, page.length, 0);
    await this.handle.sync();
    await this.handle.close();
    await moveDurably(unfinished(this.file), this.file);
  }

  async abandon(): Promise<void> {
    await this.handle.close().catch(() => undefined); // already closed by seal
    await rm(unfinished(this.file), { force: true });
  }
}

/**
 * Makes sure of a whole hot image for such a machine.
 * @throws GuestNotStarted (stateIsBad) for damage, IncompatibleHotImage for one that is whole and another machine's
 */
export async function verifyHotImage(from: HotImageFile, wanted: MachineShape): Promise<HotImageHeader> {
  const handle = await open(from.file, 'r').catch((cause: unknown) => {
    throw new GuestNotStarted(`the hot image ${from.file} cannot be opened`, false, { cause });
  });
  try {
    const page = Buffer.alloc(HEADER_BYTES);
    await handle.read(page, 0, HEADER_BYTES, 0);
    const header = readHeaderPage(from.file, page);
    const { size } = await handle.stat();
    if (size !== HEADER_BYTES + header.stateBytes) {
      throw damaged(from.file, `it has ${size - HEADER_BYTES} bytes of state, its header says ${header.stateBytes}`);
    }
    if ((await digestOfState(handle)) !== header.stateSha256)
      throw damaged(from.file, 'its state is not the one that was written');
    refuseOtherMachine(from.file, header, wanted);
    return header;
  } finally {
    await handle.close();
  }
}

export function headerPage(header: HotImageHeader): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const page = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(page);
  page.writeUInt32LE(json.length, MAGIC.length);
  json.copy(page, MAGIC.length + 4);
  seal(page).copy(page, HEADER_BYTES - SEAL_BYTES);
  return page;
}

/** @throws GuestNotStarted (stateIsBad) */
export function readHeaderPage(file: string, page: Buffer): HotImageHeader {
  if (!page.subarray(0, MAGIC.length).equals(MAGIC)) throw damaged(file, 'it does not begin as one');
  if (!page.subarray(HEADER_BYTES - SEAL_BYTES).equals(seal(page)))
    throw damaged(file, 'its header is not the one that was written');
  const length = page.readUInt32LE(MAGIC.length);
  return JSON.parse(page.toString('utf8', MAGIC.length + 4, MAGIC.length + 4 + length)) as HotImageHeader;
}

/** @throws IncompatibleHotImage */
export function refuseOtherMachine(file: string, header: HotImageHeader, wanted: MachineShape): void {
  for (const key of ['vmmType', 'vmmVersion', 'machine', 'memoryMiB', 'cpus'] as const) {
    if (header[key] === wanted[key]) continue;
    throw new IncompatibleHotImage(
      `the hot image ${file} was taken with ${key} ${header[key]}; the machine here has ${wanted[key]}`,
    );
  }
}

export function damaged(file: string, how: string): GuestNotStarted {
  return new GuestNotStarted(`the hot image ${file} is damaged: ${how}`, true);
}

async function digestOfState(handle: FileHandle): Promise<string> {
  const digest = createHash('sha256');
  const chunk = Buffer.allocUnsafe(READ_BYTES);
  for (let position = HEADER_BYTES; ;) {
    const { bytesRead } = await handle.read(chunk, 0, READ_BYTES, position);
    if (bytesRead === 0) return digest.digest('hex');
    digest.update(chunk.subarray(0, bytesRead));
    position += bytesRead;
  }
}

function seal(page: Buffer): Buffer {
  return createHash('sha256')
    .update(page.subarray(0, HEADER_BYTES - SEAL_BYTES))
    .digest();
}

function unfinished(file: string): string {
  return `${file}.unfinished`;
}
