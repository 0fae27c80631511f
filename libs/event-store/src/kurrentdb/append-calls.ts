/**
 * Two ways to carry appends to the server: one lasting call for all (BatchAppend), or a call for each (Append), for servers
 * that offer no batches. Either keeps the order of the appends to one stream, and either is whole or broken: once it has
 * a failure, nothing it still says counts.
 */
import type { NewEvent } from '../port.js';
import type { streams } from '../protocol/index.js';
import { uuidOf } from '../protocol/index.js';
import type { Answer, Question } from './answers.js';
import { answerOfAppend, answerOfBatch } from './answers.js';
import { Bell } from './bell.js';
import type { BatchCall, Connection } from './connection.js';
import { appendFailure, isPassing, passing } from './failures.js';
import { appendRequests, batchRequests } from './requests.js';

/** An append on its way. */
export interface Carried extends Question {
  readonly correlationId: string;
  readonly events: readonly NewEvent[];
}

/** Where a call tells what it hears. */
export interface Listener {
  answered(correlationId: string, answer: Answer): void;
  broken(failure: unknown): void;
}

export interface AppendCall {
  /** Sends it on, and resolves when there is room for the next, or nothing to hope for. */
  send(append: Carried): Promise<void>;
  /** Lets go of the call; what it still says is not told. */
  abandon(): void;
}

export async function startAppends(connection: Connection, listener: Listener): Promise<AppendCall> {
  if (!(await connection.takesBatches())) return new SingleCalls(connection, listener);
  return new LastingCall(await connection.startBatches(), listener);
}

class LastingCall implements AppendCall {
  readonly #call: BatchCall;
  readonly #asked = new Map<string, Question>();
  readonly #drained = new Bell();
  #over = false;

  constructor(call: BatchCall, listener: Listener) {
    this.#call = call;
    const broken = (failure: unknown): void => {
      if (!this.#over) listener.broken(failure);
      this.#over = true;
      this.#drained.ring();
    };
    call.on('drain', () => this.#drained.ring());
    call.on('error', broken);
    call.on('end', () => broken(passing('the server has ended the call')));
    call.on('data', (response) => {
      if (this.#over) return;
      try {
        this.#hear(response, listener);
      } catch (unreadable) {
        call.cancel();
        broken(unreadable);
      }
    });
  }

  async send(append: Carried): Promise<void> {
    const { correlationId, stream, expected, events } = append;
    this.#asked.set(correlationId, append);
    for (const part of batchRequests(correlationId, stream, expected, events)) {
      if (this.#over) return;
      if (!this.#call.write(part)) await this.#drained.rung();
    }
  }

  abandon(): void {
    this.#over = true;
    this.#call.cancel();
    this.#drained.ring();
  }

  #hear(response: streams.BatchAppendResp, listener: Listener): void {
    const correlationId = uuidOf(response.getCorrelationId());
    const question = this.#asked.get(correlationId);
    this.#asked.delete(correlationId);
    if (question) listener.answered(correlationId, answerOfBatch(response, question));
  }
}

class SingleCalls implements AppendCall {
  readonly #connection: Connection;
  readonly #listener: Listener;
  /** The last append of each stream that has one under way. */
  readonly #last = new Map<string, Promise<void>>();
  #over = false;

  constructor(connection: Connection, listener: Listener) {
    this.#connection = connection;
    this.#listener = listener;
  }

  async send(append: Carried): Promise<void> {
    const { stream } = append;
    const mine = (this.#last.get(stream) ?? Promise.resolve()).then(() => this.#append(append));
    this.#last.set(stream, mine);
    void mine.then(() => {
      if (this.#last.get(stream) === mine) this.#last.delete(stream);
    });
  }

  abandon(): void {
    this.#over = true;
  }

  async #append(append: Carried): Promise<void> {
    const { correlationId, stream, expected, events, sizeBytes } = append;
    if (this.#over) return;
    const answer = await this.#connection.appendAlone(appendRequests(stream, expected, events)).then(
      (response) => answerOfAppend(response, append),
      (failure: unknown): Answer =>
        isPassing(failure)
          ? { kind: 'unknown', failure }
          : { kind: 'refused', error: appendFailure(failure, stream, sizeBytes) },
    );
    // Told at once, or the next append to this stream would set out before anybody could stop it.
    if (answer.kind === 'unknown') this.#over = true;
    this.#listener.answered(correlationId, answer);
  }
}
