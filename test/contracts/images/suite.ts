/** What every image repository must do, wherever it keeps the bytes. An adapter's spec is one call of `imageRepositoryContract`. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  ImageCorrupted,
  ImageNotFound,
  ImageRefused,
  ImageRepositoryUnavailable,
  ImageTooLarge,
  LARGEST_IMAGE_BYTES,
  digestOfFile,
  verifyFile,
} from '@vw/images';
import type { ImageKind, ImageRepository } from '@vw/images';
import { runProgram } from '../../support/program.js';

/** One repository that can be opened again upon what it stored, and damaged behind its back. */
export interface RepositoryUnderTest {
  /** `now` is the clock's time in milliseconds. */
  open(now: () => number): Promise<ImageRepository>;
  /** The stored bytes of an image as a file that the test may damage. */
  bytesOf(digest: string): string;
  /** The stored manifest of an image as a file that the test may damage. */
  manifestOf(digest: string, name: string): string;
  /** Files on their way that nobody will finish. */
  leftovers(): Promise<readonly string[]>;
  /** A program that opens the repository, prints one line, and puts the file that is its last argument again and again under the name `victim`. */
  readonly putter: { readonly file: string; readonly args: readonly string[] };
  /** Makes the repository one of 2 MiB, or one that cannot be written to; undefined where this machine does not let us. */
  fill?(): Promise<void>;
  makeReadOnly?(): Promise<void>;
  dispose(): Promise<void>;
}

const MIB = 1024 * 1024;
const disk = (name: string) => ({ kind: 'disk' as const, name });

