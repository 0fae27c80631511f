/**
 * The door: what any document must be before a parser sees it. UTF-8 and nothing else, so that no parser has to guess an encoding and
 * no check made on the text can be evaded by another reading of the bytes; and small.
 */
import { problem, refused, type Refused } from './problems.js';

/** The largest document read, in bytes of UTF-8: 1 MiB. Real descriptions have two or three thousand. */
export const MAX_DOCUMENT_BYTES = 1024 * 1024;

/** The deepest nesting read; a description needs seven levels. */
export const MAX_DEPTH = 64;

/** The most values, tokens or tags (whatever the format is made of) that are read. Parsers and validators take more than linear time. */
export const MAX_PARTS = 10_000;

const BYTE_ORDER_MARKS = [
  { encoding: 'UTF-32', bytes: [0xff, 0xfe, 0x00, 0x00] },
  { encoding: 'UTF-32', bytes: [0x00, 0x00, 0xfe, 0xff] },
  { encoding: 'UTF-16', bytes: [0xff, 0xfe] },
  { encoding: 'UTF-16', bytes: [0xfe, 0xff] },
];

/** The document as text without a byte order mark, or why it is not let in. */
export function admit(document: Uint8Array | string): { ok: true; text: string } | Refused {
  const sizeBytes = typeof document === 'string' ? Buffer.byteLength(document) : document.byteLength;
  if (sizeBytes > MAX_DOCUMENT_BYTES) {
    return refused(
      problem('DOCUMENT_TOO_LARGE', `the document has ${sizeBytes} bytes; at most ${MAX_DOCUMENT_BYTES} are read`),
    );
  }

  const decoded = typeof document === 'string' ? wellFormed(document) : decode(document);
  if (!decoded.ok) return decoded;
  const text = decoded.text.replace(/^\uFEFF/, '');

  const nul = text.indexOf('\0');
  if (nul !== -1)
    return refused(problem('NUL_CHARACTER', 'a NUL character is in no text format', positionOf(text, nul)));
  if (text.trim() === '') return refused(problem('DOCUMENT_EMPTY', 'the document is empty'));
  return { ok: true, text };
}

function wellFormed(text: string): { ok: true; text: string } | Refused {
  return /\p{Surrogate}/u.test(text)
    ? refused(problem('ENCODING_NOT_UTF8', 'the text has half a surrogate pair'))
    : { ok: true, text };
}

function decode(bytes: Uint8Array): { ok: true; text: string } | Refused {
  const other = BYTE_ORDER_MARKS.find((mark) => mark.bytes.every((byte, at) => bytes[at] === byte));
  if (other) return refused(problem('ENCODING_NOT_UTF8', `the document is in ${other.encoding}; only UTF-8 is read`));
  try {
    return { ok: true, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    return refused(problem('ENCODING_NOT_UTF8', 'the document is not valid UTF-8'));
  }
}

/** Line and column, from 1, of an offset into the text. */
export function positionOf(text: string, offset: number): { line: number; column: number } {
  let line = 1;
  let start = 0;
  for (let end = text.indexOf('\n'); end !== -1 && end < offset; end = text.indexOf('\n', start)) {
    line += 1;
    start = end + 1;
  }
  return { line, column: offset - start + 1 };
}
