import { Client, credentials, status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { systemClock, systemTimers } from '@vw/runtime';
import { describe, expect, it } from 'vitest';
import { changed, collect, servedFacade } from '../../../../test/support/served-facade.js';
import type { ServedFacade } from '../../../../test/support/served-facade.js';
import { StoreUnavailable } from '../errors.js';
import { shared, streamIdentifier, streams, streamsServices, uuidMessage } from '../protocol/index.js';

const id = '0190a5b8-ffee-7ddc-8bba-fedcba987654';
const { AppendReq } = streams;
type Options = streams.AppendReq.Options;
type Message = streams.AppendReq.ProposedMessage;

function options(change: (options: Options) => unknown = () => undefined): streams.AppendReq {
  const options = new AppendReq.Options();
  options.setStreamIdentifier(streamIdentifier('a-1'));
  options.setAny(new shared.Empty());
  change(options);
  const request = new AppendReq();
  request.setOptions(options);
  return request;
}

function event(change: (message: Message) => unknown = () => undefined): streams.AppendReq {
  const message = new AppendReq.ProposedMessage();
  message.setId(uuidMessage(id, 'structured'));
  message.getMetadataMap().set('type', 'Happened').set('content-type', 'application/json');
  message.setData(Buffer.from('{}'));
  change(message);
  const request = new AppendReq();
  request.setProposedMessage(message);
  return request;
}

/** What the server answers to these messages, be it a refusal. */
function append({ raw }: ServedFacade, ...requests: streams.AppendReq[]): Promise<streams.AppendResp | ServiceError> {
  return new Promise((resolve) => {
    const call = raw.append((error, answer) => resolve(error ?? answer));
    for (const request of requests) call.write(request);
    call.end();
  });
}

const written = ({ log }: ServedFacade, stream = 'a-1') => collect(log.readStream(stream));

describe('Append', () => {
  it.each([
    ['no options', [], 'options'],
    ['an event first', [event()], 'options'],
    ['options twice', [options(), options()], 'proposed_message'],
    ['no stream', [options((o) => o.clearStreamIdentifier())], 'stream_identifier'],
    ['an empty name', [options((o) => o.setStreamIdentifier(streamIdentifier('')))], 'stream_identifier'],
    ['no expectation', [options((o) => o.clearAny())], 'expected_stream_revision'],
    ['a revision beyond int64', [options((o) => o.setRevision('9223372036854775808'))], 'int64'],
    ['no id', [options(), event((m) => m.clearId())], 'id'],
    ['an id that is none', [options(), event((m) => m.getId()?.setString('nonsense'))], 'nonsense'],
    ['the nil id', [options(), event((m) => m.setId(new shared.UUID().setString('0'.repeat(32))))], 'nil'],
    ['no type', [options(), event((m) => m.getMetadataMap().set('type', ''))], 'type'],
    ['a long type', [options(), event((m) => m.getMetadataMap().set('type', 'x'.repeat(1025)))], 'type'],
  ])('is refused with %s, by the name of the field', async (_, requests, field) => {
    const here = await servedFacade();
    expect(await append(here, ...requests)).toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: expect.stringContaining(field),
    });
    expect(await written(here)).toEqual([]);
  });

  it('refuses a name that is no UTF-8', async () => {
    const here = await servedFacade();
    const name = new shared.StreamIdentifier();
    name.setStreamName(Uint8Array.of(0xc3, 0x28));
    expect(
      await append(
        here,
        options((o) => o.setStreamIdentifier(name)),
      ),
    ).toMatchObject({
      code: status.INVALID_ARGUMENT,
    });
  });

  it.each(['type', 'content-type'])('names the metadata property %s that is missing', async (property) => {
    const here = await servedFacade();
    const refusal = (await append(
      here,
      options(),
      event((m) => void m.getMetadataMap().del(property)),
    )) as ServiceError;
    expect(refusal.code).toBe(status.INVALID_ARGUMENT);
    expect(refusal.details).toContain(`'${property}'`);
    expect(refusal.metadata.getMap()).toMatchObject({
      exception: 'missing-required-metadata-property',
      'required-metadata-properties': 'type,content-type',
    });
  });

  it.each([id, id.toUpperCase(), `{${id}}`, id.replaceAll('-', '')])('takes the id %s', async (text) => {
    const here = await servedFacade();
    await append(
      here,
      options(),
      event((m) => m.setId(new shared.UUID().setString(text))),
    );
    expect((await written(here)).map((event) => event.id)).toEqual([id]);
  });

  it('takes no event at all, and says what there is', async () => {
    const here = await servedFacade();
    const absent = (await append(here, options())) as streams.AppendResp;
    expect(absent.getSuccess()?.hasNoStream()).toBe(true);
    await append(here, options(), event());
    const present = (await append(here, options())) as streams.AppendResp;
    expect(present.getSuccess()?.getCurrentRevision()).toBe('0');
  });

  it('tells a wrong expected revision in the answer, and takes uint64.max for no stream', async () => {
    const here = await servedFacade();
    await append(here, options(), event());
    const other = '0190a5b8-ffee-7ddc-8bba-000000000001';
    const again = event((m) => m.setId(uuidMessage(other, 'string')));
    const late = (await append(
      here,
      options((o) => o.setRevision('5')),
      again,
    )) as streams.AppendResp;
    expect(late.getWrongExpectedVersion()?.getExpectedRevision()).toBe('5');
    expect(late.getWrongExpectedVersion()?.getCurrentRevision()).toBe('0');
    const first = options((o) => o.setRevision('18446744073709551615'));
    const second = (await append(here, first, again)) as streams.AppendResp;
    expect(second.getWrongExpectedVersion()?.hasExpectedNoStream()).toBe(true);
    const exists = options((o) => o.setStreamIdentifier(streamIdentifier('b-1')).setStreamExists(new shared.Empty()));
    const third = (await append(here, exists, again)) as streams.AppendResp;
    expect(third.getWrongExpectedVersion()?.hasExpectedStreamExists()).toBe(true);
    expect(third.getWrongExpectedVersion()?.hasCurrentNoStream()).toBe(true);
  });

  it('refuses what is too large while it still comes in', async () => {
    const here = await servedFacade();
    const large = event((m) => m.setData(new Uint8Array(600_000)));
    const refusal = await new Promise<ServiceError | null>((resolve) => {
      const call = here.raw.append((error) => resolve(error));
      call.on('error', () => undefined);
      call.write(options());
      call.write(large);
      call.write(large);
    });
    expect(refusal?.code).toBe(status.INVALID_ARGUMENT);
    expect(refusal?.metadata.getMap()).toMatchObject({
      exception: 'maximum-append-size-exceeded',
      'maximum-append-size': '1048576',
    });
    expect(await written(here)).toEqual([]);
  });

  it('bounds what one connection leaves unfinished, and gives back what was', async () => {
    const here = await servedFacade();
    const large = event((m) => m.setData(new Uint8Array(1_000_000)));
    const calls = Array.from({ length: 70 }, () => {
      let refuse: (error: ServiceError | null) => void = () => undefined;
      const refused = new Promise<ServiceError | null>((resolve) => (refuse = resolve));
      const call = here.raw.append(refuse);
      call.on('error', () => undefined);
      call.write(options());
      call.write(large);
      return { call, refused };
    });
    expect(await Promise.race(calls.map(({ refused }) => refused))).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    for (const { call } of calls) call.cancel();
    await Promise.all(calls.map(({ refused }) => refused));
    expect(await append(here, options(), large)).toHaveProperty('getSuccess');
  }, 30_000);

  it('gives up on an append that nobody ends', async () => {
    let passed = 0;
    const clock = { now: systemClock.now, monotonic: () => (passed += 20_000) };
    const here = await servedFacade({ clock, timers: { sleep: (_, signal) => systemTimers.sleep(20, signal) } });
    const refusal = await new Promise<ServiceError | null>((resolve) => {
      const call = here.raw.append(resolve);
      call.on('error', () => undefined);
      call.write(options());
      call.write(event());
    });
    expect(refusal).toMatchObject({ code: status.DEADLINE_EXCEEDED });
    expect(await written(here)).toEqual([]);
  });

  it('writes nothing of an append that its client breaks off, however much of it has come', async () => {
    const here = await servedFacade();
    const large = event((m) => m.setData(new Uint8Array(50_000)));
    const calls = Array.from({ length: 200 }, () => {
      const call = here.raw.append(() => undefined);
      const over = new Promise((resolve) => call.on('status', resolve));
      call.on('error', () => undefined);
      call.write(options());
      call.write(large);
      return { call, over };
    });
    await append(
      here,
      options((o) => o.setStreamIdentifier(streamIdentifier('b-1'))),
      event(),
    );
    for (const { call } of calls) call.cancel();
    await Promise.all(calls.map(({ over }) => over));
    await append(
      here,
      options((o) => o.setStreamIdentifier(streamIdentifier('b-1'))),
    );
    expect(await written(here)).toEqual([]);
  });

  it('answers bytes that are no message, and goes on serving', async () => {
    const here = await servedFacade();
    const bare = new Client(here.address, credentials.createInsecure());
    const refusal = await new Promise<ServiceError | null>((resolve) => {
      const { path } = streamsServices.StreamsService.append;
      const call = bare.makeClientStreamRequest(
        path,
        (bytes: Buffer) => bytes,
        (bytes) => bytes,
        (error) => resolve(error),
      );
      call.on('error', () => undefined);
      call.write(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x01]));
      call.end();
    });
    expect(refusal?.code).toBe(status.INTERNAL);
    expect(refusal?.details).toContain('deserializing');
    bare.close();
    await append(here, options(), event());
    expect(await written(here)).toHaveLength(1);
  });

  it('says UNAVAILABLE when the store is, and nothing of what went wrong inside', async () => {
    const broken = (failure: Error) =>
      servedFacade({}, (log) => changed(log, { write: () => Promise.reject(failure) }));
    const down = await append(await broken(new StoreUnavailable('/secret/path is full')), options(), event());
    expect(down).toMatchObject({ code: status.UNAVAILABLE, details: expect.not.stringContaining('secret') });
    const fault = await append(await broken(new TypeError('secret')), options(), event());
    expect(fault).toMatchObject({ code: status.INTERNAL, details: 'internal error' });
  });
});

