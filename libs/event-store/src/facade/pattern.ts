/**
 * Patterns that strangers send, matched in time linear in the text: JavaScript's own engine backtracks, and `(a+)+$` on thirty
 * characters would stop the server for minutes. RE2 does not; what it cannot do, back-references and look-around among it, is
 * refused.
 */
import { RE2JS } from 're2js';

/** Longer patterns are no filters. */
const MAX_LENGTH = 512;

/**
 * @returns whether a text contains a match
 * @throws RangeError when the pattern is malformed, too large, or beyond RE2
 */
export function linearPattern(source: string): (text: string) => boolean {
  if (source.length > MAX_LENGTH) throw new RangeError(`a pattern has at most ${MAX_LENGTH} characters`);
  // To RE2 this is an ordinary class, to .NET, whose patterns these are, a difference of two.
  if (/\[[^\]]*-\[/.test(source)) throw new RangeError('subtraction of character classes is not supported');
  const pattern = compiled(source);
  return (text) => pattern.matcher(text).find();
}

function compiled(source: string): RE2JS {
  try {
    return RE2JS.compile(source);
  } catch (cause) {
    throw new RangeError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}
