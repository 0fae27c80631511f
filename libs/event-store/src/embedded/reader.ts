/**
 * Reads the log over a connection of its own that cannot write. SQLite shows it committed transactions only, and in WAL mode
 * with `synchronous = FULL` only those already on the disk, so nobody is ever told of an event that a power cut takes back.
 *
 * Reads go by pages: a page is read in one go and holds no transaction open afterwards, which bounds the memory of a slow
 * consumer, the time the event loop stands still, and the size of the write-ahead log.
 *
 * Positions in the log, and revisions in a stream, have no gaps. So a page knows which event must come next, and one that is not
 * there, or cannot be read, is a loss that has a name; what comes before it is still served.
 */
import Database from 'better-sqlite3';
import { EventCorrupted, StoreUnavailable } from '../errors.js';
import type { Direction, Matches, Page } from '../log.js';
import { TOMBSTONE_REVISION } from '../log.js';
import type { Position, RecordedEvent } from '../port.js';
import { contentChecksum, storedChecksum } from './checksum.js';
import { codeOf } from './format.js';
import { metadataStreamOf } from './metadata.js';

/** A page looks at no more events, and stops at the first that makes it larger. */
const PAGE_EVENTS = 512;
const PAGE_BYTES = 1024 * 1024;

/** A page with a filter looks at so many events, most of whose bytes it may never read. */
const SIFTED_EVENTS = 2048;

/** Names of streams that are remembered; beyond it the memory starts anew. */
const REMEMBERED_NAMES = 100_000;

/** Raw rows, in the order of these columns: an object of each would cost as much again as reading it. */
const COLUMNS = 'position, stream, revision, type, id, created, checksum, binary, data, metadata';
type Row = readonly [
  position: number,
  stream: number,
  revision: number,
  type: string,
  id: string,
  created: number,
  checksum: number,
  binary: number,
  data: Uint8Array,
  metadata: Uint8Array,
];

/** What is known of an event before its bytes are read. */
const HEAD_COLUMNS = 'position, stream, revision, type';
type HeadRow = readonly [position: number, stream: number, revision: number, type: string];

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

/** Part of an unbroken sequence of keys: positions, or the revisions of one stream. Both ends included. */
interface Range {
  readonly direction: Direction;
  readonly from: number;
  readonly to: number;
}

/** Where a sequence of keys cannot be read on. */
interface Damage {
  readonly key: number;
  readonly kind: EventCorrupted['damage'];
}

/** How the rows of one sequence are told apart. */
interface Reading {
  readonly keyOf: (row: Row) => number;
  readonly loss: (damage: Damage) => Error;
  readonly notBefore?: number;
}

type Statement<Result> = Database.Statement<number[], Result>;

export class LogReader {
  readonly #file: string;
  readonly #db: Database.Database;
  readonly #names = new Map<number, string>();
  readonly #statements;
  readonly #inTheLog: Reading = { loss: (damage) => this.#lossAt(damage), keyOf: ([position]) => position };

