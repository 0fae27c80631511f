/**
 * This side of the writer's thread: packs the appends of one turn of the event loop into few messages, and settles each
 * with its own answer. The thread answers in the order it was asked, so the oldest waiting append owns the next answer.
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Logger } from '@vw/runtime';
import { StoreInUse, StoreUnavailable, UnknownStoreFormat, WrongExpectedRevision } from '../errors.js';
import type { AppendResult, ExpectedRevision, NewEvent, Position } from '../port.js';
import { eventChecksum } from './checksum.js';
import type { Tail } from './tail.js';
import { nextTurn } from './turn.js';
import type { Failure, FromWriter, PackedBatch, ToWriter, WriterData } from './writer.js';

/** Beyond this much waiting for the disk the store is overloaded, and says so instead of growing. */
const WAITING_BYTES = 256 * 1024 * 1024;

/**
 * A batch of so many appends does not wait for the turn to end: the thread writes it into its transaction while the rest of
 * the turn is still being packed, and takes the rest into the same transaction.
 */
const FULL_BATCH_APPENDS = 16;

/** What a full batch of ordinary events needs. */
const FIRST_BATCH_BYTES = 16 * 1024;

/** The thread's file beside this one: a `.ts` among the sources, a `.js` in `dist/`. */
const writerEntry = new URL(`./writer${extname(new URL(import.meta.url).pathname)}`, import.meta.url);

interface Waiting {
  readonly stream: string;
  readonly expected: ExpectedRevision;
  readonly sizeBytes: number;
  resolve(result: AppendResult): void;
  reject(error: Error): void;
}

/** What one turn of the event loop appended, or a part of it. The bytes are copied in at once: the caller may reuse its own. */
class Batch {
  readonly #words: string[] = [];
  readonly #numbers: number[] = [];
  #bytes = new Uint8Array(FIRST_BATCH_BYTES);
  #length = 0;
  #count = 0;

  get isFull(): boolean {
    return this.#count >= FULL_BATCH_APPENDS;
  }

  /** Returns how many bytes it added. */
  add(stream: string, expected: number, created: number, events: readonly NewEvent[]): number {
    const before = this.#length;
    this.#words.push(stream);
    this.#numbers.push(expected, created, events.length);
    let revision = expected;
    for (const event of events) {
      const checksum = eventChecksum(stream, ++revision, created, event);
      this.#words.push(event.id, event.type);
      this.#numbers.push(checksum, event.data.length, event.metadata.length);
      this.#put(event.data);
      this.#put(event.metadata);
    }
    this.#count += 1;
    return this.#length - before;
  }

  /** The message that carries it. Its buffers may be transferred: the batch is spent. */
  pack(): PackedBatch & { readonly numbers: Float64Array<ArrayBuffer>; readonly bytes: Uint8Array<ArrayBuffer> } {
    const numbers = Float64Array.from(this.#numbers);
    return { kind: 'append', count: this.#count, words: this.#words, numbers, bytes: this.#bytes };
  }

  #put(bytes: Uint8Array): void {
    const end = this.#length + bytes.length;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = end;
  }
}

function causeOf(failure: Failure): Error {
  return Object.assign(new Error(failure.message), { code: failure.code });
}

export interface WriterThreadOptions {
  readonly file: string;
  readonly logger: Logger;
  /** Moved after each commit, before the appends of that commit are answered; failed if the thread ends untold. */
  readonly tail: Tail;
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
    const { file, tail, entry = writerEntry } = options;
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
      tail.advance(answer.head as Position);
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

  append(
    stream: string,
    expected: ExpectedRevision,
    created: number,
    events: readonly NewEvent[],
  ): Promise<AppendResult> {
    if (this.#state === 'closing') return Promise.reject(new StoreUnavailable(`${this.#options.file} is closed`));
    if (this.#state !== 'open') return Promise.reject(this.#state);
    if (this.#waitingBytes > WAITING_BYTES) {
      return Promise.reject(
        new StoreUnavailable(`${this.#waitingBytes} bytes already wait to be written to ${this.#options.file}`),
      );
    }
    const batch = (this.#batch ??= new Batch());
    const sizeBytes = batch.add(stream, expected === 'no-stream' ? -1 : expected, created, events);
    this.#waitingBytes += sizeBytes;
    const settled = new Promise<AppendResult>((resolve, reject) =>
      this.#waiting.push({ stream, expected, sizeBytes, resolve, reject }),
    );
    // A thread that has nothing to do is told at once: while it wakes, the rest of the turn is packed.
    if (batch.isFull || this.#waiting.length === 1) this.#post();
    else this.#postAfterTurn();
    return settled;
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
    this.#options.tail.advance(head);
    let next = 0;
    for (const waiting of this.#take(answers.length / 2)) {
      const position = answers[next++] ?? 0;
      const revision = answers[next++] ?? 0;
      if (position > 0) waiting.resolve({ revision, position: position as Position });
      else waiting.reject(wrongRevision(waiting, revision));
    }
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

function wrongRevision({ stream, expected }: Waiting, actual: number): WrongExpectedRevision {
  return new WrongExpectedRevision(stream, expected, actual < 0 ? 'no-stream' : actual);
}
