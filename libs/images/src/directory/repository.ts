/**
 * An image repository in one directory of a local (or mounted) file system:
 *
 *     sha256/ab/<hex>              the bytes, named by their SHA-256, read-only, with holes for zeros
 *     sha256/ab/<hex>.<name>.json  a manifest; an image is in the repository when it has one
 *     incoming/                    bytes and manifests on their way, swept when the repository is opened
 *
 * - The bytes are durable under their name before their manifest is; so a crash leaves nothing visible, or all. At worst it leaves bytes
 *   without a manifest, which the next put of the same image takes over.
 * - Putting again replaces the bytes by equal ones just hashed: two at once are harmless, and a damaged copy is healed.
 * - Nothing is believed because it lies here: every byte given out is hashed on the way.
 */
import { mkdir, readdir } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Clock, Logger } from '@vw/runtime';
import { silentLogger, synchroniseFolder } from '@vw/runtime';
import { hexOf, verifyFile } from '../digest.js';
import {
  ImageCorrupted,
  ImageNotFound,
  ImageRefused,
  ImageRepositoryUnavailable,
  ImageTooLarge,
  LARGEST_IMAGE_BYTES,
} from '../port.js';
import type { ImageKind, ImageManifest, ImageRepository } from '../port.js';
import { copySparsely, openRegular } from './copy.js';
import {
  checkKind,
  checkName,
  manifestFileName,
  parseManifestFileName,
  readManifest,
  writeManifest,
} from './manifest.js';
import { createWhole, sweep } from './temporary.js';

export interface DirectoryRepositoryOptions {
  /** Made where it is missing. Several processes of one machine may share it. */
  readonly directory: string;
  readonly clock: Clock;
  readonly logger?: Logger;
}

/** @throws ImageRepositoryUnavailable when the directory can be neither read nor made. */
export async function openDirectoryRepository(options: DirectoryRepositoryOptions): Promise<ImageRepository> {
  const logger = options.logger ?? silentLogger;
  const repository = new DirectoryRepository(resolve(options.directory), options.clock, logger);
  await repository.prepare();
  return repository;
}

class DirectoryRepository implements ImageRepository {
  readonly #incoming: string;
  readonly #bytes: string;
  #lastManifest: Promise<unknown> = Promise.resolve();

