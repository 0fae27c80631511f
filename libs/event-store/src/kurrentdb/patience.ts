/** How long, and how often, something that fails in passing is tried again. */
import type { Clock, Random, Timers } from '@vw/runtime';
import { StoreUnavailable } from '../errors.js';
import { isPassing, unavailable } from './failures.js';

export interface Means {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1000;

/** Pauses double up to a second, each shortened by chance so that many who lost one server do not come back in step. */
export class Patience {
  readonly #means: Means;
  readonly #withinMs: number;
  #failingSince: number | undefined;
  #attempts = 0;

  constructor(means: Means, withinMs: number) {
    this.#means = means;
    this.#withinMs = withinMs;
  }

  /** It worked: the next failure is a first one. */
  restore(): void {
    this.#failingSince = undefined;
    this.#attempts = 0;
  }

  /**
   * Waits before the next attempt; the signal ends the pause.
   * @throws StoreUnavailable when the failure will not pass, or has lasted too long
   */
  async pause(failure: unknown, signal: AbortSignal): Promise<void> {
    if (!isPassing(failure)) throw unavailable(failure);
    const { clock, timers, random } = this.#means;
    this.#failingSince ??= clock.monotonic();
    if (clock.monotonic() - this.#failingSince >= this.#withinMs) {
      const { message } = unavailable(failure);
      throw new StoreUnavailable(`${message}; tried for ${this.#withinMs / 1000} s`, { cause: failure });
    }
    const longest = Math.min(FIRST_PAUSE_MS * 2 ** this.#attempts, LONGEST_PAUSE_MS);
    this.#attempts += 1;
    await timers.sleep(longest / 2 + random.below(longest / 2 + 1), signal);
  }
}
