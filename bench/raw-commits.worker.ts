/**
 * The yardstick of what is made durable: SQLite alone, in a worker thread as the store's writer is, putting groups
 * of rows of the same size into the same tables under the same durability, with nothing decided and nobody answered.
 *
 * Node loads this file as it stands, from the sources or from `dist/`: it imports nothing of ours but types.
 */
import { fdatasyncSync, openSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';

export interface RawData {
  /** A store made and closed by the event store itself, so that tables and indexes are its own. */
  readonly file: string;
  /** Rows in one transaction, each of another stream. */
  readonly groupSize: number;
  readonly dataBytes: number;
  readonly metadataBytes: number;
}

/** So many groups; one id for each row. */
export interface RawSlice {
  readonly groups: number;
  readonly ids: readonly string[];
}

export interface RawResult {
  readonly seconds: number;
  /** One fdatasync after a plain write of one group's bytes, on the same disk, in the same thread: mean over the groups. */
  readonly fsyncMs: number;
}

const { file, groupSize, dataBytes, metadataBytes } = workerData as RawData;
const data = Buffer.alloc(dataBytes, 'd');
const metadata = Buffer.alloc(metadataBytes, 'm');
const group = Buffer.alloc(groupSize * (dataBytes + metadataBytes), 'f');
const control = openSync(`${file}.fsync`, 'w');

const db = new Database(file);
db.pragma('synchronous = FULL');
db.pragma('cache_size = -65536');
db.pragma('wal_autocheckpoint = 8192');
db.pragma('journal_size_limit = 67108864');
const begin = db.prepare('BEGIN IMMEDIATE');
const commit = db.prepare('COMMIT');
const insert = db.prepare(
  `INSERT INTO events (position, stream, revision, id, type, created, checksum, data, metadata)
   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
);
const createStream = db.prepare('INSERT INTO streams (name) VALUES (?)');
const streams = Array.from({ length: groupSize }, (_, index) =>
  Number(createStream.run(`raw-${index}`).lastInsertRowid),
);
let position = 0;
let revision = -1;

function append({ groups, ids }: RawSlice): number {
  const begun = performance.now();
  let row = 0;
  for (let done = 0; done < groups; done += 1) {
    revision += 1;
    begin.run();
    for (const stream of streams) {
      const id = ids[row];
      row += 1;
      position += 1;
      insert.run(position, stream, revision, id, 'WorkspaceStarted', 1_700_000_000_000, 4_000_000_000, data, metadata);
    }
    commit.run();
  }
  return (performance.now() - begun) / 1000;
}

function fsyncMs({ groups }: RawSlice): number {
  const begun = performance.now();
  for (let done = 0; done < groups; done += 1) {
    writeSync(control, group);
    fdatasyncSync(control);
  }
  return (performance.now() - begun) / groups;
}

parentPort?.on('message', (slice: RawSlice) => {
  const result: RawResult = { seconds: append(slice), fsyncMs: fsyncMs(slice) };
  parentPort?.postMessage(result, []);
});
