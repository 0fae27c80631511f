/**
 * An image's manifest as a file beside its bytes, `sha256/ab/<hex>.<name>.json`: one for each name the same bytes were put under. What is read
 * back may have been edited by hand, so nothing of it is believed that was not looked at.
 */
import { ImageCorrupted, ImageRefused, LARGEST_IMAGE_BYTES, IMAGE_KINDS } from '../port.js';
import type { ImageKind, ImageManifest } from '../port.js';
import { openRegular } from './copy.js';

const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/;
const FILE_NAME = /^([0-9a-f]{64})\.(.+)\.json$/;
const LARGEST_MANIFEST_BYTES = 4096;
/** The last millisecond that a date can have (ECMA-262, "Time Values and Time Range"). */
const LATEST_TIME = 8.64e15;

/** @throws ImageRefused BAD_NAME: it becomes part of a path. */
export function checkName(name: string): void {
  if (NAME.test(name)) return;
  throw new ImageRefused(
    'BAD_NAME',
    `${JSON.stringify(name.slice(0, 200))} is no image name: 1 to 128 of A-Z a-z 0-9 . _ -, no dot first`,
  );
}

/** @throws ImageRefused BAD_KIND */
export function checkKind(kind: string): asserts kind is ImageKind {
  if ((IMAGE_KINDS as readonly string[]).includes(kind)) return;
  throw new ImageRefused('BAD_KIND', `${kind} is no kind of image: ${IMAGE_KINDS.join(', ')}`);
}

export function manifestFileName(hex: string, name: string): string {
  return `${hex}.${name}.json`;
}

/** Which digest and name a file stands for; undefined for what is no manifest. */
export function parseManifestFileName(
  fileName: string,
): { readonly digest: string; readonly name: string } | undefined {
  const [, hex, name] = FILE_NAME.exec(fileName) ?? [];
  return hex !== undefined && name !== undefined && NAME.test(name) ? { digest: `sha256:${hex}`, name } : undefined;
}

export function writeManifest(manifest: ImageManifest): string {
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}

/** @throws ImageCorrupted, Node's own error */
export async function readManifest(
  file: string,
  expected: { readonly digest: string; readonly name: string },
): Promise<ImageManifest> {
  const corrupted = (found: string, cause?: unknown) =>
    new ImageCorrupted(`a manifest of ${expected.digest} as ${expected.name}`, found, file, { cause });

  const text = await readBounded(file).catch((cause: unknown) => {
    throw cause instanceof ImageRefused ? corrupted('no regular file', cause) : cause;
  });
  if (text === undefined) throw corrupted(`more than ${LARGEST_MANIFEST_BYTES} bytes`);
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch (cause) {
    throw corrupted('no JSON', cause);
  }
  if (!isManifest(manifest)) throw corrupted('other fields');
  if (manifest.digest !== expected.digest || manifest.name !== expected.name) {
    throw corrupted(`one of ${manifest.digest.slice(0, 71)} as ${manifest.name.slice(0, 128)}`);
  }
  return manifest;
}

async function readBounded(file: string): Promise<string | undefined> {
  const { handle, sizeBytes } = await openRegular(file);
  try {
    return sizeBytes <= LARGEST_MANIFEST_BYTES ? await handle.readFile('utf8') : undefined;
  } finally {
    await handle.close();
  }
}

function isManifest(value: unknown): value is ImageManifest {
  const { digest, kind, name, sizeBytes, createdAt } = (value ?? {}) as Partial<Record<keyof ImageManifest, unknown>>;
  return (
    typeof digest === 'string' &&
    IMAGE_KINDS.some((known) => known === kind) &&
    typeof name === 'string' &&
    Number.isInteger(sizeBytes) &&
    Number(sizeBytes) >= 0 &&
    Number(sizeBytes) <= LARGEST_IMAGE_BYTES &&
    Number.isInteger(createdAt) &&
    Math.abs(Number(createdAt)) <= LATEST_TIME
  );
}
