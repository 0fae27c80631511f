/** A log as the programs of format 1 left it: no content type, and checksums without the position. */
import { crc32 } from 'node:zlib';
import type { RecordedEvent } from '@vw/event-store';
import Database from 'better-sqlite3';

export type Format1Event = Pick<RecordedEvent, 'stream' | 'revision' | 'id' | 'type' | 'created' | 'data' | 'metadata'>;

/** Writes the events at positions 1, 2, 3, … of a new file. @param damaged the position of one whose checksum is made wrong */
export function writeFormat1(file: string, events: readonly Format1Event[], damaged?: number): void {
  const db = new Database(file);
  db.pragma('journal_mode = WAL');
  db.exec(`
    CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE events (
      position INTEGER PRIMARY KEY, stream INTEGER NOT NULL REFERENCES streams (id), revision INTEGER NOT NULL,
      id TEXT NOT NULL, type TEXT NOT NULL, created INTEGER NOT NULL, checksum INTEGER NOT NULL,
      data BLOB NOT NULL, metadata BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX events_by_stream ON events (stream, revision);
    CREATE UNIQUE INDEX events_by_id ON events (id, stream);
    PRAGMA application_id = 0x7677656c;
    PRAGMA user_version = 1;
  `);
  const addStream = db.prepare('INSERT INTO streams (name) VALUES (?) ON CONFLICT DO NOTHING');
  const addEvent = db.prepare(
    'INSERT INTO events VALUES (?, (SELECT id FROM streams WHERE name = ?), ?, ?, ?, ?, ?, ?, ?)',
  );
  db.transaction(() => {
    for (const [index, { stream, revision, id, type, created, data, metadata }] of events.entries()) {
      const position = index + 1;
      const head = [stream, revision, created, id, type, data.length].join('\u0000');
      const checksum = crc32(metadata, crc32(data, crc32(head)));
      const stored = position === damaged ? checksum ^ 1 : checksum;
      addStream.run(stream);
      addEvent.run(position, stream, revision, id, type, created, stored, data, metadata);
    }
  })();
  db.close();
}
