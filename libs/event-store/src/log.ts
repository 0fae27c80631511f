/**
 * What EventStoreDB's protocol asks of a log beyond the event-store port: weaker expectations, deletion, stream metadata,
 * and pages in both directions. The embedded store implements it; the facade serves it; the ledger never sees it.
 *
 * Terms and rules are those of EventStoreDB (server documentation, "Streams": deleting streams and events, metadata and
 * reserved names; Protos/Grpc/streams.proto).
 */
import type { EventStore, ExpectedRevision, NewEvent, Position, RecordedEvent } from './port.js';

/** What a writer may expect of a stream, in the protocol's words. `any` is "no check": the port denies it to the ledger. */
export type Expectation = ExpectedRevision | 'any' | 'stream-exists';

/** The revision that a tombstone has; the protocol says int64.max, which no number of JavaScript can be. */
export const TOMBSTONE_REVISION = Number.MAX_SAFE_INTEGER;

/** The type of the event that a tombstone is. */
export const TOMBSTONE_TYPE = '$streamDeleted';

/** The type of the events of a metadata stream. */
export const METADATA_TYPE = '$metadata';

/** What `$tb` is set to by a soft delete; int64.max in the protocol, and any value from here on is read as that. */
export const DELETED_TB = Number.MAX_SAFE_INTEGER;

/** Who may do what with a stream; each a user, a group, or several. Absent: as the server's default says. */
export interface AccessList {
  readonly $r?: readonly string[];
  readonly $w?: readonly string[];
  readonly $d?: readonly string[];
  readonly $mr?: readonly string[];
  readonly $mw?: readonly string[];
}

/** The part of a stream's metadata that the store itself heeds; whatever is malformed is as if it were absent. */
export interface StreamMetadata {
  /** At most so many events are readable. */
  readonly maxCount?: number;
  /** Events older than this are not readable. */
  readonly maxAgeSeconds?: number;
  /** Events before this revision are not readable. */
  readonly truncateBefore?: number;
  readonly acl?: AccessList;
}

export interface StreamDescription {
  /** `absent`: never written. `deleted`: softly; an append brings it back. `tombstoned`: for ever. */
  readonly state: 'absent' | 'live' | 'deleted' | 'tombstoned';
  /** The last revision written, also of a deleted stream. */
  readonly head: ExpectedRevision;
  readonly metadata: StreamMetadata;
}

export interface WriteResult {
  /** The stream's last revision after the write, of these events; 'no-stream' after an empty write to an absent stream. */
  readonly revision: ExpectedRevision;
  /** Of the last event written; after an empty write, of the log's last event. */
  readonly position: Position;
}

/** Some neighbouring events, read in one go. */
export interface Page {
  /** In the direction of reading. Iterating verifies each; it throws EventCorrupted where one is not what was stored. */
  readonly events: Iterable<RecordedEvent>;
  /** How many events were looked at, whether the filter took them or not. */
  readonly considered: number;
  /** Where the next page begins: the last one looked at, exclusive when given back. Undefined when none was looked at. */
  readonly last: { readonly position: Position; readonly revision: number } | undefined;
  /** Nothing lay beyond this page when it was read. */
  readonly end: boolean;
}

export type Direction = 'forwards' | 'backwards';

/** Whether an event of this stream and type is wanted; asked before its bytes are read. */
export type Matches = (event: { readonly stream: string; readonly type: string }) => boolean;

/** Which events of a page are wanted. */
export interface Sieve {
  readonly matches: Matches;
  /** At most so many are looked at for one page; as many as a page may have where absent. */
  readonly most?: number;
}

export interface EventLog extends EventStore {
  /**
   * Like `append`, with every expectation of the protocol, and perhaps no event at all.
   * Idempotent by event id also under the weak expectations: all ids known in the stream gives the first answer.
   * An append to a softly deleted stream goes on at its head + 1 and makes what lay before unreadable (`$tb`), in the same commit.
   * @throws WrongExpectedRevision, AppendTooLarge, StreamTombstoned, RangeError, StoreUnavailable as `append` does; EventCorrupted
   * when the stream's metadata, which must be known for it, is not what was stored
   */
  write(stream: string, expected: Expectation, events: readonly NewEvent[]): Promise<WriteResult>;

  /**
   * Deletes softly (`$tb` of its metadata) or for ever (a tombstone). Positions and events before stay in the whole log.
   * @returns the position of the event that says so
   * @throws WrongExpectedRevision, StreamTombstoned, EventCorrupted, StoreUnavailable
   */
  remove(stream: string, expected: Expectation, how: 'delete' | 'tombstone'): Promise<Position>;

  /** What is durable of the stream now. Quick: from memory where it can. */
  describe(stream: string): StreamDescription;

  /** Readable events of the stream from the revision on (inclusive), or back from it: truncation, $maxCount and $maxAge heeded. */
  pageOfStream(stream: string, from: number, direction: Direction, limit: number): Page;

  /** Events of the whole log, system streams and tombstones included, beyond the position (exclusive) in the direction. */
  pageOfAll(beyond: Position, direction: Direction, limit: number, sieve?: Sieve): Page;

  /** The position of the last event of all, system streams included, or START. */
  end(): Position;

  /** Resolves as soon as the log reaches beyond the position, or the signal aborts. @throws StoreUnavailable once closed */
  beyond(position: Position, signal: AbortSignal): Promise<void>;
}
