/**
 * This side of the writer's thread: packs the commands of one turn of the event loop into few messages, and settles each
 * with its own answer. The thread answers in the order it was asked, so the oldest waiting command owns the next answer.
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Logger } from '@vw/runtime';
import {
  EventCorrupted,
  StoreInUse,
  StoreUnavailable,
  StreamTombstoned,
  UnknownStoreFormat,
  WrongExpectedRevision,
} from '../errors.js';
import type { Expectation, WriteResult } from '../log.js';
import type { NewEvent, Position } from '../port.js';
import type { Operation } from './batch.js';
import { APPEND, Batch, DAMAGED, DELETE, numberOf, TOMBSTONE, TOMBSTONED, WRONG_REVISION } from './batch.js';
import type { Failure, FromWriter, ToWriter } from './messages.js';
import { describedBy, metadataStreamOf } from './metadata.js';
import type { Tail } from './tail.js';
import { nextTurn } from '../turn.js';
import type { WriterData } from './writer.js';

/** Beyond this much waiting for the disk the store is overloaded, and says so instead of growing. */
const WAITING_BYTES = 256 * 1024 * 1024;

/**
 * A batch of so many commands does not wait for the turn to end: the thread writes it into its transaction while the rest of
 * the turn is still being packed, and takes the rest into the same transaction.
 */
const FULL_BATCH = 16;

/** The thread's file beside this one: a `.ts` among the sources, a `.js` in `dist/`. */
const writerEntry = new URL(`./writer${extname(new URL(import.meta.url).pathname)}`, import.meta.url);

interface Waiting {
  readonly operation: Operation;
  readonly stream: string;
  readonly expected: Expectation;
  readonly sizeBytes: number;
  resolve(result: WriteResult): void;
  reject(error: Error): void;
}

function causeOf(failure: Failure): Error {
  return Object.assign(new Error(failure.message), { code: failure.code });
}

export interface WriterThreadOptions {
  readonly file: string;
  readonly logger: Logger;
  /** Moved after each commit, before the appends of that commit are answered; failed if the thread ends untold. */
  readonly tail: Tail;
  /** Told of each command that was done, before anyone else can know of it. */
  readonly onDone?: (stream: string, operation: Operation, revision: number) => void;
  /** The thread's program; another only in tests of this file. */
  readonly entry?: URL;
}

export class WriterThread {
  readonly #worker: Worker;
  readonly #bell: Int32Array<SharedArrayBuffer>;
  readonly #options: WriterThreadOptions;
  readonly #waiting: Waiting[] = [];
  readonly #exited: Promise<void>;
  #waitingBytes = 0;
  #batch: Batch | undefined;
  /** What this turn appends will be posted when it ends. */
  #posting = false;
  #state: 'open' | 'closing' | StoreUnavailable = 'open';

  private constructor(worker: Worker, bell: Int32Array<SharedArrayBuffer>, options: WriterThreadOptions) {
    this.#worker = worker;
    this.#bell = bell;
    this.#options = options;
    worker.on('message', (message: FromWriter) => this.#hear(message));
    this.#exited = new Promise((resolve) => {
      let cause: unknown;
      worker.on('error', (error) => (cause = error));
      worker.on('exit', () => {
        if (this.#state === 'open' || this.#waiting.length > 0) this.#lose(cause);
        resolve();
      });
    });
  }

  /**
   * Starts the thread; resolves once it owns the file, with the tail at the last event.
   * @throws StoreInUse, UnknownStoreFormat, StoreUnavailable
   */
  static async start(options: WriterThreadOptions): Promise<WriterThread> {
    const { file, logger, tail, entry = writerEntry } = options;
    const bell = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    const worker = new Worker(entry, {
      name: 'event-store-writer',
      workerData: { file, bell } satisfies WriterData,
      // How the program itself was started is no concern of the thread, and some of its flags would keep it from loading.
      execArgv: [],
    });
    const answer = await firstMessage(worker).catch((cause: unknown) => {
      throw new StoreUnavailable(`the writer of ${file} did not start`, { cause });
    });
    if (answer.kind === 'opened') {
      const { head, migratedFrom } = answer;
      if (migratedFrom !== undefined) logger.info({ file, migratedFrom, events: head }, 'event store migrated');
      tail.advance(head as Position);
      return new WriterThread(worker, bell, options);
    }
    if (answer.kind !== 'refused') throw new StoreUnavailable(`the writer of ${file} answered before it was asked`);
    const cause = causeOf(answer.failure);
    switch (answer.because) {
      case 'in-use':
        throw new StoreInUse(file, { cause });
      case 'format':
        throw new UnknownStoreFormat(file, answer.failure.message, { cause });
      case 'unavailable':
        throw new StoreUnavailable(`${file} cannot be opened: ${answer.failure.message}`, { cause });
    }
  }

  append(stream: string, expected: Expectation, created: number, events: readonly NewEvent[]): Promise<WriteResult> {
    return this.#command(APPEND, stream, expected, created, events);
  }

