/**
 * The event store, as the ledger needs it. A store takes bytes and types; it knows no event.
 *
 * What every adapter must keep (the suite in `test/contracts/event-store` holds each of them to it):
 *  1. An append is all or nothing, and durable when its promise resolves.
 *  2. The expected revision is never optional: there is no "append whatever is there".
 *  3. Idempotent by event id: the same events, at the same expected revision, appended again give the first answer and
 *     write nothing; a partial match behind the head of the stream is a wrong revision.
 *  4. Revisions of a stream are 0, 1, 2, … without a gap. Positions only rise; a reader that has seen position p will never
 *     later find an event at a position below p that it had not seen.
 *  5. Bytes of data and metadata come back as they were given.
 *  6. A stream whose name begins with `$` is the store's own (`$$name` holds the metadata of `name`). Such streams can be
 *     read by name, and are left out of the whole log unless asked for. A deleted stream reads as an empty one, a truncated
 *     one begins later than 0; the whole log goes on holding their events for as long as the store keeps them.
 */

declare const position: unique symbol;

/** A place in the whole log. Ordered, and nothing else: a store may leave gaps, so nobody may count with it. */
export type Position = number & { readonly [position]: true };

/** Before every event. */
export const START = 0 as Position;

/** The revision of the stream's last event as the writer knows it, or 'no-stream' when the writer must be the first. */
export type ExpectedRevision = number | 'no-stream';

/** What the bytes of an event's data are. The store does not look; whoever reads them with another tool may want to. */
export type ContentType = 'json' | 'binary';

export interface NewEvent {
  /** A UUID in any text form of its 36 characters; it comes back in lower case. Two events of one stream never share one. */
  readonly id: string;
  /** 1 to 1024 characters. */
  readonly type: string;
  readonly contentType: ContentType;
  readonly data: Uint8Array;
  readonly metadata: Uint8Array;
}

export interface RecordedEvent extends NewEvent {
  readonly stream: string;
  readonly revision: number;
  readonly position: Position;
  /** When the store took it: milliseconds since the epoch, by the store's own clock. */
  readonly created: number;
}

export interface AppendResult {
  /** Revision of the last event appended. */
  readonly revision: number;
  /** Position of the last event appended. */
  readonly position: Position;
}

/**
 * What a subscription yields: events in order, and once the live end is reached, each time, the fact that it is. Everything at or
 * before the position of `caught-up` has been given; it is the last event's, or later by events of the store's own.
 */
export type SubscriptionItem =
  | { readonly kind: 'event'; readonly event: RecordedEvent }
  | { readonly kind: 'caught-up'; readonly position: Position };

export interface ReadStreamOptions {
  /** First revision wanted; 0 unless told (with direction 'backwards': the last revision). */
  readonly from?: number;
  readonly direction?: 'forwards' | 'backwards';
  /** At most so many events. */
  readonly limit?: number;
}

export interface ReadAllOptions {
  /** At most so many events. */
  readonly limit?: number;
  /** Also the events of the store's own streams, whose names begin with `$`. */
  readonly system?: boolean;
}

export interface EventStore {
  /**
   * @throws WrongExpectedRevision when the stream is elsewhere, or when ids match only in part
   * @throws AppendTooLarge when `appendBytes(events)` exceeds `maxAppendBytes`
   * @throws StreamTombstoned when the stream was deleted for ever
   * @throws RangeError for a mistake of the caller: no event, no revision, no UUID, no name
   * @throws StoreUnavailable when the store cannot take it (disk full, read-only, closed); nothing is then appended
   */
  append(stream: string, expected: ExpectedRevision, events: readonly NewEvent[]): Promise<AppendResult>;
  /**
   * The stream's events; an unknown stream is an empty one.
   * @throws StreamTombstoned when the stream was deleted for ever
   */
  readStream(stream: string, options?: ReadStreamOptions): AsyncIterable<RecordedEvent>;
  /** Every event after the given position, in order, up to the head as it is when the read reaches it. */
  readAll(after: Position, options?: ReadAllOptions): AsyncIterable<RecordedEvent>;
  /**
   * Every event after the given position, then every event as it is appended, until the signal aborts. A connection that
   * breaks is made again, and nothing is lost or repeated; the subscription ends only when it cannot go on.
   */
  subscribeAll(after: Position, signal: AbortSignal): AsyncIterable<SubscriptionItem>;
  /** The position of the last event that `readAll` gives unasked, or START. */
  head(): Promise<Position>;
  /** Takes no more appends, finishes those taken, and lets go of the files. Safe to call twice. */
  close(): Promise<void>;
}

/** The largest append that every adapter takes, as `appendBytes` counts it: KurrentDB's own default, 1 MiB. */
export const maxAppendBytes = 1024 * 1024;

/**
 * What an append counts against the limit: data and metadata of all its events. KurrentDB 23.10.8 means to count the types as well
 * and in fact counts the data alone, so what passes here passes there.
 */
export function appendBytes(events: readonly Pick<NewEvent, 'data' | 'metadata'>[]): number {
  return events.reduce((sum, { data, metadata }) => sum + data.length + metadata.length, 0);
}
