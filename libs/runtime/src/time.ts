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
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

export const systemTimers: Timers = {
  async sleep(ms, signal) {
    if (signal?.aborted) return;
    await sleep(ms, undefined, { signal }).catch(() => undefined);
  },
};

/** An instant as RFC 3339 text in UTC with milliseconds: `2026-11-22T18:46:00.000Z`. */
export function rfc3339(instant: number): string {
  return new Date(instant).toISOString();
}

/** The instant that an RFC 3339 date-time with an offset names, in any zone; undefined for any other text. */
export function parseInstant(text: string): number | undefined {
  const shape = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/;
  const instant = shape.test(text) ? Date.parse(text.replace(' ', 'T')) : Number.NaN;
  return Number.isNaN(instant) ? undefined : instant;
}
