/**
 * Reads the log over a connection of its own that cannot write. SQLite shows it committed transactions only, and in WAL mode
 * with `synchronous = FULL` only those already on the disk, so nobody is ever told of an event that a power cut takes back.
 *
 * Reads go by pages: a page is read in one go and holds no transaction open afterwards, which bounds the memory of a slow
 * consumer, the time the event loop stands still, and the size of the write-ahead log.
 *
 * Positions in the log, and revisions in a stream, have no gaps. So a page knows which event must come next, and one that is not
 * there, or cannot be read, is a loss that has a name; what comes before it is still served.
 *
 * A page is fetched in two steps, first everything but bytes, then the bytes of those wanted, neighbours in one piece: a buffer
 * for each of an event's two costs more than all the rest of reading it.
 */
import Database from 'better-sqlite3';
import { EventCorrupted, StoreUnavailable } from '../errors.js';
import type { Direction, Matches, Page, Sieve } from '../log.js';
import { TOMBSTONE_REVISION } from '../log.js';
import type { Position, RecordedEvent } from '../port.js';
import { contentChecksum, storedChecksum } from './checksum.js';
import { codeOf } from './format.js';
import { metadataStreamOf } from './metadata.js';

/** A page has no more events, and no more bytes unless its first event has. */
const PAGE_EVENTS = 512;
const PAGE_BYTES = 1024 * 1024;

/** A page with a filter looks at so many events. */
const SIFTED_EVENTS = 2048;

/** Names of streams that are remembered; beyond it the memory starts anew. */
const REMEMBERED_NAMES = 100_000;

/** Raw rows, in the order of these columns: an object of each would cost as much again as reading it. */
const COLUMNS = 'position, stream, revision, type, id, created, checksum, binary, length(data), length(metadata)';
type Row = readonly [
  position: number,
  stream: number,
  revision: number,
  type: string,
  id: string,
  created: number,
  checksum: number,
  binary: number,
  dataBytes: number,
  metadataBytes: number,
];

/** What is written of a stream, whether it can be read or not. */
export interface StreamState {
  /** The last revision but a tombstone; undefined where there is none. */
  readonly head: number | undefined;
  readonly tombstoned: boolean;
  /** The newest event of its metadata stream. */
  readonly metadata: RecordedEvent | undefined;
}

/** A stream's readable events, both ends included. */
export interface Bounds {
  readonly first: number;
  readonly last: number;
  /** Events older than this, in milliseconds since the epoch, are not readable either. */
  readonly notBefore: number;
}

/** Events under keys without a gap: positions, or the revisions of one stream. */
interface Sequence {
  readonly rows: Database.Statement<number[], Row>;
  readonly bytes: Database.Statement<number[], Buffer | null>;
  /** What the statements are given before the keys. */
  readonly of: readonly number[];
  keyOf(row: Row): number;
  loss(damage: Damage): Error;
}

/** Where a sequence cannot be read on. */
interface Damage {
  readonly key: number;
  readonly kind: EventCorrupted['damage'];
}

/** Part of a sequence, both ends included. */
interface Range {
  readonly direction: Direction;
  readonly from: number;
  readonly to: number;
}

/** Neighbours in the direction of reading, and their bytes in the order of the sequence. */
interface Run {
  readonly rows: readonly Row[];
  readonly bytes: Buffer;
}

const EMPTY = Buffer.alloc(0);

export const nothing: Page = { events: [], considered: 0, last: undefined, end: true };

/** Whether the event is one of its users', and not of the store's own streams nor a tombstone. */
export function isOrdinary({ stream, revision }: { readonly stream: string; readonly revision: number }): boolean {
  return !stream.startsWith('$') && revision !== TOMBSTONE_REVISION;
}

export class LogReader {
  readonly #file: string;
  readonly #db: Database.Database;
  readonly #names = new Map<number, string>();
  readonly #statements;
  readonly #all: Sequence;

