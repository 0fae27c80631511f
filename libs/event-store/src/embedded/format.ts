/**
 * The file: who may open it, what its tables are, and how an older one becomes one of today.
 *
 * Format 1 had no content type, and checksums without the position. Format 2 has both, and with them tombstones and streams of
 * the store's own, which a program of format 1 would have taken for the ledger's.
 */
import Database from 'better-sqlite3';
import { storedChecksum } from './checksum.js';

/** 'vwel', big-endian: what `file(1)` and this program know the store by. */
export const APPLICATION_ID = 0x7677656c;
export const FORMAT = 2;

/** How long to wait for somebody who writes to the file without our lock, such as a person with a shell. */
const INTRUDER_PATIENCE_MS = 1000;

/**
 * `binary`: 1 where the content type is binary, 0 where it is JSON. `checksum`: `storedChecksum` of `checksum.ts`.
 * The ids come first in their index: version 7 ids are close in time, so a group commit touches few of its pages.
 */
const SCHEMA = `
  CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    stream   INTEGER NOT NULL REFERENCES streams (id),
    revision INTEGER NOT NULL,
    id       TEXT    NOT NULL,
    type     TEXT    NOT NULL,
    created  INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    data     BLOB    NOT NULL,
    metadata BLOB    NOT NULL,
    binary   INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE UNIQUE INDEX events_by_stream ON events (stream, revision);
  CREATE UNIQUE INDEX events_by_id ON events (id, stream);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT};
`;

/** In one transaction, so that the file is of one format or the other however the program ends. */
const FROM_1_TO_2 = `
  ALTER TABLE events ADD COLUMN binary INTEGER NOT NULL DEFAULT 0;
  UPDATE events SET checksum = stored_checksum(position, checksum);
  PRAGMA user_version = 2;
`;

export class Refused extends Error {
  readonly because: 'in-use' | 'format';

  constructor(because: 'in-use' | 'format', message: string, options?: ErrorOptions) {
    super(message, options);
    this.because = because;
  }
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** What SQLite says, and of missing rights what to do: it needs them for the files beside the log even to read it. */
export function reasonOf(error: unknown): string {
  const said = error instanceof Error ? error.message : String(error);
  if (!/^SQLITE_(READONLY|CANTOPEN$)/.test(codeOf(error))) return said;
  return `${said}; it takes the right to write the file and its folder, as the user has who made them`;
}

/** @throws Refused when another process, or this one, holds the lock */
export function lock(file: string): Database.Database {
  const sidecar = new Database(`${file}.lock`, { timeout: 0 });
  try {
    sidecar.exec('BEGIN EXCLUSIVE');
    return sidecar;
  } catch (error) {
    sidecar.close();
    if (codeOf(error).startsWith('SQLITE_BUSY')) throw new Refused('in-use', 'the lock is held', { cause: error });
    throw error;
  }
}

export interface OpenedLog {
  readonly db: Database.Database;
  /** The format that the file had, where it had an older one. */
  readonly migratedFrom: number | undefined;
}

/**
 * Looks before it touches: a file that is not ours is left exactly as it was.
 * @throws Refused when it is not ours, or newer
 */
export function openLog(file: string): OpenedLog {
  const db = new Database(file, { timeout: INTRUDER_PATIENCE_MS });
  try {
    const tables = db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() as number;
    const application = db.pragma('application_id', { simple: true }) as number;
    const format = db.pragma('user_version', { simple: true }) as number;
    const fresh = tables === 0 && application === 0 && format === 0;
    if (!fresh && (application !== APPLICATION_ID || format < 1))
      throw new Refused('format', 'it is not an event store');
    if (format > FORMAT)
      throw new Refused('format', `it has format ${format}, this program knows formats up to ${FORMAT}`);
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.pragma('cache_size = -65536');
    db.pragma('wal_autocheckpoint = 8192');
    db.pragma('journal_size_limit = 67108864');
    if (fresh) db.transaction(() => db.exec(SCHEMA)).immediate();
    const older = !fresh && format < FORMAT;
    if (older) migrate(db);
    return { db, migratedFrom: older ? format : undefined };
  } catch (error) {
    db.close();
    if (codeOf(error) === 'SQLITE_NOTADB') throw new Refused('format', 'it is not an event store', { cause: error });
    throw error;
  }
}

/** An event that was damaged before stays found as damaged: the new checksum is made from the old one, not from the event. */
function migrate(db: Database.Database): void {
  // A damaged checksum may have become anything.
  db.function('stored_checksum', { deterministic: true }, (position, content) =>
    storedChecksum(Number(position), Number(content) >>> 0),
  );
  db.transaction(() => db.exec(FROM_1_TO_2)).immediate();
}