describe('Delete and Tombstone', () => {
  it('refuse a wrong revision with the numbers in trailers', async () => {
    const here = await servedFacade();
    await append(here, options(), event());
    const request = new streams.DeleteReq();
    const wanted = new streams.DeleteReq.Options();
    wanted.setStreamIdentifier(streamIdentifier('a-1'));
    wanted.setNoStream(new shared.Empty());
    request.setOptions(wanted);
    const refusal = await new Promise<ServiceError | null>((resolve) => here.raw.delete(request, resolve));
    expect(refusal?.code).toBe(status.FAILED_PRECONDITION);
    expect(refusal?.metadata.getMap()).toMatchObject({
      exception: 'wrong-expected-version',
      'stream-name': 'a-1',
      'expected-version': '-1',
      'actual-version': '0',
    });
  });

  it('name a stream beyond ASCII in their trailers too', async () => {
    const here = await servedFacade();
    await here.db.tombstoneStream('Straße-🧪');
    const request = options((o) => o.setStreamIdentifier(streamIdentifier('Straße-🧪')));
    const refusal = (await append(here, request, event())) as ServiceError;
    expect(refusal.code).toBe(status.FAILED_PRECONDITION);
    expect(refusal.metadata.getMap()).toMatchObject({
      exception: 'stream-deleted',
      'stream-name': encodeURIComponent('Straße-🧪'),
    });
  });
});
