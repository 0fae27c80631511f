/** The event store in one SQLite file: a writer's thread, a reader's connection, and the tail that joins the two. */
import type { Clock } from '@vw/runtime';
import { StoreUnavailable, StreamTombstoned } from '../errors.js';
import type { Direction, EventLog, Expectation, Page, Sieve, StreamDescription, WriteResult } from '../log.js';
import { checkEvents, checkNotEmpty, checkTarget } from '../mistakes.js';
import type {
  AppendResult,
  ExpectedRevision,
  NewEvent,
  Position,
  ReadAllOptions,
  ReadStreamOptions,
  RecordedEvent,
  SubscriptionItem,
} from '../port.js';
import { START } from '../port.js';
import type { Descriptions } from './descriptions.js';
import type { LogReader } from './reader.js';
import { isOrdinary, nothing } from './reader.js';
import type { Tail } from './tail.js';
import { nextTurn } from '../turn.js';
import type { WriterThread } from './writer-thread.js';

export interface EmbeddedStoreParts {
  readonly file: string;
  readonly clock: Clock;
  readonly writer: WriterThread;
  readonly reader: LogReader;
  readonly descriptions: Descriptions;
  readonly tail: Tail;
}

export class EmbeddedStore implements EventLog {
  readonly #parts: EmbeddedStoreParts;
  #closed: Promise<void> | undefined;
  /** The last event that the ledger sees of a log that reached to `end`. */
  #seen: { readonly end: Position; readonly head: Position } = { end: START, head: START };

  constructor(parts: EmbeddedStoreParts) {
    this.#parts = parts;
  }

  async append(stream: string, expected: ExpectedRevision, events: readonly NewEvent[]): Promise<AppendResult> {
    checkNotEmpty(stream, events);
    const { revision, position } = await this.write(stream, expected, events);
    return { revision: revision as number, position };
  }

  async write(stream: string, expected: Expectation, events: readonly NewEvent[]): Promise<WriteResult> {
    checkNamed(stream, expected);
    checkEvents(stream, events);
    return this.#parts.writer.append(stream, expected, this.#parts.clock.now(), events.map(withIdInLowerCase));
  }

  async remove(stream: string, expected: Expectation, how: 'delete' | 'tombstone'): Promise<Position> {
    checkNamed(stream, expected);
    return this.#parts.writer.remove(stream, expected, this.#parts.clock.now(), how);
  }

  describe(stream: string): StreamDescription {
    return this.#parts.descriptions.of(stream);
  }

  pageOfStream(stream: string, from: number, direction: Direction, limit: number): Page {
    const { clock, reader } = this.#parts;
    const { state, head, metadata } = this.describe(stream);
    if (state === 'tombstoned') throw new StreamTombstoned(stream);
    if (state === 'deleted' || head === 'no-stream') return nothing;
    const { truncateBefore = 0, maxCount = Infinity, maxAgeSeconds = Infinity } = metadata;
    return reader.pageOfStream(stream, from, direction, limit, {
      first: Math.max(truncateBefore, head - maxCount + 1, 0),
      last: head,
      notBefore: clock.now() - maxAgeSeconds * 1000,
    });
  }

  pageOfAll(beyond: Position, direction: Direction, limit: number, sieve?: Sieve): Page {
    return this.#parts.reader.pageOfAll(beyond, direction, limit, sieve);
  }

  end(): Position {
    return this.#parts.reader.end();
  }

  beyond(position: Position, signal: AbortSignal): Promise<void> {
    return this.#parts.tail.beyond(position, signal);
  }

  async *readStream(stream: string, options: ReadStreamOptions = {}): AsyncGenerator<RecordedEvent, void, undefined> {
    const { direction = 'forwards', limit = Number.MAX_SAFE_INTEGER } = options;
    let next = options.from ?? (direction === 'forwards' ? 0 : Number.MAX_SAFE_INTEGER);
    for (let left = limit; left > 0; await nextTurn()) {
      const { events, last, end } = this.pageOfStream(stream, next, direction, left);
      for (const event of events) {
        yield event;
        left -= 1;
      }
      if (end || !last) return;
      next = last.revision + (direction === 'forwards' ? 1 : -1);
    }
  }

  async *readAll(after: Position, options: ReadAllOptions = {}): AsyncGenerator<RecordedEvent, void, undefined> {
    const { limit = Number.MAX_SAFE_INTEGER, system = false } = options;
    let position = after;
    for (let left = limit; left > 0; await nextTurn()) {
      const { events, last, end } = this.pageOfAll(position, 'forwards', left);
      for (const event of events) {
        if (!system && !isOrdinary(event)) continue;
        yield event;
        left -= 1;
      }
      if (end || !last) return;
      position = last.position;
    }
  }

  async *subscribeAll(after: Position, signal: AbortSignal): AsyncGenerator<SubscriptionItem, void, undefined> {
    let position = after;
    while (!signal.aborted) {
      const { events, last, end } = this.pageOfAll(position, 'forwards', Number.MAX_SAFE_INTEGER);
      for (const event of events) {
        if (signal.aborted) return;
        if (isOrdinary(event)) yield { kind: 'event', event };
      }
      if (signal.aborted) return;
      position = last?.position ?? position;
      if (!end) {
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
    const end = this.end();
    const head = this.#parts.reader.lastOrdinary(this.#seen.end) ?? this.#seen.head;
    this.#seen = { end, head };
    return head;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const { file, writer, reader, descriptions, tail } = this.#parts;
    // The writer leaves last, for the last connection to leave folds the write-ahead log into the file.
    reader.close();
    descriptions.forget();
    tail.fail(new StoreUnavailable(`${file} is closed`));
    await writer.close();
  }
}

function checkNamed(stream: string, expected: Expectation): void {
  checkTarget(stream, expected);
  if (stream === '$$') throw new RangeError('$$ would be the metadata of a stream without a name');
}

function withIdInLowerCase(event: NewEvent): NewEvent {
  const id = event.id.toLowerCase();
  return id === event.id ? event : { ...event, id };
}
