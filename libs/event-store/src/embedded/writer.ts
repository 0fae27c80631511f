/**
 * The writer's thread: the one place that changes the file, so that no fsync ever stalls the event loop of the ledger.
 *
 *  1. One writer. A sidecar database, `<file>.lock`, is held under SQLite's exclusive lock as long as this thread lives. The
 *     lock is the operating system's: it ends with the process however that ends, and the file left behind means nothing.
 *  2. Group commit. Everything that waits when a transaction begins shares it and its fsync; each append in it is still
 *     decided alone. Answers leave only after COMMIT, in the order the appends came.
 *  3. Positions and revisions are given inside the transaction, and what this thread remembers of them is forgotten with it.
 *
 * Node loads this file as it stands, from the sources or from `dist/`: import nothing of ours but types, and write only
 * TypeScript that can be erased.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';

export interface WriterData {
  readonly file: string;
}

export interface PackedEvent {
  readonly id: string;
  readonly type: string;
  readonly checksum: number;
  readonly dataBytes: number;
  readonly metadataBytes: number;
}

/** Revisions are numbers here: NO_STREAM stands for the stream without events, so expected + 1 is always the next one. */
export interface PackedAppend {
  readonly stream: string;
  readonly expected: number;
  readonly created: number;
  readonly events: readonly PackedEvent[];
}

/**
 * `appends` is the JSON of PackedAppend[]: V8 writes and parses it in a fraction of the time it takes to clone the objects.
 * `bytes` holds data and metadata of every event, one after the other, in the order of the appends.
 */
export interface PackedBatch {
  readonly kind: 'append';
  readonly count: number;
  readonly appends: string;
  readonly bytes: Uint8Array;
}

export type ToWriter = PackedBatch | { readonly kind: 'close' };

export interface Failure {
  readonly code: string;
  readonly message: string;
}

export type FromWriter =
  | { readonly kind: 'opened'; readonly head: number }
  | { readonly kind: 'refused'; readonly because: 'in-use' | 'format' | 'unavailable'; readonly failure: Failure }
  /** Two numbers for each append: position and revision of its last event, or 0 and the actual revision it did not expect. */
  | { readonly kind: 'settled'; readonly answers: Float64Array; readonly head: number }
  | { readonly kind: 'failed'; readonly count: number; readonly failure: Failure };

const NO_STREAM = -1;

/** Stands where a position would: the one before every event. */
const WRONG = 0;

interface Answer {
  readonly position: number;
  readonly revision: number;
}

interface Stream {
  id: number | undefined;
  head: number;
}

/** 'vwel', big-endian: what `file(1)` and this program know the store by. */
const APPLICATION_ID = 0x7677656c;
const FORMAT = 1;

/** How long to wait for somebody who writes to the file without our lock, such as a person with a shell. */
const INTRUDER_PATIENCE_MS = 1000;

/** A transaction takes no more than this, so that one commit stays short however much waits. */
const TRANSACTION_BYTES = 8 * 1024 * 1024;

/** Streams whose head is remembered; beyond it the memory starts anew. */
const REMEMBERED_STREAMS = 100_000;

/** The ids come first in their index: version 7 ids are close in time, so a group commit touches few of its pages. */
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
    metadata BLOB    NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX events_by_stream ON events (stream, revision);
  CREATE UNIQUE INDEX events_by_id ON events (id, stream);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT};
