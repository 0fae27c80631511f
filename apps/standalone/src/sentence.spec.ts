import { expect, it } from 'vitest';
import { sentence } from './sentence.js';

it('says what went wrong and why, and nothing twice', () => {
  const cause = new Error('the disk is full');
  expect(sentence(new Error('the log cannot be opened', { cause }))).toBe('the log cannot be opened: the disk is full');
  expect(sentence(new Error('no log: the disk is full', { cause }))).toBe('no log: the disk is full');
});

it('leaves out what gRPC says, which is told already by whoever met it', () => {
  const cause = Object.assign(new Error('14 UNAVAILABLE: gone'), { code: 14, details: 'gone' });
  const away = new Error('the store is not available (gone)', { cause });
  expect(sentence(new Error('no answer', { cause: away }))).toBe('no answer: the store is not available (gone)');
});
