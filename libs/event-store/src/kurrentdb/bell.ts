/**
 * Where one loop waits until something has changed. Whoever waits looks at the state before and after, so ringing when
 * nobody waits, or for nothing, does no harm.
 */
export class Bell {
  #awake: (() => void) | undefined;

  ring(): void {
    this.#awake?.();
    this.#awake = undefined;
  }

  /** Resolves at the next ring. One waiter at a time. */
  rung(): Promise<void> {
    return new Promise((resolve) => {
      this.#awake = resolve;
    });
  }
}
