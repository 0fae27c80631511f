/**
 * QEMU's machine protocol (QMP, docs/interop/qmp-spec in QEMU's sources) over a Unix socket: one JSON object a line, a greeting, then
 * commands answered by id, with events in between.
 *
 * QEMU serves one client at a time and repeats nothing to the next one. What must stay true: every command ends, by its answer, by the end
 * of the connection, or by its time; and a line of no end cannot fill the agent's memory.
 */
import { createConnection, type Socket } from 'node:net';
import type { Timers } from '@vw/runtime';

/** QEMU's longest answers here are a few KiB. */
const LONGEST_LINE = 1 << 20;
const ANSWER_MS = 10_000;

export interface QmpEvent {
  readonly event: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** QEMU refused a command. */
export class QmpRefusal extends Error {
  override readonly name = 'QmpRefusal';
}

/** The connection ended, or the answer did not come: whether the command took effect is open. */
export class QmpSilence extends Error {
  override readonly name = 'QmpSilence';
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** What may come on a line. */
interface Line {
  readonly QMP?: unknown;
  readonly event?: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
}

export class QmpConnection {
  /** Resolves when the connection is over, for whatever reason. */
  readonly closed: Promise<void>;
  /** The greeting is answered under this id, as if it had been asked for. */
  static readonly #GREETING = 0;
  readonly #pending = new Map<number, Pending>();
  #lastId = QmpConnection.#GREETING;
  #unread = '';

  private constructor(
    private readonly socket: Socket,
    private readonly timers: Timers,
    private readonly onEvent: (event: QmpEvent) => void,
  ) {
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#read(text));
    socket.on('error', () => undefined); // 'close' follows, and tells all that matters
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    void this.closed.then(() => this.#rejectAll('the connection to QEMU ended'));
  }

  /** @throws QmpSilence where nobody answers at this socket */
  static async open(path: string, timers: Timers, onEvent: (event: QmpEvent) => void): Promise<QmpConnection> {
    const connection = new QmpConnection(createConnection(path), timers, onEvent);
    try {
      await connection.#answer(QmpConnection.#GREETING, 'its greeting');
      await connection.execute('qmp_capabilities');
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** @throws QmpRefusal, QmpSilence */
  async execute(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const id = ++this.#lastId;
    if (this.socket.destroyed) throw new QmpSilence('the connection to QEMU ended');
    this.socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    return this.#answer(id, `the answer to ${command}`);
  }

  close(): void {
    this.socket.destroy();
  }

  async #answer(id: number, what: string): Promise<unknown> {
    const over = new AbortController();
    void this.timers.sleep(ANSWER_MS, over.signal).then(() => {
      if (!over.signal.aborted) this.#take(id)?.reject(new QmpSilence(`${what} did not come within ${ANSWER_MS} ms`));
    });
    try {
      return await new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    } finally {
      over.abort();
    }
  }

  #read(text: string): void {
    const lines = (this.#unread + text).split('\n');
    this.#unread = lines.pop()!;
    if (this.#unread.length > LONGEST_LINE) return this.close();
    for (const line of lines) {
      if (line.trim() === '') continue;
      let message: Line;
      try {
        message = JSON.parse(line) as Line;
      } catch {
        return this.close(); // whoever is there does not speak QMP
      }
      this.#hear(message);
    }
  }

  #hear({ QMP, event, data, id, return: result, error }: Line): void {
    if (QMP !== undefined) return this.#take(QmpConnection.#GREETING)?.resolve(QMP);
    if (event !== undefined) return this.onEvent(data === undefined ? { event } : { event, data });
    if (id === undefined) return;
    const pending = this.#take(id);
    if (error === undefined) pending?.resolve(result);
    else pending?.reject(new QmpRefusal(`QEMU refused: ${error.desc}`));
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  #rejectAll(why: string): void {
    for (const id of [...this.#pending.keys()]) this.#take(id)?.reject(new QmpSilence(why));
  }
}
