/**
 * How far the log is known to reach, and who waits for it to reach further. A wake-up is a hint: whoever is woken reads the
 * log again from where it stands, so one wake-up may stand for many commits and a needless one does no harm.
 */
import type { Position } from '../port.js';
import { START } from '../port.js';

export class Tail {
  #head: Position = START;
  #failure: Error | undefined;
  readonly #sleepers = new Set<() => void>();

  /** The log is durable up to and including this position. */
  advance(head: Position): void {
    this.#head = head;
    this.#wake();
  }

  /** Nothing will be appended any more; whoever waits is told why. */
  fail(failure: Error): void {
    this.#failure ??= failure;
    this.#wake();
  }

  /**
   * Resolves as soon as the log reaches beyond the position, or the signal aborts.
   * @throws the failure, once there is one and nothing beyond the position is left to read
   */
  async beyond(position: Position, signal: AbortSignal): Promise<void> {
    while (this.#head <= position && !signal.aborted) {
      if (this.#failure) throw this.#failure;
      await this.#sleep(signal);
    }
  }

  #sleep(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#sleepers.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#sleepers.add(wake);
      signal.addEventListener('abort', wake);
    });
  }

  #wake(): void {
    // A waker takes itself out of the set, which an iteration over the set allows.
    for (const wake of this.#sleepers) wake();
  }
}
