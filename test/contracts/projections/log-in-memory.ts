/** A log that is there already: it can be read and followed, and grows only by `publish`. */
import type {
  AppendResult,
  EventStore,
  Position,
  ReadStreamOptions,
  RecordedEvent,
  SubscriptionItem,
} from '@vw/event-store';
import { START, StoreUnavailable } from '@vw/event-store';

export class LogInMemory implements EventStore {
  readonly #events: RecordedEvent[];
  readonly #following = new Set<() => void>();

  constructor(events: readonly RecordedEvent[] = []) {
    this.#events = [...events];
  }

  get events(): readonly RecordedEvent[] {
    return this.#events;
  }

  /** Adds events that bear their positions already, and tells the followers. */
  publish(events: readonly RecordedEvent[]): void {
    for (const event of events) this.#events.push(event);
    for (const wake of [...this.#following]) wake();
  }

  append(): Promise<AppendResult> {
    return Promise.reject(new StoreUnavailable('this log is only read'));
  }

  async *readStream(
    stream: string,
    { from = 0, limit = Infinity }: ReadStreamOptions = {},
  ): AsyncGenerator<RecordedEvent> {
    let left = limit;
    for (const event of this.#events) {
      if (left <= 0) return;
      if (event.stream !== stream || event.revision < from) continue;
      left -= 1;
      yield event;
    }
  }

  /** No generator, whose turns would be the larger part of what a benchmark of its readers sees. */
  readAll(after: Position): AsyncIterable<RecordedEvent> {
    const events = this.#events.slice(this.#indexAfter(after)).values();
    return { [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve(events.next()) }) };
  }

  async *subscribeAll(after: Position, signal: AbortSignal): AsyncGenerator<SubscriptionItem> {
    let position = after;
    let next = this.#indexAfter(after);
    while (!signal.aborted) {
      for (; next < this.#events.length; next += 1) {
        if (signal.aborted) return;
        const event = this.#events[next] as RecordedEvent;
        position = event.position;
        yield { kind: 'event', event };
      }
      yield { kind: 'caught-up', position };
      if (next >= this.#events.length) await this.#growth(signal);
    }
  }

  async head(): Promise<Position> {
    return this.#events.at(-1)?.position ?? START;
  }

  async close(): Promise<void> {}

  #indexAfter(position: Position): number {
    const index = this.#events.findIndex((event) => event.position > position);
    return index < 0 ? this.#events.length : index;
  }

  #growth(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#following.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#following.add(wake);
      signal.addEventListener('abort', wake);
    });
  }
}
