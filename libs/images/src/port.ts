/**
 * The image repository, as the ledger and the host agent need it: bytes by digest, verified on the way in and on the way
 * out (invariant I10: the bytes given to the VMM hash to the digest in the event that authorised the deployment).
 */

/**
 * `kernel`: a multiboot kernel (Multiboot Specification 0.6.96) that needs no disk. `disk`: a raw bootable disk.
 * `hot-image`: a paused guest's full state, with what it needs to continue.
 */
export type ImageKind = (typeof IMAGE_KINDS)[number];
export const IMAGE_KINDS = ['kernel', 'disk', 'hot-image'] as const;

/** The largest image that a repository takes. */
export const LARGEST_IMAGE_BYTES = 64 * 1024 ** 3;

/**
 * What the repository knows of one image. `digest` is `sha256:` and 64 lower-case hexadecimal digits; `name` is 1 to 128 of `[A-Za-z0-9._-]`,
 * the first one no dot; `createdAt` is when the bytes were first put under this name, in milliseconds since the Unix epoch.
 */
export interface ImageManifest {
  readonly digest: string;
  readonly kind: ImageKind;
  readonly name: string;
  readonly sizeBytes: number;
  readonly createdAt: number;
}

/** An aborted signal rejects with the signal's reason, and leaves nothing behind. */
export interface ImageRepository {
  /**
   * Stores a file's bytes and its manifest. Idempotent by digest and name. Other bytes under the same name are a newer version of it; the same
   * bytes under another name have a manifest of their own. Nothing is visible before all of it is durable.
   * @throws ImageRefused (name, kind, no regular file), ImageTooLarge, ImageRepositoryUnavailable (disk full, read-only)
   */
  put(
    file: string,
    image: { readonly kind: ImageKind; readonly name: string },
    signal?: AbortSignal,
  ): Promise<ImageManifest>;
  /** The manifest of the name these bytes were first put under. @throws ImageRefused, ImageNotFound, ImageCorrupted (no manifest can be read) */
  get(digest: string): Promise<ImageManifest>;
  /** By name, newest first. @throws ImageRefused */
  find(name: string): Promise<readonly ImageManifest[]>;
  /** Every name of every image, newest first. A manifest that cannot be read is logged and left out: it must not hide the others. */
  list(): Promise<readonly ImageManifest[]>;
  /**
   * Copies an image's bytes to a file, hashing every byte that is written; the file appears under its name only when the digest holds and it
   * is durable. An older file of that name is replaced whole, never in part. Sparse where the bytes are zero.
   * @throws ImageRefused, ImageNotFound, ImageCorrupted, ImageRepositoryUnavailable
   */
  fetch(digest: string, toFile: string, signal?: AbortSignal): Promise<void>;
  /** Reads every byte again. @throws ImageRefused, ImageNotFound, ImageCorrupted, ImageRepositoryUnavailable */
  verify(digest: string, signal?: AbortSignal): Promise<void>;
}

/** The caller asked for what no repository will do: no digest, no name, no kind of image, not a readable regular file. */
export class ImageRefused extends Error {
  override readonly name = 'ImageRefused';
  constructor(
    readonly reason: 'BAD_DIGEST' | 'BAD_NAME' | 'BAD_KIND' | 'OTHER_KIND' | 'BAD_FILE',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export class ImageTooLarge extends Error {
  override readonly name = 'ImageTooLarge';
  constructor(
    readonly file: string,
    readonly sizeBytes: number,
  ) {
    super(`${file} has ${sizeBytes} bytes, the largest image has ${LARGEST_IMAGE_BYTES}`);
  }
}

export class ImageNotFound extends Error {
  override readonly name = 'ImageNotFound';
  constructor(readonly digest: string) {
    super(`no image ${digest} is in the repository`);
  }
}

/** Bytes or a manifest are not what the digest says; both sides as text, `actual` being a digest where there were bytes to hash. */
export class ImageCorrupted extends Error {
  override readonly name = 'ImageCorrupted';
  constructor(
    readonly expected: string,
    readonly actual: string,
    readonly where: string,
    options?: ErrorOptions,
  ) {
    super(`${where}: expected ${expected}, found ${actual}`, options);
  }
}

/** The repository cannot take or give bytes now: disk full, read-only, out of reach. The cause says which. */
export class ImageRepositoryUnavailable extends Error {
  override readonly name = 'ImageRepositoryUnavailable';
}
