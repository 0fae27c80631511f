/** What can be known of a log's file at a glance: a few figures, none of which takes a walk through every event. */
import type { Position } from '../../port.js';
import { isAsStored, openLogFile, sizesOf, told } from './log-file.js';

export interface LogFileDescription {
  readonly bytes: number;
  /** Of the write-ahead log beside it: what was written last and is not folded into the file yet. */
  readonly walBytes: number;
  readonly format: number;
  readonly pageBytes: number;
  readonly pages: number;
  /** Pages of the file that hold nothing. */
  readonly freePages: number;
  readonly events: number;
  readonly streams: number;
  readonly head: Position;
  /** When the first and the last event were taken; milliseconds since the epoch. */
  readonly firstCreated: number | undefined;
  readonly lastCreated: number | undefined;
  /** As many events as positions, and the first and the last are as they were stored. `verifyLogFile` looks at all of them. */
  readonly plausible: boolean;
}

/** @throws UnknownStoreFormat, StoreUnavailable */
export function describeLogFile(path: string): LogFileDescription {
  const log = openLogFile(path);
  const { db, format, after } = log;
  try {
    return told(path, () =>
      db.transaction(() => {
        const count = (sql: string): number => db.prepare<[], number>(sql).pluck().get() ?? 0;
        const pragma = (name: string): number => db.pragma(name, { simple: true }) as number;
        const events = count('SELECT count(*) FROM events');
        const head = count('SELECT coalesce(max(position), 0) FROM events');
        const first = after.get(0);
        const last = after.get(head - 1);
        const whole = [first, last].every((row) => row === undefined || isAsStored(log, row));
        return {
          ...sizesOf(path),
          format,
          pageBytes: pragma('page_size'),
          pages: pragma('page_count'),
          freePages: pragma('freelist_count'),
          events,
          streams: count('SELECT count(*) FROM streams'),
          head: head as Position,
          firstCreated: first?.created,
          lastCreated: last?.created,
          plausible: whole && events === head,
        };
      })(),
    );
  } finally {
    db.close();
  }
}
