/**
 * The file of a log as whoever looks after it sees it: over a connection that cannot write, beside the service that does. Every
 * format that this program can migrate can be read here, so that a file can be examined and copied before it is.
 */
import { statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { EventCorrupted, StoreUnavailable, UnknownStoreFormat } from '../../errors.js';
import type { Position, RecordedEvent } from '../../port.js';
import { contentChecksum, storedChecksum } from '../checksum.js';
import { APPLICATION_ID, codeOf, FORMAT, reasonOf } from '../format.js';

/** How long to wait for somebody who holds the whole file, such as the service while it migrates a small one. */
const PATIENCE_MS = 5000;

/** An event as it lies in the file, believed in nothing yet: where a row is damaged, its columns may be of any type. */
export interface StoredRow {
  readonly position: number;
  readonly streamId: number;
  /** Null where the streams have none of this id. */
  readonly stream: string | null;
  readonly revision: number;
  readonly id: string;
  readonly type: string;
  readonly created: number;
  readonly checksum: number;
  readonly binary: number;
  readonly data: Uint8Array;
  readonly metadata: Uint8Array;
}

export interface LogFile {
  readonly path: string;
  readonly db: Database.Database;
  readonly format: number;
  /** Every event after a position, in order. */
  readonly after: Database.Statement<[position: number], StoredRow>;
}

/**
 * Opens what is there; nothing is made.
 * @throws UnknownStoreFormat, StoreUnavailable
 */
export function openLogFile(path: string): LogFile {
  return told(path, () => {
    const db = new Database(path, { readonly: true, fileMustExist: true, timeout: PATIENCE_MS });
    try {
      const application = db.pragma('application_id', { simple: true }) as number;
      const format = db.pragma('user_version', { simple: true }) as number;
      if (application !== APPLICATION_ID || format < 1) throw new UnknownStoreFormat(path, 'it is not an event store');
      if (format > FORMAT) {
        throw new UnknownStoreFormat(path, `it has format ${format}, this program knows formats up to ${FORMAT}`);
      }
      return { path, db, format, after: db.prepare(selectAfter(format)) };
    } catch (error) {
      db.close();
      throw error;
    }
  });
}

function selectAfter(format: number): string {
  const binary = format === 1 ? '0 AS binary' : 'binary';
  return `
    SELECT position, stream AS streamId, name AS stream, revision, events.id, type, created, checksum, ${binary}, data, metadata
    FROM events LEFT JOIN streams ON streams.id = events.stream
    WHERE position > ? ORDER BY position`;
}

/** Whether the event is the one that was stored. */
export function isAsStored({ format }: LogFile, row: StoredRow): boolean {
  if (row.stream === null || !isShaped(row)) return false;
  const { stream, revision, created, id, type, data, metadata } = row;
  const event = { id, type, contentType: contentTypeOf(row), data, metadata };
  const content = contentChecksum(stream, revision, created, event);
  return (format === 1 ? content : storedChecksum(row.position, content)) === row.checksum;
}

/** Whether the columns are of the types that they were declared with: SQLite checks that when it writes, not when it reads. */
export function isShaped({ stream, revision, id, type, created, data, metadata }: StoredRow): boolean {
  return (
    (stream === null || typeof (stream as unknown) === 'string') &&
    [revision, created].every(Number.isInteger) &&
    [id, type].every((text: unknown) => typeof text === 'string') &&
    [data, metadata].every((bytes: unknown) => bytes instanceof Uint8Array)
  );
}

/** @throws EventCorrupted when the event is not the one that was stored */
export function recordedIn(file: LogFile, row: StoredRow): RecordedEvent {
  const { position, stream, revision, id, type, created, data, metadata } = row;
  if (stream === null || !isAsStored(file, row)) throw new EventCorrupted(stream ?? '?', revision, 'checksum');
  const contentType = contentTypeOf(row);
  return { position: position as Position, stream, revision, id, type, created, contentType, data, metadata };
}

function contentTypeOf({ binary }: StoredRow): 'json' | 'binary' {
  return binary === 1 ? 'binary' : 'json';
}

/** Bytes of the file itself, and of the write-ahead log beside it. */
export function sizesOf(path: string): { readonly bytes: number; readonly walBytes: number } {
  return { bytes: statSync(path).size, walBytes: statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0 };
}

/** Does something with the file; what SQLite says of it is told in our words. @throws UnknownStoreFormat, StoreUnavailable */
export function told<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw inOurWords(path, cause);
  }
}

export function inOurWords(path: string, cause: unknown): unknown {
  const code = codeOf(cause);
  if (code === 'SQLITE_NOTADB') return new UnknownStoreFormat(path, 'it is not an event store', { cause });
  if (!code.startsWith('SQLITE_')) return cause;
  return new StoreUnavailable(`${path} cannot be read: ${reasonOf(cause)}`, { cause });
}