  constructor(file: string) {
    this.#file = file;
    this.#db = new Database(file, { readonly: true, fileMustExist: true });
    const db = this.#db;
    const rows = (where: string, key: string): Sequence['rows'] =>
      db
        .prepare<number[], Row>(`SELECT ${COLUMNS} FROM events WHERE ${where} ${key} BETWEEN ? AND ? ORDER BY ${key}`)
        .raw();
    // group_concat makes text of bytes and looks at none of them.
    const bytes = (where: string, key: string): Sequence['bytes'] =>
      db
        .prepare<number[], Buffer | null>(
          `SELECT CAST(group_concat(data || metadata, '') AS BLOB) FROM (
             SELECT data, metadata FROM events WHERE ${where} ${key} BETWEEN ? AND ? ORDER BY ${key}
           )`,
        )
        .pluck();
    this.#statements = {
      end: db.prepare<[], number>('SELECT coalesce(max(position), 0) FROM events').pluck(),
      stream: db.prepare<[string], number>('SELECT id FROM streams WHERE name = ?').pluck(),
      name: db.prepare<[number], string>('SELECT name FROM streams WHERE id = ?').pluck(),
      lastRevision: db
        .prepare<[number, number], number | null>('SELECT max(revision) FROM events WHERE stream = ? AND revision < ?')
        .pluck(),
      lastPlaces: db
        .prepare<[number], [position: number, stream: number, revision: number]>(
          'SELECT position, stream, revision FROM events WHERE position > ? ORDER BY position DESC',
        )
        .raw(),
      // Over the index alone: it is asked for an event whose row is lost.
      placed: db.prepare<[number], { readonly stream: number; readonly revision: number }>(
        'SELECT stream, revision FROM events INDEXED BY events_by_stream WHERE +position = ?',
      ),
      rowsOfStream: rows('stream = ? AND', 'revision'),
      bytesOfStream: bytes('stream = ? AND', 'revision'),
    };
    this.#all = {
      rows: rows('', 'position'),
      bytes: bytes('', 'position'),
      of: [],
      keyOf: ([position]) => position,
      loss: (damage) => this.#lossAt(damage),
    };
  }

  /** The position of the last event of all. */
  end(): Position {
    return this.#reading(() => (this.#statements.end.get() ?? 0) as Position);
  }

  /** The position of the last event after the given one that is none of the store's own. */
  lastOrdinary(after: Position): Position | undefined {
    return this.#reading(() => {
      for (const [position, stream, revision] of this.#statements.lastPlaces.iterate(after)) {
        if (isOrdinary({ stream: this.#nameOf(stream), revision })) return position as Position;
      }
      return undefined;
    });
  }

  /** @throws EventCorrupted when its metadata is not what was stored */
  state(name: string): StreamState {
    return this.#reading(() => {
      const { head, tombstoned } = this.#headOf(this.#statements.stream.get(name));
      return { head, tombstoned, metadata: this.#newestOf(metadataStreamOf(name)) };
    });
  }

  /** Readable events of the stream from the revision on, or back from it. */
  pageOfStream(name: string, from: number, direction: Direction, limit: number, bounds: Bounds): Page {
    const first = direction === 'forwards' ? Math.max(from, bounds.first) : Math.min(from, bounds.last);
    const range = rangeFrom(first, direction, Math.min(limit, PAGE_EVENTS), bounds);
    const stream = this.#reading(() => this.#statements.stream.get(name));
    if (!range || stream === undefined) return nothing;
    return this.#page(this.#sequenceOf(name, stream), range, bounds, { notBefore: bounds.notBefore });
  }

  /**
   * Events beyond the position, exclusive. The filter is asked before the bytes are read, and so before their checksum is: what
   * damage has made look like another event's stream or type may be left out unseen.
   */
  pageOfAll(beyond: Position, direction: Direction, limit: number, sieve?: Sieve): Page {
    const bounds = { first: 1, last: this.end() };
    const first = direction === 'forwards' ? Math.max(beyond, 0) + 1 : Math.min(beyond - 1, bounds.last);
    const mostEvents = Math.min(limit, PAGE_EVENTS);
    const considered = sieve && mostEvents > 0 ? Math.min(sieve.most ?? SIFTED_EVENTS, SIFTED_EVENTS) : mostEvents;
    const range = rangeFrom(first, direction, considered, bounds);
    return range ? this.#page(this.#all, range, bounds, { mostEvents, matches: sieve?.matches }) : nothing;
  }

  close(): void {
    this.#db.close();
  }

  #page(
    sequence: Sequence,
    range: Range,
    bounds: { readonly first: number; readonly last: number },
    wanted: { readonly mostEvents?: number; readonly matches?: Matches | undefined; readonly notBefore?: number },
  ): Page {
    return this.#reading(() => {
      const { direction } = range;
      const whole = readRows(sequence, range);
      const { runs, considered } = this.#sift(sequence, whole.rows, wanted);
      let damage = considered === whole.rows.length ? whole.damage : undefined;
      let stop = whole.rows[considered - 1];
      const read: Run[] = [];
      for (const rows of runs) {
        const run = readBytes(sequence, rows, direction);
        read.push(run);
        if (run.damage) {
          damage = run.damage;
          stop = run.rows.at(-1) ?? read.at(-2)?.rows.at(-1);
          break;
        }
      }
      const ending = direction === 'forwards' ? bounds.last : bounds.first;
      return {
        events: this.#verified(sequence, read, damage, direction, wanted.notBefore),
        considered: stop === undefined ? 0 : Math.abs(sequence.keyOf(stop) - range.from) + 1,
        last: stop && { position: stop[0] as Position, revision: stop[2] },
        end: !damage && stop !== undefined && sequence.keyOf(stop) === ending,
      };
    });
  }

  /** Those that match, up to what a page holds, neighbours together; and how many were looked at for them. */
  #sift(
    sequence: Sequence,
    rows: readonly Row[],
    { mostEvents = PAGE_EVENTS, matches }: { readonly mostEvents?: number; readonly matches?: Matches | undefined },
  ): { readonly runs: readonly (readonly Row[])[]; readonly considered: number } {
    const runs: Row[][] = [];
    let events = 0;
    let bytes = 0;
    let lastKey = Number.NaN;
    for (const [index, row] of rows.entries()) {
      if (events === mostEvents) return { runs, considered: index };
      if (matches && !matches({ stream: this.#nameOf(row[1]), type: row[3] })) continue;
      bytes += row[8] + row[9];
      if (bytes > PAGE_BYTES && events > 0) return { runs, considered: index };
      const key = sequence.keyOf(row);
      const run = runs.at(-1);
      if (run && Math.abs(key - lastKey) === 1) run.push(row);
      else runs.push([row]);
      lastKey = key;
      events += 1;
    }
    return { runs, considered: rows.length };
  }

  #verified(
    sequence: Sequence,
    runs: readonly Run[],
    damage: Damage | undefined,
    direction: Direction,
    notBefore = -Infinity,
  ): Iterable<RecordedEvent> {
    const recorded = (row: Row, bytes: Buffer, at: number): RecordedEvent | undefined => this.#recorded(row, bytes, at);
    return {
      *[Symbol.iterator]() {
        for (const { rows, bytes } of runs) {
          let at = direction === 'forwards' ? 0 : bytes.length;
          for (const row of rows) {
            const size = row[8] + row[9];
            if (direction === 'backwards') at -= size;
            const event = recorded(row, bytes, at);
            if (!event) throw sequence.loss({ key: sequence.keyOf(row), kind: 'checksum' });
            if (event.created >= notBefore) yield event;
            if (direction === 'forwards') at += size;
          }
        }
        if (damage) throw sequence.loss(damage);
      },
    };
  }

  /** The event whose bytes begin there; undefined when it is not the one that was stored. */
  #recorded(row: Row, bytes: Buffer, at: number): RecordedEvent | undefined {
    const [position, streamId, revision, type, id, created, checksum, binary, dataBytes, metadataBytes] = row;
    // Damage may have made a value of another type, which the checksum, made over text, could take for the one it was.
    if (typeof revision !== 'number' || typeof type !== 'string' || typeof id !== 'string') return undefined;
    if (typeof created !== 'number') return undefined;
    const event: RecordedEvent = {
      stream: this.#nameOf(streamId),
      revision,
      position: position as Position,
      created,
      id,
      type,
      contentType: binary === 0 ? 'json' : 'binary',
      data: bytes.subarray(at, at + dataBytes),
      metadata: bytes.subarray(at + dataBytes, at + dataBytes + metadataBytes),
    };
    const expected = storedChecksum(position, contentChecksum(event.stream, revision, created, event));
    return expected === checksum ? event : undefined;
  }

  #sequenceOf(name: string, stream: number): Sequence {
    return {
      rows: this.#statements.rowsOfStream,
      bytes: this.#statements.bytesOfStream,
      of: [stream],
      keyOf: ([, , revision]) => revision,
      loss: ({ key, kind }) => new EventCorrupted(name, key, kind),
    };
  }

  #nameOf(stream: number): string {
    const known = this.#names.get(stream);
    if (known !== undefined) return known;
    const name = this.#reading(() => this.#statements.name.get(stream)) ?? `(number ${stream}, whose name is lost)`;
    if (this.#names.size >= REMEMBERED_NAMES) this.#names.clear();
    this.#names.set(stream, name);
    return name;
  }

  #headOf(stream: number | undefined): Pick<StreamState, 'head' | 'tombstoned'> {
    if (stream === undefined) return { head: undefined, tombstoned: false };
    const below = (limit: number): number | undefined => this.#statements.lastRevision.get(stream, limit) ?? undefined;
    const last = below(Number.MAX_VALUE);
    return last === TOMBSTONE_REVISION ? { head: below(last), tombstoned: true } : { head: last, tombstoned: false };
  }

  #newestOf(name: string): RecordedEvent | undefined {
    const stream = this.#statements.stream.get(name);
    const { head, tombstoned } = this.#headOf(stream);
    if (stream === undefined || head === undefined || tombstoned) return undefined;
    const bounds = { first: head, last: head };
    const [event] = this.#page(
      this.#sequenceOf(name, stream),
      { direction: 'forwards', from: head, to: head },
      bounds,
      {},
    ).events;
    return event;
  }

  /** What was at the position, as far as the index still knows. */
  #lossAt({ key: position, kind }: Damage): Error {
    const placed = this.#reading(() => this.#statements.placed.get(position));
    if (placed) return new EventCorrupted(this.#nameOf(placed.stream), placed.revision, kind);
    return new StoreUnavailable(
      `${this.#file} has lost the event at position ${position}, though later ones are there`,
    );
  }

  #reading<T>(read: () => T): T {
    if (!this.#db.open) throw new StoreUnavailable(`${this.#file} is closed`);
    try {
      return read();
    } catch (cause) {
      if (cause instanceof EventCorrupted || cause instanceof StoreUnavailable) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new StoreUnavailable(`${this.#file} cannot be read: ${reason}`, { cause });
    }
  }
}

