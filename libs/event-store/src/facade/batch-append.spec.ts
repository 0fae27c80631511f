import protobuf from 'google-protobuf';
import timestamps from 'google-protobuf/google/protobuf/timestamp_pb.js';
import { describe, expect, it, vi } from 'vitest';
import { changed, collect, servedFacade } from '../../../../test/support/served-facade.js';
import type { ServedFacade } from '../../../../test/support/served-facade.js';
import type { EventLog } from '../log.js';
import type { Position } from '../port.js';
import { empty, streamIdentifier, streams, streamsServices, uuidMessage, uuidOf } from '../protocol/index.js';
import { systemIds } from '@vw/runtime';
import { remainingMs, batchAppendDefinition } from './deadline.js';

const { BatchAppendReq } = streams;
type Request = streams.BatchAppendReq;
type Answer = streams.BatchAppendResp;

interface Wanted {
  readonly correlationId?: string;
  readonly stream?: string;
  readonly options?: (options: streams.BatchAppendReq.Options) => unknown;
  readonly events?: number;
  readonly bytes?: number;
  readonly more?: boolean;
}

function fragment({ correlationId = systemIds.next(), events = 1, bytes = 2, more = false }: Wanted): Request {
  const request = new BatchAppendReq();
  request.setCorrelationId(uuidMessage(correlationId, 'string'));
  request.setIsFinal(!more);
  for (let n = 0; n < events; n += 1) {
    const message = new BatchAppendReq.ProposedMessage();
    message.setId(uuidMessage(systemIds.next(), 'string'));
    message.getMetadataMap().set('type', 'Happened').set('content-type', 'application/octet-stream');
    message.setData(new Uint8Array(bytes));
    request.addProposedMessages(message);
  }
  return request;
}

function first(wanted: Wanted = {}): Request {
  const options = new BatchAppendReq.Options();
  options.setStreamIdentifier(streamIdentifier(wanted.stream ?? 'a-1'));
  options.setAny(new empty.Empty());
  wanted.options?.(options);
  const request = fragment(wanted);
  request.setOptions(options);
  return request;
}

/** One call, and the answers that have come on it. */
function conversation({ raw }: ServedFacade) {
  const call = raw.batchAppend();
  const answers: Answer[] = [];
  let ended: unknown;
  call.on('data', (answer: Answer) => answers.push(answer));
  call.on('error', (error) => (ended = error));
  call.on('end', () => (ended ??= 'end'));
  return {
    call,
    answers,
    ended: () => ended,
    send: (...requests: Request[]) => requests.forEach((request) => call.write(request)),
    answered: (count: number) => vi.waitFor(() => expect(answers.length).toBeGreaterThanOrEqual(count), 5_000),
  };
}

const detailOf = (answer: Answer | undefined) => answer?.getError()?.getDetails()?.getTypeName();
const idsOf = (answers: readonly Answer[]) => answers.map((answer) => uuidOf(answer.getCorrelationId()));
const seconds = (value: number) => {
  const timestamp = new timestamps.Timestamp();
  timestamp.setSeconds(value);
  return timestamp;
};

