/**
 * Reads the log over a connection of its own that cannot write. SQLite shows it committed transactions only, and in WAL mode
 * with `synchronous = FULL` only those already on the disk, so nobody is ever told of an event that a power cut takes back.
 *
 * Reads go by pages: a page is read in one go and holds no transaction open afterwards, which bounds the memory of a slow
 * consumer, the time the event loop stands still, and the size of the write-ahead log.
 */
import Database from 'better-sqlite3';
import { EventCorrupted, StoreUnavailable } from '../errors.js';
import type { Position, RecordedEvent } from '../port.js';
import { eventChecksum } from './checksum.js';

const PAGE_EVENTS = 512;
const PAGE_BYTES = 1024 * 1024;

export interface Row {
  readonly position: number;
  readonly stream: string;
  readonly revision: number;
  readonly id: string;
  readonly type: string;
  readonly created: number;
  readonly checksum: number;
  readonly data: Uint8Array;
  readonly metadata: Uint8Array;
}

export interface Page {
  readonly rows: readonly Row[];
  /** Nothing lay beyond this page when it was read. */
  readonly last: boolean;
}

const COLUMNS = 'position, name AS stream, revision, events.id, type, created, checksum, data, metadata';
const FROM = 'events CROSS JOIN streams ON streams.id = events.stream';

export class LogReader {
  readonly #file: string;
  readonly #db: Database.Database;
  readonly #statements;

  constructor(file: string) {
    this.#file = file;
    this.#db = new Database(file, { readonly: true, fileMustExist: true });
    const rows = (condition: string): Database.Statement<number[], Row> =>
      this.#db.prepare(`SELECT ${COLUMNS} FROM ${FROM} WHERE ${condition} LIMIT ?`);
    this.#statements = {
      head: this.#db.prepare<[], number>('SELECT coalesce(max(position), 0) FROM events').pluck(),
      stream: this.#db.prepare<[string], number>('SELECT id FROM streams WHERE name = ?').pluck(),
      after: rows('position > ? ORDER BY position'),
      forwards: rows('stream = ? AND revision >= ? ORDER BY revision'),
      backwards: rows('stream = ? AND revision <= ? ORDER BY revision DESC'),
    };
  }

  head(): Position {
    return this.#reading(() => (this.#statements.head.get() ?? 0) as Position);
  }

  /** What follows the position in the whole log. */
  pageAfter(position: number, limit: number): Page {
    return this.#page(this.#statements.after, [position], limit);
  }

  /** The stream from the revision on, or back from it. */
  pageOfStream(stream: string, revision: number, direction: 'forwards' | 'backwards', limit: number): Page {
    const id = this.#reading(() => this.#statements.stream.get(stream));
    return id === undefined ? { rows: [], last: true } : this.#page(this.#statements[direction], [id, revision], limit);
  }

  close(): void {
    this.#db.close();
  }

  #page(statement: Database.Statement<number[], Row>, from: readonly number[], limit: number): Page {
    const wanted = Math.min(limit, PAGE_EVENTS);
    return this.#reading(() => {
      const rows: Row[] = [];
      let bytes = 0;
      for (const row of statement.iterate(...from, wanted)) {
        rows.push(row);
        bytes += row.data.length + row.metadata.length;
        if (bytes >= PAGE_BYTES) return { rows, last: false };
      }
      return { rows, last: rows.length < wanted };
    });
  }

  #reading<T>(read: () => T): T {
    if (!this.#db.open) throw new StoreUnavailable(`${this.#file} is closed`);
    try {
      return read();
    } catch (cause) {
      throw new StoreUnavailable(
        `${this.#file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
        {
          cause,
        },
      );
    }
  }
}

/** @throws EventCorrupted when the event is not the one that was stored */
export function recorded({ checksum, ...row }: Row): RecordedEvent {
  const event = { ...row, contentType: 'json' as const, position: row.position as Position };
  if (eventChecksum(event.stream, event.revision, event.created, event) !== checksum) {
    throw new EventCorrupted(event.stream, event.revision, 'checksum');
  }
  return event;
}