function rangeFrom(
  from: number,
  direction: Direction,
  count: number,
  { first, last }: { readonly first: number; readonly last: number },
): Range | undefined {
  if (count <= 0 || from < first || from > last) return undefined;
  const to = direction === 'forwards' ? Math.min(from + count - 1, last) : Math.max(from - count + 1, first);
  return { direction, from, to };
}

/** The rows of the range in its direction, as far as they are all there. */
function readRows(sequence: Sequence, range: Range): { readonly rows: readonly Row[]; readonly damage?: Damage } {
  const { rows, of, keyOf } = sequence;
  const [low, high] = range.from <= range.to ? [range.from, range.to] : [range.to, range.from];
  const together = unlessCorrupt(() => rows.all(...of, low, high));
  if (together?.length === high - low + 1 && together.every((row, index) => keyOf(row) === low + index)) {
    return { rows: range.direction === 'forwards' ? together : together.toReversed() };
  }
  const step = range.direction === 'forwards' ? 1 : -1;
  const found: Row[] = [];
  for (let key = range.from; key !== range.to + step; key += step) {
    const one = unlessCorrupt(() => rows.all(...of, key, key));
    const [row] = one ?? [];
    if (row === undefined || keyOf(row) !== key)
      return { rows: found, damage: { key, kind: one ? 'missing' : 'checksum' } };
    found.push(row);
  }
  return { rows: found };
}

