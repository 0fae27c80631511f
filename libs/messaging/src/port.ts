/**
 * The bus between the ledger and its hosts. A lossy, duplicating hint, whatever an adapter promises: nothing above this
 * port may depend on a message arriving, arriving once, or arriving in order. Durable subjects (PROTOCOL.md: tasks, evidence,
 * submitted commands) survive a restart of either side where the adapter can; that saves time, never truth.
 */

/** A message as JSON: what may travel, and nothing else. Every receiver gets its own copy. At most 1 MiB of UTF-8. */
export type Payload = { readonly [key: string]: unknown };

export interface Delivery {
  readonly subject: string;
  readonly payload: Payload;
  /** How often this message has been handed out, from 1. */
  readonly attempt: number;
}

/** What a durable consumer says of a delivery: take it off, or hand it out again after a while. */
export type Verdict = { readonly kind: 'ack' } | { readonly kind: 'retry'; readonly afterMs: number };

export interface Bus {
  /**
   * Resolves when the bus has taken the message (on a durable subject: when it is stored).
   * The same `messageId` on a durable subject within the adapter's window is taken once.
   * @throws BusRefused, BusUnavailable
   */
  publish(subject: string, payload: Payload, options?: { readonly messageId?: string }): Promise<void>;
  /** One answer, or a BusTimeout after `timeoutMs`. @throws BusRefused, BusTimeout, BusUnavailable */
  request(subject: string, payload: Payload, timeoutMs: number): Promise<Payload>;
  /**
   * Answers requests on a subject (`*` stands for one token) until the signal aborts; one of a queue group gets each.
   * A handler that throws answers nothing, so its asker runs into the timeout: say no with a payload.
   * @throws BusRefused
   */
  respond(subject: string, group: string, handler: (delivery: Delivery) => Promise<Payload>, signal: AbortSignal): void;
  /**
   * Hands a durable subject's messages (or, with `*` as the last token, all of a kind's) to the handler, one at a time and in order,
   * from where this durable name stopped, until the signal aborts. A message that waits for its retry holds up none of those behind it.
   * A handler that throws is a verdict of retry. Several consumers of one durable name share its messages; a subject has one durable name.
   * Resolves when the last handler has finished after the abort, or after `close`.
   * @throws BusRefused, BusUnavailable
   */
  consume(
    durable: string,
    subject: string,
    handler: (delivery: Delivery) => Promise<Verdict>,
    signal: AbortSignal,
  ): Promise<void>;
  /** Whatever is published from now on, on a subject (`*` one token, `>` the rest), without any promise. @throws BusRefused */
  subscribe(subject: string, handler: (delivery: Delivery) => void, signal: AbortSignal): void;
  /** Hands out nothing more, waits until every running handler has finished, and lets go. What is stored stays stored. */
  close(): Promise<void>;
}

export type Refusal =
  'BAD_SUBJECT' | 'NOT_DURABLE' | 'SUBJECT_TAKEN' | 'BAD_PAYLOAD' | 'PAYLOAD_TOO_LARGE' | 'BAD_MESSAGE_ID';

/** The caller asked for what no bus will do. Asking again is no remedy. */
export class BusRefused extends Error {
  override readonly name = 'BusRefused';
  constructor(
    readonly reason: Refusal,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export class BusTimeout extends Error {
  override readonly name = 'BusTimeout';
  constructor(
    readonly subject: string,
    readonly timeoutMs: number,
  ) {
    super(`nobody answered on ${subject} within ${timeoutMs} ms`);
  }
}

/** The bus is closed or out of reach; the message was not taken. */
export class BusUnavailable extends Error {
  override readonly name = 'BusUnavailable';
}
