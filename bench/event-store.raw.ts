/**
 * The yardstick of the event store's append figure: SQLite alone, in a worker thread as the store's writer is, putting groups
 * of rows of the same size into the same tables under the same durability, with nothing decided and nobody answered.
 *
 * Node loads this file as it stands, from the sources or from `dist/`: it imports nothing of ours but types.
 */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import Database from 'better-sqlite3';

export interface RawWork {
  /** A store made and closed by the event store itself, so that tables and indexes are its own. */
  readonly file: string;
  readonly ids: readonly string[];
  /** All groups, and how many of them come before the clock is started. */
  readonly groups: number;
  readonly warmingGroups: number;
  readonly groupSize: number;
  readonly dataBytes: number;
  readonly metadataBytes: number;
}

export interface RawResult {
  readonly eventsPerSecond: number;
  /** Mean of one fdatasync after a write of one group's bytes, on the same disk, in the same thread. */
  readonly fsyncMs: number;
}

function appendGroups({ file, ids, groups, warmingGroups, groupSize, dataBytes, metadataBytes }: RawWork): number {
  const db = new Database(file);
  db.pragma('synchronous = FULL');
  db.pragma('cache_size = -65536');
  db.pragma('wal_autocheckpoint = 8192');
  const begin = db.prepare('BEGIN IMMEDIATE');
  const commit = db.prepare('COMMIT');
  const insert = db.prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
  const head = db.prepare('SELECT coalesce(max(position), 0) FROM events').pluck().get() as number;
  const createStream = db.prepare('INSERT INTO streams (name) VALUES (?)');
  const streams = Array.from({ length: groupSize }, (_, index) =>
    Number(createStream.run(`raw-${head}-${index}`).lastInsertRowid),
  );
  const data = Buffer.alloc(dataBytes, 'd');
  const metadata = Buffer.alloc(metadataBytes, 'm');
  let begun = performance.now();
  let written = 0;
  for (let group = 0; group < groups; group += 1) {
    if (group === warmingGroups) begun = performance.now();
    begin.run();
    for (const stream of streams) {
      const id = ids[written];
      written += 1;
      insert.run(
        head + written,
        stream,
        group,
        id,
        'WorkspaceStarted',
        1_700_000_000_000,
        4_000_000_000,
        data,
        metadata,
      );
    }
    commit.run();
  }
  const seconds = (performance.now() - begun) / 1000;
  db.close();
  return ((groups - warmingGroups) * groupSize) / seconds;
}

function fsyncControl({ file, groupSize, dataBytes, metadataBytes }: RawWork): number {
  const rounds = 100;
  const descriptor = openSync(`${file}.fsync`, 'w');
  const bytes = Buffer.alloc(groupSize * (dataBytes + metadataBytes), 'f');
  const begun = performance.now();
  for (let round = 0; round < rounds; round += 1) {
    writeSync(descriptor, bytes);
    fdatasyncSync(descriptor);
  }
  const fsyncMs = (performance.now() - begun) / rounds;
  closeSync(descriptor);
  return fsyncMs;
}

parentPort?.on('message', (work: RawWork) => {
  const result: RawResult = { eventsPerSecond: appendGroups(work), fsyncMs: fsyncControl(work) };
  parentPort?.postMessage(result, []);
});