describe('BatchAppend', () => {
  it('answers each correlation id once, and appends in the order received', async () => {
    const here = await servedFacade();
    const { send, answers, answered } = conversation(here);
    const requests = Array.from({ length: 300 }, () => first());
    send(...requests);
    await answered(300);
    expect(new Set(idsOf(answers)).size).toBe(300);
    expect(answers).toHaveLength(300);
    const written = await collect(here.log.readStream('a-1'));
    const sent = requests.map((request) => uuidOf(request.getProposedMessagesList()[0]?.getId()));
    expect(written.map(({ id }) => id)).toEqual(sent);
  });

  it('joins fragments, whichever else come between them, and heeds options in the first only', async () => {
    const here = await servedFacade();
    const { send, answers, answered } = conversation(here);
    const [one, two] = [systemIds.next(), systemIds.next()];
    send(
      first({ correlationId: one, stream: 'a-1', events: 2, more: true }),
      first({ correlationId: two, stream: 'b-1', events: 1, more: true }),
      first({ correlationId: one, stream: 'c-1', events: 1, more: true }),
      fragment({ correlationId: two, events: 1 }),
      fragment({ correlationId: one, events: 0 }),
    );
    await answered(2);
    expect(idsOf(answers)).toEqual([two, one]);
    expect(answers.map((answer) => answer.getSuccess()?.getCurrentRevision())).toEqual(['1', '2']);
    expect(await collect(here.log.readStream('c-1'))).toEqual([]);
  });

  it('says nothing to fragments of an append that never began', async () => {
    const here = await servedFacade();
    const { send, answers, answered } = conversation(here);
    send(fragment({}), fragment({ more: true }), first());
    await answered(1);
    expect(answers).toHaveLength(1);
  });

  it('judges a passed deadline before size, and both before anything is written', async () => {
    const here = await servedFacade();
    const { send, answers, answered } = conversation(here);
    send(
      first({ bytes: 2_000_000, options: (o) => o.setDeadline(seconds(1)) }),
      first({ bytes: 2_000_000, options: (o) => o.setDeadline(seconds(4_000_000_000)) }),
      first({ bytes: 600_000, events: 2, more: true }),
    );
    await answered(3);
    expect(answers.map(detailOf)).toEqual([
      'event_store.client.Timeout',
      'event_store.client.MaximumAppendSizeExceeded',
      'event_store.client.MaximumAppendSizeExceeded',
    ]);
    expect(await collect(here.log.readStream('a-1'))).toEqual([]);
  });

  it('refuses each in the form that clients know, and goes on', async () => {
    const here = await servedFacade({ reserved: ['kept-'] });
    await here.db.tombstoneStream('gone');
    const { send, answers, answered } = conversation(here);
    const untyped = first();
    untyped.getProposedMessagesList()[0]?.getMetadataMap().del('type');
    send(
      first({ stream: 'gone' }),
      first({ options: (o) => o.setStreamPosition('7') }),
      first({ stream: 'kept-1' }),
      first({ stream: '$$kept-1' }),
      first({ options: (o) => o.clearAny() }),
      first({ options: (o) => o.clearStreamIdentifier() }),
      untyped,
      first({ stream: 'fine' }),
    );
    await answered(8);
    const byId = answers.map((answer) => detailOf(answer) ?? 'success').toSorted();
    expect(byId).toEqual(
      [
        'event_store.client.StreamDeleted',
        'event_store.client.WrongExpectedVersion',
        'event_store.client.AccessDenied',
        'event_store.client.AccessDenied',
        'event_store.client.BadRequest',
        'event_store.client.BadRequest',
        'event_store.client.BadRequest',
        'success',
      ].toSorted(),
    );
  });

  it('drops what is not finished by its deadline, says so once, and has forgotten it', async () => {
    const here = await servedFacade();
    const { send, answers, answered } = conversation(here);
    const correlationId = systemIds.next();
    const now = Date.now();
    const soon = new timestamps.Timestamp();
    soon.fromDate(new Date(now + 150));
    send(first({ correlationId, more: true, options: (o) => o.setDeadline(soon) }));
    await answered(1);
    expect(detailOf(answers[0])).toBe('event_store.client.Timeout');
    send(fragment({ correlationId }), first());
    await answered(2);
    expect(answers).toHaveLength(2);
    expect(await collect(here.log.readStream('a-1'))).toHaveLength(1);
  });

  it('bounds what one connection leaves unfinished, and gives back what was finished or dropped', async () => {
    const here = await servedFacade();
    const { call, send, answers, answered } = conversation(here);
    const begun = Array.from({ length: 257 }, () => systemIds.next());
    send(...begun.map((correlationId) => first({ correlationId, more: true })));
    await answered(1);
    expect(idsOf(answers)).toEqual([begun[256]]);
    expect(answers[0]?.getError()?.getMessage()).toContain('unfinished');
    send(fragment({ correlationId: begun[0]! }));
    await answered(2);
    const another = systemIds.next();
    send(first({ correlationId: another, more: true }), fragment({ correlationId: another }));
    await answered(3);
    expect(answers[2]?.hasSuccess()).toBe(true);
    const large = Array.from({ length: 17 }, () => first({ bytes: 1_000_000, more: true }));
    send(large[0]!);
    call.cancel();
    const next = conversation(here);
    next.send(...large);
    await next.answered(1);
    expect(next.answers[0]?.getError()?.getMessage()).toContain('unfinished');
    next.call.end();
    await vi.waitFor(() => expect(next.ended()).toBe('end'));
  });

  it('answers all that was taken before it ends a call that the client has ended', async () => {
    const here = await servedFacade();
    const { call, send, answers, ended } = conversation(here);
    send(...Array.from({ length: 50 }, () => first()), first({ more: true }));
    call.end();
    await vi.waitFor(() => expect(ended()).toBe('end'), 5_000);
    expect(answers).toHaveLength(50);
  });

  it('is not read from while the log has more of it than it may have', async () => {
    let taken = 0;
    const write = () => {
      taken += 1;
      return new Promise<never>(() => undefined);
    };
    const here = await servedFacade({}, (log) => changed(log, { write }));
    const call = here.raw.batchAppend();
    call.on('error', () => undefined);
    const request = first({ bytes: 10 });
    for (let n = 0; n < 5_000; n += 1) call.write(request);
    await vi.waitFor(() => expect(taken).toBeGreaterThanOrEqual(2_048), 5_000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(taken).toBeLessThan(2_100);
    call.cancel();
  });

  it('is not read from either while the log has very many events that weigh nothing', async () => {
    let taken = 0;
    const write = () => {
      taken += 1;
      return new Promise<never>(() => undefined);
    };
    const here = await servedFacade({}, (log) => changed(log, { write }));
    const call = here.raw.batchAppend();
    call.on('error', () => undefined);
    const request = first({ events: 10_000, bytes: 0 });
    for (let n = 0; n < 30; n += 1) call.write(request);
    await vi.waitFor(() => expect(taken).toBeGreaterThanOrEqual(6), 20_000);
    for (let before = -1; before !== taken;) {
      before = taken;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    expect(taken).toBeLessThan(12);
    call.cancel();
  }, 30_000);

  it('takes as many events at once as a message has room for', async () => {
    const write = async (...[, , events]: Parameters<EventLog['write']>) => ({
      revision: events.length - 1,
      position: events.length as Position,
    });
    const here = await servedFacade({}, (log) => changed(log, { write }));
    const { send, answers } = conversation(here);
    send(first({ events: 130_000, bytes: 0 }));
    await vi.waitFor(() => expect(answers).toHaveLength(1), 20_000);
    expect(answers[0]?.getSuccess()?.getCurrentRevision()).toBe('129999');
  }, 30_000);

  it('reads the deadline in both of its fields', () => {
    const withDuration = (secondsLeft: number, nanos: number) => {
      const duration = new protobuf.BinaryWriter();
      duration.writeInt64(1, secondsLeft);
      duration.writeInt32(2, nanos);
      const options = new protobuf.BinaryWriter();
      options.writeBytes(7, duration.getResultBuffer());
      const request = new protobuf.BinaryWriter();
      request.writeBytes(2, options.getResultBuffer());
      request.writeBool(4, true);
      return batchAppendDefinition.requestDeserialize(Buffer.from(request.getResultBuffer()));
    };
    expect(remainingMs(withDuration(3, 500_000_000), 1_000)).toBe(3_500);
    expect(remainingMs(withDuration(-1, 0), 1_000)).toBe(-1_000);
    expect(remainingMs(withDuration(0, 0), 1_000)).toBe(0);
    const { requestSerialize } = streamsServices.StreamsService.batchAppend;
    const dated = batchAppendDefinition.requestDeserialize(
      requestSerialize(first({ options: (o) => o.setDeadline(seconds(5)) })),
    );
    expect(remainingMs(dated, 1_000)).toBe(4_000);
    const free = batchAppendDefinition.requestDeserialize(requestSerialize(first()));
    expect(remainingMs(free, 1_000)).toBe(Infinity);
  });
});
