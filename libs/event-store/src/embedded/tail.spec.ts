import { describe, expect, it } from 'vitest';
import type { Position } from '../port.js';
import { Tail } from './tail.js';

const at = (position: number): Position => position as Position;

describe('the tail', () => {
  it('does not let anyone wait for what is already there', async () => {
    const tail = new Tail();
    tail.advance(at(5));
    tail.fail(new Error('closed'));
    await tail.beyond(at(4), new AbortController().signal);
    await expect(tail.beyond(at(5), new AbortController().signal)).rejects.toThrow('closed');
  });

  it('wakes everyone who waits, and leaves no listener on a signal that outlives the waiting', async () => {
    const tail = new Tail();
    const abort = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = abort.signal;
    abort.signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners += 1;
      addEventListener.apply(abort.signal, args);
    };
    abort.signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners -= 1;
      removeEventListener.apply(abort.signal, args);
    };
    const waiting = [0, 1, 1].map((position) => tail.beyond(at(position), abort.signal));
    expect(listeners).toBe(3);
    tail.advance(at(1));
    await waiting[0];
    tail.advance(at(2));
    await Promise.all(waiting);
    expect(listeners).toBe(0);
  });
});
