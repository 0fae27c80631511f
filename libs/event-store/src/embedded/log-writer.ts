/**
 * Decides what may be written, and writes it: transactions of many commands, each decided alone, in the order they came.
 *
 * The rules are EventStoreDB's, and a little stricter (server documentation, "Appending events", "Deleting streams and events"):
 *  1. A number, or no stream at all, must be where the stream is. If it is not, but the ids are those that follow the expected
 *     revision, the command is an old one come again: the first answer, and nothing is written.
 *  2. `any` and `stream-exists` leave the revision open; there, all ids known in the stream mean that the command came again.
 *  3. No id comes twice in one stream. EventStoreDB forgets ids in time and then takes them again; this log never does.
 *  4. A stream deleted softly is as good as absent for `no-stream` and `stream-exists`, while a number still means its head. An
 *     append goes on at head + 1 and moves `$tb` there; so does an append to its metadata that does not delete it again.
 *  5. A stream deleted for ever takes nothing, nor does its metadata.
 *  6. A stream that has metadata and no event exists.
 *  7. Metadata that is not what was stored decides nothing: who needs it is told, and it is not written anew as if it were whole.
 *
 * Positions and revisions are given inside the transaction, and what is remembered of them is forgotten with it.
 */
import { createHash } from 'node:crypto';
import type Database from 'better-sqlite3';
import { DELETED_TB, METADATA_TYPE, TOMBSTONE_REVISION, TOMBSTONE_TYPE } from '../log.js';
import type { NewEvent } from '../port.js';
import type { Command, PackedBatch, PackedEvent } from './batch.js';
import {
  ANY,
  APPEND,
  baseOf,
  DAMAGED,
  DELETE,
  NO_STREAM,
  STREAM_EXISTS,
  TOMBSTONE,
  TOMBSTONED,
  unpack,
  WRONG_REVISION,
} from './batch.js';
import { contentChecksum, storedChecksum } from './checksum.js';
import { codeOf } from './format.js';
import { describedBy, isDeleted, metadataStreamOf, parseMetadata, withTruncateBefore } from './metadata.js';

/** Streams that are remembered; beyond it the memory starts anew. */
const REMEMBERED_STREAMS = 100_000;

/**
 * Position and revision of the last event; or WRONG_REVISION and the stream's revision; or TOMBSTONED and nothing; or DAMAGED and
 * the revision of the metadata that is.
 */
interface Answer {
  readonly position: number;
  readonly revision: number;
}

interface Stream {
  readonly name: string;
  id: number | undefined;
  /** The revision of the last event but a tombstone; NO_STREAM where there is none. */
  head: number;
  tombstoned: boolean;
  /** As its metadata says. */
  truncateBefore: number;
}

interface Row {
  readonly id: number;
  readonly head: number;
}

interface StoredEvent {
  readonly position: number;
  readonly id: string;
  readonly type: string;
  readonly created: number;
  readonly checksum: number;
  readonly data: Uint8Array;
  readonly metadata: Uint8Array;
  readonly binary: number;
}

/** Ends the command that needs it, and no other. */
class DamagedMetadata extends Error {
  readonly revision: number;

  constructor(revision: number) {
    super('the metadata of a stream is not what was stored');
    this.revision = revision;
  }
}

const EMPTY = new Uint8Array(0);

