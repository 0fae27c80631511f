/**
 * Every invariant of a log's file, looked at in one snapshot of it while the service goes on:
 *
 *  1. SQLite's own: pages, tables, indexes (`integrity_check`).
 *  2. Positions are 1, 2, 3, … without a gap.
 *  3. Every event is as its checksum says, and its id, type, time and content type are such as the store takes.
 *  4. Every event is of a stream that is there. The revisions of a stream are 0, 1, 2, … in the order of positions; a tombstone is last.
 *  5. No stream has one id twice.
 *  6. What a metadata stream says is JSON.
 *
 * Three walks, each in the order of one index, hold one event at a time: memory does not grow with the log. What cannot be read any
 * more is named from the other indexes, where those still know it.
 */
import { StoreUnavailable } from '../../errors.js';
import { METADATA_TYPE, TOMBSTONE_REVISION, TOMBSTONE_TYPE } from '../../log.js';
import { codeOf } from '../format.js';
import { nextTurn } from '../../turn.js';
import { isAsStored, isShaped, type LogFile, openLogFile, type StoredRow, told } from './log-file.js';

export type Fault =
  | 'pages'
  | 'unreadable'
  | 'missing'
  | 'checksum'
  | 'id'
  | 'type'
  | 'time'
  | 'content-type'
  | 'no-stream'
  | 'revision'
  | 'order'
  | 'repeated-id'
  | 'tombstone'
  | 'metadata';

export interface Finding {
  readonly fault: Fault;
  /** The event, where the finding is of one, and as far as it can be known. */
  readonly stream?: string;
  readonly revision?: number;
  readonly position?: number;
  readonly detail: string;
}

export interface Verification {
  /** 0 where nobody can tell. */
  readonly format: number;
  readonly events: number;
  readonly streams: number;
  readonly head: number;
  /** Streams that have a name and no event: an append that repeated an id within itself leaves one. They do no harm. */
  readonly emptyStreams: number;
  /** How many findings of each fault there are; empty when the file is as it should be. */
  readonly counts: { readonly [fault in Fault]?: number };
  /** The first of each fault. */
  readonly findings: readonly Finding[];
}

export type Walk = 'pages' | 'events' | 'revisions' | 'ids';

export interface VerifyOptions {
  /** The present, in milliseconds since the epoch: no event can be much later. */
  readonly now: number;
  /** How many findings of each fault are kept; all are counted. */
  readonly mostOfEach?: number;
  /** Called now and then. @param of 0 where nobody knows how much there is */
  readonly onProgress?: (walk: Walk, done: number, of: number) => Promise<void> | void;
}

/** A clock may be wrong by so much. */
const CLOCK_ERROR_MS = 24 * 3_600_000;

/** Events between two looks at the rest of the program. */
const STRIDE = 1024;

/** Damaged places that are remembered in order to be named, and tries to step over damage before the walk is given up. */
const MOST_LOST = 10_000;

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const LONGEST_TYPE = 1024;

/** @throws UnknownStoreFormat, StoreUnavailable when the file cannot be opened at all */
export async function verifyLogFile(path: string, options: VerifyOptions): Promise<Verification> {
  let log: LogFile;
  try {
    log = openLogFile(path);
  } catch (error) {
    return unopenable(error);
  }
  try {
    return await new Verifier(log, options).verify();
  } finally {
    log.db.close();
  }
}

/** A file whose tables cannot even be found is ours, and damaged. @throws what is no damage */
function unopenable(error: unknown): Verification {
  const cause = error instanceof StoreUnavailable ? error.cause : error;
  if (!isDamage(cause)) throw error;
  const finding: Finding = { fault: 'pages', detail: cause instanceof Error ? cause.message : String(cause) };
  const nothing = { format: 0, events: 0, streams: 0, head: 0, emptyStreams: 0 };
  return { ...nothing, counts: { pages: 1 }, findings: [finding] };
}

class Verifier {
  readonly #log: LogFile;
  readonly #options: VerifyOptions;
  readonly #findings: Finding[] = [];
  readonly #counts: { [fault in Fault]?: number } = {};
  /** Positions whose events could not be read, until they are named. */
  readonly #lost = new Set<number>();

  constructor(log: LogFile, options: VerifyOptions) {
    this.#log = log;
    this.#options = options;
  }

