/** Hands each event to every listener of the moment. A listener that does not listen loses the oldest first: events are hints, observations are not. */
import type { GuestEvent } from '../port.js';

const MOST_UNREAD = 1024;

interface Listener {
  readonly unread: GuestEvent[];
  wake: () => void;
}

export class EventFeed {
  readonly #listeners = new Set<Listener>();
  #closed = false;

  publish(event: GuestEvent): void {
    for (const listener of this.#listeners) {
      if (listener.unread.length === MOST_UNREAD) listener.unread.shift();
      listener.unread.push(event);
      listener.wake();
    }
  }

  close(): void {
    this.#closed = true;
    for (const listener of this.#listeners) listener.wake();
  }

  /** Listening begins with the call, not with the first `next`, so nothing falls between the two. */
  listen(signal: AbortSignal): AsyncIterable<GuestEvent> {
    const listener: Listener = { unread: [], wake: () => undefined };
    const leave = (): void => {
      this.#listeners.delete(listener);
      listener.wake();
    };
    this.#listeners.add(listener);
    signal.addEventListener('abort', leave, { once: true });
    if (signal.aborted) leave();
    return this.#read(listener, signal, leave);
  }

  async *#read(listener: Listener, signal: AbortSignal, leave: () => void): AsyncGenerator<GuestEvent> {
    try {
      while (!signal.aborted) {
        const event = listener.unread.shift();
        if (event !== undefined) yield event;
        else if (this.#closed) return;
        else await new Promise<void>((resolve) => (listener.wake = resolve));
      }
    } finally {
      signal.removeEventListener('abort', leave);
      leave();
    }
  }
}
