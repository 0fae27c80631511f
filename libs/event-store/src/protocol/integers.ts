/**
 * 64-bit integers of the protocol. The generated classes carry them as decimal text; above, they are numbers.
 *
 * No revision or position of ours reaches 2^53, so a number is exact. What the protocol means by the two largest values
 * stays apart from them: int64.max is the revision of a tombstone (and the `$tb` of a deleted stream), uint64.max is "the end".
 */
import { TOMBSTONE_REVISION } from '../log.js';

/** int64.max as text. */
export const TOMBSTONE_TEXT = '9223372036854775807';

/** uint64.max as text: the end of a stream or of the log; as an expected revision, "no stream". */
export const END_TEXT = '18446744073709551615';

/** What `numberOf` gives for uint64.max: beyond every revision and every position. */
export const END = Number.POSITIVE_INFINITY;

const INT64_MAX = BigInt(TOMBSTONE_TEXT);

/**
 * The number that a uint64 of the protocol names: exact below 2^53, TOMBSTONE_REVISION from there to int64.max, END for uint64.max.
 * @throws RangeError for what lies between int64.max and uint64.max: the protocol's servers know no such place
 */
export function numberOf(text: string): number {
  if (text.length < 16) return Number(text);
  if (text === END_TEXT) return END;
  const value = BigInt(text);
  if (value > INT64_MAX) throw new RangeError(`${text} is beyond int64.max and is not uint64.max`);
  return value >= BigInt(TOMBSTONE_REVISION) ? TOMBSTONE_REVISION : Number(value);
}

/** The text of a revision or position, TOMBSTONE_REVISION and END back as the protocol's extremes. */
export function textOf(value: number): string {
  if (value === TOMBSTONE_REVISION) return TOMBSTONE_TEXT;
  return value === END ? END_TEXT : String(value);
}
