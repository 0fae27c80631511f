/**
 * The writer's thread: the one place that changes the file, so that no fsync ever stalls the event loop of the ledger.
 *
 *  1. One writer. A sidecar database, `<file>.lock`, is held under SQLite's exclusive lock as long as this thread lives. The
 *     lock is the operating system's: it ends with the process however that ends, and the file left behind means nothing.
 *  2. Group commit. Everything that waits when a transaction begins, or comes while it is written, shares it and its fsync; each
 *     append in it is still decided alone. Answers leave only after COMMIT, in the order the appends came.
 *  3. Positions and revisions are given inside the transaction, and what this thread remembers of them is forgotten with it.
 *
 * Node loads this file as it stands, from the sources or from `dist/`: import nothing of ours but types, and write only
 * TypeScript that can be erased.
 */
import type { MessagePort } from 'node:worker_threads';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';

export interface WriterData {
  readonly file: string;
  /** Shared; counted up and notified after every message, so that the thread can sleep without an event loop. */
  readonly bell: Int32Array<SharedArrayBuffer>;
}

/**
 * Appends on their way to this thread, as few large values: V8 clones many small objects several times slower. In the order
 * of reading, an append is the word `stream`, the numbers `expected`, `created` and how many events; each of its events is the
 * words `id` and `type`, the numbers `checksum`, length of data and length of metadata, and those bytes. An expected
 * NO_STREAM is -1 here, so that expected + 1 is always the revision that comes next.
 */