  constructor(file: string) {
    this.#file = file;
    const db = new Database(file, { readonly: true, fileMustExist: true });
    const both = <R>(columns: string, where: string, key: string): Record<Direction, Statement<R>> => ({
      forwards: db
        .prepare<number[], R>(`SELECT ${columns} FROM events WHERE ${where} ${key} BETWEEN ? AND ? ORDER BY ${key}`)
        .raw(),
      backwards: db
        .prepare<number[], R>(
          `SELECT ${columns} FROM events WHERE ${where} ${key} BETWEEN ? AND ? ORDER BY ${key} DESC`,
        )
        .raw(),
    });
    this.#db = db;
    this.#statements = {
      end: db.prepare<[], number>('SELECT coalesce(max(position), 0) FROM events').pluck(),
      stream: db.prepare<[string], number>('SELECT id FROM streams WHERE name = ?').pluck(),
      name: db.prepare<[number], string>('SELECT name FROM streams WHERE id = ?').pluck(),
      lastRevision: db
        .prepare<[number, number], number>('SELECT max(revision) FROM events WHERE stream = ? AND revision < ?')
        .pluck(),
      // Over the index alone: it is asked for an event whose row is lost.
      placed: db.prepare<[number], { readonly stream: number; readonly revision: number }>(
        'SELECT stream, revision FROM events INDEXED BY events_by_stream WHERE +position = ?',
      ),
      all: both<Row>(COLUMNS, '', 'position'),
      allHeads: both<HeadRow>(HEAD_COLUMNS, '', 'position'),
      ofStream: both<Row>(COLUMNS, 'stream = ? AND', 'revision'),
    };
  }

  /** The position of the last event of all. */
  end(): Position {
    return this.#reading(() => (this.#statements.end.get() ?? 0) as Position);
  }

  /** @throws EventCorrupted when its metadata is not what was stored */
  state(name: string): StreamState {
    const stream = this.#reading(() => this.#statements.stream.get(name));
    const metadataStream = this.#reading(() => this.#statements.stream.get(metadataStreamOf(name)));
    const { head, tombstoned } = this.#headOf(stream);
    return { head, tombstoned, metadata: this.#newestOf(metadataStream) };
  }

  /** Readable events of the stream from the revision on, or back from it. */
  pageOfStream(name: string, from: number, direction: Direction, limit: number, bounds: Bounds): Page {
    const first = direction === 'forwards' ? Math.max(from, bounds.first) : Math.min(from, bounds.last);
    const range = rangeFrom(first, direction, Math.min(limit, PAGE_EVENTS), bounds);
    const stream = this.#reading(() => this.#statements.stream.get(name));
    if (!range || stream === undefined) return nothing;
    const { rows, damage } = this.#rows(
      this.#statements.ofStream[direction],
      [stream],
      range,
      ([, , revision]) => revision,
    );
    const [position = 0, , revision = 0] = rows.at(-1) ?? [];
    return {
      events: this.#verified(rows, damage, {
        loss: ({ key, kind }) => new EventCorrupted(name, key, kind),
        keyOf: ([, , revision]) => revision,
        notBefore: bounds.notBefore,
      }),
      considered: rows.length,
      last: rows.length > 0 ? { position: position as Position, revision } : undefined,
      end: !damage && rows.length > 0 && revision === (direction === 'forwards' ? bounds.last : bounds.first),
    };
  }

  /**
   * Events beyond the position, exclusive. The filter is asked before the bytes are read, and so before their checksum is: what
   * damage has made look like another event's stream or type may be left out unseen.
   */
  pageOfAll(beyond: Position, direction: Direction, limit: number, matches?: Matches): Page {
    const last = this.end();
    const first = direction === 'forwards' ? Math.max(beyond, 0) + 1 : Math.min(beyond - 1, last);
    const count = Math.min(limit, matches ? SIFTED_EVENTS : PAGE_EVENTS);
    const range = rangeFrom(first, direction, matches ? SIFTED_EVENTS : count, { first: 1, last });
    if (!range || limit <= 0) return nothing;
    return matches
      ? this.#siftedPage(range, Math.min(limit, PAGE_EVENTS), last, matches)
      : this.#wholePage(range, last);
  }

  /** The position of the last event after the given one that is none of the store's own. */
  lastOrdinary(after: Position): Position | undefined {
    return this.#reading(() => {
      for (const [position, stream, revision] of this.#statements.allHeads.backwards.iterate(
        after + 1,
        Number.MAX_VALUE,
      )) {
        if (isOrdinary({ stream: this.#nameOf(stream), revision })) return position as Position;
      }
      return undefined;
    });
  }

  close(): void {
    this.#db.close();
  }

  #wholePage(range: Range, end: number): Page {
    const { rows, damage } = this.#rows(this.#statements.all[range.direction], [], range, ([position]) => position);
    const [position = 0, , revision = 0] = rows.at(-1) ?? [];
    return {
      events: this.#verified(rows, damage, this.#inTheLog),
      considered: rows.length,
      last: rows.length > 0 ? { position: position as Position, revision } : undefined,
      end: !damage && position === (range.direction === 'forwards' ? end : 1),
    };
  }

  /** Looks at the heads of many events, then reads the bytes of those that match. */
  #siftedPage(range: Range, limit: number, end: number, matches: Matches): Page {
    const { direction } = range;
    const heads = this.#rows(this.#statements.allHeads[direction], [], range, ([position]) => position);
    const wanted: number[] = [];
    let considered = 0;
    for (const [position, stream, , type] of heads.rows) {
      if (wanted.length >= limit) break;
      considered += 1;
      if (matches({ stream: this.#nameOf(stream), type })) wanted.push(position);
    }
    let damage = considered === heads.rows.length ? heads.damage : undefined;
    const rows: Row[] = [];
    let bytes = 0;
    for (const run of runs(wanted, direction)) {
      if (bytes >= PAGE_BYTES || rows.length >= wanted.length) break;
      const part = this.#rows(this.#statements.all[direction], [], run, ([position]) => position);
      for (const row of part.rows) bytes += bytesOf(row);
      rows.push(...part.rows);
      if (part.damage) {
        damage = part.damage;
        break;
      }
    }
    const complete = rows.length === wanted.length;
    // What was not read is looked at again by the next page.
    const stop = complete ? heads.rows[considered - 1] : rows.at(-1);
    const [position = 0, , revision = 0] = stop ?? [];
    return {
      events: this.#verified(rows, damage, this.#inTheLog),
      considered: stop === undefined ? 0 : Math.abs(position - range.from) + 1,
      last: stop === undefined ? undefined : { position: position as Position, revision },
      end: !damage && complete && position === (direction === 'forwards' ? end : 1),
    };
  }

  /** The rows of the range in its direction: as far as the page's bytes go, and as far as they are all there. */
  #rows<R extends readonly unknown[]>(
    statements: Statement<R>,
    of: readonly number[],
    { direction, from, to }: Range,
    keyOf: (row: R) => number,
  ): {
    readonly rows: readonly R[];
    readonly damage?: Damage;
  } {
    const [step, low, high] = direction === 'forwards' ? [1, from, to] : [-1, to, from];
    return this.#reading(() => {
      const rows: R[] = [];
      let next = from;
      let bytes = 0;
      try {
        for (const row of statements.iterate(...of, low, high)) {
          if (keyOf(row) !== next) return { rows, damage: { key: next, kind: 'missing' } };
          rows.push(row);
          next += step;
          bytes += bytesOf(row);
          if (bytes >= PAGE_BYTES) return { rows };
        }
      } catch (error) {
        if (!codeOf(error).startsWith('SQLITE_CORRUPT')) throw error;
        return { rows, damage: { key: next, kind: 'checksum' } };
      }
      return next === to + step ? { rows } : { rows, damage: { key: next, kind: 'missing' } };
    });
  }

  #verified(rows: readonly Row[], damage: Damage | undefined, reading: Reading): Iterable<RecordedEvent> {
    const { loss, keyOf, notBefore = -Infinity } = reading;
    const recorded = (row: Row): RecordedEvent | undefined => this.#recorded(row);
    return {
      *[Symbol.iterator]() {
        for (const row of rows) {
          const event = recorded(row);
          if (!event) throw loss({ key: keyOf(row), kind: 'checksum' });
          if (event.created >= notBefore) yield event;
        }
        if (damage) throw loss(damage);
      },
    };
  }

  /** Undefined when the event is not the one that was stored. */
  #recorded(row: Row): RecordedEvent | undefined {
    if (!isOfItsTypes(row)) return undefined;
    const [position, streamId, revision, type, id, created, checksum, binary, data, metadata] = row;
    const stream = this.#nameOf(streamId);
    const contentType = binary === 0 ? 'json' : 'binary';
    const place = { stream, revision, position: position as Position, created };
    const event: RecordedEvent = { ...place, id, type, contentType, data, metadata };
    const expected = storedChecksum(position, contentChecksum(stream, revision, created, event));
    return expected === checksum ? event : undefined;
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
    const below = (limit: number): number | undefined =>
      this.#reading(() => this.#statements.lastRevision.get(stream, limit)) ?? undefined;
    const last = below(Number.MAX_VALUE);
    return last === TOMBSTONE_REVISION ? { head: below(last), tombstoned: true } : { head: last, tombstoned: false };
  }

  #newestOf(stream: number | undefined): RecordedEvent | undefined {
    const { head, tombstoned } = this.#headOf(stream);
    if (stream === undefined || head === undefined || tombstoned) return undefined;
    const row = this.#reading(() => this.#statements.ofStream.forwards.get(stream, head, head));
    const event = row && this.#recorded(row);
    if (!event) throw new EventCorrupted(this.#nameOf(stream), head, row ? 'checksum' : 'missing');
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
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new StoreUnavailable(`${this.#file} cannot be read: ${reason}`, { cause });
    }
  }
}

