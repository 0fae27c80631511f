/**
 * The lines of a file that may be large, torn or hostile. One line is held at a time and none may grow without end, so memory is
 * bounded whatever the file is.
 */
import { isUtf8 } from 'node:buffer';

/** The largest event in base64, in a stream and of a type with the longest of names, all of them escaped, with room to spare. */
export const LONGEST_LINE_BYTES = 4 * 1024 * 1024;

const NEWLINE = 0x0a;

/** A line that is not what it should be. */
export class BadLine extends Error {
  constructor(
    readonly line: number,
    why: string,
    options?: ErrorOptions,
  ) {
    super(`line ${line} ${why}`, options);
  }
}

export interface Line {
  /** From 1. */
  readonly number: number;
  /** Without its newline; valid only until the next line is asked for. */
  readonly bytes: Buffer;
  /** Where the next line begins, in bytes from the beginning. */
  readonly end: number;
  /** Its newline is there. Only the last line may lack it. */
  readonly whole: boolean;
}

/** @throws BadLine when a line is too long */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Line, void, undefined> {
  let number = 1;
  let end = 0;
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  for await (const chunk of chunks) {
    const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    let from = 0;
    for (let at = buffer.indexOf(NEWLINE); at >= 0; at = buffer.indexOf(NEWLINE, from)) {
      const last = buffer.subarray(from, at);
      if (pendingBytes + last.length > LONGEST_LINE_BYTES) throw tooLong(number);
      const bytes = pendingBytes === 0 ? last : Buffer.concat([...pending, last]);
      end += bytes.length + 1;
      yield { number, bytes, end, whole: true };
      number += 1;
      pending = [];
      pendingBytes = 0;
      from = at + 1;
    }
    const rest = buffer.subarray(from);
    pendingBytes += rest.length;
    if (pendingBytes > LONGEST_LINE_BYTES) throw tooLong(number);
    if (rest.length > 0) pending.push(rest);
  }
  if (pendingBytes > 0) yield { number, bytes: Buffer.concat(pending), end: end + pendingBytes, whole: false };
}

/** The line's JSON object. @throws BadLine */
export function objectIn({ number, bytes }: Line): { readonly [member: string]: unknown } {
  if (!isUtf8(bytes)) throw new BadLine(number, 'is not UTF-8');
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new BadLine(number, 'is not JSON', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BadLine(number, 'is not a JSON object');
  }
  return value as { readonly [member: string]: unknown };
}

function tooLong(number: number): BadLine {
  return new BadLine(number, `is longer than ${LONGEST_LINE_BYTES} bytes`);
}
