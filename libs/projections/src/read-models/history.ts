/**
 * The history index in SQLite. What a batch brought of one stream lies in one row, since a row of its own for each event would
 * cost more than everything else in a replay; queries see events, not rows.
 */
import type { KnownEvent } from '../decode.js';
import type { HistoryRow } from '../folds/history.js';
import type { Db, ReadModel, View } from '../view.js';
import { RowBuffer } from './row-buffer.js';

/** Events that follow each other in a stream, by their positions in the log. */
interface Run {
  /** Revision of the first. */
  readonly first: number;
  readonly positions: number[];
}

interface Stored {
  readonly firstRevision: number;
  readonly positions: string;
}

/** Bounds what is read in vain where a page of the history ends. */
const EVENTS_PER_ROW = 64;

const columns = ['stream', 'firstRevision', 'lastRevision', 'positions'] as const;

export const historyView: View<History> = {
  tables: `
    CREATE TABLE history (
      stream TEXT NOT NULL,
      firstRevision INTEGER NOT NULL,
      lastRevision INTEGER NOT NULL,
      positions TEXT NOT NULL
    ) STRICT;`,
  indexes: 'CREATE UNIQUE INDEX IF NOT EXISTS history_by_stream ON history (stream, lastRevision);',
  canonical: `
    SELECT stream, firstRevision + event.key AS revision, event.value AS position
    FROM history, json_each(positions) AS event
    ORDER BY stream, revision`,
  json: [],
  open: (db) => new History(db),
};

export class History implements ReadModel {
  readonly #rows: RowBuffer;
  readonly #runs = new Map<string, Run>();
  readonly #after;

  constructor(db: Db) {
    this.#rows = new RowBuffer(db, 'INSERT INTO history', columns);
    this.#after = db.prepare<[string, number], Stored>(
      'SELECT firstRevision, positions FROM history WHERE stream = ? AND lastRevision > ? ORDER BY lastRevision',
    );
  }

  fold({ stream, revision, position }: KnownEvent): void {
    const run = this.#runs.get(stream);
    if (run === undefined) {
      this.#runs.set(stream, { first: revision, positions: [position] });
    } else {
      run.positions.push(position);
      if (run.positions.length === EVENTS_PER_ROW) this.#endRow(stream, run);
    }
  }

  write(): void {
    for (const [stream, run] of this.#runs) this.#endRow(stream, run);
    this.#rows.write();
  }

  forget(): void {
    this.#runs.clear();
    this.#rows.forget();
  }

  /** The stream's events after the revision, in order. */
  after(stream: string, after: number, limit: number): HistoryRow[] {
    const found: HistoryRow[] = [];
    for (const { firstRevision, positions } of this.#after.iterate(stream, after)) {
      for (const [index, position] of (JSON.parse(positions) as number[]).entries()) {
        const revision = firstRevision + index;
        if (revision <= after) continue;
        if (found.length >= limit) return found;
        found.push({ stream, revision, position });
      }
    }
    return found;
  }

  #endRow(stream: string, { first, positions }: Run): void {
    this.#rows.add(stream, first, first + positions.length - 1, JSON.stringify(positions));
    this.#runs.delete(stream);
  }
}