export const nothing: Page = { events: [], considered: 0, last: undefined, end: true };

/** Whether the event is one of its users', and not of the store's own streams nor a tombstone. */
export function isOrdinary({ stream, revision }: { readonly stream: string; readonly revision: number }): boolean {
  return !stream.startsWith('$') && revision !== TOMBSTONE_REVISION;
}

function rangeFrom(
  from: number,
  direction: Direction,
  count: number,
  { first, last }: Pick<Bounds, 'first' | 'last'>,
): Range | undefined {
  if (count <= 0 || from < first || from > last) return undefined;
  const to = direction === 'forwards' ? Math.min(from + count - 1, last) : Math.max(from - count + 1, first);
  return { direction, from, to };
}

/** Neighbours among the positions, together. */
function* runs(positions: readonly number[], direction: Direction): Generator<Range, void, undefined> {
  const step = direction === 'forwards' ? 1 : -1;
  let begin = 0;
  for (let index = 1; index <= positions.length; index += 1) {
    if (positions[index] === (positions[index - 1] ?? 0) + step) continue;
    yield { direction, from: positions[begin] ?? 0, to: positions[index - 1] ?? 0 };
    begin = index;
  }
}

function bytesOf(row: readonly unknown[]): number {
  const [, , , , , , , , data, metadata] = row;
  return (data instanceof Uint8Array ? data.length : 0) + (metadata instanceof Uint8Array ? metadata.length : 0);
}

/** Damage may have made a value of another type, which the checksum, made over text and bytes, could take for the one it was. */
function isOfItsTypes([, , revision, type, id, created, , , data, metadata]: Row): boolean {
  return (
    typeof revision === 'number' &&
    typeof type === 'string' &&
    typeof id === 'string' &&
    typeof created === 'number' &&
    data instanceof Uint8Array &&
    metadata instanceof Uint8Array
  );
}
