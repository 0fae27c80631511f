/**
 * Reading, page by page. Each page is one call with a count, read to its end at once, so that no reader, however slow,
 * holds anything open on the server; a page that breaks off is kept as far as it came, or asked for again.
 */
import type { Direction } from '../log.js';
import type { Position, RecordedEvent } from '../port.js';
import { START } from '../port.js';
import type { streams } from '../protocol/index.js';
import type { Connection } from './connection.js';
import { isPassing, streamFailure, unavailable } from './failures.js';
import type { Means } from './patience.js';
import { Patience } from './patience.js';
import { allRequest, eventOf, isOrdinary, streamRequest } from './requests.js';

const PAGE_EVENTS = 512;

/** A page of large events ends early: in memory they lie at once. */
const PAGE_BYTES = 4 * 1024 * 1024;

interface Page {
  readonly events: readonly RecordedEvent[];
  /** The server had no more to give, or gave all that it was asked for. */
  readonly complete: boolean;
}

export interface PagesOptions {
  readonly connection: Connection;
  readonly means: Means;
  readonly withinMs: number;
  /** Aborts when the store is closed, with the reason. */
  readonly closed: AbortSignal;
}

export class Pages {
  readonly #options: PagesOptions;

  constructor(options: PagesOptions) {
    this.#options = options;
  }

  async *ofStream(
    stream: string,
    from: number | 'end',
    direction: Direction,
    limit: number,
  ): AsyncGenerator<RecordedEvent, void, undefined> {
    const step = direction === 'forwards' ? 1 : -1;
    let next = from;
    for (let left = limit; left > 0;) {
      const count = Math.min(left, PAGE_EVENTS);
      const page = await this.#page(streamRequest(stream, next, direction, count), (failure) =>
        streamFailure(failure, stream),
      );
      yield* page.events;
      left -= page.events.length;
      const last = page.events.at(-1);
      if (page.complete && page.events.length < count) return;
      if (last) next = last.revision + step;
      if (next !== 'end' && next < 0) return;
    }
  }

  async *ofAll(after: Position, limit: number, system: boolean): AsyncGenerator<RecordedEvent, void, undefined> {
    let position = after;
    for (let left = limit; left > 0;) {
      // The server's answer begins with the event at the position itself, which was seen before.
      const count = Math.min(left, PAGE_EVENTS) + (position === START ? 0 : 1);
      const page = await this.#page(allRequest(position, 'forwards', count, system), unavailable);
      const before = position;
      for (const event of page.events) {
        if (event.position <= before || left === 0) continue;
        position = event.position;
        if (!system && !isOrdinary(event)) continue;
        left -= 1;
        yield event;
      }
      if (page.complete && page.events.length < count) return;
    }
  }

  /** The position of the last event of the whole log that is given unasked. */
  async head(): Promise<Position> {
    let from: Position | 'end' = 'end';
    for (let count = 1; ; count = PAGE_EVENTS) {
      const page: Page = await this.#page(allRequest(from, 'backwards', count, false), unavailable);
      const last = page.events.find(isOrdinary);
      if (last) return last.position;
      if (page.complete && page.events.length < count) return START;
      from = page.events.at(-1)?.position ?? from;
    }
  }

  async #page(request: streams.ReadReq, judged: (failure: unknown) => Error): Promise<Page> {
    const { connection, means, withinMs, closed } = this.#options;
    const patience = new Patience(means, withinMs);
    for (;;) {
      closed.throwIfAborted();
      try {
        return await fetchPage(connection, request);
      } catch (failure) {
        closed.throwIfAborted();
        if (!isPassing(failure)) throw judged(failure);
        await patience.pause(failure, closed);
      }
    }
  }
}

async function fetchPage(connection: Connection, request: streams.ReadReq): Promise<Page> {
  const events: RecordedEvent[] = [];
  let bytes = 0;
  const call = await connection.startRead(request, 'page');
  try {
    for await (const response of call as AsyncIterable<streams.ReadResp>) {
      const message = response.getEvent();
      const event = message && eventOf(message);
      if (!event) continue;
      events.push(event);
      bytes += event.data.length + event.metadata.length;
      if (bytes >= PAGE_BYTES) return { events, complete: false };
    }
    return { events, complete: true };
  } catch (failure) {
    if (events.length === 0 || !isPassing(failure)) throw failure;
    return { events, complete: false };
  } finally {
    call.cancel();
  }
}
