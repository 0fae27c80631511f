/** Cursors are opaque, but not secret: a forged one is refused like any other wrong input. */
import { describe, expect, it } from 'vitest';
import { decodeCount, decodeCursor, encodeCursor } from './cursor.js';
import { ProblemException } from './problem.js';

const query = { history: 'w1' };

describe('a cursor', () => {
  it('leads on in its own list, and in no other', () => {
    const cursor = encodeCursor(query, '42');
    expect(decodeCursor(query, cursor)).toBe('42');
    expect(decodeCount(query, cursor)).toBe(42);
    expect(decodeCount(query, undefined)).toBe(0);
    expect(() => decodeCursor({ history: 'w2' }, cursor)).toThrow(ProblemException);
  });

  it.each(['-1', '1.5', '1e999', 'NaN', '0x10', ' 1', 'one', '9007199254740993'])(
    'with a forged count %j is refused',
    (text) => {
      expect(() => decodeCount(query, encodeCursor(query, text))).toThrow(ProblemException);
    },
  );
});
