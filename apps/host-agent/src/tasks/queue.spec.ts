import { silentLogger, systemTimers } from '@vw/runtime';
import { describe, expect, it, vi } from 'vitest';
import { KeyedQueue } from './queue.js';

function held() {
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  return { gate, release };
}

describe('the queue', () => {
  /** Naps end at once, but not before others had their turn. */
  const timers = { sleep: () => systemTimers.sleep(0) };
  const done = 'done' as const;

  it('keeps the order of one workspace, and its jobs apart', async () => {
    const queue = new KeyedQueue(4, timers, silentLogger);
    const log: string[] = [];
    const job = (name: string) => async () => {
      log.push(`${name} begins`);
      await systemTimers.sleep(1);
      log.push(`${name} ends`);
      return done;
    };
    queue.add('w1', job('a'));
    queue.add('w1', job('b'));
    await vi.waitUntil(() => queue.length === 0);
    expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
  });

  it('works for no more workspaces at once than it may', async () => {
    const queue = new KeyedQueue(2, timers, silentLogger);
    const { gate, release } = held();
    let atWork = 0;
    let most = 0;
    for (let n = 0; n < 10; n += 1) {
      queue.add(`w${n}`, async () => {
        atWork += 1;
        most = Math.max(most, atWork);
        await gate;
        atWork -= 1;
        return done;
      });
    }
    await vi.waitUntil(() => atWork === 2);
    release();
    await vi.waitUntil(() => queue.length === 0);
    expect(most).toBe(2);
  });

  it('does a job again before those behind it, without holding a place meanwhile', async () => {
    const nap = held();
    const queue = new KeyedQueue(1, { sleep: () => nap.gate }, silentLogger);
    const log: string[] = [];
    let tries = 0;
    queue.add('w1', async () => {
      log.push(`try ${(tries += 1)}`);
      if (tries === 1) return 'again';
      return done;
    });
    queue.add('w1', async () => (log.push('behind'), done));
    queue.add('w2', async () => (log.push('another workspace'), done));
    await vi.waitUntil(() => log.includes('another workspace'));
    nap.release();
    await vi.waitUntil(() => queue.length === 0);
    expect(log).toEqual(['try 1', 'another workspace', 'try 2', 'behind']);
  });

  it('survives a job that throws, and does it again', async () => {
    const queue = new KeyedQueue(1, timers, silentLogger);
    let tries = 0;
    queue.add('w1', async () => {
      tries += 1;
      if (tries < 3) throw new TypeError('a defect');
      return done;
    });
    await vi.waitUntil(() => queue.length === 0);
    expect(tries).toBe(3);
  });

  it('stops after those at work, and begins nothing more', async () => {
    const queue = new KeyedQueue(1, timers, silentLogger);
    const { gate, release } = held();
    const log: string[] = [];
    const job = (name: string) => async () => {
      log.push(name);
      await gate;
      return done;
    };
    queue.add('w1', job('at work'));
    queue.add('w1', job('behind it'));
    queue.add('w2', job('another workspace'));
    await vi.waitUntil(() => log.length === 1);
    const stopped = queue.stop();
    queue.add('w3', job('too late'));
    release();
    await stopped;
    expect(log).toEqual(['at work']);
  });
});
