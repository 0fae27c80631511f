/**
 * Appends, from the moment they are taken until their answer is certain.
 *
 *  1. Appends to one stream reach the server in the order they were made. When a call breaks, everything without an answer
 *     is sent again on the next call, in that order, and nothing the broken call says counts any more. The server knows
 *     what it has by the ids of the events, so sending again does no harm.
 *  2. Answers about one stream are given out in that order too. A later append may be refused only because an earlier one
 *     has not arrived; while the earlier is open, nobody is told, and if it has to be sent again, so is the later.
 *  3. What is on its way is bounded, and so is what waits; beyond that an append is refused before anything is sent.
 *  4. After a bounded time an append is given up. Then it may or may not have taken effect, and the error says which.
 */
import type { Ids, Logger } from '@vw/runtime';
import { StoreUnavailable } from '../errors.js';
import type { AppendResult, ExpectedRevision, NewEvent, Position } from '../port.js';
import { appendBytes } from '../port.js';
import type { Answer } from './answers.js';
import type { AppendCall, Carried } from './append-calls.js';
import { startAppends } from './append-calls.js';
import { Bell } from './bell.js';
import type { Connection } from './connection.js';
import { closedStore, passing } from './failures.js';
import type { Means } from './patience.js';
import { Patience } from './patience.js';

/** What may be on its way without an answer. */
const MOST_UNDER_WAY = 512;
const MOST_BYTES_UNDER_WAY = 8 * 1024 * 1024;

/** What may be taken without an answer, on its way or not. */
const MOST_BYTES_TAKEN = 256 * 1024 * 1024;

/** A server that has not answered an append for so long has forgotten it, or is gone without a word. */
const ANSWER_WITHIN_MS = 10_000;

const WATCH_EVERY_MS = 1000;

interface Taken extends Carried {
  readonly takenAt: number;
  /** When it was sent on the present call. */
  sentAt: number | undefined;
  /** It has been sent, on this call or an earlier one. */
  everSent: boolean;
  /** Said on the present call, and kept until those before it have theirs. */
  answer: Exclude<Answer, { kind: 'unknown' }> | undefined;
  readonly resolve: (result: AppendResult) => void;
  readonly reject: (error: Error) => void;
}

export interface AppendsOptions {
  readonly connection: Connection;
  readonly means: Means;
  readonly ids: Ids;
  readonly logger: Logger;
  readonly withinMs: number;
  /** Finds the position of an event that the server acknowledged without saying where it lies. */
  readonly locate: (stream: string, revision: number) => Promise<Position>;
}

export class Appends {
  readonly #options: AppendsOptions;
  readonly #patience: Patience;
  /** Everything without an answer given out, in the order it was taken. */
  readonly #open = new Map<string, Taken>();
  /** The same by stream. */
  readonly #byStream = new Map<string, Taken[]>();
  /** What the present call has not been given yet. */
  #unsent: Taken[] = [];
  #underWay = { appends: 0, bytes: 0 };
  #takenBytes = 0;
  #call: AppendCall | undefined;
  #failure: { readonly cause: unknown } | undefined;
  #serving = false;
  #watching = false;
  #closed = false;
  readonly #changed = new Bell();
  readonly #emptied = new Bell();
  readonly #stopped = new AbortController();

  constructor(options: AppendsOptions) {
    this.#options = options;
    this.#patience = new Patience(options.means, Number.POSITIVE_INFINITY);
  }

