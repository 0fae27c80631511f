import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GuestNotStarted, IncompatibleHotImage } from '../errors.js';
import { HEADER_BYTES, headerPage, HotImageWriter, readHeaderPage, verifyHotImage } from './hot-image.js';

const shape = { vmmType: 'qemu', vmmVersion: '7.2', machine: 'pc', memoryMiB: 16, cpus: 1 } as const;

describe('the hot image container', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hot-image-'));
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function written(...parts: readonly string[]): Promise<string> {
    const file = join(folder, 'a.hot');
    const image = await HotImageWriter.open(file);
    for (const part of parts) await image.write(Buffer.from(part));
    await image.seal(shape);
    await image.abandon();
    return file;
  }

  it("holds the VMM's bytes behind one page, in the order they were given", async () => {
    const file = await written('one', '', 'two');
    const header = await verifyHotImage({ file, ...shape }, shape);
    expect(header).toMatchObject({ ...shape, stateBytes: 6 });
    expect((await readFile(file)).subarray(HEADER_BYTES).toString()).toBe('onetwo');
    expect(await readdir(folder)).toEqual(['a.hot']);
  });

  it('bears no name before it is sealed, and leaves nothing when it is abandoned', async () => {
    const image = await HotImageWriter.open(join(folder, 'a.hot'));
    await image.write(Buffer.from('half'));
    expect(await readdir(folder)).toEqual(['a.hot.unfinished']);
    await image.abandon();
    expect(await readdir(folder)).toEqual([]);
  });

  it.each(Object.entries({ vmmType: 'v86', vmmVersion: '8.0', machine: 'q35', memoryMiB: 32, cpus: 2 }))(
    'of another %s is incompatible rather than bad',
    async (key, value) => {
      const file = await written('state');
      await expect(verifyHotImage({ file, ...shape }, { ...shape, [key]: value })).rejects.toBeInstanceOf(
        IncompatibleHotImage,
      );
    },
  );

  it('notices every single flipped bit of its header page', () => {
    const page = headerPage({ ...shape, stateBytes: 1, stateSha256: 'ab'.repeat(32) });
    for (let bit = 0; bit < HEADER_BYTES * 8; bit += 1) {
      page[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => readHeaderPage('a.hot', page)).toThrow(GuestNotStarted);
      page[bit >> 3]! ^= 1 << (bit & 7);
    }
    expect(readHeaderPage('a.hot', page)).toMatchObject(shape);
  });

  it('that is not there is no fault of its state', async () => {
    const missing = verifyHotImage({ file: join(folder, 'nowhere'), ...shape }, shape);
    await expect(missing).rejects.toMatchObject({ name: 'GuestNotStarted', stateIsBad: false });
  });
});