`;

class Refused extends Error {
  readonly because: 'in-use' | 'format' | 'unavailable';

  constructor(because: 'in-use' | 'format' | 'unavailable', message: string, options?: ErrorOptions) {
    super(message, options);
    this.because = because;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function failureOf(error: unknown): Failure {
  return { code: codeOf(error), message: error instanceof Error ? error.message : String(error) };
}

function lock(file: string): Database.Database {
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

/** Looks before it touches: a file that is not ours is left exactly as it was. */
function openLog(file: string): Database.Database {
  const db = new Database(file, { timeout: INTRUDER_PATIENCE_MS });
  try {
    const tables = db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() as number;
    const application = db.pragma('application_id', { simple: true }) as number;
    const format = db.pragma('user_version', { simple: true }) as number;
    const fresh = tables === 0 && application === 0 && format === 0;
    if (!fresh && application !== APPLICATION_ID) throw new Refused('format', 'it is not an event store');
    if (format > FORMAT)
      throw new Refused('format', `it has format ${format}, this program knows formats up to ${FORMAT}`);
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.pragma('cache_size = -65536');
    db.pragma('wal_autocheckpoint = 8192');
    db.pragma('journal_size_limit = 67108864');
    if (fresh) db.transaction(() => db.exec(SCHEMA)).immediate();
    return db;
  } catch (error) {
    db.close();
    if (codeOf(error) === 'SQLITE_NOTADB') throw new Refused('format', 'it is not an event store', { cause: error });
    throw error;
  }
}

function sizeOf(group: readonly PackedBatch[]): number {
  return group.reduce((sum, { count }) => sum + count, 0);
}

class Writer {
  readonly #db: Database.Database;
  readonly #statements;
  /** Head revision by stream, as of the transaction under way. */
  readonly #streams = new Map<string, Stream>();
  #head: number;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#statements = {
      begin: db.prepare('BEGIN IMMEDIATE'),
      commit: db.prepare('COMMIT'),
      rollback: db.prepare('ROLLBACK'),
      stream: db.prepare<[string], { id: number; head: number }>(
        `SELECT id, coalesce((SELECT max(revision) FROM events WHERE stream = streams.id), ${NO_STREAM}) AS head
         FROM streams WHERE name = ?`,
      ),
      createStream: db.prepare<[string]>('INSERT INTO streams (name) VALUES (?)'),
      insert: db.prepare(
        `INSERT INTO events (position, stream, revision, id, type, created, checksum, data, metadata)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ),
      takeBackAfter: db.prepare<[number]>('DELETE FROM events WHERE position > ?'),
      at: db.prepare<[number, number], { id: string; position: number }>(
        'SELECT id, position FROM events WHERE stream = ? AND revision = ?',
      ),
    };
    this.#head = db.prepare('SELECT coalesce(max(position), 0) FROM events').pluck().get() as number;
  }

  get head(): number {
    return this.#head;
  }

  /** One transaction for all of it. What is thrown was thrown for all of it: nothing of the group is in the log. */
  commit(group: readonly PackedBatch[]): Float64Array {
    const headBefore = this.#head;
    try {
      this.#statements.begin.run();
      const answers = new Float64Array(2 * sizeOf(group));
      let answered = 0;
      for (const { appends, bytes } of group) {
        let offset = 0;
        for (const append of JSON.parse(appends) as PackedAppend[]) {
          const { position, revision } = this.#decide(append, bytes, offset);
          answers[answered++] = position;
          answers[answered++] = revision;
          for (const event of append.events) offset += event.dataBytes + event.metadataBytes;
        }
      }
      this.#statements.commit.run();
      return answers;
    } catch (error) {
      this.#head = headBefore;
      this.#streams.clear();
      // On a full disk or a failed write SQLite may have rolled back by itself.
      if (this.#db.inTransaction) this.#statements.rollback.run();
      throw error;
    }
  }

  #decide(append: PackedAppend, bytes: Uint8Array, offset: number): Answer {
    const stream = this.#streamNamed(append.stream);
    if (append.expected === stream.head) return this.#insert(stream, append, bytes, offset);
    return this.#answerAgain(stream, append) ?? { position: WRONG, revision: stream.head };
  }

  #insert(stream: Stream, append: PackedAppend, bytes: Uint8Array, start: number): Answer {
    stream.id ??= Number(this.#statements.createStream.run(append.stream).lastInsertRowid);
    let position = this.#head;
    let revision = stream.head;
    let offset = start;
    try {
      for (const { id, type, checksum, dataBytes, metadataBytes } of append.events) {
        const metadataAt = offset + dataBytes;
        const data = bytes.subarray(offset, metadataAt);
        offset = metadataAt + metadataBytes;
        const metadata = bytes.subarray(metadataAt, offset);
        this.#statements.insert.run(
          ++position,
          stream.id,
          ++revision,
          id,
          type,
          append.created,
          checksum,
          data,
          metadata,
        );
      }
    } catch (error) {
      if (codeOf(error) !== 'SQLITE_CONSTRAINT_UNIQUE') throw error;
      // An id the stream already has, elsewhere than where a repeated append would have it.
      this.#statements.takeBackAfter.run(this.#head);
      return { position: WRONG, revision: stream.head };
    }
    this.#head = position;
    stream.head = revision;
    return { position, revision };
  }

  /** The first answer, when these very ids are what follows the expected revision; otherwise nothing. */
  #answerAgain(stream: Stream, append: PackedAppend): Answer | undefined {
    const revision = append.expected + append.events.length;
    if (stream.id === undefined || revision > stream.head) return undefined;
    let position = 0;
    for (const [index, event] of append.events.entries()) {
      const stored = this.#statements.at.get(stream.id, append.expected + 1 + index);
      if (stored?.id !== event.id) return undefined;
      position = stored.position;
    }
    return { position, revision };
  }

  #streamNamed(name: string): Stream {
    let stream = this.#streams.get(name);
    if (!stream) {
      if (this.#streams.size >= REMEMBERED_STREAMS) this.#streams.clear();
      stream = this.#statements.stream.get(name) ?? { id: undefined, head: NO_STREAM };
      this.#streams.set(name, stream);
    }
    return stream;
  }
}

function serve(): void {
  const port = parentPort;
  if (!port) throw new Error('the writer of an event store is a thread, not a program');
  const tell = (message: FromWriter): void => port.postMessage(message);
  const { file } = workerData as WriterData;

  let sidecar: Database.Database | undefined;
  let db: Database.Database;
  try {
    sidecar = lock(file);
    db = openLog(file);
  } catch (error) {
    sidecar?.close();
    tell({
      kind: 'refused',
      because: error instanceof Refused ? error.because : 'unavailable',
      failure: failureOf(error),
    });
    port.close();
    return;
  }

  const held = sidecar;
  const writer = new Writer(db);

  const commit = (group: readonly PackedBatch[]): void => {
    try {
      const answers = writer.commit(group);
      tell({ kind: 'settled', answers, head: writer.head });
    } catch (error) {
      tell({ kind: 'failed', count: sizeOf(group), failure: failureOf(error) });
    }
  };

  const close = (): void => {
    db.close();
    // Last, so that whoever opens next finds a file that nobody else touches.
    held.close();
    port.close();
  };

  port.on('message', (first: ToWriter) => {
    let message: ToWriter | undefined = first;
    while (message) {
      const group: PackedBatch[] = [];
      let bytes = 0;
      while (message?.kind === 'append' && bytes < TRANSACTION_BYTES) {
        group.push(message);
        bytes += message.bytes.length;
        message = receiveMessageOnPort(port)?.message as ToWriter | undefined;
      }
      if (group.length > 0) commit(group);
      if (message?.kind === 'close') return close();
    }
  });
  tell({ kind: 'opened', head: writer.head });
}

serve();
