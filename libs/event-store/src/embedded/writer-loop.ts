/**
 * The writer's thread: the one place that changes the file, so that no fsync ever stalls the event loop of the ledger.
 *
 *  1. One writer. A sidecar database, `<file>.lock`, is held under SQLite's exclusive lock as long as this thread lives. The
 *     lock is the operating system's: it ends with the process however that ends, and the file left behind means nothing.
 *  2. Group commit. Everything that waits when a transaction begins, or comes while it is written, shares it and its fsync; each
 *     command in it is still decided alone (`log-writer.ts`). Answers leave only after COMMIT, in the order the commands came.
 */
import type { MessagePort } from 'node:worker_threads';
import { receiveMessageOnPort } from 'node:worker_threads';
import type Database from 'better-sqlite3';
import type { PackedBatch } from './batch.js';
import type { OpenedLog } from './format.js';
import { codeOf, lock, openLog, reasonOf, Refused } from './format.js';
import { LogWriter } from './log-writer.js';
import type { Failure, FromWriter, ToWriter } from './messages.js';

/** A transaction takes no more than this, so that one commit stays short however much waits. */
const TRANSACTION_BYTES = 8 * 1024 * 1024;

/**
 * Clients that were answered together are likely to come again together. A transaction that has fewer commands than the one
 * before waits so long for the rest: less than the fsync that a second transaction would cost them all.
 */
const STRAGGLERS_MS = 0.2;

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

  /** The next message if it has commands and is there, or comes within the time. */
  nextBatch(withinMs: number): PackedBatch | undefined {
    const rung = Atomics.load(this.#bell, 0);
    let message = this.#take();
    if (!message && withinMs > 0 && Atomics.wait(this.#bell, 0, rung, withinMs) !== 'timed-out') message = this.#take();
    if (message?.kind === 'batch') return message;
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

  /** @param expected how many commands the group before had */
  constructor(first: PackedBatch, inbox: Inbox, expected: number) {
    this.#first = first;
    this.#inbox = inbox;
    this.#expected = expected;
    this.#count = first.count;
  }

  /** How many commands it took from the inbox, and so owes an answer. */
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

export function serve(port: MessagePort, file: string, bell: Int32Array<SharedArrayBuffer>): void {
  const tell = (message: FromWriter): void => port.postMessage(message);

  let sidecar: Database.Database | undefined;
  let log: OpenedLog;
  try {
    sidecar = lock(file);
    log = openLog(file);
  } catch (error) {
    sidecar?.close();
    const because = error instanceof Refused ? error.because : 'unavailable';
    tell({ kind: 'refused', because, failure: failureOf(error) });
    return;
  }

  const held = sidecar;
  const writer = new LogWriter(log.db);
  tell({ kind: 'opened', head: writer.head, migratedFrom: log.migratedFrom });
  const inbox = new Inbox(port, bell);
  let expected = 0;
  for (let message = inbox.next(); message.kind === 'batch'; message = inbox.next()) {
    const group = new Group(message, inbox, expected);
    try {
      const answers = writer.commit(group);
      tell({ kind: 'settled', answers, head: writer.head });
    } catch (error) {
      tell({ kind: 'failed', count: group.count, failure: failureOf(error) });
    }
    expected = group.count;
  }
  log.db.close();
  // Last, so that whoever opens next finds a file that nobody else touches.
  held.close();
}

function failureOf(error: unknown): Failure {
  return { code: codeOf(error), message: reasonOf(error) };
}
