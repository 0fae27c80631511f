import type { Clock, Timers } from '@vw/runtime';
import { describe, expect, it } from 'vitest';
import { Patience } from './patience.js';

/** Time that passes only when it is told to, and wakes whoever sleeps. */
function held() {
  let now = 0;
  const sleepers: (() => void)[] = [];
  const clock: Clock = { now: () => now, monotonic: () => now };
  const timers: Timers = { sleep: () => new Promise((resolve) => sleepers.push(resolve)) };
  const pass = async (ms: number) => {
    now += ms;
    for (const wake of sleepers.splice(0)) wake();
    await Promise.resolve();
  };
  return { clock, timers, pass, asleep: () => sleepers.length };
}

describe('patience', () => {
  it('ends for those who have waited, in their order, and for nobody who has ended', async () => {
    const { clock, timers, pass } = held();
    const patience = new Patience(clock, timers, new AbortController().signal, 3_000);
    const given: string[] = [];
    const [one, two, three] = ['one', 'two', 'three'].map((name) => () => void given.push(name));
    patience.begin(one!);
    patience.begin(two!);
    await pass(1_000);
    patience.begin(three!);
    patience.end(one!);
    await pass(1_999);
    expect(given).toEqual([]);
    await pass(1);
    expect(given).toEqual(['two']);
    await pass(1_000);
    expect(given).toEqual(['two', 'three']);
  });

  it('ends for everybody when the facade closes, and at once for whoever comes then', async () => {
    const { clock, timers, pass, asleep } = held();
    const closing = new AbortController();
    const patience = new Patience(clock, timers, closing.signal, 9_000);
    const given: string[] = [];
    patience.begin(() => void given.push('before'));
    closing.abort();
    await pass(0);
    expect(given).toEqual(['before']);
    patience.begin(() => void given.push('after'));
    await pass(0);
    expect(given).toEqual(['before', 'after']);
    expect(asleep()).toBe(0);
  });

  it('looks only while somebody waits, and again when somebody comes', async () => {
    const { clock, timers, pass, asleep } = held();
    const patience = new Patience(clock, timers, new AbortController().signal, 9_000);
    const nobody = () => expect.fail('gave up');
    patience.begin(nobody);
    expect(asleep()).toBe(1);
    patience.end(nobody);
    await pass(9_000);
    expect(asleep()).toBe(0);
    patience.begin(nobody);
    patience.begin(() => undefined);
    expect(asleep()).toBe(1);
  });
});
