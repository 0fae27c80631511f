/**
 * The bus of a ledger and an agent that live in one process (`npm start`). Core messages are passed on in memory; durable ones go through
 * the backlog's file, so a killed process finds them again.
 *
 * - Work-queue retention: a stored message goes to one durable name, and is deleted when that acknowledges it.
 * - Nothing is polled: a publication wakes the consumers.
 * - Nothing a handler does reaches the publisher or the bus: it gets a copy, and what it throws is logged.
 * - `open` → `draining` (nothing is handed out, running handlers may still publish) → `closed`.
 */
import type { Clock, Logger, Timers } from '@vw/runtime';
import { silentLogger } from '@vw/runtime';
import { decode, encode } from '../payload.js';
import { BusRefused, BusTimeout, BusUnavailable } from '../port.js';
import type { Bus, Delivery, Payload, Verdict } from '../port.js';
import { DURABLE_SUBJECTS, checkPattern, checkSubject, durableKindOf, matches } from '../subjects.js';
import { Backlog } from './backlog.js';
import type { Reach, StoredMessage } from './backlog.js';
import { Place } from './place.js';

/** A handler that throws gets its message again after this, doubled each time up to the longest. */
const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 30_000;
/** A consumer that has worked this long lets timers and sockets have their turn: a backlog must not stop the process's heart. */
const BREATHLESS_AFTER_MS = 10;
/** The file could not be read or written: look again, slowly. */
const AFTER_FAULT_MS = 1_000;
const LONGEST_MESSAGE_ID = 256;

export interface InProcessBusOptions {
  /** The SQLite file of the durable subjects; its folder exists, and no other process has it open. */
  readonly file: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger?: Logger;
}

/** @throws BusUnavailable when the file cannot be opened, or another process holds it. */
export async function openInProcessBus(options: InProcessBusOptions): Promise<Bus> {
  const logger = options.logger ?? silentLogger;
  const backlog = orUnavailable(
    `the bus file ${options.file} cannot be opened`,
    () => new Backlog(options.file, options.clock, logger),
  );
  return new InProcessBus(backlog, options.clock, options.timers, logger);
}

interface Subscriber {
  readonly pattern: string;
  readonly handler: (delivery: Delivery) => void;
}

interface Responder {
  readonly pattern: string;
  readonly group: string;
  readonly handler: (delivery: Delivery) => Promise<Payload>;
}

class InProcessBus implements Bus {
  #phase: 'open' | 'draining' | 'closed' = 'open';
  #closing: Promise<void> | undefined;
  readonly #subscribers = new Set<Subscriber>();
  readonly #responders = new Set<Responder>();
  readonly #places = new Map<string, Place>();
  readonly #unanswered = new Set<(reason: Error) => void>();
  readonly #running = new Set<Promise<unknown>>();

  constructor(
    private readonly backlog: Backlog,
    private readonly clock: Clock,
    private readonly timers: Timers,
    private readonly logger: Logger,
  ) {}

