/**
 * The history index in SQLite. What a batch brought of one stream lies in one row, as JSON, since a row of its own for each event
 * would cost more than everything else in a replay; queries see events, not rows.
 */
import type { KnownEvent } from '../decode.js';
import { historyRow, type HistoryRow } from '../folds/history.js';
import type { Db, ReadModel, View } from '../view.js';
import { RowBuffer } from './row-buffer.js';

/** An event's line without its stream, in this order. */
type Entry = [
  revision: HistoryRow['revision'],
  position: HistoryRow['position'],
  eventId: HistoryRow['eventId'],
  type: HistoryRow['type'],
  recordedAt: HistoryRow['recordedAt'],
  observedAt: HistoryRow['observedAt'],
  actor: HistoryRow['actor'],
  commandId: HistoryRow['commandId'],
];

/** Bounds what is read in vain where a page of the history ends. */
const ENTRIES_PER_ROW = 64;

export const historyView: View<History> = {
  tables: `
    CREATE TABLE history (
      stream TEXT NOT NULL,
      lastRevision INTEGER NOT NULL,
      entries TEXT NOT NULL
    ) STRICT;`,
  indexes: 'CREATE UNIQUE INDEX IF NOT EXISTS history_by_stream ON history (stream, lastRevision);',
  canonical: `
    SELECT stream, entry.value AS entry FROM history, json_each(entries) AS entry
    ORDER BY stream, lastRevision, entry.key`,
  json: ['entry'],
  open: (db) => new History(db),
};

export class History implements ReadModel {
  readonly #rows: RowBuffer;
  readonly #entries = new Map<string, Entry[]>();
  readonly #after;

  constructor(db: Db) {
    this.#rows = new RowBuffer(db, 'INSERT INTO history', ['stream', 'lastRevision', 'entries']);
    this.#after = db
      .prepare<[string, number], string>(
        'SELECT entries FROM history WHERE stream = ? AND lastRevision > ? ORDER BY lastRevision',
      )
      .pluck();
  }

  fold(event: KnownEvent): void {
    const { stream, revision, position, eventId, type, recordedAt, observedAt, actor, commandId } = historyRow(event);
    const entry: Entry = [revision, position, eventId, type, recordedAt, observedAt, actor, commandId];
    const entries = this.#entries.get(stream);
    if (entries === undefined) {
      this.#entries.set(stream, [entry]);
    } else {
      entries.push(entry);
      if (entries.length === ENTRIES_PER_ROW) this.#endRow(stream, entries);
    }
  }

  write(): void {
    for (const [stream, entries] of this.#entries) this.#endRow(stream, entries);
    this.#rows.write();
  }

  forget(): void {
    this.#entries.clear();
    this.#rows.forget();
  }

  /** The stream's events after the revision, in order. */
  after(stream: string, after: number, limit: number): HistoryRow[] {
    const found: HistoryRow[] = [];
    for (const entries of this.#after.iterate(stream, after)) {
      for (const [revision, position, eventId, type, recordedAt, observedAt, actor, commandId] of JSON.parse(
        entries,
      ) as Entry[]) {
        if (revision <= after) continue;
        if (found.length >= limit) return found;
        found.push({ position, stream, revision, eventId, type, recordedAt, observedAt, actor, commandId });
      }
    }
    return found;
  }

  #endRow(stream: string, entries: Entry[]): void {
    this.#rows.add(stream, entries.at(-1)?.[0] ?? 0, JSON.stringify(entries));
    this.#entries.delete(stream);
  }
}
