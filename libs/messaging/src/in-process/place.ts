/**
 * How far one durable name has come: a cursor over the backlog, and the messages behind it that wait for their retry.
 *
 * Every stored message of its reach is in exactly one of four states: ahead of the cursor, waiting for a retry, with one handler, or
 * acknowledged and gone. The place itself is memory: after a restart the cursor stands at the beginning, and what was not
 * acknowledged is handed out again, at once.
 */
import type { Clock, Timers } from '@vw/runtime';
import type { Backlog, Reach, StoredMessage } from './backlog.js';

/** Nothing is missed by sleeping: every change wakes. Timers just have a longest wait of 24 days, and this is less. */
const LONGEST_REST_MS = 3_600_000;

export class Place {
  /** How many consumers share this place. */
  consumers = 0;
  #cursor = 0;
  readonly #retries: { readonly id: number; readonly dueAt: number }[] = [];
  #alarm = new AbortController();

  constructor(
    readonly subject: string,
    readonly reach: Reach,
    private readonly backlog: Backlog,
    private readonly clock: Clock,
    private readonly timers: Timers,
  ) {}

  /** The next message to hand out: a retry whose time has come, else the next one never handed out here. */
  next(): StoredMessage | undefined {
    for (let due = this.#dueRetry(); due !== undefined; due = this.#dueRetry()) {
      const again = this.backlog.take(due);
      this.#retries.shift();
      if (again) return again;
    }
    const message = this.backlog.takeAfter(this.reach, this.#cursor);
    if (message) this.#cursor = message.id;
    return message;
  }

  retryLater(id: number, afterMs: number): void {
    const dueAt = this.clock.monotonic() + afterMs;
    const before = this.#retries.findLastIndex((other) => other.dueAt <= dueAt);
    this.#retries.splice(before + 1, 0, { id, dueAt });
    this.wake();
  }

  /** Until there may be something to do. Look again afterwards: it is no promise that there is. */
  async rest(): Promise<void> {
    await this.timers.sleep(Math.min(Math.max(this.#untilRetryMs(), 0), LONGEST_REST_MS), this.#alarm.signal);
  }

  wake(): void {
    this.#alarm.abort();
    this.#alarm = new AbortController();
  }

  #dueRetry(): number | undefined {
    return this.#untilRetryMs() <= 0 ? this.#retries[0]?.id : undefined;
  }

  #untilRetryMs(): number {
    const first = this.#retries[0];
    return first ? first.dueAt - this.clock.monotonic() : Number.POSITIVE_INFINITY;
  }
}