  async remove(stream: string, expected: Expectation, created: number, how: 'delete' | 'tombstone'): Promise<Position> {
    const operation = how === 'delete' ? DELETE : TOMBSTONE;
    return (await this.#command(operation, stream, expected, created, [])).position;
  }

  /** Finishes what was taken, lets go of the file, ends the thread. */
  async close(): Promise<void> {
    if (this.#state === 'open') {
      this.#post();
      this.#state = 'closing';
      this.#tell({ kind: 'close' }, []);
    }
    await this.#exited;
  }

  #command(
    operation: Operation,
    stream: string,
    expected: Expectation,
    created: number,
    events: readonly NewEvent[],
  ): Promise<WriteResult> {
    if (this.#state === 'closing') return Promise.reject(new StoreUnavailable(`${this.#options.file} is closed`));
    if (this.#state !== 'open') return Promise.reject(this.#state);
    if (this.#waitingBytes > WAITING_BYTES) {
      return Promise.reject(
        new StoreUnavailable(`${this.#waitingBytes} bytes already wait to be written to ${this.#options.file}`),
      );
    }
    const batch = (this.#batch ??= new Batch());
    const sizeBytes = batch.add(operation, stream, numberOf(expected), created, events);
    this.#waitingBytes += sizeBytes;
    const settled = new Promise<WriteResult>((resolve, reject) =>
      this.#waiting.push({ operation, stream, expected, sizeBytes, resolve, reject }),
    );
    // A thread that has nothing to do is told at once: while it wakes, the rest of the turn is packed.
    if (batch.count >= FULL_BATCH || this.#waiting.length === 1) this.#post();
    else this.#postAfterTurn();
    return settled;
  }

  #postAfterTurn(): void {
    if (this.#posting) return;
    this.#posting = true;
    void nextTurn().then(() => {
      this.#posting = false;
      this.#post();
    });
  }

  #post(): void {
    if (!this.#batch) return;
    const message = this.#batch.pack();
    this.#batch = undefined;
    this.#tell(message, [message.bytes.buffer]);
  }

  #tell(message: ToWriter, transfer: readonly ArrayBuffer[]): void {
    this.#worker.postMessage(message, transfer);
    Atomics.add(this.#bell, 0, 1);
    Atomics.notify(this.#bell, 0);
  }

  #hear(message: FromWriter): void {
    switch (message.kind) {
      case 'settled':
        return this.#settle(message.answers, message.head as Position);
      case 'failed':
        return this.#fail(message.count, message.failure);
      case 'opened':
      case 'refused':
        throw new Error(`the writer of ${this.#options.file} said '${message.kind}' twice`);
    }
  }

  #settle(answers: Float64Array, head: Position): void {
    const { tail, onDone } = this.#options;
    const taken = this.#take(answers.length / 2);
    if (onDone) {
      for (const [index, { stream, operation }] of taken.entries()) {
        if ((answers[2 * index] ?? 0) >= 0) onDone(stream, operation, answers[2 * index + 1] ?? 0);
      }
    }
    tail.advance(head);
    for (const [index, waiting] of taken.entries())
      settle(waiting, answers[2 * index] ?? 0, answers[2 * index + 1] ?? 0);
  }

  #fail(count: number, failure: Failure): void {
    const { file, logger } = this.#options;
    logger.warn(
      { file, appends: count, failure },
      'the event store could not commit; nothing of these appends is in the log',
    );
    const error = new StoreUnavailable(`${file} cannot be written: ${failure.message}`, { cause: causeOf(failure) });
    for (const waiting of this.#take(count)) waiting.reject(error);
  }

  #lose(cause: unknown): void {
    const { file, logger, tail } = this.#options;
    const error = new StoreUnavailable(`the writer of ${file} has stopped`, { cause });
    this.#state = error;
    logger.error({ file, cause }, 'the writer thread of the event store has stopped; open the store again');
    for (const waiting of this.#take(this.#waiting.length)) waiting.reject(error);
    tail.fail(error);
  }

  #take(count: number): Waiting[] {
    const taken = this.#waiting.splice(0, count);
    for (const { sizeBytes } of taken) this.#waitingBytes -= sizeBytes;
    return taken;
  }
}

function firstMessage(worker: Worker): Promise<FromWriter> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('the thread ended before it had opened the file')));
  });
}

function settle({ stream, expected, resolve, reject }: Waiting, position: number, lastRevision: number): void {
  const revision = lastRevision < 0 ? 'no-stream' : lastRevision;
  switch (position) {
    case WRONG_REVISION:
      return reject(new WrongExpectedRevision(stream, expected, revision));
    case DAMAGED:
      return reject(
        new EventCorrupted(
          describedBy(stream) === undefined ? metadataStreamOf(stream) : stream,
          lastRevision,
          'checksum',
        ),
      );
    case TOMBSTONED:
      return reject(new StreamTombstoned(stream));
    default:
      return resolve({ revision, position: position as Position });
  }
}
