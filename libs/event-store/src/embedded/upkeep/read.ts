/**
 * The log for those who only read it, beside the service that has it open: nothing is locked, nothing is made, and the reading ends
 * at the head as it is when it gets there.
 */
import { StoreUnavailable } from '../../errors.js';
import type { EventStore, Position, ReadAllOptions, RecordedEvent } from '../../port.js';
import { TOMBSTONE_TYPE } from '../../log.js';
import { nextTurn } from '../../turn.js';
import { inOurWords, isShaped, type LogFile, openLogFile, recordedIn, type StoredRow, told } from './log-file.js';

/** A page is read in one go and holds no transaction open afterwards, so the write-ahead log of the service does not wait for us. */
const PAGE_EVENTS = 512;
const PAGE_BYTES = 1024 * 1024;

/** @throws UnknownStoreFormat, StoreUnavailable */
export function readEmbeddedLog(file: string): Pick<EventStore, 'readAll' | 'head' | 'close'> {
  const log = openLogFile(file);
  const last = log.db.prepare<[], number>('SELECT coalesce(max(position), 0) FROM events').pluck();
  return {
    readAll: (after, options) => readAll(log, after, options),
    head: async () => told(file, () => last.get() ?? 0) as Position,
    close: async () => void log.db.close(),
  };
}

async function* readAll(
  log: LogFile,
  after: Position,
  { limit = Number.POSITIVE_INFINITY, system = false }: ReadAllOptions = {},
): AsyncGenerator<RecordedEvent, void, undefined> {
  let position: number = after;
  let left = limit;
  for (;;) {
    const rows = pageAfter(log, position);
    for (const row of rows) {
      if (row.position !== position + 1) {
        throw new StoreUnavailable(
          `${log.path} has lost the event at position ${position + 1}, though later ones are there`,
        );
      }
      position = row.position;
      const event = recordedIn(log, row);
      if (!system && (event.stream.startsWith('$') || event.type === TOMBSTONE_TYPE)) continue;
      if (left-- <= 0) return;
      yield event;
    }
    if (rows.length === 0) return;
    await nextTurn();
  }
}

function pageAfter({ path, after }: LogFile, position: number): StoredRow[] {
  const rows: StoredRow[] = [];
  let bytes = 0;
  try {
    for (const row of after.iterate(position)) {
      rows.push(row);
      if (isShaped(row)) bytes += row.data.length + row.metadata.length;
      if (rows.length >= PAGE_EVENTS || bytes >= PAGE_BYTES) break;
    }
  } catch (cause) {
    // What lies before the damage is told first.
    if (rows.length === 0) throw inOurWords(path, cause);
  }
  return rows;
}