/** The bytes of neighbours, as far as they are all there. */
function readBytes(
  { bytes, of, keyOf }: Sequence,
  rows: readonly Row[],
  direction: Direction,
): Run & { readonly damage?: Damage } {
  const [first, last] = [rows[0], rows.at(-1)];
  if (!first || !last) return { rows, bytes: EMPTY };
  const [low, high] = direction === 'forwards' ? [keyOf(first), keyOf(last)] : [keyOf(last), keyOf(first)];
  const together = unlessCorrupt(() => bytes.get(...of, low, high)) ?? EMPTY;
  if (together.length === rows.reduce((sum, row) => sum + row[8] + row[9], 0)) return { rows, bytes: together };
  const found: Row[] = [];
  const parts: Buffer[] = [];
  const soFar = (): Run => ({
    rows: found,
    bytes: Buffer.concat(direction === 'forwards' ? parts : parts.toReversed()),
  });
  for (const row of rows) {
    const key = keyOf(row);
    const one = unlessCorrupt(() => bytes.get(...of, key, key)) ?? EMPTY;
    if (one.length !== row[8] + row[9]) return { ...soFar(), damage: { key, kind: 'checksum' } };
    found.push(row);
    parts.push(one);
  }
  return soFar();
}

function unlessCorrupt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (codeOf(error).startsWith('SQLITE_CORRUPT')) return undefined;
    throw error;
  }
}