  take(stream: string, expected: ExpectedRevision, events: readonly NewEvent[]): Promise<AppendResult> {
    const sizeBytes = appendBytes(events);
    if (this.#closed) throw closedStore();
    if (this.#takenBytes + sizeBytes > MOST_BYTES_TAKEN) {
      throw new StoreUnavailable(
        `appends of ${this.#takenBytes} bytes wait for KurrentDB already; this one was not sent`,
        { nothingAppended: true },
      );
    }
    return new Promise((resolve, reject) => {
      const append: Taken = {
        correlationId: this.#options.ids.next(),
        stream,
        expected,
        sizeBytes,
        // The caller may use its buffers again as soon as this returns.
        events: events.map((event) => ({
          ...event,
          data: Uint8Array.from(event.data),
          metadata: Uint8Array.from(event.metadata),
        })),
        takenAt: this.#options.means.clock.monotonic(),
        sentAt: undefined,
        everSent: false,
        answer: undefined,
        resolve,
        reject,
      };
      this.#open.set(append.correlationId, append);
      const ofStream = this.#byStream.get(stream);
      if (ofStream) ofStream.push(append);
      else this.#byStream.set(stream, [append]);
      this.#takenBytes += sizeBytes;
      this.#unsent.push(append);
      this.#changed.ring();
      if (!this.#serving) void this.#serve();
      if (!this.#watching) void this.#watch();
    });
  }

  /** Takes nothing more; resolves when everything taken has its answer. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#open.size > 0) await this.#emptied.rung();
    this.#stopped.abort();
    this.#call?.abandon();
    this.#call = undefined;
  }

  async #serve(): Promise<void> {
    this.#serving = true;
    while (this.#open.size > 0) {
      try {
        await this.#converse();
      } catch (failure) {
        this.#takeBack();
        await this.#patience.pause(failure, this.#stopped.signal).catch((final: Error) => this.#giveUpAll(final));
      }
    }
    this.#serving = false;
  }

  /** Sends what there is as there is room, until everything has its answer. @throws what broke the call */
  async #converse(): Promise<void> {
    this.#call ??= await this.#start();
    while (this.#open.size > 0) {
      if (this.#failure) throw this.#failure.cause;
      const next = this.#unsent[0];
      if (next && this.#hasRoom(next)) {
        this.#unsent.shift();
        this.#underWay.appends += 1;
        this.#underWay.bytes += next.sizeBytes;
        next.sentAt = this.#options.means.clock.monotonic();
        next.everSent = true;
        await this.#call.send(next);
      } else {
        await this.#changed.rung();
      }
    }
  }

  async #start(): Promise<AppendCall> {
    this.#failure = undefined;
    return startAppends(this.#options.connection, {
      answered: (correlationId, answer) => {
        const append = this.#open.get(correlationId);
        if (!append || this.#failure) return;
        if (answer.kind === 'unknown') {
          this.#break(answer.failure);
          return;
        }
        this.#patience.restore();
        append.answer = answer;
        this.#giveOut(append.stream);
      },
      broken: (failure) => {
        this.#failure = { cause: failure };
        this.#changed.ring();
        if (this.#open.size === 0) this.#takeBack();
      },
    });
  }

  /** The call may be whole, but what it carries is not known any more. */
  #break(failure: unknown): void {
    this.#options.logger.debug({ err: failure }, 'appends are sent again');
    this.#failure = { cause: failure };
    void this.#options.connection.distrust(failure);
    this.#changed.ring();
  }

  /** Invariant 1: whatever has no answer given out is unsent again. */
  #takeBack(): void {
    this.#call?.abandon();
    this.#call = undefined;
    this.#unsent = [...this.#open.values()];
    this.#underWay = { appends: 0, bytes: 0 };
    for (const append of this.#unsent) {
      append.sentAt = undefined;
      append.answer = undefined;
    }
  }

  #hasRoom({ sizeBytes }: Taken): boolean {
    const { appends, bytes } = this.#underWay;
    return appends < MOST_UNDER_WAY && (bytes === 0 || bytes + sizeBytes <= MOST_BYTES_UNDER_WAY);
  }

  /** Invariant 2. */
  #giveOut(stream: string): void {
    for (let first = this.#byStream.get(stream)?.[0]; first?.answer; first = this.#byStream.get(stream)?.[0]) {
      const { answer, resolve, reject } = first;
      this.#remove(first);
      if (answer.kind === 'refused') reject(answer.error);
      else if (answer.position !== undefined) resolve({ revision: answer.revision, position: answer.position });
      else {
        const { revision } = answer;
        void this.#options.locate(stream, revision).then((position) => resolve({ revision, position }), reject);
      }
    }
  }

  #remove(append: Taken): void {
    this.#open.delete(append.correlationId);
    this.#takenBytes -= append.sizeBytes;
    if (append.sentAt !== undefined) {
      this.#underWay.appends -= 1;
      this.#underWay.bytes -= append.sizeBytes;
    }
    const ofStream = this.#byStream.get(append.stream) ?? [];
    ofStream.splice(ofStream.indexOf(append), 1);
    if (ofStream.length === 0) this.#byStream.delete(append.stream);
    this.#changed.ring();
    if (this.#open.size === 0) this.#emptied.ring();
  }

  #giveUpAll(error: Error): void {
    for (const append of this.#open.values()) {
      this.#remove(append);
      append.reject(error);
    }
    this.#unsent = [];
  }

  /** Invariant 4, and servers that say nothing. */
  async #watch(): Promise<void> {
    this.#watching = true;
    const { clock, timers } = this.#options.means;
    while (this.#open.size > 0) {
      await timers.sleep(Math.min(WATCH_EVERY_MS, this.#options.withinMs), this.#stopped.signal);
      const now = clock.monotonic();
      for (const append of this.#open.values()) {
        if (now - append.takenAt >= this.#options.withinMs) this.#giveUp(append);
        else if (append.sentAt !== undefined && !append.answer && now - append.sentAt >= ANSWER_WITHIN_MS) {
          this.#break(passing('an append had no answer in time'));
          break;
        }
      }
    }
    this.#watching = false;
  }

  #giveUp(append: Taken): void {
    const { withinMs } = this.#options;
    const outcome = append.everSent
      ? 'whether it took effect is not known, and the same append made again will tell'
      : 'it was never sent';
    this.#remove(append);
    this.#unsent = this.#unsent.filter((other) => other !== append);
    append.reject(
      new StoreUnavailable(
        `KurrentDB gave no answer to an append to ${append.stream} within ${withinMs / 1000} s: ${outcome}`,
        { cause: this.#failure?.cause, nothingAppended: !append.everSent },
      ),
    );
    // Those behind it may hold answers that waited for this one.
    this.#giveOut(append.stream);
  }
}
