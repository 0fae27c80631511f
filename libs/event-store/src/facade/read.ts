/**
 * Streams.Read: a stream or the whole log, to an end or for ever.
 *
 * What must stay true:
 *  1. A subscription gives every event beyond its start once, in order: it reads pages, and is only ever told to look again.
 *  2. For a reader that does not read there is a cursor and what its outlet holds; no page is kept while one waits.
 *  3. A checkpoint is sent only when every matching event at or before it has been sent.
 *  4. Between pages everybody else has a turn.
 */
import type { handleServerStreamingCall } from '@grpc/grpc-js';
import type { EventLog, Page } from '../log.js';
import { START } from '../port.js';
import type { Position, RecordedEvent } from '../port.js';
import { END } from '../protocol/index.js';
import type { streams } from '../protocol/index.js';
import { ALL_STREAM } from './access.js';
import { AllCursor, StreamCursor } from './cursors.js';
import type { Cursor } from './cursors.js';
import type { Filter } from './filter.js';
import { resolved, unresolved } from './links.js';
import { BUDGET_BYTES, Outlet } from './outlet.js';
import {
  caughtUp,
  checkpoint,
  confirmation,
  eventMessage,
  firstPosition,
  lastPosition,
  notFound,
} from './read-messages.js';
import { readRequestOf } from './read-request.js';
import type { ReadRequest } from './read-request.js';
import { refusalOf, streamDeleted, shuttingDown } from './refusals.js';
import type { Room } from './room.js';
import { nextTurn } from '../turn.js';

/** Events looked at for the first page; how large they turn out to be says how many the next one has. */
const FIRST_PAGE = 32;
const LARGEST_PAGE = 256;

export function read(
  room: Room,
  subscriptionId: () => string,
): handleServerStreamingCall<streams.ReadReq, streams.ReadResp> {
  return (call) => {
    const outlet = new Outlet(call, room.closing);
    if (room.closing.aborted) return outlet.refuse(shuttingDown());
    const serve = async (): Promise<void> => {
      const caller = room.access.callerOf(call.metadata);
      const request = readRequestOf(call.request);
      const { source } = request;
      room.access.require(caller, 'read', source.kind === 'stream' ? source.stream : ALL_STREAM);
      const mayRead = (stream: string): boolean => room.access.allows(caller, 'read', stream);
      const reader = new Reader(room.log, outlet, request, mayRead);
      if (request.count === 'subscription') await reader.follow(subscriptionId());
      else if (source.kind === 'stream') await reader.readStream(source.stream, request.count);
      else await reader.toTheEnd(request.count);
      outlet.end();
    };
    serve().catch((error: unknown) => outlet.refuse(refusalOf(error, room.logger)));
  };
}

/** What came of a page: the events given, how many were considered for them, and how far that goes. */
interface Delivery {
  readonly given: number;
  readonly considered: number;
  readonly last: { readonly position: Position } | undefined;
  /** False when the reader had to be waited for: what is left of the page is read again. */
  readonly whole: boolean;
}

class Reader {
  private readonly cursor: Cursor;
  private readonly filter: Filter | undefined;
  private pageSize = FIRST_PAGE;

  constructor(
    private readonly log: EventLog,
    private readonly outlet: Outlet,
    private readonly request: ReadRequest,
    private readonly mayRead: (stream: string) => boolean,
  ) {
    this.filter = request.source.kind === 'all' ? request.source.filter : undefined;
    this.cursor = cursorOf(log, request);
  }

  async readStream(stream: string, count: number): Promise<void> {
    const { state, head } = this.log.describe(stream);
    if (state === 'tombstoned') throw streamDeleted(stream);
    if (state !== 'live' || head === 'no-stream') {
      await this.outlet.write(notFound(stream));
      return;
    }
    if (this.request.compatibility < 1) return this.toTheEnd(count);
    await this.tellFirst(stream, head);
    await this.toTheEnd(count);
    await this.outlet.write(lastPosition(head));
  }

