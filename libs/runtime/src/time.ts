/**
 * Time as a port. Everything else in this repository that wants to know the hour, or to wait, asks these; the lint rules
 * forbid the rest. So a test or a simulation can hold every clock in its hand.
 */
import { setTimeout as sleep } from 'node:timers/promises';

export interface Clock {
  /** Wall clock, in whole milliseconds since the Unix epoch, UTC. May jump; never use it to measure. */
  now(): number;
  /** Monotonic milliseconds from an arbitrary start, for measuring and for deadlines inside one process. */
  monotonic(): number;
}

export interface Timers {
  /**
   * Resolves after `ms` milliseconds, or as soon as `signal` aborts: it never rejects, so a loop that waits can look at
   * its own signal once, where it decides whether to go on.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  // oxlint-disable-next-line no-restricted-properties -- the one place where the hour enters the program
  now: () => Date.now(),
  // oxlint-disable-next-line no-restricted-properties -- the one place where durations enter the program
  monotonic: () => performance.now(),
};

export const systemTimers: Timers = {
  async sleep(ms, signal) {
    if (signal?.aborted) return;
    await sleep(ms, undefined, { signal }).catch(() => undefined);
  },
};
