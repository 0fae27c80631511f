/** A store that a test can send away, as one in another process goes: whoever asks it is refused, and whoever follows it is cut off. */
import type { AppendResult, EventStore, Position, RecordedEvent, SubscriptionItem } from '@vw/event-store';
import { StoreUnavailable } from '@vw/event-store';

export class StoreElsewhere implements EventStore {
  /** Aborts when it goes. */
  #present = new AbortController();

  constructor(private readonly store: EventStore) {}

  leave(): void {
    this.#present.abort();
  }

  comeBack(): void {
    this.#present = new AbortController();
  }

  async append(...what: Parameters<EventStore['append']>): Promise<AppendResult> {
    this.#ask();
    return this.store.append(...what);
  }

  async *readStream(...what: Parameters<EventStore['readStream']>): AsyncGenerator<RecordedEvent> {
    this.#ask();
    yield* this.store.readStream(...what);
  }

  async *readAll(...what: Parameters<EventStore['readAll']>): AsyncGenerator<RecordedEvent> {
    this.#ask();
    yield* this.store.readAll(...what);
  }

  async *subscribeAll(after: Position, signal: AbortSignal): AsyncGenerator<SubscriptionItem> {
    this.#ask();
    yield* this.store.subscribeAll(after, AbortSignal.any([signal, this.#present.signal]));
    if (!signal.aborted) throw new StoreUnavailable('the store has gone away');
  }

  async head(): Promise<Position> {
    this.#ask();
    return this.store.head();
  }

  close(): Promise<void> {
    return this.store.close();
  }

  #ask(): void {
    if (this.#present.signal.aborted) throw new StoreUnavailable('the store is away');
  }
}
