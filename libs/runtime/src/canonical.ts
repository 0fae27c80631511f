/** One byte string for one value, so that digests of values can be compared. */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';

/** RFC 8785 (JSON Canonicalization Scheme). Throws a TypeError on what JSON cannot say (undefined at the root, NaN, cycles). */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('a value that JSON cannot express has no canonical form');
  return text;
}

/** Lower-case hexadecimal SHA-256 (FIPS 180-4) of bytes, or of a string's UTF-8. */
export function sha256Hex(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}
