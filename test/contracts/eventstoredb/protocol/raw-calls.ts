/** What clients other than Node's depend on, and what none of them should ever send. */
import { randomUUID } from 'node:crypto';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import { status } from '@grpc/grpc-js';
import timestamp from 'google-protobuf/google/protobuf/timestamp_pb.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anew, collect, numbered, numbersIn, refusal } from '../events.js';
import {
  append,
  appendMessages,
  batchCall,
  callWithBytes,
  gossip,
  type Fragment,
  type Raw,
  type U64,
  rawClientOf,
  read,
  readRequest,
  supportedMethods,
  uuidStructured,
  uuidText,
} from '../raw.js';
import type { Bench } from './bench.js';

const service = '/event_store.client.streams.Streams';

export function rawCalls(bench: Bench): void {
  let raw: Raw;

  beforeAll(() => void (raw = rawClientOf(bench.server)));
  afterAll(() => raw.close());

  const when = (ms: number) => timestamp.Timestamp.fromDate(new Date(ms));

  describe('ids', () => {
    it('are the same in either form of the protocol, and come back in the form asked for', async () => {
      const [stream, ids] = [
        anew('ids'),
        [randomUUID(), 'ffffffff-ffff-4fff-bfff-ffffffffffff', '00000000-0000-0000-0000-000000000001'],
      ];
      await append(
        raw,
        appendMessages(
          stream,
          'no-stream',
          ids.map((id) => ({ id: uuidStructured(id) })),
        ),
      );
      const again = appendMessages(
        stream,
        'no-stream',
        ids.map((id) => ({ id: uuidText(id) })),
      );
      expect((await append(raw, again)).getSuccess()?.getCurrentRevision()).toBe('2');
      for (const [uuids, form] of [
        ['string', uuidText],
        ['structured', uuidStructured],
      ] as const) {
        const answers = await read(raw, { stream, count: '10', uuids });
        const came = answers.flatMap((answer) => answer.getEvent()?.getEvent()?.getId()?.toObject() ?? []);
        expect(came).toEqual(ids.map((id) => form(id).toObject()));
      }
    });
  });

  describe('append', () => {
    const proposal = [{}];

    it('says what it expected and what is so in the body, not by a status', async () => {
      const stream = anew('conflict');
      await append(raw, appendMessages(stream, 'no-stream', proposal));
      const answer = (await append(raw, appendMessages(stream, '5', proposal))).getWrongExpectedVersion()?.toObject();
      expect(answer).toMatchObject({ currentRevision: '0', expectedRevision: '5' });
      const missing = await append(raw, appendMessages(anew('missing'), 'stream-exists', proposal));
      expect(missing.getWrongExpectedVersion()?.hasCurrentNoStream()).toBe(true);
      expect(missing.getWrongExpectedVersion()?.hasExpectedStreamExists()).toBe(true);
    });

    it.each([
      ['type', { 'content-type': 'application/json' }],
      ['content-type', { type: 'Raw' }],
    ])('without a %s is refused with what is required', async (_, map) => {
      const error = await refusal(append(raw, appendMessages(anew('incomplete'), 'any', [{ map }])));
      expect(error).toMatchObject({ code: status.INVALID_ARGUMENT });
      expect((error as { metadata: { getMap(): object } }).metadata.getMap()).toMatchObject({
        exception: 'missing-required-metadata-property',
        'required-metadata-properties': 'type,content-type',
      });
    });

    it('of no event to a stream that is there changes nothing and says its revision', async () => {
      const stream = anew('nothing');
      await append(raw, appendMessages(stream, 'any', [{}, {}]));
      const answer = await append(raw, appendMessages(stream, '1', []));
      expect(answer.getSuccess()?.toObject()).toMatchObject({ currentRevision: '1' });
    });

    it('without an expectation is refused', async () => {
      const error = await refusal(append(raw, appendMessages(anew('careless'), undefined, proposal)));
      expect(error).toMatchObject({ code: status.INVALID_ARGUMENT });
    });
  });

  describe('BatchAppend', () => {
    const answersOf = (answers: readonly streams.BatchAppendResp[]) =>
      new Map(answers.map((answer) => [answer.getCorrelationId()?.getString(), answer]));

    it('answers each correlation id once, however its fragments lie between those of others', async () => {
      const call = batchCall(raw);
      const [stream, ids] = [anew('woven'), [randomUUID(), randomUUID(), randomUUID()]];
      for (const [i, id] of ids.entries())
        call.send({
          correlation: uuidText(id),
          begins: { stream: `${stream}-${i}`, expected: 'no-stream' },
          events: [{}],
        });
      for (let turn = 0; turn < 3; turn++)
        for (const id of ids) call.send({ correlation: uuidText(id), events: [{}, {}], final: turn === 2 });
      const answers = answersOf(await call.answered(3));
      call.cancel();
      expect(call.answers).toHaveLength(3);
      for (const [i, id] of ids.entries()) {
        expect(answers.get(id)?.getSuccess()?.getCurrentRevision()).toBe('6');
        expect(Buffer.from(answers.get(id)!.getStreamIdentifier()!.getStreamName_asU8()).toString()).toBe(
          `${stream}-${i}`,
        );
        expect(await numbersIn(bench.client, `${stream}-${i}`)).toHaveLength(7);
      }
    });

    it('takes correlation ids of the other form', async () => {
      const call = batchCall(raw);
      const id = randomUUID();
      call.send({ correlation: uuidStructured(id), begins: { stream: anew('structured') }, events: [{}], final: true });
      const [answer] = await call.answered(1);
      expect(answer?.getCorrelationId()?.toObject()).toEqual(uuidStructured(id).toObject());
      call.cancel();
    });

    it('fails one append alone, with an error that says why', async () => {
      const call = batchCall(raw);
      const stream = anew('batch');
      const cases: (Omit<Fragment, 'correlation'> & { id: string; detail: string | undefined })[] = [
        { id: randomUUID(), begins: { stream, expected: '7' }, events: [{}], detail: 'WrongExpectedVersion' },
        { id: randomUUID(), begins: { stream, deadline: when(Date.now() - 10_000) }, events: [{}], detail: 'Timeout' },
        {
          id: randomUUID(),
          begins: { stream },
          events: [{ data: new Uint8Array(1024 * 1024 + 1) }],
          detail: 'MaximumAppendSizeExceeded',
        },
        { id: randomUUID(), begins: { stream, expected: 'no-stream' }, events: [{}], detail: undefined },
      ];
      for (const { id, begins, events } of cases) call.send({ correlation: uuidText(id), begins, events, final: true });
      const answers = answersOf(await call.answered(cases.length));
      call.cancel();
      for (const { id, detail } of cases) {
        const answer = answers.get(id);
        expect(answer?.getError()?.getDetails()?.getTypeName()).toBe(detail && `event_store.client.${detail}`);
        expect(answer?.hasSuccess()).toBe(detail === undefined);
      }
      expect(await collect(bench.client.readStream(stream))).toHaveLength(1);
    });

    it('with a deadline that has passed, times out before its size is looked at', async () => {
      const call = batchCall(raw);
      const begins = { stream: anew('late'), deadline: when(Date.now() - 60_000) };
      call.send({ correlation: uuidText(), begins, events: [{ data: new Uint8Array(2 * 1024 * 1024) }], final: true });
      const [answer] = await call.answered(1);
      expect(answer?.getError()?.getDetails()?.getTypeName()).toBe('event_store.client.Timeout');
      call.cancel();
    });

    it('drops what was never finished when the call is over', async () => {
      const stream = anew('unfinished');
      const unfinished = batchCall(raw);
      unfinished.send({ correlation: uuidText(), begins: { stream }, events: [{}] });
      unfinished.send({ correlation: uuidText(), begins: { stream: anew('other') }, events: [{}], final: true });
      await unfinished.answered(1);
      unfinished.cancel();
      const answer = await append(raw, appendMessages(stream, 'no-stream', [{}]));
      expect(answer.getSuccess()?.getCurrentRevision()).toBe('0');
    });

    it('pays no heed to a fragment of an append that never began', async () => {
      const call = batchCall(raw);
      const after = randomUUID();
      call.send({ correlation: uuidText(), events: [{}], final: true });
      call.send({ correlation: uuidText(after), begins: { stream: anew('after') }, events: [{}], final: true });
      const [answer] = await call.answered(1);
      expect(answer?.getCorrelationId()?.getString()).toBe(after);
      expect(answer?.hasSuccess()).toBe(true);
      call.cancel();
      expect(call.answers).toHaveLength(1);
    });
  });

  describe('read', () => {
    const types = (answers: readonly streams.ReadResp[]): (string | undefined)[] =>
      answers.flatMap((answer) => answer.getEvent()?.getEvent()?.getMetadataMap().get('type') ?? []);

    it('tells of a missing stream by a message, and ends well', async () => {
      const missing = anew('missing');
      const [answer, ...more] = await read(raw, { stream: missing, count: '1' });
      expect(Buffer.from(answer!.getStreamNotFound()!.getStreamIdentifier()!.getStreamName_asU8()).toString()).toBe(
        missing,
      );
      expect(more).toEqual([]);
    });

    it('gives the time of creation in ticks of 100 ns, and the content type as it was said', async () => {
      const stream = anew('described');
      await append(
        raw,
        appendMessages(stream, 'any', [{ map: { type: 'T', 'content-type': 'application/json' } }, {}]),
      );
      const [json, binary] = await read(raw, { stream, count: '2' });
      const map = json!.getEvent()!.getEvent()!.getMetadataMap();
      expect(Number(BigInt(map.get('created') ?? '0') / 10_000n)).toBeCloseTo(Date.now(), -5);
      expect(map.get('content-type')).toBe('application/json');
      expect(binary!.getEvent()!.getEvent()!.getMetadataMap().get('content-type')).toBe('application/octet-stream');
    });

    it('of the whole log takes a filter, in both directions', async () => {
      const label = anew('filtered');
      const first = await bench.client.appendToStream(`${label}-a`, numbered(1, `${label}-A`));
      for (const letter of ['B', 'A', 'B', 'C'])
        await bench.client.appendToStream(`${label}-a`, numbered(1, `${label}-${letter}`));
      const from: U64 = `${first.position!.commit}`;
      const prefixes = [`${label}-A`, `${label}-B`];
      const forwards = await read(raw, { from, count: '3', filter: { on: 'type', prefixes } });
      expect(types(forwards)).toEqual(['A', 'B', 'A'].map((letter) => `${label}-${letter}`));
      const regex = `^${label}-[BC]$`;
      const backwards = await read(raw, { from: 'end', backwards: true, count: '2', filter: { on: 'type', regex } });
      expect(types(backwards)).toEqual(['C', 'B'].map((letter) => `${label}-${letter}`));
    });

    it.each<[string, (options: streams.ReadReq.Options) => void]>([
      ['of neither a stream nor the whole log', (options) => options.clearStream()],
      [
        'backwards for ever',
        (options) => {
          options.setReadDirection(1);
          options.setSubscription(new streams.ReadReq.Options.SubscriptionOptions());
        },
      ],
      ['that says neither how many nor for ever', (options) => options.clearCount()],
      [
        'of a stream with a filter',
        (options) => {
          const filter = new streams.ReadReq.Options.FilterOptions();
          filter.setMax(32);
          options.setFilter(filter);
        },
      ],
    ])('%s is refused', async (_, spoil) => {
      const request = readRequest({ stream: anew('odd'), count: '1' });
      spoil(request.getOptions()!);
      expect(await refusal(read(raw, request))).toMatchObject({ code: status.INVALID_ARGUMENT });
    });
  });

  it.each([`${service}/Rewrite`, '/event_store.client.streams.Rivers/Read', '/Read'])(
    'of a method that is not there, %s, is UNIMPLEMENTED',
    async (path) => {
      expect(await refusal(callWithBytes(raw, path, [new Uint8Array()]))).toMatchObject({ code: status.UNIMPLEMENTED });
    },
  );

  it('of gossip says where the node can be reached, and that it leads', async () => {
    const members = (await gossip(raw)).getMembersList().map((member) => member.toObject());
    expect(members).toContainEqual(
      expect.objectContaining({
        isAlive: true,
        state: 8,
        httpEndPoint: { address: expect.any(String), port: raw.endpoint.port },
      }),
    );
  });

  it('of server features says a version that a client can read, and the methods that there are', async () => {
    const features = await supportedMethods(raw);
    expect(features.getEventStoreServerVersion()).toMatch(/^\d+\.\d+\.\d+/);
    const methods = features.getMethodsList().map((method) => `${method.getServiceName()}/${method.getMethodName()}`);
    for (const method of ['read', 'append', 'batchappend', 'delete', 'tombstone'])
      expect(methods.map((name) => name.toLowerCase())).toContain(`event_store.client.streams.streams/${method}`);
  });

  it('whose deadline has passed is over', async () => {
    const late = read(raw, { from: 'end' }, { deadline: Date.now() + 300 });
    expect(await refusal(late)).toMatchObject({ code: status.DEADLINE_EXCEEDED });
  });

  it('keep the name of a stream as its bytes say', async () => {
    const stream = `${anew('bytes')}/..%2f"'\\;`;
    await append(raw, appendMessages(stream, 'no-stream', [{}]));
    const identifier = new shared.StreamIdentifier();
    identifier.setStreamName(Buffer.from(stream));
    const [answer] = await read(raw, { stream: Buffer.from(stream), count: '1' });
    expect(answer?.getEvent()?.getEvent()?.getStreamIdentifier()?.toObject()).toEqual(identifier.toObject());
  });
}
