/**
 * Names of things. They become stream names and bus subjects, so they hold nothing that either could misread: no dot, star,
 * angle bracket, slash or space (PROTOCOL.md, "Subjects on the bus").
 */

declare const brand: unique symbol;

/** @pattern ^[A-Za-z0-9_-]{1,64}$ */
export type WorkspaceId = string & { readonly [brand]: 'WorkspaceId' };

/** @pattern ^[A-Za-z0-9_-]{1,64}$ */
export type HostId = string & { readonly [brand]: 'HostId' };

/** @pattern ^[A-Za-z0-9_-]{1,64}$ */
export type ImageId = string & { readonly [brand]: 'ImageId' };

/**
 * The idempotency key of a command, chosen by whoever sends it. The intent that a command opens bears the same id.
 * @pattern ^[A-Za-z0-9_-]{1,64}$
 */
export type CommandId = string & { readonly [brand]: 'CommandId' };

/**
 * The bytes of an image, by their SHA-256.
 * @pattern ^sha256:[0-9a-f]{64}$
 */
export type ImageDigest = string & { readonly [brand]: 'ImageDigest' };

/**
 * Milliseconds since the Unix epoch, UTC.
 * @asType integer
 * @minimum 0
 */
export type Instant = number;

/**
 * One grant of a workspace's lock: 1, 2, 3, …
 * @asType integer
 * @minimum 1
 */
export type Epoch = number;

const idPattern = /^[A-Za-z0-9_-]{1,64}$/;

/** Whether a text may serve as an id of any kind. */
export function isId(text: string): boolean {
  return idPattern.test(text);
}