export function imageRepositoryContract(name: string, prepare: () => Promise<RepositoryUnderTest>): void {
  describe(`the image repository contract: ${name}`, { timeout: 60_000 }, () => {
    let place: RepositoryUnderTest;
    let repository: ImageRepository;
    let folder: string;
    let now: number;

    beforeEach(async () => {
      now = 1_800_000_000_000;
      folder = await mkdtemp(join(tmpdir(), 'vw-images-'));
      place = await prepare();
      repository = await reopen();
    });
    afterEach(async () => {
      await place.dispose();
      await rm(folder, { recursive: true });
    });

    const reopen = () => place.open(() => now);
    const target = () => join(folder, 'staged', 'disk.raw');

    async function file(bytes: Buffer | string, name = 'source.raw'): Promise<string> {
      await writeFile(join(folder, name), bytes);
      return join(folder, name);
    }

    async function staging(): Promise<string> {
      await mkdir(join(folder, 'staged'), { recursive: true });
      return target();
    }

    async function damage(file: string, change: (bytes: Buffer) => Buffer): Promise<void> {
      const bytes = change(await readFile(file));
      await rm(file);
      await writeFile(file, bytes);
    }

    describe('bytes and manifests', () => {
      it('gives back what was put, under the SHA-256 of its bytes', async () => {
        for (const bytes of [Buffer.alloc(0), Buffer.from('x'), randomBytes(3 * MIB + 17)]) {
          const manifest = await repository.put(await file(bytes), { kind: 'kernel', name: 'tiny' });
          const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
          expect(manifest).toMatchObject({ digest, kind: 'kernel', name: 'tiny', sizeBytes: bytes.length });
          expect(await repository.get(digest)).toEqual(manifest);
          await repository.fetch(digest, await staging());
          expect((await readFile(target())).equals(bytes)).toBe(true);
          await repository.verify(digest);
          expect(await digestOfFile(target())).toBe(digest);
        }
      });

      it('knows the same images after it was opened again', async () => {
        const manifest = await repository.put(await file('kept'), disk('base'));
        expect(await (await reopen()).list()).toEqual([manifest]);
      });

      it('putting again is the same image, with the time of the first put', async () => {
        const first = await repository.put(await file('same'), disk('base'));
        now += 1_000;
        expect(await repository.put(await file('same', 'other.raw'), disk('base'))).toEqual(first);
        expect(await repository.list()).toEqual([first]);
        await expect(repository.put(await file('same'), { kind: 'kernel', name: 'base' })).rejects.toMatchObject({
          reason: 'OTHER_KIND',
        });
      });

      it('finds the versions of a name, newest first, also when the clock stands still or steps back', async () => {
        const digests: string[] = [];
        for (const [version, step] of [0, 0, -60_000, 5].entries()) {
          now += step;
          digests.unshift((await repository.put(await file(`version ${version}`), disk('base'))).digest);
        }
        await repository.put(await file('another'), disk('base2'));
        expect((await repository.find('base')).map(({ digest }) => digest)).toEqual(digests);
        expect(await repository.find('nobody')).toEqual([]);
      });

      it('the same bytes under two names are two entries of one image, known by the first', async () => {
        const one = await repository.put(await file('same'), disk('one'));
        now += 1;
        const two = await repository.put(await file('same'), disk('two'));
        expect(two.digest).toBe(one.digest);
        expect(await repository.list()).toEqual([two, one]);
        expect(await repository.find('two')).toEqual([two]);
        expect(await repository.get(one.digest)).toEqual(one);
      });

      it('two puts of the same bytes at once, through two openings, are one image', async () => {
        const source = await file(randomBytes(2 * MIB));
        const other = await reopen();
        const puts = await Promise.all(
          [repository, other, repository, other].map((each) => each.put(source, disk('base'))),
        );
        expect(new Set(puts.map(({ digest }) => digest)).size).toBe(1);
        expect(await repository.list()).toHaveLength(1);
        await repository.verify(puts[0]!.digest);
        expect(await place.leftovers()).toEqual([]);
      });

      it('keeps zeros as holes, on the way in and on the way out', async () => {
        const source = join(folder, 'sparse.raw');
        const handle = await open(source, 'w');
        await handle.write(randomBytes(4096), 0, 4096, 20 * MIB);
        await handle.truncate(64 * MIB + 3);
        await handle.close();
        const { digest, sizeBytes } = await repository.put(source, disk('sparse'));
        expect(sizeBytes).toBe(64 * MIB + 3);
        await repository.fetch(digest, await staging());
        await verifyFile(target(), digest);
        for (const copy of [place.bytesOf(digest), target()]) {
          const { size, blocks } = await stat(copy);
          expect(size).toBe(64 * MIB + 3);
          expect(blocks * 512).toBeLessThan(3 * MIB);
        }
      });

      it('fetching over an older file replaces it whole', async () => {
        const { digest } = await repository.put(await file('new'), disk('base'));
        await writeFile(await staging(), 'older and longer');
        await repository.fetch(digest, target());
        expect(await readFile(target(), 'utf8')).toBe('new');
      });
    });

    describe('what it refuses', () => {
      it('digests that are none, before they touch a path', async () => {
        const hex = 'a'.repeat(64);
        const bad = [
          '',
          hex,
          'sha256:',
          `sha256:${hex}0`,
          `sha256:${hex.toUpperCase()}`,
          `md5:${hex}`,
          'sha256:../../../etc/passwd',
          `sha256:${hex}\n`,
        ];
        for (const digest of bad) {
          for (const ask of [
            () => repository.get(digest),
            () => repository.verify(digest),
            () => repository.fetch(digest, target()),
            () => verifyFile(target(), digest),
          ]) {
            await expect(ask(), digest).rejects.toMatchObject({ name: ImageRefused.name, reason: 'BAD_DIGEST' });
          }
        }
      });

      it('names that could leave the directory, hide, or be anything but a name', async () => {
        const source = await file('x');
        for (const name of [
          '',
          '.',
          '..',
          '.hidden',
          'a/b',
          '../x',
          'a\\b',
          'a b',
          'é',
          'x\n',
          'x\u0000',
          'x'.repeat(129),
        ]) {
          await expect(repository.put(source, disk(name)), name).rejects.toMatchObject({
            name: ImageRefused.name,
            reason: 'BAD_NAME',
          });
          await expect(repository.find(name), name).rejects.toMatchObject({ reason: 'BAD_NAME' });
        }
        for (const name of ['a..b', 'x'.repeat(128), 'debian-12.5_amd64', 'x.json', '-']) {
          await repository.put(source, disk(name));
          expect(await repository.find(name), name).toHaveLength(1);
        }
      });

      it('kinds it does not know, files that are missing or no files, and more than the largest image', async () => {
        const source = await file('x');
        await expect(repository.put(source, { kind: 'iso' as ImageKind, name: 'x' })).rejects.toMatchObject({
          reason: 'BAD_KIND',
        });
        for (const bad of [join(folder, 'missing'), folder, '/dev/zero']) {
          await expect(repository.put(bad, disk('x')), bad).rejects.toMatchObject({
            name: ImageRefused.name,
            reason: 'BAD_FILE',
          });
        }
        await truncate(source, LARGEST_IMAGE_BYTES + 1);
        await expect(repository.put(source, disk('x'))).rejects.toBeInstanceOf(ImageTooLarge);
        expect(await repository.list()).toEqual([]);
        expect(await place.leftovers()).toEqual([]);
      });

      it('what is not there', async () => {
        const digest = `sha256:${'0'.repeat(64)}`;
        await expect(repository.get(digest)).rejects.toBeInstanceOf(ImageNotFound);
        await expect(repository.fetch(digest, await staging())).rejects.toBeInstanceOf(ImageNotFound);
        await expect(repository.verify(digest)).rejects.toBeInstanceOf(ImageNotFound);
        await expect(verifyFile(join(folder, 'missing'), digest)).rejects.toBeInstanceOf(ImageCorrupted);
      });
    });

    describe('damage', () => {
      const damages: Record<string, (file: string) => Promise<void>> = {
        'a flipped bit': (file) =>
          damage(file, (bytes) => {
            bytes[bytes.length - 7]! ^= 1;
            return bytes;
          }),
        'a truncated file': (file) => damage(file, (bytes) => bytes.subarray(0, -1)),
        'appended bytes': (file) => damage(file, (bytes) => Buffer.concat([bytes, Buffer.from('x')])),
        'a missing file': (file) => rm(file),
        'a folder in its place': async (file) => {
          await rm(file);
          await mkdir(file);
        },
      };
      for (const [what, inflict] of Object.entries(damages)) {
        it(`${what} is found out, and never given out`, async () => {
          const { digest } = await repository.put(await file(randomBytes(2 * MIB + 5)), disk('base'));
          await inflict(place.bytesOf(digest));
          await expect(repository.verify(digest)).rejects.toBeInstanceOf(ImageCorrupted);
          await expect(repository.fetch(digest, await staging())).rejects.toBeInstanceOf(ImageCorrupted);
          expect(await readdir(join(folder, 'staged'))).toEqual([]);
        });
      }

      it('putting the image again heals it', async () => {
        const source = await file(randomBytes(MIB));
        const { digest } = await repository.put(source, disk('base'));
        await damages['a flipped bit']!(place.bytesOf(digest));
        await repository.put(source, disk('base'));
        await repository.verify(digest);
      });

      it('a manifest edited by hand is reported, hides no other image, and is replaced by the next put', async () => {
        const source = await file('victim');
        const healthy = await repository.put(await file('healthy', 'healthy.raw'), disk('healthy'));
        const victim = await repository.put(source, disk('victim'));
        const manifest = place.manifestOf(victim.digest, 'victim');
        const forgeries = [
          '',
          'no JSON {',
          'null',
          '[]',
          JSON.stringify({ ...victim, digest: healthy.digest }),
          JSON.stringify({ ...victim, name: 'healthy' }),
          JSON.stringify({ ...victim, sizeBytes: -1 }),
          JSON.stringify({ ...victim, sizeBytes: 1e300 }),
          JSON.stringify({ ...victim, createdAt: 'yesterday' }),
          JSON.stringify({ ...victim, kind: 'poem' }),
          JSON.stringify({ ...victim, more: 'x'.repeat(MIB) }),
          '['.repeat(4000),
        ];
        for (const forgery of forgeries) {
          await damage(manifest, () => Buffer.from(forgery));
          await expect(repository.get(victim.digest), forgery.slice(0, 99)).rejects.toBeInstanceOf(ImageCorrupted);
          await expect(repository.fetch(victim.digest, await staging())).rejects.toBeInstanceOf(ImageCorrupted);
          expect(await repository.list()).toEqual([healthy]);
          expect(await repository.find('victim')).toEqual([]);
        }
        await damage(manifest, () => Buffer.from(JSON.stringify({ ...victim, sizeBytes: 7 })));
        await expect(repository.fetch(victim.digest, await staging())).rejects.toBeInstanceOf(ImageCorrupted);
        await damage(manifest, () => Buffer.from('{'));
        await repository.put(source, disk('victim'));
        await repository.fetch(victim.digest, await staging());
      });
    });

    describe('interruptions', () => {
      it('an aborted put or fetch gives the reason, and leaves nothing', async () => {
        const source = await file(randomBytes(24 * MIB));
        const reason = new Error('the deployment was cancelled');
        await expect(repository.put(source, disk('base'), AbortSignal.abort(reason))).rejects.toBe(reason);
        expect(await repository.list()).toEqual([]);
        expect(await place.leftovers()).toEqual([]);

        const { digest } = await repository.put(source, disk('base'));
        await staging();
        for (const abort of [
          (stop: AbortController) => stop.abort(reason),
          async (stop: AbortController) => {
            while ((await readdir(join(folder, 'staged'))).length === 0)
              await new Promise((resolve) => setImmediate(resolve));
            stop.abort(reason);
          },
        ]) {
          const stop = new AbortController();
          const fetching = repository.fetch(digest, target(), stop.signal);
          fetching.catch(() => undefined);
          await Promise.resolve(abort(stop));
          await expect(fetching).rejects.toBe(reason);
          expect(await readdir(join(folder, 'staged'))).toEqual([]);
        }
        await expect(repository.verify(digest, AbortSignal.abort(reason))).rejects.toBe(reason);
      });

      it('a put that is killed leaves nothing visible or all of it, and the next opening sweeps the rest', async () => {
        const bytes = randomBytes(48 * MIB);
        const source = await file(bytes);
        const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
        let interrupted = 0;
        for (const delayMs of [0, 40, 120]) {
          const program = runProgram(place.putter.file, ...place.putter.args, source);
          await program.printed(1);
          await expect
            .poll(async () => (await place.leftovers()).length, { interval: 1, timeout: 20_000 })
            .toBeGreaterThan(0);
          await new Promise((resolve) => setTimeout(resolve, delayMs));
          await program.kill();
          if ((await place.leftovers()).length > 0) interrupted += 1;
          repository = await reopen();
          expect(await place.leftovers()).toEqual([]);
          const images = await repository.list();
          for (const image of images) {
            expect(image.digest).toBe(digest);
            await repository.verify(image.digest);
          }
          if (images.length === 0) await expect(repository.get(digest)).rejects.toBeInstanceOf(ImageNotFound);
        }
        expect(interrupted).toBeGreaterThan(0);
        await repository.put(source, disk('victim'));
        await repository.verify(digest);
      });

      it('opening leaves alone what another process is just putting', async () => {
        const source = await file(randomBytes(48 * MIB));
        const program = runProgram(place.putter.file, ...place.putter.args, source);
        await program.printed(1);
        for (let round = 0; round < 5; round++) {
          await expect
            .poll(async () => (await place.leftovers()).length, { interval: 1, timeout: 20_000 })
            .toBeGreaterThan(0);
          await reopen();
        }
        await program.printed(4);
        expect(program.lines.filter((line) => line.startsWith('failed'))).toEqual([]);
        await program.kill();
      });

      it('opening leaves alone what this process is just putting', async () => {
        const putting = repository.put(await file(randomBytes(24 * MIB)), disk('base'));
        await expect.poll(async () => (await place.leftovers()).length, { interval: 1 }).toBeGreaterThan(0);
        await reopen();
        await repository.verify((await putting).digest);
      });
    });

    describe('disks that cannot', () => {
      it('a full disk is unavailability with its cause, takes nothing, and gives what it has', async ({ skip }) => {
        const small = await repository.put(await file(randomBytes(1000)), disk('small'));
        if (!place.fill) return skip('needs the right to mount a small file system');
        await place.fill();
        repository = await reopen();
        await repository.put(await file(randomBytes(1000)), disk('small'));
        const before = await repository.list();
        const failed = repository.put(await file(randomBytes(5 * MIB)), disk('large'));
        await expect(failed).rejects.toMatchObject({
          name: ImageRepositoryUnavailable.name,
          cause: { code: 'ENOSPC' },
        });
        expect(await place.leftovers()).toEqual([]);
        expect(await repository.list()).toEqual(before);
        expect(small.sizeBytes).toBe(1000);
      });

      it('a read-only disk gives and verifies, and says that it cannot take', async ({ skip }) => {
        const { digest } = await repository.put(await file('here'), disk('here'));
        if (!place.makeReadOnly) return skip('needs the right to mount');
        await place.makeReadOnly();
        repository = await reopen();
        await repository.verify(digest);
        await repository.fetch(digest, await staging());
        const failed = repository.put(await file('more'), disk('more'));
        await expect(failed).rejects.toMatchObject({ name: ImageRepositoryUnavailable.name, cause: { code: 'EROFS' } });
        expect(await repository.list()).toHaveLength(1);
      });

      it('a place to fetch to that is not there', async () => {
        const { digest } = await repository.put(await file('here'), disk('here'));
        const failed = repository.fetch(digest, join(folder, 'nowhere', 'disk.raw'));
        await expect(failed).rejects.toMatchObject({
          name: ImageRepositoryUnavailable.name,
          cause: { code: 'ENOENT' },
        });
        expect(existsSync(join(folder, 'nowhere'))).toBe(false);
      });
    });
  });
}