  async verify(): Promise<Verification> {
    const { db, path, format } = this.#log;
    // The snapshot begins with the first read in it.
    told(path, () => db.exec('BEGIN'));
    const head = this.#count('SELECT coalesce(max(position), 0) FROM events');
    await this.#progress('pages', 0, 0);
    this.#walkPages();
    const events = await this.#walkEvents(head);
    await this.#walkRevisions(events);
    await this.#walkIds(events);
    this.#nameLost();
    const streams = this.#count('SELECT count(*) FROM streams');
    const emptyStreams = this.#count(
      'SELECT count(*) FROM streams WHERE NOT EXISTS (SELECT 1 FROM events WHERE stream = streams.id)',
    );
    return { format, events, streams, head, emptyStreams, counts: this.#counts, findings: this.#findings };
  }

  #walkPages(): void {
    try {
      const answers = this.#log.db.prepare<[], string>('PRAGMA integrity_check').pluck().all();
      for (const answer of answers) if (answer !== 'ok') this.#find({ fault: 'pages', detail: answer });
    } catch (error) {
      this.#findDamage(error, 'the pages of the file');
    }
  }

  async #walkEvents(head: number): Promise<number> {
    let events = 0;
    let position = 0;
    for (let tries = 0; tries <= MOST_LOST; tries += 1) {
      try {
        for (const row of this.#log.after.iterate(position)) {
          this.#lose(position + 1, row.position - 1, 'missing');
          this.#judge(row);
          position = row.position;
          events += 1;
          if (events % STRIDE === 0) await this.#progress('events', position, head);
        }
        this.#lose(position + 1, head, 'missing');
        return events;
      } catch (error) {
        if (!isDamage(error)) throw error;
        position += 1;
        this.#lose(position, position, 'unreadable');
      }
    }
    this.#find({ fault: 'pages', position, detail: `what follows position ${position} cannot be read` });
    return events;
  }

  #judge(row: StoredRow): void {
    const { stream, revision, position, id, type, created, binary } = row;
    const event = { stream: nameIn(stream), revision, position };
    if (stream === null) {
      this.#find({ ...event, fault: 'no-stream', detail: `is of stream number ${row.streamId}, which is not there` });
    }
    if (!isAsStored(this.#log, row)) this.#find({ ...event, fault: 'checksum', detail: 'is not what was stored' });
    // Nothing more can be asked of a row that is none.
    if (!isShaped(row)) return;
    if (!UUID.test(id))
      this.#find({ ...event, fault: 'id', detail: `has the id ${JSON.stringify(id)}, which is no UUID` });
    if (type === '' || type.length > LONGEST_TYPE) {
      this.#find({ ...event, fault: 'type', detail: `has a type of ${type.length} characters` });
    }
    if (!Number.isSafeInteger(created) || created < 0 || created > this.#options.now + CLOCK_ERROR_MS) {
      this.#find({ ...event, fault: 'time', detail: `was taken at ${created} ms since 1970, which cannot be` });
    }
    if (binary !== 0 && binary !== 1) {
      this.#find({ ...event, fault: 'content-type', detail: `has the content type number ${binary}` });
    }
    if ((revision === TOMBSTONE_REVISION) !== (type === TOMBSTONE_TYPE) && this.#log.format > 1) {
      this.#find({ ...event, fault: 'tombstone', detail: `has type ${type} at revision ${revision}` });
    }
    if (stream?.startsWith('$$') && type === METADATA_TYPE && !isJsonObject(row.data)) {
      this.#find({ ...event, fault: 'metadata', detail: 'is stream metadata, and no JSON object' });
    }
  }

  async #walkRevisions(events: number): Promise<void> {
    let before: { readonly stream: number; readonly revision: number; readonly position: number } | undefined;
    await this.#walkIndex<{ stream: number; revision: number; position: number }>(
      'revisions',
      'SELECT stream, revision, position FROM events INDEXED BY events_by_stream ORDER BY stream, revision',
      events,
      (entry) => {
        const previous = before?.stream === entry.stream ? before : undefined;
        const expected = (previous?.revision ?? -1) + 1;
        before = entry;
        const event = { revision: entry.revision, position: entry.position };
        if (this.#lost.has(entry.position)) this.#nameOne(entry);
        if (entry.revision !== expected && entry.revision !== TOMBSTONE_REVISION) {
          const detail = `comes where event ${expected} should be`;
          this.#find({ ...event, fault: 'revision', stream: this.#nameOf(entry.stream), detail });
        }
        if (previous && entry.position <= previous.position) {
          const detail = `lies at position ${entry.position}, before event ${previous.revision} at ${previous.position}`;
          this.#find({ ...event, fault: 'order', stream: this.#nameOf(entry.stream), detail });
        }
      },
    );
  }

  async #walkIds(events: number): Promise<void> {
    let before: { readonly id: string; readonly stream: number } | undefined;
    await this.#walkIndex<{ id: string; stream: number; position: number }>(
      'ids',
      'SELECT id, stream, position FROM events INDEXED BY events_by_id ORDER BY id, stream',
      events,
      (entry) => {
        if (before?.id === entry.id && before.stream === entry.stream) {
          const detail = `at position ${entry.position} repeats the id ${entry.id}`;
          this.#find({ fault: 'repeated-id', stream: this.#nameOf(entry.stream), position: entry.position, detail });
        }
        before = entry;
      },
    );
  }

  async #walkIndex<Entry>(walk: Walk, sql: string, of: number, look: (entry: Entry) => void): Promise<void> {
    let seen = 0;
    try {
      for (const entry of this.#log.db.prepare<[], Entry>(sql).iterate()) {
        look(entry);
        seen += 1;
        if (seen % (STRIDE * 8) === 0) await this.#progress(walk, seen, of);
      }
    } catch (error) {
      this.#findDamage(error, `the index of ${walk}`);
    }
  }

  /** A damaged position may lie as far off as a number can: all up to it are counted, and those that can be remembered are. */
  #lose(from: number, to: number, fault: 'missing' | 'unreadable'): void {
    if (from > to) return;
    this.#counts[fault] = (this.#counts[fault] ?? 0) + to - from + 1;
    for (let position = from; position <= to && this.#lost.size < MOST_LOST; position += 1) this.#lost.add(position);
  }

  #nameOne({ stream, revision, position }: { stream: number; revision: number; position: number }): void {
    this.#lost.delete(position);
    this.#keep({ fault: 'unreadable', stream: this.#nameOf(stream), revision, position, detail: 'cannot be read' });
  }

  /** Of those that no index knows, the position is all there is. */
  #nameLost(): void {
    for (const position of this.#lost) this.#keep({ fault: 'missing', position, detail: 'is missing' });
  }

  #nameOf(stream: number): string {
    try {
      return nameIn(this.#log.db.prepare<[number]>('SELECT name FROM streams WHERE id = ?').pluck().get(stream));
    } catch {
      return '?';
    }
  }

  #find(finding: Finding): void {
    this.#counts[finding.fault] = (this.#counts[finding.fault] ?? 0) + 1;
    this.#keep(finding);
  }

  #keep(finding: Finding): void {
    const { mostOfEach = 20 } = this.#options;
    const kept = this.#findings.reduce((sum, { fault }) => sum + (fault === finding.fault ? 1 : 0), 0);
    if (kept < mostOfEach) this.#findings.push(finding);
  }

  /** @throws what is no damage of the file */
  #findDamage(error: unknown, where: string): void {
    if (!isDamage(error)) throw error;
    this.#find({
      fault: 'pages',
      detail: `${where} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    });
  }

  #count(sql: string): number {
    try {
      return this.#log.db.prepare<[], number>(sql).pluck().get() ?? 0;
    } catch (error) {
      this.#findDamage(error, 'what is counted');
      return 0;
    }
  }

  async #progress(walk: Walk, done: number, of: number): Promise<void> {
    await this.#options.onProgress?.(walk, done, of);
    await nextTurn();
  }
}

/** An SQL error is one too: the statements are right, so it is the tables that are not. */
function isDamage(error: unknown): boolean {
  return /^SQLITE_(CORRUPT|NOTADB|IOERR|ERROR)/.test(codeOf(error));
}

/** A damaged name may have become anything. */
function nameIn(name: unknown): string {
  return typeof name === 'string' ? name : '?';
}

function isJsonObject(data: Uint8Array): boolean {
  try {
    const value: unknown = JSON.parse(Buffer.from(data).toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
