import { describe, expect, it } from 'vitest';
import { durableKindOf, matches } from './subjects.js';

describe('subjects', () => {
  it.each([
    ['vw.task.h1', 'vw.task.h1', true],
    ['vw.task.h1', 'vw.task.h10', false],
    ['vw.task.*', 'vw.task.h1', true],
    ['vw.task.*', 'vw.task', false],
    ['vw.task.*', 'vw.task.h1.x', false],
    ['vw.>', 'vw.task.h1', true],
    ['vw.>', 'vw', false],
    ['*.task.>', 'vw.task.h1', true],
    ['>', 'vw', true],
  ])('%s against %s: %s', (pattern, subject, expected) => {
    expect(matches(pattern, subject)).toBe(expected);
  });

  it('knows the durable ones, one by one and as a kind', () => {
    expect(durableKindOf('vw.task.h1')).toBe('vw.task.*');
    expect(durableKindOf('vw.task.*')).toBe('vw.task.*');
    expect(durableKindOf('vw.submit.deploy')).toBe('vw.submit.*');
    expect(durableKindOf('vw.*.h1')).toBeUndefined();
    expect(durableKindOf('vw.task.>')).toBeUndefined();
    expect(durableKindOf('vw.task.h1.x')).toBeUndefined();
    expect(durableKindOf('vw.heartbeat.h1')).toBeUndefined();
  });
});
