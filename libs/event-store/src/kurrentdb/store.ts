/** The event store on a KurrentDB server or cluster, or on anything else that speaks its protocol. */
import type { Ids, Logger } from '@vw/runtime';
import { WrongExpectedRevision } from '../errors.js';
import { checkEvents, checkNotEmpty, checkTarget } from '../mistakes.js';
import type {
  AppendResult,
  EventStore,
  ExpectedRevision,
  NewEvent,
  Position,
  ReadAllOptions,
  ReadStreamOptions,
  RecordedEvent,
  SubscriptionItem,
} from '../port.js';
import { Appends } from './appends.js';
import type { Connection } from './connection.js';
import { closedStore } from './failures.js';
import { Pages } from './pages.js';
import type { Means } from './patience.js';
import { followAll } from './subscription.js';

export interface KurrentStoreParts {
  readonly connection: Connection;
  readonly means: Means;
  readonly ids: Ids;
  readonly logger: Logger;
  readonly patienceMs: number;
  readonly subscriptionPatienceMs: number;
}

/** How often, and how far apart, an event is looked for that the server has acknowledged and does not show yet. */
const LOCATE_ATTEMPTS = 20;
const LOCATE_PAUSE_MS = 25;

export class KurrentStore implements EventStore {
  readonly #parts: KurrentStoreParts;
  readonly #appends: Appends;
  readonly #pages: Pages;
  readonly #closed = new AbortController();
  #closing: Promise<void> | undefined;

  constructor(parts: KurrentStoreParts) {
    this.#parts = parts;
    const { connection, means, ids, logger, patienceMs } = parts;
    this.#pages = new Pages({ connection, means, withinMs: patienceMs, closed: this.#closed.signal });
    this.#appends = new Appends({
      connection,
      means,
      ids,
      logger,
      withinMs: patienceMs,
      locate: (stream, revision) => this.#locate(stream, revision),
    });
  }

  async append(stream: string, expected: ExpectedRevision, events: readonly NewEvent[]): Promise<AppendResult> {
    checkNotEmpty(stream, events);
    checkTarget(stream, expected);
    checkEvents(stream, events);
    if (new Set(events.map(({ id }) => id.toLowerCase())).size < events.length) {
      throw new WrongExpectedRevision(stream, expected, await this.#lastRevision(stream));
    }
    return this.#appends.take(stream, expected, events);
  }

  readStream(stream: string, options: ReadStreamOptions = {}): AsyncGenerator<RecordedEvent, void, undefined> {
    const { direction = 'forwards', limit = Number.MAX_SAFE_INTEGER } = options;
    return this.#pages.ofStream(stream, options.from ?? (direction === 'forwards' ? 0 : 'end'), direction, limit);
  }

  readAll(after: Position, options: ReadAllOptions = {}): AsyncGenerator<RecordedEvent, void, undefined> {
    return this.#pages.ofAll(after, options.limit ?? Number.MAX_SAFE_INTEGER, options.system ?? false);
  }

  subscribeAll(after: Position, signal: AbortSignal): AsyncGenerator<SubscriptionItem, void, undefined> {
    const { connection, means, subscriptionPatienceMs } = this.#parts;
    return followAll(after, signal, {
      connection,
      pages: this.#pages,
      means,
      withinMs: subscriptionPatienceMs,
      closed: this.#closed.signal,
    });
  }

  head(): Promise<Position> {
    return this.#pages.head();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#appends.close();
    this.#closed.abort(closedStore());
    await this.#parts.connection.close();
  }

  async #lastRevision(stream: string): Promise<ExpectedRevision> {
    for await (const { revision } of this.readStream(stream, { direction: 'backwards', limit: 1 })) return revision;
    return 'no-stream';
  }

  /**
   * An append repeated while its first try is being indexed is acknowledged without a position; a moment later the event is there.
   * An event that its stream no longer shows lies at or before the end of the log, and that is what a waiting reader needs to know.
   */
  async #locate(stream: string, revision: number): Promise<Position> {
    for (let attempt = 0; attempt < LOCATE_ATTEMPTS; attempt += 1) {
      for await (const event of this.readStream(stream, { from: revision, limit: 1 })) {
        if (event.revision === revision) return event.position;
      }
      await this.#parts.means.timers.sleep(LOCATE_PAUSE_MS, this.#closed.signal);
    }
    this.#closed.signal.throwIfAborted();
    return this.head();
  }
}
