import { expect, it } from 'vitest';
import { isId } from './ids.js';

it.each(['w1', 'A-b_9', 'x'.repeat(64)])('%s names a thing', (text) => {
  expect(isId(text)).toBe(true);
});

it.each(['', 'a.b', '*', '>', 'a/b', 'a b', 'é', 'w1\n', 'x'.repeat(65)])(
  '%j could be misread in a stream or subject',
  (text) => {
    expect(isId(text)).toBe(false);
  },
);
