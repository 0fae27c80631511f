/**
 * Bytes inside a line of JSON. What is JSON already is shown as such, so that a person can read the file, but only where it comes
 * back byte for byte; all else is base64. Nothing is ever said almost exactly.
 */
import { isUtf8 } from 'node:buffer';

/** The text to put into a JSON line as a value, if a reader that parses and writes it again arrives at these bytes. */
export function embeddable(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0 || !isUtf8(bytes)) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  try {
    return JSON.stringify(JSON.parse(text)) === text ? text : undefined;
  } catch {
    // It is no JSON, or nested deeper than it can be written.
    return undefined;
  }
}

/** The bytes that `embeddable` showed as this value. @throws RangeError when it is nested too deep */
export function unembedded(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value), 'utf8');
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}

/** Strictly RFC 4648 §4 with padding; undefined for anything else, which Node would quietly make something of. */
export function unbase64(text: unknown): Uint8Array | undefined {
  if (typeof text !== 'string') return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}
