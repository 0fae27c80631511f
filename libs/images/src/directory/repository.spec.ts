/**
 * The process is stopped before every single call that a put or a fetch makes to the file system, one after another; what the disk holds then is
 * what a crash would leave. The contract's suite kills real processes; this finds the moments it would only hit by luck.
 */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { verifyFile } from '../digest.js';
import { openDirectoryRepository } from './repository.js';

const disk = vi.hoisted(() => ({
  calls: [] as string[],
  stopBefore: Number.POSITIVE_INFINITY,
  stopped: () => {},
  handles: [] as FileHandle[],
}));

vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<Record<string, (...args: unknown[]) => Promise<unknown>>>();

  async function step<Result>(call: string, work: () => Promise<Result>): Promise<Result> {
    if (disk.calls.length === disk.stopBefore) {
      disk.stopped();
      return new Promise<never>(() => {});
    }
    disk.calls.push(call);
    return work();
  }

  function watched(handle: FileHandle, file: string): FileHandle {
    disk.handles.push(handle);
    return new Proxy(handle, {
      get(target, method) {
        const value: unknown = Reflect.get(target, method, target);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          // As write(2) may: it takes a part, and says how much.
          if (method === 'write') args[2] = Math.min(Number(args[2]), 7);
          return step(`${String(method)} ${file}`, () => value.apply(target, args));
        };
      },
    });
  }

  const wrapped = Object.entries(real).map(([method, call]) => [
    method,
    typeof call !== 'function'
      ? call
      : (...args: unknown[]) =>
          step(`${method} ${String(args[0])}`, async () => {
            const result = await call(...args);
            return method === 'open' ? watched(result as FileHandle, String(args[0])) : result;
          }),
  ]);
  return Object.fromEntries(wrapped);
});

describe('a directory repository', () => {
  let folder: string;
  let source: string;
  const clock = { now: () => 1_800_000_000_000, monotonic: () => 0 };
  const image = { kind: 'disk', name: 'base' } as const;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vw-stops-'));
    source = join(folder, 'source.raw');
    writeFileSync(source, 'the bytes of an image');
  });
  afterEach(async () => {
    for (const abandoned of disk.handles.splice(0)) await abandoned.close().catch(() => undefined);
    rmSync(folder, { recursive: true });
  });

  const open = (name: string) => openDirectoryRepository({ directory: join(folder, name), clock });

  /** Runs until the call of that number; true when it came that far, false when the work ended before. */
  async function stopping(before: number, work: () => Promise<unknown>): Promise<boolean> {
    disk.calls = [];
    disk.stopBefore = before;
    const stopped = new Promise<true>((resolve) => (disk.stopped = () => resolve(true)));
    const result = await Promise.race([stopped, work().then(() => false)]);
    disk.stopBefore = Number.POSITIVE_INFINITY;
    return result;
  }

  it('has put nothing or all, and the next put completes it', async () => {
    let visible = 0;
    let moment = 0;
    for (; ; moment++) {
      const repository = await open(`put-${moment}`);
      if (!(await stopping(moment, () => repository.put(source, image)))) break;
      const again = await open(`put-${moment}`);
      const images = await again.list();
      for (const { digest } of images) await again.verify(digest);
      visible += images.length;
      const { digest } = await again.put(source, image);
      await again.verify(digest);
      expect(await again.list()).toHaveLength(1);
    }
    expect(moment).toBeGreaterThan(20);
    expect(visible).toBeGreaterThan(0);
  });

  it('has fetched nothing or all under the final name', async () => {
    const repository = await open('repository');
    const { digest } = await repository.put(source, image);
    let fetched = 0;
    for (let moment = 0; ; moment++) {
      const target = join(folder, `staged-${moment}`);
      const finished = !(await stopping(moment, () => repository.fetch(digest, target)));
      if (readdirSync(folder).includes(basename(target))) {
        await verifyFile(target, digest);
        fetched += 1;
      }
      if (finished) break;
    }
    expect(fetched).toBeGreaterThan(1);
    expect(readFileSync(source, 'utf8')).toBe('the bytes of an image');
  });

  it('flushes a file before its name, its name before the next file, and so the bytes before their manifest', async () => {
    const repository = await open('repository');
    disk.calls = [];
    const { digest } = await repository.put(source, image);
    const shard = join(folder, 'repository', 'sha256', digest.slice(7, 9));
    const order = disk.calls
      .filter((call) => /^(sync|rename|mkdir) /.test(call))
      .map((call) => call.replace(/\d+-\d+\.part$/, 'part'));
    const temporary = join(folder, 'repository', 'incoming', '.vw-image-part');
    expect(order).toEqual([
      `sync ${temporary}`,
      `mkdir ${shard}`,
      `sync ${join(folder, 'repository', 'sha256')}`,
      `rename ${temporary}`,
      `sync ${shard}`,
      `sync ${temporary}`,
      `rename ${temporary}`,
      `sync ${shard}`,
    ]);
  });

  it('sweeps what a dead process was fetching beside the file, and nothing else', async () => {
    const repository = await open('repository');
    const { digest } = await repository.put(source, image);
    const beyondEveryPid = 2 ** 22 + 1;
    const [dead, alive, foreign] = [
      `.vw-image-${beyondEveryPid}-1.part`,
      `.vw-image-${process.ppid}-1.part`,
      '.vw-image-mine.part',
    ];
    for (const name of [dead, alive, foreign]) writeFileSync(join(folder, name), '');
    await repository.fetch(digest, join(folder, 'staged'));
    expect(readdirSync(folder).toSorted()).toEqual([alive, foreign, 'repository', 'source.raw', 'staged'].toSorted());
  });

  it('puts two versions of a name one after the other, however close they come', async () => {
    const repository = await open('repository');
    const puts = ['a', 'b', 'c', 'd'].map((bytes) => {
      const version = join(folder, bytes);
      writeFileSync(version, bytes);
      return repository.put(version, image);
    });
    expect(new Set((await Promise.all(puts)).map(({ createdAt }) => createdAt)).size).toBe(4);
  });
});