export interface PackedBatch {
  readonly kind: 'append';
  /** How many appends. */
  readonly count: number;
  readonly words: readonly string[];
  readonly numbers: Float64Array;
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

interface Append {
  readonly stream: string;
  readonly expected: number;
  readonly created: number;
  readonly events: readonly AppendedEvent[];
}

interface AppendedEvent {
  readonly id: string;
  readonly type: string;
  readonly checksum: number;
  readonly data: Uint8Array;
  readonly metadata: Uint8Array;
}

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

/**
 * Clients that were answered together are likely to come again together. A transaction that has fewer appends than the one
 * before waits so long for the rest: less than the fsync that a second transaction would cost them all.
 */
const STRAGGLERS_MS = 0.2;

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

function unpack({ count, words, numbers, bytes }: PackedBatch): Append[] {
  let word = 0;
  let number = 0;
  let byte = 0;
  const nextWord = (): string => words[word++] ?? '';
  const nextNumber = (): number => numbers[number++] ?? 0;
  const nextBytes = (length: number): Uint8Array => bytes.subarray(byte, (byte += length));
  const nextEvent = (): AppendedEvent => {
    const checksum = nextNumber();
    const dataBytes = nextNumber();
    const metadataBytes = nextNumber();
    return {
      id: nextWord(),
      type: nextWord(),
      checksum,
      data: nextBytes(dataBytes),
      metadata: nextBytes(metadataBytes),
    };
  };
  const appends: Append[] = [];
  while (appends.length < count) {
    const stream = nextWord();
    const expected = nextNumber();
    const created = nextNumber();
    const events: AppendedEvent[] = [];
    for (let left = nextNumber(); left > 0; left -= 1) events.push(nextEvent());
    appends.push({ stream, expected, created, events });
  }
  return appends;
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

  /**
   * One transaction for the whole group, taken batch by batch while it goes on. What is thrown was thrown for all of it:
   * nothing of the group is in the log.
   */
  commit(group: Iterable<PackedBatch>): Float64Array {
    const headBefore = this.#head;
    try {
      this.#statements.begin.run();
      const answers: number[] = [];
      for (const batch of group) {
        for (const append of unpack(batch)) {
          const { position, revision } = this.#decide(append);
          answers.push(position, revision);
        }
      }
      this.#statements.commit.run();
      return Float64Array.from(answers);
    } catch (error) {
      this.#head = headBefore;
      this.#streams.clear();
      // On a full disk or a failed write SQLite may have rolled back by itself.
      if (this.#db.inTransaction) this.#statements.rollback.run();
      throw error;
    }
  }

  #decide(append: Append): Answer {
    const stream = this.#streamNamed(append.stream);
    if (append.expected === stream.head) return this.#insert(stream, append);
    return this.#answerAgain(stream, append) ?? { position: WRONG, revision: stream.head };
  }

  #insert(stream: Stream, append: Append): Answer {
    stream.id ??= Number(this.#statements.createStream.run(append.stream).lastInsertRowid);
    let position = this.#head;
    let revision = stream.head;
    try {
      for (const { id, type, checksum, data, metadata } of append.events) {
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
  #answerAgain(stream: Stream, append: Append): Answer | undefined {
    if (stream.id === undefined) return undefined;
    let position = 0;
    for (const [index, event] of append.events.entries()) {
      const stored = this.#statements.at.get(stream.id, append.expected + 1 + index);
      if (stored?.id !== event.id) return undefined;
      position = stored.position;
    }
    return { position, revision: append.expected + append.events.length };
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

/** What was sent to this thread. It sleeps on the bell, for a futex wakes it sooner than its event loop would. */
class Inbox {
  readonly #port: MessagePort;
  readonly #bell: Int32Array<SharedArrayBuffer>;
  /** A message that was looked at and left. */
  #left: ToWriter | undefined;

  constructor(port: MessagePort, bell: Int32Array<SharedArrayBuffer>) {
    this.#port = port;
    this.#bell = bell;
  }

  /** The next message; sleeps until there is one. */
  next(): ToWriter {
    for (;;) {
      // Read before looking, so that a message that comes after the look keeps the thread awake.
      const rung = Atomics.load(this.#bell, 0);
      const message = this.#take();
      if (message) return message;
      Atomics.wait(this.#bell, 0, rung);
    }
  }

  /** The next message if it has appends and is there, or comes within the time. */
  nextBatch(withinMs: number): PackedBatch | undefined {
    const rung = Atomics.load(this.#bell, 0);
    let message = this.#take();
    if (!message && withinMs > 0 && Atomics.wait(this.#bell, 0, rung, withinMs) !== 'timed-out') message = this.#take();
    if (message?.kind === 'append') return message;
    this.#left = message;
    return undefined;
  }

  #take(): ToWriter | undefined {
    const message = this.#left ?? (receiveMessageOnPort(this.#port)?.message as ToWriter | undefined);
    this.#left = undefined;
    return message;
  }
}

/** The batches of one transaction: the one that began it, what waits behind that, and what comes while it is written. */
class Group {
  readonly #first: PackedBatch;
  readonly #inbox: Inbox;
  readonly #expected: number;
  #count: number;

  /** @param expected how many appends the group before had */
  constructor(first: PackedBatch, inbox: Inbox, expected: number) {
    this.#first = first;
    this.#inbox = inbox;
    this.#expected = expected;
    this.#count = first.count;
  }

  /** How many appends it took from the inbox, and so owes an answer. */
  get count(): number {
    return this.#count;
  }

  *[Symbol.iterator](): Generator<PackedBatch, void, undefined> {
    yield this.#first;
    for (let bytes = this.#first.bytes.length; bytes < TRANSACTION_BYTES;) {
      const batch = this.#inbox.nextBatch(this.#count < this.#expected ? STRAGGLERS_MS : 0);
      if (!batch) return;
      this.#count += batch.count;
      bytes += batch.bytes.length;
      yield batch;
    }
  }
}

function serve(): void {
  const port = parentPort;
  if (!port) throw new Error('the writer of an event store is a thread, not a program');
  const tell = (message: FromWriter): void => port.postMessage(message);
  const { file, bell } = workerData as WriterData;

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
    return;
  }

  const held = sidecar;
  const writer = new Writer(db);
  tell({ kind: 'opened', head: writer.head });
  const inbox = new Inbox(port, bell);
  let expected = 0;
  for (let message = inbox.next(); message.kind === 'append'; message = inbox.next()) {
    const group = new Group(message, inbox, expected);
    try {
      const answers = writer.commit(group);
      tell({ kind: 'settled', answers, head: writer.head });
    } catch (error) {
      tell({ kind: 'failed', count: group.count, failure: failureOf(error) });
    }
    expected = group.count;
  }
  db.close();
  // Last, so that whoever opens next finds a file that nobody else touches.
  held.close();
}

serve();