  async publish(subject: string, payload: Payload, options?: { readonly messageId?: string }): Promise<void> {
    checkSubject(subject);
    checkMessageId(options?.messageId);
    const text = encode(payload);
    if (this.#phase === 'closed') throw closed(subject);
    const kind = durableKindOf(subject);
    if (kind !== undefined && !this.#store(kind, subject, text, options?.messageId)) return;
    // The publisher's next line runs before anybody's handler.
    queueMicrotask(() => this.#passOn(subject, text));
  }

  async request(subject: string, payload: Payload, timeoutMs: number): Promise<Payload> {
    checkSubject(subject);
    const text = encode(payload);
    if (this.#phase !== 'open') throw closed(subject);
    const answered = new AbortController();
    return new Promise<Payload>((resolve, reject) => {
      this.#unanswered.add(reject);
      answered.signal.addEventListener('abort', () => this.#unanswered.delete(reject));
      void this.timers.sleep(timeoutMs, answered.signal).then(() => reject(new BusTimeout(subject, timeoutMs)));
      for (const responder of this.#oneOfEachGroup(subject)) {
        this.#run(() => this.#answer(responder, subject, text).then(resolve));
      }
    }).finally(() => answered.abort());
  }

  respond(pattern: string, group: string, handler: Responder['handler'], signal: AbortSignal): void {
    checkPattern(pattern);
    enrol(this.#responders, { pattern, group, handler }, signal);
  }

  subscribe(pattern: string, handler: Subscriber['handler'], signal: AbortSignal): void {
    checkPattern(pattern);
    enrol(this.#subscribers, { pattern, handler }, signal);
  }

  async consume(
    durable: string,
    subject: string,
    handler: (delivery: Delivery) => Promise<Verdict>,
    signal: AbortSignal,
  ): Promise<void> {
    checkPattern(subject);
    if (this.#phase !== 'open') throw closed(subject);
    const place = this.#placeOf(durable, subject);
    const wake = () => place.wake();
    place.consumers += 1;
    signal.addEventListener('abort', wake);
    const work = this.#handOut(place, handler, signal);
    this.#running.add(work);
    try {
      await work;
    } finally {
      this.#running.delete(work);
      signal.removeEventListener('abort', wake);
      place.consumers -= 1;
      if (place.consumers === 0) this.#places.delete(durable);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  async #drain(): Promise<void> {
    this.#phase = 'draining';
    this.#wakeAll();
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
    this.#phase = 'closed';
    for (const reject of this.#unanswered) reject(new BusUnavailable('the bus was closed before anybody answered'));
    this.#subscribers.clear();
    this.#responders.clear();
    this.backlog.close();
  }

  /** False when this message id was taken already. */
  #store(kind: string, subject: string, payload: string, messageId: string | undefined): boolean {
    const isNew = orUnavailable(`${subject} could not be stored`, () =>
      this.backlog.store({ kind, subject, payload, messageId }),
    );
    if (isNew) this.#wakeAll();
    return isNew;
  }

  /** Also those it does not concern: they look, see nothing, and rest again. */
  #wakeAll(): void {
    for (const place of this.#places.values()) place.wake();
  }

  #passOn(subject: string, text: string): void {
    for (const { pattern, handler } of this.#subscribers) {
      if (!matches(pattern, subject)) continue;
      // Asynchronous although the port says void: a handler that is an async function must not reject into the void either.
      this.#run(async () => handler({ subject, payload: decode(text), attempt: 1 }));
    }
  }

  async #handOut(place: Place, handler: (delivery: Delivery) => Promise<Verdict>, signal: AbortSignal): Promise<void> {
    let breathedAt = this.clock.monotonic();
    while (!signal.aborted && this.#phase === 'open') {
      try {
        const message = place.next();
        if (message) {
          await this.#handle(place, message, handler);
          if (this.clock.monotonic() - breathedAt < BREATHLESS_AFTER_MS) continue;
          await this.timers.sleep(0);
        } else {
          await place.rest();
        }
        breathedAt = this.clock.monotonic();
      } catch (err) {
        this.logger.error({ reach: place.reach, err }, 'the bus file could not be read or written');
        await this.timers.sleep(AFTER_FAULT_MS, signal);
      }
    }
  }

  async #handle(
    place: Place,
    message: StoredMessage,
    handler: (delivery: Delivery) => Promise<Verdict>,
  ): Promise<void> {
    const verdict = await this.#verdictOn(message, handler);
    switch (verdict.kind) {
      case 'ack':
        return this.#acknowledge(place, message);
      case 'retry':
        return place.retryLater(message.id, verdict.afterMs);
    }
  }

  #acknowledge(place: Place, message: StoredMessage): void {
    try {
      this.backlog.remove(message.id);
    } catch (cause) {
      place.retryLater(message.id, AFTER_FAULT_MS);
      throw cause;
    }
  }

  async #verdictOn(message: StoredMessage, handler: (delivery: Delivery) => Promise<Verdict>): Promise<Verdict> {
    const { subject, attempt } = message;
    try {
      return await handler({ subject, payload: decode(message.payload), attempt });
    } catch (err) {
      const afterMs = Math.min(FIRST_RETRY_MS * 2 ** (attempt - 1), LONGEST_RETRY_MS);
      this.logger.error({ subject, attempt, afterMs, err }, 'a consumer threw: its message comes again');
      return { kind: 'retry', afterMs };
    }
  }

  async #answer(responder: Responder, subject: string, text: string): Promise<Payload> {
    return decode(encode(await responder.handler({ subject, payload: decode(text), attempt: 1 })));
  }

  /** The one that has waited longest, from each group: whoever is chosen goes to the end of the line. */
  #oneOfEachGroup(subject: string): readonly Responder[] {
    const chosen = new Map<string, Responder>();
    for (const responder of this.#responders) {
      if (matches(responder.pattern, subject) && !chosen.has(responder.group)) chosen.set(responder.group, responder);
    }
    for (const responder of chosen.values()) {
      this.#responders.delete(responder);
      this.#responders.add(responder);
    }
    return [...chosen.values()];
  }

  /** @throws BusRefused SUBJECT_TAKEN when messages would have two owners, or the durable name stands for other ones. */
  #placeOf(durable: string, subject: string): Place {
    const reach = reachOf(subject);
    const mine = this.#places.get(durable);
    if (mine && mine.subject === subject) return mine;
    const [owner, taken] = [...this.#places].find(([, other]) => other === mine || overlap(other.reach, reach)) ?? [];
    if (taken)
      throw new BusRefused('SUBJECT_TAKEN', `${durable} asks for ${subject}, but ${owner} consumes ${taken.subject}`);
    const place = new Place(subject, reach, this.backlog, this.clock, this.timers);
    this.#places.set(durable, place);
    return place;
  }

  /** Runs a handler that nobody waits for, except `close`. */
  #run(handler: () => Promise<unknown>): void {
    const work = handler().catch((err: unknown) => this.logger.error({ err }, 'a handler on the bus threw'));
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work));
  }
}

/** @throws BusRefused NOT_DURABLE for what is not stored, and so cannot be consumed. */
function reachOf(subject: string): Reach {
  const kind = durableKindOf(subject);
  if (kind === undefined) {
    throw new BusRefused(
      'NOT_DURABLE',
      `${subject} is neither a durable subject nor one of ${DURABLE_SUBJECTS.join(', ')}`,
    );
  }
  return kind === subject ? { kind } : { kind, subject };
}

function overlap(one: Reach, other: Reach): boolean {
  if (one.kind !== other.kind) return false;
  return one.subject === undefined || other.subject === undefined || one.subject === other.subject;
}

function enrol<Member>(members: Set<Member>, member: Member, signal: AbortSignal): void {
  if (signal.aborted) return;
  members.add(member);
  signal.addEventListener('abort', () => members.delete(member), { once: true });
}

function checkMessageId(messageId: string | undefined): void {
  if (messageId === undefined || (messageId.length > 0 && messageId.length <= LONGEST_MESSAGE_ID)) return;
  throw new BusRefused(
    'BAD_MESSAGE_ID',
    `a message id has 1 to ${LONGEST_MESSAGE_ID} characters, not ${messageId.length}`,
  );
}

function orUnavailable<Result>(complaint: string, work: () => Result): Result {
  try {
    return work();
  } catch (cause) {
    throw new BusUnavailable(complaint, { cause });
  }
}

function closed(subject: string): BusUnavailable {
  return new BusUnavailable(`the bus is closed: nothing goes out on ${subject}`);
}
