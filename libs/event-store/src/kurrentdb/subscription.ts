/**
 * Following the whole log: one lasting call after another, each beginning where the last one broke off.
 *
 *  1. An event is given out once, in order: what lies at or before the last one received is dropped.
 *  2. The next call begins after the last event received or the last checkpoint, whichever is later. What was received and not
 *     given out yet stays and is given out first.
 *  3. A consumer that is slow makes the call wait: at most one buffer of events is held here.
 *  4. `caught-up` is said when the server says so, and otherwise when nothing has come for a moment and the end of the log,
 *     asked for after that, lies no further. The server says it once, and we each time.
 */
import type { Position, RecordedEvent, SubscriptionItem } from '../port.js';
import type { streams } from '../protocol/index.js';
import { numberOf } from '../protocol/index.js';
import { Bell } from './bell.js';
import type { Connection, ReadCall } from './connection.js';
import { isPassing, passing, unavailable } from './failures.js';
import type { Pages } from './pages.js';
import type { Means } from './patience.js';
import { Patience } from './patience.js';
import { eventOf, isOrdinary, subscriptionRequest } from './requests.js';

const MOST_EVENTS_HELD = 512;
const MOST_BYTES_HELD = 4 * 1024 * 1024;

/** So long nothing has come when the end of the log is asked for; the pause doubles until the answer fits. */
const QUIET_MS = 5;
const LONGEST_QUIET_MS = 1000;

export interface SubscriptionOptions {
  readonly connection: Connection;
  readonly pages: Pages;
  readonly means: Means;
  readonly withinMs: number;
  /** Aborts when the store is closed, with the reason. */
  readonly closed: AbortSignal;
}

export async function* followAll(
  after: Position,
  signal: AbortSignal,
  options: SubscriptionOptions,
): AsyncGenerator<SubscriptionItem, void, undefined> {
  if (signal.aborted) return;
  options.closed.throwIfAborted();
  const feed = new Feed(after, options);
  const ring = (): void => feed.changed.ring();
  signal.addEventListener('abort', ring);
  options.closed.addEventListener('abort', ring);
  try {
    let position = after;
    let announced = false;
    for (;;) {
      if (signal.aborted) return;
      options.closed.throwIfAborted();
      const item = feed.take();
      if (item === 'caught-up') {
        if (!announced) yield { kind: 'caught-up', position };
        announced = true;
      } else if (item) {
        position = item.position;
        announced = false;
        yield { kind: 'event', event: item };
      } else {
        feed.receive();
        if (!announced) feed.askForTheEnd();
        await feed.changed.rung();
      }
    }
  } finally {
    signal.removeEventListener('abort', ring);
    options.closed.removeEventListener('abort', ring);
    feed.stop();
  }
}

/** What has been received and not given out yet, and the call it comes from. */
class Feed {
  readonly changed = new Bell();
  readonly #options: SubscriptionOptions;
  readonly #patience: Patience;
  readonly #stopped = new AbortController();
  #held: (RecordedEvent | 'caught-up')[] = [];
  #heldBytes = 0;
  /** Invariant 1: of the last event received, or where the subscription began. */
  #received: Position;
  /** Invariant 2. */
  #resumeAt: Position;
  #call: ReadCall | undefined;
  #receiving = false;
  #asking = false;
  #failure: Error | undefined;

  constructor(after: Position, options: SubscriptionOptions) {
    this.#options = options;
    this.#received = after;
    this.#resumeAt = after;
    this.#patience = new Patience(options.means, options.withinMs);
  }

  /** The next in order, or nothing yet. @throws StoreUnavailable when nothing will come any more */
  take(): RecordedEvent | 'caught-up' | undefined {
    const item = this.#held.shift();
    if (item === undefined) {
      if (this.#failure) throw this.#failure;
      return undefined;
    }
    if (item !== 'caught-up') this.#heldBytes -= sizeOf(item);
    // Refilled when half empty, so that a quick consumer seldom waits for the network.
    if (!this.#isFull(2)) this.#call?.resume();
    return item;
  }

  /** Sees to it that a call is under way. */
  receive(): void {
    if (!this.#receiving) void this.#receive();
  }

  /** Sees to it that somebody finds out whether this is the live end. */
  askForTheEnd(): void {
    if (!this.#asking) void this.#ask();
  }

  stop(): void {
    this.#stopped.abort();
    this.#call?.cancel();
  }

  async #receive(): Promise<void> {
    this.#receiving = true;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const failure = await this.#receiveUntilBroken().catch((cause: unknown) => cause);
      if (signal.aborted) return;
      try {
        if (!isPassing(failure)) throw unavailable(failure);
        await this.#patience.pause(failure, signal);
      } catch (final) {
        this.#failure = final as Error;
        this.changed.ring();
        return;
      }
    }
  }

  /** @returns what broke the call */
  async #receiveUntilBroken(): Promise<unknown> {
    const call = await this.#options.connection.startRead(subscriptionRequest(this.#resumeAt), 'subscription');
    this.#call = call;
    try {
      return await new Promise<unknown>((over) => {
        call.on('error', over);
        call.on('end', () => over(passing('the server has ended the subscription')));
        call.on('data', (response) => {
          try {
            this.#hear(response);
          } catch (unreadable) {
            over(unreadable);
          }
        });
        if (this.#isFull(1)) call.pause();
        if (this.#stopped.signal.aborted) over(undefined);
      });
    } finally {
      this.#call = undefined;
      call.removeAllListeners('data');
      call.cancel();
    }
  }

  #hear(response: streams.ReadResp): void {
    this.#patience.restore();
    const message = response.getEvent();
    const checkpoint = response.getCheckpoint();
    if (message) this.#hold(eventOf(message));
    else if (checkpoint) this.#pass(numberOf(checkpoint.getCommitPosition()) as Position);
    else if (response.hasCaughtUp()) this.#add('caught-up');
  }

  #hold(event: RecordedEvent | undefined): void {
    if (!event || event.position <= this.#received) return;
    this.#received = event.position;
    this.#pass(event.position);
    if (!isOrdinary(event)) return;
    this.#heldBytes += sizeOf(event);
    this.#add(event);
    if (this.#isFull(1)) this.#call?.pause();
  }

  #pass(position: Position): void {
    if (Number.isSafeInteger(position) && position > this.#resumeAt) this.#resumeAt = position;
  }

  #add(item: RecordedEvent | 'caught-up'): void {
    this.#held.push(item);
    this.changed.ring();
  }

  #isFull(parts: number): boolean {
    return this.#held.length * parts >= MOST_EVENTS_HELD || this.#heldBytes * parts >= MOST_BYTES_HELD;
  }

  async #ask(): Promise<void> {
    this.#asking = true;
    const { pages, means } = this.#options;
    const { signal } = this.#stopped;
    for (let quietMs = QUIET_MS; ; quietMs = Math.min(quietMs * 2, LONGEST_QUIET_MS)) {
      const received = this.#received;
      await means.timers.sleep(quietMs, signal);
      // Something has come: whoever consumes it will ask again when nothing is left.
      if (signal.aborted || this.#received !== received || this.#held.length > 0) break;
      const end = await pages.head().catch(() => undefined);
      if (signal.aborted || this.#received !== received || this.#held.length > 0) break;
      if (end !== undefined && end <= received) {
        this.#add('caught-up');
        break;
      }
    }
    this.#asking = false;
    // Whoever found somebody asking, and waits, must ask anew.
    this.changed.ring();
  }
}

function sizeOf({ data, metadata }: RecordedEvent): number {
  return data.length + metadata.length;
}