  constructor(
    directory: string,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {
    this.#incoming = join(directory, 'incoming');
    this.#bytes = join(directory, 'sha256');
  }

  async prepare(): Promise<void> {
    await atTheDoor('the image repository cannot be opened', async () => {
      await mkdir(this.#bytes, { recursive: true });
      await mkdir(this.#incoming, { recursive: true });
      await synchroniseFolder(dirname(this.#bytes));
    });
    await sweep(this.#incoming).catch((err: unknown) =>
      this.logger.warn({ err }, 'leftovers of crashed puts stay where they are'),
    );
  }

  async put(
    file: string,
    image: { readonly kind: ImageKind; readonly name: string },
    signal?: AbortSignal,
  ): Promise<ImageManifest> {
    checkName(image.name);
    checkKind(image.kind);
    return atTheDoor(`${file} cannot be put`, async () => {
      const { digest, sizeBytes } = await this.#putBytes(file, signal);
      return this.#oneAtATime(() => this.#putManifest({ digest, kind: image.kind, name: image.name, sizeBytes }));
    });
  }

  async get(digest: string): Promise<ImageManifest> {
    hexOf(digest);
    return atTheDoor(`${digest} cannot be read`, () => this.#oldestManifest(digest));
  }

  async find(name: string): Promise<readonly ImageManifest[]> {
    checkName(name);
    return atTheDoor(`${name} cannot be looked for`, () => this.#newestFirst((entry) => entry.name === name));
  }

  async list(): Promise<readonly ImageManifest[]> {
    return atTheDoor('the images cannot be listed', () => this.#newestFirst(() => true));
  }

  async fetch(digest: string, toFile: string, signal?: AbortSignal): Promise<void> {
    hexOf(digest);
    await atTheDoor(`${digest} cannot be fetched to ${toFile}`, async () => {
      const manifest = await this.#oldestManifest(digest);
      const source = await this.#openBytes(manifest);
      try {
        await sweep(dirname(toFile));
        await createWhole(dirname(toFile), async (temporary) => {
          const copied = await copySparsely(source, temporary, manifest.sizeBytes, signal);
          if (copied.digest !== digest) throw new ImageCorrupted(digest, copied.digest, this.#fileOf(digest));
          return { file: toFile, result: undefined };
        });
      } finally {
        await source.close();
      }
    });
  }

  async verify(digest: string, signal?: AbortSignal): Promise<void> {
    hexOf(digest);
    await atTheDoor(`${digest} cannot be verified`, async () => {
      const source = await this.#openBytes(await this.#oldestManifest(digest));
      await source.close();
      await verifyFile(this.#fileOf(digest), digest, signal);
    });
  }

  async #putBytes(
    file: string,
    signal?: AbortSignal,
  ): Promise<{ readonly digest: string; readonly sizeBytes: number }> {
    const source = await openSource(file);
    try {
      if (source.sizeBytes > LARGEST_IMAGE_BYTES) throw new ImageTooLarge(file, source.sizeBytes);
      return await createWhole(this.#incoming, async (temporary) => {
        const copied = await copySparsely(source.handle, temporary, source.sizeBytes, signal);
        await temporary.chmod(0o444);
        const stored = this.#fileOf(copied.digest);
        await mkdir(dirname(stored), { recursive: true });
        await synchroniseFolder(this.#bytes);
        return { file: stored, result: copied };
      });
    } finally {
      await source.handle.close();
    }
  }

  /** The manifest that is there already, else a new one, later than every other of its name whatever the clock does. */
  async #putManifest(image: Omit<ImageManifest, 'createdAt'>): Promise<ImageManifest> {
    const versions = await this.#newestFirst((entry) => entry.name === image.name);
    const known = versions.find(({ digest }) => digest === image.digest);
    if (known?.kind === image.kind) return known;
    if (known)
      throw new ImageRefused(
        'OTHER_KIND',
        `${image.digest} is in the repository as a ${known.kind}, not as a ${image.kind}`,
      );
    const createdAt = Math.max(this.clock.now(), (versions[0]?.createdAt ?? 0) + 1);
    const manifest: ImageManifest = { ...image, createdAt };
    return createWhole(this.#incoming, async (temporary) => {
      await temporary.writeFile(writeManifest(manifest));
      await temporary.sync();
      const hex = hexOf(image.digest);
      return { file: join(dirname(this.#fileOf(image.digest)), manifestFileName(hex, image.name)), result: manifest };
    });
  }

  /** @throws ImageNotFound; ImageCorrupted when there are manifests and none of them can be read. */
  async #oldestManifest(digest: string): Promise<ImageManifest> {
    const folder = dirname(this.#fileOf(digest));
    const { manifests, damaged } = await this.#readFolder(folder, (entry) => entry.digest === digest);
    const oldest = manifests.toSorted(byAge).at(-1);
    if (oldest) return oldest;
    throw damaged[0] ?? new ImageNotFound(digest);
  }

  async #newestFirst(wanted: (entry: ManifestEntry) => boolean): Promise<readonly ImageManifest[]> {
    const found: ImageManifest[] = [];
    for (const folder of await readdir(this.#bytes)) {
      const { manifests, damaged } = await this.#readFolder(join(this.#bytes, folder), wanted);
      for (const err of damaged) this.logger.error({ err }, 'a manifest cannot be read: its image is left out');
      found.push(...manifests);
    }
    return found.toSorted(byAge);
  }

  async #readFolder(
    folder: string,
    wanted: (entry: ManifestEntry) => boolean,
  ): Promise<{ readonly manifests: readonly ImageManifest[]; readonly damaged: readonly ImageCorrupted[] }> {
    const manifests: ImageManifest[] = [];
    const damaged: ImageCorrupted[] = [];
    for (const fileName of await namesIn(folder)) {
      const entry = parseManifestFileName(fileName);
      if (!entry || !wanted(entry)) continue;
      try {
        manifests.push(await readManifest(join(folder, fileName), entry));
      } catch (cause) {
        if (!(cause instanceof ImageCorrupted)) throw cause;
        damaged.push(cause);
      }
    }
    return { manifests, damaged };
  }

  /** The stored bytes, as long as their manifest says. @throws ImageCorrupted */
  async #openBytes(manifest: ImageManifest): Promise<FileHandle> {
    const file = this.#fileOf(manifest.digest);
    const { handle, sizeBytes } = await openRegular(file).catch((cause: NodeJS.ErrnoException) => {
      const gone = cause.code === 'ENOENT' || cause instanceof ImageRefused;
      throw gone ? new ImageCorrupted(manifest.digest, 'no file', file, { cause }) : cause;
    });
    if (sizeBytes === manifest.sizeBytes) return handle;
    await handle.close();
    throw new ImageCorrupted(`${manifest.digest} in ${manifest.sizeBytes} bytes`, `${sizeBytes} bytes`, file);
  }

  #fileOf(digest: string): string {
    const hex = hexOf(digest);
    return join(this.#bytes, hex.slice(0, 2), hex);
  }

  /** Manifests are written in turn, so that two puts of one name see one another. */
  #oneAtATime<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#lastManifest.then(work);
    this.#lastManifest = turn.catch(() => undefined);
    return turn;
  }
}

type ManifestEntry = NonNullable<ReturnType<typeof parseManifestFileName>>;

function byAge(one: ImageManifest, other: ImageManifest): number {
  return (
    other.createdAt - one.createdAt || one.digest.localeCompare(other.digest) || one.name.localeCompare(other.name)
  );
}

/** Nothing for what is no folder: nobody has put an image there yet, or somebody put something else. */
async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return [];
    throw cause;
  });
}

/** @throws ImageRefused BAD_FILE: the file is the caller's, so its faults are not the repository's. */
async function openSource(file: string): ReturnType<typeof openRegular> {
  return openRegular(file).catch((cause: unknown) => {
    throw isSystemError(cause) ? new ImageRefused('BAD_FILE', `${file} cannot be read`, { cause }) : cause;
  });
}

/** The operating system's errors become the port's; every other one is ours or the caller's signal's already. */
async function atTheDoor<Result>(complaint: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    throw isSystemError(cause) ? new ImageRepositoryUnavailable(`${complaint}: ${cause.code}`, { cause }) : cause;
  }
}

function isSystemError(cause: unknown): cause is NodeJS.ErrnoException {
  return cause instanceof Error && 'syscall' in cause && 'code' in cause;
}