  /** What lies beyond now, at most so many events. */
  async toTheEnd(count: number): Promise<void> {
    let left = count;
    while (this.outlet.open && left > 0 && this.cursor.more()) {
      const page = this.cursor.page(this.filter ? this.pageLimit() : Math.min(this.pageLimit(), left));
      const { given, whole } = await this.deliver(page, left);
      left -= given;
      if (whole && page.end) return;
      if (whole) await nextTurn();
    }
  }

  /** Everything that lies beyond, then everything that comes. */
  async follow(subscriptionId: string): Promise<void> {
    await this.outlet.write(confirmation(subscriptionId));
    const interval = this.filter?.checkpointInterval ?? Infinity;
    let sinceCheckpoint = 0;
    let live = false;
    while (this.outlet.open) {
      const end = this.log.end();
      // What is durable may not have been told yet, and a stream is described by what was told.
      await this.log.beyond((end - 1) as Position, this.outlet.signal);
      if (!this.cursor.more()) {
        if (!live) await this.outlet.write(caughtUp());
        live = true;
        await this.log.beyond(end, this.outlet.signal);
        continue;
      }
      const page = this.cursor.page(this.pageLimit(), interval - sinceCheckpoint);
      const { considered, last, whole } = await this.deliver(page, Infinity);
      sinceCheckpoint += considered;
      if (sinceCheckpoint >= interval && last) {
        sinceCheckpoint = 0;
        await this.outlet.write(checkpoint(last.position));
      }
      if (whole && !page.end) await nextTurn();
    }
  }

  private async deliver(page: Page, most: number): Promise<Delivery> {
    let given = 0;
    let bytes = 0;
    let last: RecordedEvent | undefined;
    let wait: Promise<void> | undefined;
    for (const event of page.events) {
      const size = event.data.length + event.metadata.length;
      wait = this.outlet.write(this.message(event), size);
      this.cursor.pass(event);
      last = event;
      bytes += size;
      given += 1;
      if (wait || given >= most) break;
    }
    if (given > 0) this.pageSize = Math.ceil(BUDGET_BYTES / Math.max(1, bytes / given));
    if (!wait && given < most) {
      this.cursor.passAll(page);
      return { given, considered: page.considered, last: page.last, whole: true };
    }
    await wait;
    return { given, considered: given, last, whole: false };
  }

  private message(event: RecordedEvent): streams.ReadResp {
    const shown = this.request.resolveLinks ? resolved(this.log, event, this.mayRead) : unresolved(event);
    return eventMessage(event, shown, this.request.uuidForm);
  }

  private pageLimit(): number {
    return Math.min(this.pageSize, LARGEST_PAGE);
  }

  /** Tells where the stream begins for this reader, when that is not where he asked to begin. */
  private async tellFirst(stream: string, head: number): Promise<void> {
    const { source, direction } = this.request;
    if (direction === 'backwards' || source.from === END) return;
    const from = source.from === 'start' ? 0 : source.from;
    const begins = (await this.firstReadable(stream, from, head)) ?? head + 1;
    if (begins !== from) await this.outlet.write(firstPosition(begins));
  }

  /** A page may be all of events that are too old, and the next one not. */
  private async firstReadable(stream: string, from: number, head: number): Promise<number | undefined> {
    for (let next = from; next <= head && this.outlet.open; await nextTurn()) {
      const page = this.log.pageOfStream(stream, next, 'forwards', LARGEST_PAGE);
      for (const { revision } of page.events) return revision;
      if (page.end || !page.last) return undefined;
      next = page.last.revision + 1;
    }
    return undefined;
  }
}

/** Reads begin at the place they name, subscriptions beyond it; a read of `$all` backwards begins before it, as positions lie between events. */
function cursorOf(log: EventLog, { source, direction, count }: ReadRequest): Cursor {
  const subscribes = count === 'subscription';
  if (source.kind === 'stream') {
    const next = source.from === 'start' ? 0 : source.from + (subscribes ? 1 : 0);
    return new StreamCursor(log, source.stream, direction, next);
  }
  const inclusive = direction === 'forwards' && !subscribes;
  const beyond = source.from === 'start' ? START : Math.max(START, source.from - (inclusive ? 1 : 0));
  return new AllCursor(log, direction, beyond as Position, source.filter?.matches);
}
