/**
 * `/v1/events`: the log as server-sent events (WHATWG HTML, §9.2). An event's id is its position, so a client that was cut off resumes after the last it saw.
 * The pace is the client's: what it does not read is not read from the log.
 */
import { finished, Readable } from 'node:stream';
import { Controller, Get, Headers, Inject, Query, Res } from '@nestjs/common';
import { type Position, START } from '@vw/event-store';
import { decodeEvent } from '@vw/projections';
import type { FastifyReply } from 'fastify';
import type { Ledger } from '../../ledger.js';
import { EventsDto } from '../dto/queries.dto.js';
import { problem } from '../problem.js';
import { LEDGER } from '../reading.js';
import { eventView } from '../render/views.js';

/** Each follower that lags keeps a page of the log in memory. */
const mostFollowers = 64;

/** How many events a follower is sent before the next has its turn: about two milliseconds' work. */
const atOnce = 64;

@Controller('v1/events')
export class EventsController {
  private followers = 0;
  private pace = Promise.resolve();

  constructor(@Inject(LEDGER) private readonly ledger: Ledger) {}

  @Get()
  follow(
    @Query() query: EventsDto,
    @Headers('last-event-id') lastEventId: string | undefined,
    @Res() reply: FastifyReply,
  ): void {
    const after = startAfter(lastEventId, query.after);
    if (this.followers >= mostFollowers) {
      throw problem(503, 'TOO_MANY_FOLLOWERS', `${mostFollowers} clients follow the log already; ask again later`);
    }
    this.followers += 1;
    const ended = new AbortController();
    // Tells also of a client that was gone before this line.
    finished(reply.raw, () => {
      this.followers -= 1;
      ended.abort();
    });
    const signal = AbortSignal.any([ended.signal, this.ledger.closing]);
    const stream = query.workspace === undefined ? undefined : `workspace-${query.workspace}`;
    void reply
      .header('content-type', 'text/event-stream; charset=utf-8')
      .header('cache-control', 'no-store')
      .send(Readable.from(this.messages(after, stream, signal)));
  }

  /** Followers go on one after another, and between any two of them everybody else has a turn: a socket that takes all it is given never makes one wait. */
  private turn(signal: AbortSignal): Promise<void> {
    return (this.pace = this.pace.then(() => this.ledger.ports.timers.sleep(0, signal)));
  }

  private async *messages(after: Position, stream: string | undefined, signal: AbortSignal): AsyncGenerator<string> {
    yield 'retry: 1000\n\n';
    await this.turn(signal);
    let sent = 0;
    for await (const item of this.ledger.ports.store.subscribeAll(after, signal)) {
      if (item.kind === 'caught-up') {
        yield `event: caught-up\ndata: {"position":${item.position}}\n\n`;
        continue;
      }
      if (stream !== undefined && item.event.stream !== stream) continue;
      const event = decodeEvent(item.event);
      if (event.category === 'foreign') continue;
      sent += 1;
      if (sent % atOnce === 0) await this.turn(signal);
      yield `id: ${event.position}\nevent: ${event.event.type}\ndata: ${JSON.stringify(eventView(event))}\n\n`;
    }
  }
}

function startAfter(lastEventId: string | undefined, after: number | undefined): Position {
  if (lastEventId === undefined || lastEventId === '') return (after ?? START) as Position;
  if (!/^\d{1,16}$/.test(lastEventId) || !Number.isSafeInteger(Number(lastEventId))) {
    throw problem(422, 'INVALID', 'Last-Event-ID is a position, a whole number', {
      problems: [{ code: 'position', message: 'not a position', where: { field: 'Last-Event-ID' } }],
    });
  }
  return Number(lastEventId) as Position;
}
