/**
 * The durable subjects' messages, in one SQLite file, until a consumer acknowledges them.
 *
 * - Ids only rise and are never used twice, so a reader that has passed an id has missed nothing before it.
 * - A message leaves by acknowledgement, or as the oldest of a subject that holds too many: a bus is a hint, and whoever published it
 *   will publish it again (PROTOCOL.md, "From intent to outcome" 2 and 5).
 * - `synchronous=NORMAL`: a committed message survives the death of the process, since the operating system holds its pages. A power cut may
 *   take the latest ones, which costs a repeat and no truth; an fsync for each would cost every command its latency.
 * - One process at a time (an exclusive lock): two would hand out everything twice.
 */
import { renameSync, rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import type { Clock, Logger } from '@vw/runtime';

/** How long a message id is remembered: the default `duplicate_window` of a NATS stream. */
const DEDUPLICATION_WINDOW_MS = 120_000;
const MOST_MESSAGES_PER_SUBJECT = 100_000;
/** An overflowing subject is reported at its first loss, then at every so many. */
const LOSSES_PER_WARNING = 1_000;
/** Long enough for a predecessor that is just shutting down. */
const LOCK_WAIT_MS = 2_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    payload TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX IF NOT EXISTS message_by_kind ON message (kind, id);
  CREATE INDEX IF NOT EXISTS message_by_subject ON message (subject, id);
  CREATE TABLE IF NOT EXISTS taken (
    subject TEXT NOT NULL,
    message_id TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (subject, message_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS taken_by_time ON taken (at_ms);
`;

/** What a consumer reads: one subject's messages, or all of a durable kind (`vw.evidence.*`). */
export interface Reach {
  readonly kind: string;
  readonly subject?: string;
}

/** A message on its way to a handler; `attempt` counts this time too, and those before a restart. */
export interface StoredMessage {
  readonly id: number;
  readonly subject: string;
  readonly payload: string;
  readonly attempt: number;
}

export interface NewMessage {
  readonly kind: string;
  readonly subject: string;
  readonly payload: string;
  readonly messageId?: string;
}

export class Backlog {
  readonly #database: Database.Database;
  readonly #held: Map<string, number>;
  readonly #lost = new Map<string, number>();
  readonly #statements: ReturnType<typeof prepare>;

  constructor(
    file: string,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly mostPerSubject = MOST_MESSAGES_PER_SUBJECT,
  ) {
    this.#database = openOrStartAfresh(file, logger);
    this.#statements = prepare(this.#database);
    this.#held = new Map(this.#statements.count.all().map(({ subject, held }) => [subject, held]));
  }

  /** Stores the message, and answers false where its id was taken on this subject within the window. */
  store(message: NewMessage): boolean {
    const taken = this.#database.transaction(() => {
      if (message.messageId !== undefined && !this.#isNew(message.subject, message.messageId)) return false;
      this.#statements.insert.run(message.kind, message.subject, message.payload);
      return true;
    })();
    if (taken) this.#countIn(message.subject);
    return taken;
  }

  /** The first message after an id, counted as handed out once more. */
  takeAfter(reach: Reach, id: number): StoredMessage | undefined {
    const { firstOfKind, firstOfSubject } = this.#statements;
    const next = reach.subject === undefined ? firstOfKind.get(reach.kind, id) : firstOfSubject.get(reach.subject, id);
    return next && this.take(next.id);
  }

  /** That very message, counted as handed out once more; undefined when it has left. */
  take(id: number): StoredMessage | undefined {
    return this.#statements.handOut.get(id);
  }

  remove(id: number): void {
    const left = this.#statements.remove.get(id);
    if (left) this.#held.set(left.subject, (this.#held.get(left.subject) ?? 1) - 1);
  }

  close(): void {
    this.#database.close();
  }

  #isNew(subject: string, messageId: string): boolean {
    const now = this.clock.now();
    this.#statements.forget.run(now - DEDUPLICATION_WINDOW_MS, now);
    return this.#statements.remember.run(subject, messageId, now).changes === 1;
  }

  #countIn(subject: string): void {
    const held = (this.#held.get(subject) ?? 0) + 1;
    this.#held.set(subject, held);
    if (held > this.mostPerSubject) this.#dropOldest(subject);
  }

  #dropOldest(subject: string): void {
    const oldest = this.#statements.firstOfSubject.get(subject, 0);
    if (oldest) this.remove(oldest.id);
    const lost = this.#lost.get(subject) ?? 0;
    this.#lost.set(subject, lost + 1);
    if (lost % LOSSES_PER_WARNING === 0) {
      this.logger.warn(
        { subject, limit: this.mostPerSubject, lost: lost + 1 },
        'nobody takes these messages: the oldest are dropped',
      );
    }
  }
}

function prepare(database: Database.Database) {
  return {
    count: database.prepare<[], { subject: string; held: number }>(
      'SELECT subject, count(*) AS held FROM message GROUP BY subject',
    ),
    insert: database.prepare<[string, string, string]>('INSERT INTO message (kind, subject, payload) VALUES (?, ?, ?)'),
    firstOfKind: database.prepare<[string, number], { id: number }>(
      'SELECT id FROM message WHERE kind = ? AND id > ? ORDER BY id LIMIT 1',
    ),
    firstOfSubject: database.prepare<[string, number], { id: number }>(
      'SELECT id FROM message WHERE subject = ? AND id > ? ORDER BY id LIMIT 1',
    ),
    handOut: database.prepare<[number], StoredMessage>(
      'UPDATE message SET attempts = attempts + 1 WHERE id = ? RETURNING id, subject, payload, attempts AS attempt',
    ),
    remove: database.prepare<[number], { subject: string }>('DELETE FROM message WHERE id = ? RETURNING subject'),
    // An id from the future was remembered before the clock stepped back: better a repeat than a message refused for hours.
    forget: database.prepare<[number, number]>('DELETE FROM taken WHERE at_ms <= ? OR at_ms > ?'),
    remember: database.prepare<[string, string, number]>(
      'INSERT OR IGNORE INTO taken (subject, message_id, at_ms) VALUES (?, ?, ?)',
    ),
  };
}

/** A damaged file is set aside, not mended: what was in it will be published again. */
function openOrStartAfresh(file: string, logger: Logger): Database.Database {
  try {
    return openDatabase(file);
  } catch (cause) {
    if (!(cause instanceof Database.SqliteError && /^SQLITE_(NOTADB|CORRUPT)/.test(cause.code))) throw cause;
    logger.error(
      { file, setAsideAs: `${file}.damaged`, err: cause },
      'the bus file is damaged: starting with an empty one',
    );
    renameSync(file, `${file}.damaged`);
    for (const rest of ['-wal', '-shm']) rmSync(`${file}${rest}`, { force: true });
    return openDatabase(file);
  }
}

function openDatabase(file: string): Database.Database {
  const database = new Database(file, { timeout: LOCK_WAIT_MS });
  try {
    database.pragma('locking_mode = EXCLUSIVE');
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = NORMAL');
    database.exec(SCHEMA);
    return database;
  } catch (cause) {
    database.close();
    throw cause;
  }
}