export class LogWriter {
  readonly #db: Database.Database;
  readonly #statements;
  /** As of the transaction under way. */
  readonly #streams = new Map<string, Stream>();
  #head: number;
  /** No stream has metadata yet: most logs are like that, and none of their streams need be asked for it. */
  #noMetadata: boolean;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#statements = {
      begin: db.prepare('BEGIN IMMEDIATE'),
      commit: db.prepare('COMMIT'),
      rollback: db.prepare('ROLLBACK'),
      stream: db.prepare<[string], Row>(
        `SELECT id, coalesce((SELECT max(revision) FROM events WHERE stream = streams.id), ${NO_STREAM}) AS head
         FROM streams WHERE name = ?`,
      ),
      headBeforeTombstone: db
        .prepare<[number], number>(
          `SELECT coalesce(max(revision), ${NO_STREAM}) FROM events WHERE stream = ? AND revision < ${TOMBSTONE_REVISION}`,
        )
        .pluck(),
      createStream: db.prepare<[string]>('INSERT INTO streams (name) VALUES (?)'),
      insert: db.prepare(
        `INSERT INTO events (position, stream, revision, id, type, created, checksum, data, metadata, binary)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ),
      takeBackAfter: db.prepare<[number]>('DELETE FROM events WHERE position > ?'),
      at: db.prepare<[number, number], { id: string; position: number }>(
        'SELECT id, position FROM events WHERE stream = ? AND revision = ?',
      ),
      withId: db.prepare<[string, number], Answer>('SELECT position, revision FROM events WHERE id = ? AND stream = ?'),
      event: db.prepare<[number, number], StoredEvent>(
        'SELECT position, id, type, created, checksum, data, metadata, binary FROM events WHERE stream = ? AND revision = ?',
      ),
      hasMetadata: db.prepare(`SELECT EXISTS (SELECT 1 FROM streams WHERE name >= '$$' AND name < '$%')`).pluck(),
    };
    this.#head = db.prepare('SELECT coalesce(max(position), 0) FROM events').pluck().get() as number;
    this.#noMetadata = this.#statements.hasMetadata.get() === 0;
  }

  get head(): number {
    return this.#head;
  }

  /**
   * One transaction for the whole group, taken batch by batch while it goes on. What is thrown was thrown for all of it:
   * nothing of the group is in the log.
   */
  commit(group: Iterable<PackedBatch>): Float64Array {
    const headBefore = this.#head;
    try {
      this.#statements.begin.run();
      const answers: number[] = [];
      for (const batch of group) {
        for (const command of unpack(batch)) {
          const { position, revision } = this.#answer(command);
          answers.push(position, revision);
        }
      }
      this.#statements.commit.run();
      return Float64Array.from(answers);
    } catch (error) {
      this.#head = headBefore;
      this.#streams.clear();
      // On a full disk or a failed write SQLite may have rolled back by itself.
      if (this.#db.inTransaction) this.#statements.rollback.run();
      this.#noMetadata = false;
      throw error;
    }
  }

  #answer(command: Command): Answer {
    const headBefore = this.#head;
    try {
      return this.#decide(command);
    } catch (error) {
      if (!(error instanceof DamagedMetadata)) throw error;
      this.#statements.takeBackAfter.run(headBefore);
      this.#head = headBefore;
      this.#streams.clear();
      return { position: DAMAGED, revision: error.revision };
    }
  }

  #decide(command: Command): Answer {
    // Only here, for a command holds on to the streams it changes.
    if (this.#streams.size >= REMEMBERED_STREAMS) this.#streams.clear();
    const stream = this.#streamNamed(command.stream);
    if (stream.tombstoned) return { position: TOMBSTONED, revision: stream.head };
    switch (command.operation) {
      case APPEND:
        return command.expected >= NO_STREAM ? this.#append(stream, command) : this.#appendWeakly(stream, command);
      case DELETE:
        return this.#isAsExpected(stream, command.expected) && this.#exists(stream)
          ? this.#delete(stream, command.created)
          : wrong(stream);
      case TOMBSTONE:
        return this.#isAsExpected(stream, command.expected) ? this.#tombstone(stream, command.created) : wrong(stream);
    }
  }

  #append(stream: Stream, { expected, created, events }: Command): Answer {
    if (expected === stream.head) return this.#insert(stream, expected, created, events);
    const before = this.#answerAgain(stream, expected, events);
    if (before) return before;
    // What is truncated is no stream to whoever expected none: their append may have been the one that brought it back.
    if (expected !== NO_STREAM || stream.truncateBefore === 0) return wrong(stream);
    if (isDeleted(stream)) return this.#insert(stream, expected, created, events);
    return this.#answerAgain(stream, stream.truncateBefore - 1, events) ?? wrong(stream);
  }

  #appendWeakly(stream: Stream, { expected, created, events }: Command): Answer {
    if (!this.#isAsExpected(stream, expected)) return wrong(stream);
    const [first] = events;
    if (!first || !this.#withId(stream, first.id)) return this.#insert(stream, expected, created, events);
    let answer: Answer | undefined;
    for (const { id } of events) {
      answer = this.#withId(stream, id);
      if (!answer) return wrong(stream);
    }
    return answer ?? wrong(stream);
  }

  #isAsExpected(stream: Stream, expected: number): boolean {
    switch (expected) {
      case ANY:
        return true;
      case STREAM_EXISTS:
        return this.#exists(stream) && !isDeleted(stream);
      case NO_STREAM:
        return stream.head === NO_STREAM || isDeleted(stream);
      default:
        return expected === stream.head;
    }
  }

  #exists(stream: Stream): boolean {
    return stream.head !== NO_STREAM || this.#metadataOf(stream) !== undefined;
  }

  /** The first answer, when these very ids are what follows the revision; otherwise nothing. */
  #answerAgain(stream: Stream, after: number, events: readonly PackedEvent[]): Answer | undefined {
    if (stream.id === undefined || events.length === 0) return undefined;
    let position = 0;
    for (const [index, event] of events.entries()) {
      const stored = this.#statements.at.get(stream.id, after + 1 + index);
      if (stored?.id !== event.id) return undefined;
      position = stored.position;
    }
    return { position, revision: after + events.length };
  }

  #withId(stream: Stream, id: string): Answer | undefined {
    return stream.id === undefined ? undefined : this.#statements.withId.get(id, stream.id);
  }

  #insert(stream: Stream, expected: number, created: number, events: readonly PackedEvent[]): Answer {
    if (events.length === 0) return { position: this.#head, revision: stream.head };
    const id = (stream.id ??= this.#create(stream));
    const moved = stream.head - baseOf(expected);
    let position = this.#head;
    let revision = stream.head;
    try {
      for (const event of events) {
        revision += 1;
        const content = moved === 0 ? event.checksum : movedChecksum(stream.name, revision, moved, created, event);
        this.#put(id, ++position, revision, created, event, content);
      }
    } catch (error) {
      if (codeOf(error) !== 'SQLITE_CONSTRAINT_UNIQUE') throw error;
      // An id the stream already has, elsewhere than where a repeated append would have it.
      this.#statements.takeBackAfter.run(this.#head);
      return wrong(stream);
    }
    const firstOfThese = stream.head + 1;
    this.#head = position;
    stream.head = revision;
    if (isDeleted(stream)) this.#setTruncateBefore(stream, firstOfThese, created);
    if (!this.#noMetadata) this.#heedMetadata(stream, created);
    return { position, revision };
  }

  /** Where the stream is itself metadata, what it describes is truncated anew. */
  #heedMetadata(stream: Stream, created: number): void {
    const name = describedBy(stream.name);
    if (name === undefined) return;
    const described = this.#streamNamed(name);
    const wasDeleted = isDeleted(described);
    described.truncateBefore = this.#truncateBeforeOf(described);
    const next = described.head + 1;
    if (wasDeleted && !isDeleted(described) && described.truncateBefore !== next) {
      this.#setTruncateBefore(described, next, created);
    }
  }

  /** Again and again if asked: each deletion says anew who wanted it and when. */
  #delete(stream: Stream, created: number): Answer {
    if (this.#streamNamed(metadataStreamOf(stream.name)).tombstoned)
      return { position: TOMBSTONED, revision: stream.head };
    this.#setTruncateBefore(stream, DELETED_TB, created);
    return { position: this.#head, revision: stream.head };
  }

  #tombstone(stream: Stream, created: number): Answer {
    stream.id ??= this.#create(stream);
    this.#putOwn(stream, TOMBSTONE_REVISION, created, { type: TOMBSTONE_TYPE, contentType: 'binary', data: EMPTY });
    stream.tombstoned = true;
    const metadata = this.#streams.get(metadataStreamOf(stream.name));
    if (metadata) metadata.tombstoned = true;
    const described = describedBy(stream.name);
    if (described !== undefined) this.#streams.delete(described);
    return { position: this.#head, revision: stream.head };
  }

  #setTruncateBefore(stream: Stream, truncateBefore: number, created: number): void {
    const metadata = this.#streamNamed(metadataStreamOf(stream.name));
    const json = withTruncateBefore(this.#metadataOf(stream) ?? '{}', truncateBefore);
    metadata.id ??= this.#create(metadata);
    metadata.head += 1;
    this.#putOwn(metadata, metadata.head, created, {
      type: METADATA_TYPE,
      contentType: 'json',
      data: Buffer.from(json),
    });
    stream.truncateBefore = this.#truncateBeforeOf(stream);
  }

  /** An event that nobody gave. Its id is made of its place, so that chance has no part in it. */
  #putOwn(
    stream: Stream,
    revision: number,
    created: number,
    event: Pick<NewEvent, 'type' | 'contentType' | 'data'>,
  ): void {
    const whole = { ...event, id: ownId(stream.name, revision), metadata: EMPTY };
    const content = contentChecksum(stream.name, revision, created, whole);
    this.#put(stream.id as number, this.#head + 1, revision, created, whole, content);
    this.#head += 1;
  }

  #put(stream: number, position: number, revision: number, created: number, event: NewEvent, content: number): void {
    const { id, type, contentType, data, metadata } = event;
    const checksum = storedChecksum(position, content);
    const binary = contentType === 'binary' ? 1 : 0;
    this.#statements.insert.run(position, stream, revision, id, type, created, checksum, data, metadata, binary);
  }

  #create({ name }: Stream): number {
    if (describedBy(name) !== undefined) this.#noMetadata = false;
    return Number(this.#statements.createStream.run(name).lastInsertRowid);
  }

  #streamNamed(name: string): Stream {
    let stream = this.#streams.get(name);
    if (!stream) {
      stream = this.#find(name);
      this.#streams.set(name, stream);
    }
    return stream;
  }

  #find(name: string): Stream {
    const row = this.#statements.stream.get(name);
    const stream: Stream = { name, id: row?.id, head: row?.head ?? NO_STREAM, tombstoned: false, truncateBefore: 0 };
    if (row?.head === TOMBSTONE_REVISION) {
      stream.tombstoned = true;
      stream.head = this.#statements.headBeforeTombstone.get(row.id) ?? NO_STREAM;
    }
    const described = describedBy(name);
    // Not all that is known of it: metadata may be what mends the damaged metadata of the stream that it describes.
    if (described !== undefined)
      stream.tombstoned ||= this.#statements.stream.get(described)?.head === TOMBSTONE_REVISION;
    if (!this.#noMetadata) stream.truncateBefore = this.#truncateBeforeOf(stream);
    return stream;
  }

  /** What describes metadata cannot be changed: a stream of metadata is never truncated by what its own metadata says. */
  #truncateBeforeOf(stream: Stream): number {
    if (describedBy(stream.name) !== undefined) return 0;
    return parseMetadata(this.#metadataOf(stream) ?? '').truncateBefore ?? 0;
  }

  /** The stream's metadata as it was written; undefined where it has none. @throws DamagedMetadata */
  #metadataOf(stream: Stream): string | undefined {
    if (this.#noMetadata) return undefined;
    const name = metadataStreamOf(stream.name);
    const row = this.#statements.stream.get(name);
    if (!row || row.head === TOMBSTONE_REVISION || row.head === NO_STREAM) return undefined;
    const stored = this.#statements.event.get(row.id, row.head);
    if (!stored || !isWhole(name, row.head, stored)) throw new DamagedMetadata(row.head);
    const { data, binary } = stored;
    return binary === 1 ? '' : Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString();
  }
}

function isWhole(
  stream: string,
  revision: number,
  { position, created, checksum, binary, ...rest }: StoredEvent,
): boolean {
  const contentType = binary === 1 ? 'binary' : 'json';
  return storedChecksum(position, contentChecksum(stream, revision, created, { ...rest, contentType })) === checksum;
}

function wrong({ head }: Stream): Answer {
  return { position: WRONG_REVISION, revision: head };
}

/** The checksum at the revision that was not known when the event was packed. */
function movedChecksum(stream: string, revision: number, moved: number, created: number, event: PackedEvent): number {
  if (contentChecksum(stream, revision - moved, created, event) !== event.checksum) {
    throw new Error(`an event for stream ${stream} is not what it was when it was sent to the writer`);
  }
  return contentChecksum(stream, revision, created, event);
}

/** A UUID by RFC 9562, version 8: ours to lay out, and here the beginning of a digest. */
function ownId(stream: string, revision: number): string {
  const digest = createHash('sha256').update(`${stream}\u0000${revision}`).digest('hex');
  const variant = ((Number.parseInt(digest.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return [
    digest.slice(0, 8),
    digest.slice(8, 12),
    `8${digest.slice(13, 16)}`,
    `${variant}${digest.slice(17, 20)}`,
    digest.slice(20, 32),
  ].join('-');
}
