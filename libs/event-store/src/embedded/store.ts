/** The event store in one SQLite file: a writer's thread, a reader's connection, and the tail that joins the two. */
import type { Clock } from '@vw/runtime';
import { AppendTooLarge, EventCorrupted, StoreUnavailable } from '../errors.js';
import type {
  AppendResult,
  EventStore,
  ExpectedRevision,
  NewEvent,
  Position,
  ReadStreamOptions,
  RecordedEvent,
  SubscriptionItem,
} from '../port.js';
import { appendBytes, maxAppendBytes } from '../port.js';
import type { LogReader, Row } from './reader.js';
import { recorded } from './reader.js';
import type { Tail } from './tail.js';
import { nextTurn } from './turn.js';
import type { WriterThread } from './writer-thread.js';

export interface EmbeddedStoreParts {
  readonly file: string;
  readonly clock: Clock;
  readonly writer: WriterThread;
  readonly reader: LogReader;
  readonly tail: Tail;
}

export class EmbeddedStore implements EventStore {
  readonly #parts: EmbeddedStoreParts;
  #closed: Promise<void> | undefined;

  constructor(parts: EmbeddedStoreParts) {
    this.#parts = parts;
  }

  async append(stream: string, expected: ExpectedRevision, events: readonly NewEvent[]): Promise<AppendResult> {
    if (events.length === 0) throw new RangeError(`an append to stream ${stream} has no event`);
    if (expected !== 'no-stream' && !(Number.isSafeInteger(expected) && expected >= 0)) {
      throw new RangeError(`${expected} is no revision of stream ${stream}`);
    }
    const sizeBytes = appendBytes(events);
    if (sizeBytes > maxAppendBytes) throw new AppendTooLarge(stream, sizeBytes, maxAppendBytes);
    return this.#parts.writer.append(stream, expected, this.#parts.clock.now(), events);
  }

  async *readStream(stream: string, options: ReadStreamOptions = {}): AsyncGenerator<RecordedEvent, void, undefined> {
    const { direction = 'forwards', limit = Number.MAX_SAFE_INTEGER } = options;
    const step = direction === 'forwards' ? 1 : -1;
    let next = options.from ?? (direction === 'forwards' ? 0 : Number.MAX_SAFE_INTEGER);
    let entered = false;
    for (let left = limit; left > 0; await nextTurn()) {
      const { rows, last } = this.#parts.reader.pageOfStream(stream, next, direction, left);
      for (const row of rows) {
        // Backwards, the first event may lie anywhere below where the reading was told to start.
        const expected = entered || direction === 'forwards' ? next : row.revision;
        if (row.revision !== expected) throw new EventCorrupted(stream, expected, 'missing');
        yield recorded(row);
        entered = true;
        next = row.revision + step;
      }
      left -= rows.length;
      if (last) return;
    }
  }

  async *readAll(
    after: Position,
    options: { readonly limit?: number } = {},
  ): AsyncGenerator<RecordedEvent, void, undefined> {
    let position = after;
    for (let left = options.limit ?? Number.MAX_SAFE_INTEGER; left > 0; await nextTurn()) {
      const { rows, last } = this.#parts.reader.pageAfter(position, left);
      for (const row of rows) {
        yield this.#following(position, row);
        position = row.position as Position;
      }
      left -= rows.length;
      if (last) return;
    }
  }

  async *subscribeAll(after: Position, signal: AbortSignal): AsyncGenerator<SubscriptionItem, void, undefined> {
    let position = after;
    while (!signal.aborted) {
      const { rows, last } = this.#parts.reader.pageAfter(position, Number.MAX_SAFE_INTEGER);
      for (const row of rows) {
        if (signal.aborted) return;
        yield { kind: 'event', event: this.#following(position, row) };
        position = row.position as Position;
      }
      if (signal.aborted) return;
      if (!last) {
        await nextTurn();
        continue;
      }
      yield { kind: 'caught-up', position };
      // Whatever was committed since the page was read has moved the tail, so this does not wait for what is already there.
      await this.#parts.tail.beyond(position, signal);
      // Those who appended it wait for their answers, and go before those who follow.
      await nextTurn();
    }
  }

  async head(): Promise<Position> {
    return this.#parts.reader.head();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const { file, writer, reader, tail } = this.#parts;
    // The writer leaves last, for the last connection to leave folds the write-ahead log into the file.
    reader.close();
    tail.fail(new StoreUnavailable(`${file} is closed`));
    await writer.close();
  }

  /** This store gives positions without gaps, so a gap is a loss, and a reader must not step over it. */
  #following(position: Position, row: Row): RecordedEvent {
    if (row.position !== position + 1) {
      throw new StoreUnavailable(
        `${this.#parts.file} has lost the event at position ${position + 1}, though later ones are there`,
      );
    }
    return recorded(row);
  }
}
