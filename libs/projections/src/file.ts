/**
 * The disposable file of the views. Whatever is wrong with it, the remedy is the same: delete it and fold the log again. So it is
 * opened only when it is surely ours, of this format and whole; it belongs to one opening at a time.
 */
import { rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import type { Position } from '@vw/event-store';
import { START } from '@vw/event-store';
import { sha256Hex } from '@vw/runtime';
import { ViewsDamaged, ViewsInUse, ViewsUnavailable } from './errors.js';
import { everyView } from './registry.js';
import { FOLDS_DIGEST, FOLDS_VERSION } from './version.js';
import type { Db } from './view.js';

/** How far the views are, and by which event: a log that has another event there is another log. */
export interface Checkpoint {
  readonly position: Position;
  /** How many events of streams that are none of ours were left alone so far. */
  readonly foreignEvents: number;
  readonly stream: string;
  readonly revision: number;
  readonly eventId: string;
}

export const beforeAll: Checkpoint = { position: START, foreignEvents: 0, stream: '', revision: -1, eventId: '' };

const checkpointTable = `
  CREATE TABLE checkpoint (
    position INTEGER NOT NULL,
    foreignEvents INTEGER NOT NULL,
    stream TEXT NOT NULL,
    revision INTEGER NOT NULL,
    eventId TEXT NOT NULL
  ) STRICT;`;

const tables = [checkpointTable, ...everyView.map(([, view]) => view.tables)].join('\n');
const indexes = everyView.map(([, view]) => view.indexes).join('\n');

/** Changes with any table and any fold, so that no file is read by a program that expects other rows. */
const format = Number.parseInt(sha256Hex([FOLDS_VERSION, FOLDS_DIGEST, tables, indexes].join('\n')).slice(0, 7), 16);

/**
 * Opens the file as it is, or answers with why it is of no use.
 * @throws ViewsInUse
 */
export function openExisting(file: string): Db | { readonly useless: string } {
  let db: Db | undefined;
  try {
    db = new Database(file, { fileMustExist: true, timeout: 0 });
    own(db);
    const found = db.pragma('user_version', { simple: true });
    if (found === format) return db;
    db.close();
    return { useless: `its format is ${String(found)}, this program's is ${format}` };
  } catch (cause) {
    db?.close();
    if (isBusy(cause)) throw new ViewsInUse(file, { cause });
    return { useless: cause instanceof Error ? cause.message : String(cause) };
  }
}

/** Makes an empty file where there is none. */
export function create(file: string): Db {
  const db = new Database(file, { timeout: 0 });
  db.pragma('page_size = 8192');
  own(db);
  layTables(db);
  return db;
}

/**
 * Makes a file that is only worth something once it is finished: nothing is kept of it if the process dies, so no journal is
 * written and nothing is flushed.
 */
export function createUnfinished(file: string): Db {
  removeFile(file);
  const db = new Database(file, { timeout: 0 });
  db.pragma('page_size = 8192');
  db.pragma('journal_mode = OFF');
  db.pragma('synchronous = OFF');
  db.pragma('locking_mode = EXCLUSIVE');
  db.pragma('cache_size = -65536');
  layTables(db);
  return db;
}

export function layIndexes(db: Db): void {
  db.exec(indexes);
}

export function readCheckpoint(db: Db): Checkpoint {
  return (
    db.prepare<[], Checkpoint>('SELECT position, foreignEvents, stream, revision, eventId FROM checkpoint').get() ??
    beforeAll
  );
}

/** The file and whatever SQLite keeps beside it. */
export function removeFile(file: string): void {
  removeJournals(file);
  rmSync(file, { force: true });
}

/** What a killed process left beside the file would be applied to whatever file has the name next. */
export function removeJournals(file: string): void {
  for (const suffix of ['-wal', '-shm', '-journal']) rmSync(`${file}${suffix}`, { force: true });
}

/** Whatever is done with the tables, done so that damage, and what a disk does for a while, are told from every other failure. */
export function guarded<T>(db: Db, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (isDamage(cause)) throw new ViewsDamaged(`the views in ${db.name} are damaged`, { cause });
    if (isOfTheDisk(cause)) throw new ViewsUnavailable(`the views in ${db.name} cannot be used now`, { cause });
    throw cause;
  }
}

/**
 * One process, one connection: the lock is taken here and kept. The write-ahead log makes a batch all or nothing against a kill,
 * and `NORMAL` against a power cut too, which may take the last batches with it but never half of one.
 */
function own(db: Db): void {
  db.pragma('locking_mode = EXCLUSIVE');
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = NORMAL');
  db.pragma('cache_size = -32768');
  db.pragma('wal_autocheckpoint = 4096');
  db.exec('BEGIN IMMEDIATE; COMMIT');
}

function layTables(db: Db): void {
  db.transaction(() => {
    db.exec(tables);
    const { position, foreignEvents, stream, revision, eventId } = beforeAll;
    db.prepare('INSERT INTO checkpoint VALUES (?, ?, ?, ?, ?)').run(position, foreignEvents, stream, revision, eventId);
    db.pragma(`user_version = ${format}`);
  })();
}

function isBusy(cause: unknown): boolean {
  return (
    cause instanceof Database.SqliteError &&
    (cause.code.startsWith('SQLITE_BUSY') || cause.code.startsWith('SQLITE_LOCKED'))
  );
}

function isDamage(cause: unknown): boolean {
  return (
    cause instanceof Database.SqliteError && (cause.code.startsWith('SQLITE_CORRUPT') || cause.code === 'SQLITE_NOTADB')
  );
}

function isOfTheDisk(cause: unknown): boolean {
  return cause instanceof Database.SqliteError && /^SQLITE_(FULL|IOERR|READONLY|CANTOPEN)/.test(cause.code);
}
