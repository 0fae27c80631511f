/**
 * What strangers may send or fail to read: each attack gets a clear status, takes a bounded share of memory, and takes
 * nothing from the others. A witness goes on appending and reading all the while; the server's memory is read from outside.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { gzipSync } from 'node:zlib';
import { binaryEvent, END, type EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import timestamp from 'google-protobuf/google/protobuf/timestamp_pb.js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { anew, collect, follow, numbered, numbersIn, refusal } from './events.js';
import { type FacadeProcess, startFacade } from './facade-process.js';
import {
  append,
  appendMessages,
  batchCall,
  callWithBytes,
  fragment,
  type Raw,
  rawClientOf,
  type RawExpectation,
  read,
  readRequest,
  type ReadWish,
  type U64,
  uuidText,
} from './raw.js';
import { clientOf } from './server.js';
import { startWitness, type Witness } from './witness.js';

const MIB = 1024 * 1024;
const MAX_U64 = '18446744073709551615';

/** What the whole server may hold, whatever is done to it. At rest it holds about 110 MiB. */
const MEMORY_LIMIT = 640 * MIB;
/** What a well-behaved client puts up with, on a machine that is as busy with the attack as the server. */
const PATIENCE_MS = 5_000;

const methods = [
  '/event_store.client.streams.Streams/Read',
  '/event_store.client.streams.Streams/Append',
  '/event_store.client.streams.Streams/BatchAppend',
  '/event_store.client.streams.Streams/Delete',
  '/event_store.client.streams.Streams/Tombstone',
];

describe('vw store serve under attack', () => {
  let facade: FacadeProcess;
  let witness: Witness;
  let client: EventStoreDBClient;
  let raw: Raw;
  let highest = 0;
  let watch: NodeJS.Timeout;
  const sockets: { destroy(): void }[] = [];

  /** A server and a witness of one group of attacks: what a group leaves behind in memory is no other's. */
  const afresh = (): void => {
    beforeAll(async () => {
      facade = await startFacade();
      witness = await startWitness(facade);
      client = clientOf(facade);
      watch = setInterval(() => void look(), 100);
    });

    afterAll(async () => {
      clearInterval(watch);
      const { written, read, followed } = await witness.account();
      expect(read).toEqual(Array.from(read, (_, i) => i));
      expect(read.length).toBeGreaterThanOrEqual(written);
      expect(followed.slice(0, read.length)).toEqual(read);
      await witness.stop();
      // A call of it that the server ends would let the client reject appends of the next group's.
      await client.dispose();
      await facade.stop();
    });
  };
  const look = async (): Promise<void> => void (highest = Math.max(highest, await facade.residentBytes()));

  beforeEach(() => {
    raw = rawClientOf(facade);
    witness.slowestAppendMs();
    highest = 0;
  });

  afterEach(async () => {
    raw.close();
    for (const socket of sockets.splice(0)) socket.destroy();
    await witness.goesOn();
    await look();
    expect.soft(facade.child.exitCode).toBeNull();
    // A stranger may be warned of, but nothing that a stranger does is a fault of ours.
    expect.soft(facade.complaints()).not.toMatch(/"level":(50|60)|^\s+at /m);
    expect.soft(witness.slowestAppendMs()).toBeLessThan(PATIENCE_MS);
    expect.soft(highest).toBeLessThan(MEMORY_LIMIT);
  });

  const socket = async (): Promise<net.Socket> => {
    const made = net.connect(facade.port, '127.0.0.1');
    made.on('error', () => undefined);
    sockets.push(made);
    await once(made, 'connect');
    return made;
  };
  const session = async (): Promise<http2.ClientHttp2Session> => {
    const made = http2.connect(`http://127.0.0.1:${facade.port}`);
    made.on('error', () => undefined);
    sockets.push(made);
    await once(made, 'connect');
    return made;
  };
  /** The answer of a call that is made by hand, whatever it is: a gRPC status, an HTTP status, or the stream's reset. */
  const answerTo = async (
    headers: http2.OutgoingHttpHeaders,
    body: Uint8Array = new Uint8Array(5),
  ): Promise<string> => {
    const stream = (await session()).request({ ':method': 'POST', ...headers }, { endStream: false });
    return new Promise((resolve) => {
      let http = '';
      stream.on('response', (head) => {
        http = `HTTP ${String(head[':status'])}`;
        if (head['grpc-status'] !== undefined) resolve(`gRPC ${String(head['grpc-status'])}`);
      });
      stream.on('trailers', (trailers) => resolve(`gRPC ${String(trailers['grpc-status'])}`));
      stream.on('error', () => resolve('reset'));
      stream.on('close', () => resolve(http || 'reset'));
      stream.resume();
      stream.end(body);
    });
  };
  const statusOf = async (call: Promise<unknown>): Promise<status> => ((await refusal(call)) as ServiceError).code;
  const grpc = { 'content-type': 'application/grpc', te: 'trailers' };

  describe('by size', () => {
    afresh();

    it('an event that is too large, in every call', async () => {
      const data = new Uint8Array(2 * MIB);
      const attempts = Array.from({ length: 20 }, () => append(raw, appendMessages(anew('large'), 'any', [{ data }])));
      for (const attempt of attempts) expect(await statusOf(attempt)).toBe(status.INVALID_ARGUMENT);
      const call = batchCall(raw);
      const begins = { stream: anew('large') };
      for (let i = 0; i < 20; i++) call.send({ correlation: uuidText(), begins, events: [{ data }], final: true });
      const answers = await call.answered(20);
      for (const answer of answers)
        expect(answer.getError()?.getDetails()?.getTypeName()).toBe('event_store.client.MaximumAppendSizeExceeded');
      call.cancel();
    });

    it('messages that are larger than any can be', async () => {
      const bytes = Buffer.alloc(20 * MIB);
      for (const path of methods)
        expect(await statusOf(callWithBytes(raw, path, [bytes]))).toBe(status.RESOURCE_EXHAUSTED);
    });

    it('a length that is never delivered', async () => {
      const frame = Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]);
      for (const path of methods) expect(await answerTo({ ':path': path, ...grpc }, frame)).toMatch(/^gRPC (8|13)$/);
    });

    it('appends that go on and on, on one call and on hundreds, none of them ended', async () => {
      const endless = anew('endless');
      const [head, event] = appendMessages(endless, 'any', [{ data: new Uint8Array(MIB - 1024) }]);
      const calls = Array.from({ length: 500 }, () => {
        const call = raw.streams.append(() => undefined);
        call.on('error', () => undefined);
        call.write(head!);
        call.write(event!);
        return call;
      });
      await witness.goesOn();
      await new Promise((resolve) => setTimeout(resolve, 3000));
      for (const call of calls) call.cancel();
      const tooMany = appendMessages(
        endless,
        'any',
        Array.from({ length: 20_000 }, () => ({ data: new Uint8Array(1000) })),
      );
      expect(await statusOf(append(raw, tooMany))).toBe(status.INVALID_ARGUMENT);
      const tiny = appendMessages(
        anew('tiny'),
        'any',
        Array.from({ length: 50_000 }, () => ({ data: new Uint8Array() })),
      );
      const outcome = await append(raw, tiny).then(
        () => 'taken',
        ({ code }: ServiceError) => code,
      );
      expect(outcome).toBeOneOf(['taken', status.INVALID_ARGUMENT, status.RESOURCE_EXHAUSTED]);
      // Node's client ends a call before it resets it, so one that was broken off may have been written; whole, if at all.
      const kept = await collect(client.readStream(endless)).catch(() => []);
      expect(kept.map(({ event }) => event?.data instanceof Uint8Array && event.data.length)).toEqual(
        kept.map(() => MIB - 1024),
      );
    });
  });

  describe('by bytes', () => {
    afresh();

    it('that are no messages, in every method', async () => {
      const cut = Buffer.from(readRequest({ stream: anew('cut'), count: '5' }).serializeBinary()).subarray(0, 9);
      const nested = Buffer.alloc(100_000, 0x0b);
      const endlessVarint = Buffer.alloc(64, 0xff);
      const batches = [
        [cut],
        [nested],
        [endlessVarint],
        ...Array.from({ length: 60 }, (_, i) => [randomBytes(1 + i * 7)]),
      ];
      for (const path of methods)
        for (const messages of batches) {
          const outcome = await callWithBytes(raw, path, messages, { deadline: Date.now() + 20_000 }).then(
            () => 'answered',
            ({ code }: ServiceError) => code,
          );
          expect([path, messages[0]!.toString('hex').slice(0, 80), outcome]).toEqual([
            path,
            expect.any(String),
            expect.toBeOneOf(['answered', status.INTERNAL, status.INVALID_ARGUMENT, status.RESOURCE_EXHAUSTED]),
          ]);
        }
    });

    it('that are no protocol: noise, HTTP/1, TLS, a preface and noise', async () => {
      const noises = [
        () => randomBytes(100_000),
        () => Buffer.from('GET /streams/$all HTTP/1.1\r\nHost: x\r\n\r\n'),
        () => Buffer.from(`POST / HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n${'x'.repeat(10_000)}`),
        () => Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03, ...randomBytes(500)]),
        () => Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), randomBytes(100_000)]),
        () => Buffer.alloc(0),
      ];
      for (let round = 0; round < 20; round++)
        for (const noise of noises) {
          const made = await socket();
          made.write(noise());
          if (round % 2 === 0) made.end();
        }
      await witness.goesOn();
    });

    it('that are HTTP/2 and no gRPC', async () => {
      const path = methods[0]!;
      expect(await answerTo({ ':method': 'GET', ':path': '/' })).toMatch(/^(HTTP 4..|gRPC 12|reset)$/);
      expect(await answerTo({ ':path': path, 'content-type': 'application/json' })).toMatch(/^HTTP 415$/);
      expect(await answerTo({ ':path': path })).toMatch(/^HTTP 415$/);
      for (const odd of [
        '/',
        '/event_store.client.streams.Streams',
        `/${'x'.repeat(10_000)}/y`,
        `${path}/`,
        `${path}?a=b`,
      ])
        expect(`${odd.slice(0, 60)}: ${await answerTo({ ':path': odd, ...grpc })}`).toMatch(/: gRPC 12$/);
      for (const timeout of ['1n', '0S', '99999999H', '-1S', 'x', '9'.repeat(100)])
        expect(await answerTo({ ':path': path, 'grpc-timeout': timeout, ...grpc })).toMatch(
          /^(gRPC \d+|reset|HTTP 4..)$/,
        );
      expect(
        await answerTo({ ':path': path, 'grpc-encoding': 'snappy', ...grpc }, Buffer.from([1, 0, 0, 0, 1, 0])),
      ).toMatch(/^gRPC (12|13|3)$/);
      const bomb = gzipped(30 * MIB);
      expect(await answerTo({ ':path': path, 'grpc-encoding': 'gzip', ...grpc }, bomb)).toMatch(/^gRPC (8|13)$/);
    });

    it('headers without end', async () => {
      const many = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`x-${i}`, 'y'.repeat(100)]));
      expect(await answerTo({ ':path': methods[0]!, ...grpc, 'x-long': 'y'.repeat(200_000) })).toMatch(
        /^(gRPC|HTTP|reset)/,
      );
      expect(await answerTo({ ':path': methods[0]!, ...grpc, ...many })).toMatch(/^(gRPC|HTTP|reset)/);
      const metadata = new Metadata();
      metadata.set('authorization', `Basic ${'A'.repeat(7000)}`);
      metadata.set('connection-name', 'x'.repeat(7000));
      const call = raw.streams.read(readRequest({ stream: anew('headers'), count: '1' }), metadata);
      const [answer] = await collect<streams.ReadResp>(call);
      expect(answer?.hasStreamNotFound()).toBe(true);
    });

    it('streams opened and reset without end', async () => {
      for (let round = 0; round < 10; round++) {
        const made = await session();
        const ping = () => new Promise((resolve) => made.ping(resolve) || resolve(undefined));
        for (let i = 0; i < 500 && !made.destroyed; i++) {
          const stream = made.request({ ':method': 'POST', ':path': methods[0]!, ...grpc });
          stream.on('error', () => undefined);
          stream.close(http2.constants.NGHTTP2_CANCEL);
          if (i % 50 === 0) await ping();
        }
        made.destroy();
      }
      await witness.goesOn();
    });
  });

  describe('by what is never finished', () => {
    afresh();

    it('appends in fragments, on one call and on many connections', async () => {
      const data = new Uint8Array(1000);
      const flood = batchCall(raw);
      for (let i = 0; i < 5000; i++)
        flood.send({ correlation: uuidText(), begins: { stream: anew('unfinished') }, events: [{ data }] });
      const refused = await flood.answered(4000);
      for (const answer of refused)
        expect(answer.getError()?.getCode()).toBeOneOf([status.RESOURCE_EXHAUSTED, status.DEADLINE_EXCEEDED]);
      flood.cancel();

      const connections = Array.from({ length: 60 }, () => rawClientOf(facade));
      const large = new Uint8Array(MIB - 2000);
      for (const connection of connections) {
        const call = batchCall(connection);
        for (let i = 0; i < 15; i++)
          call.send({ correlation: uuidText(), begins: { stream: anew('unfinished') }, events: [{ data: large }] });
      }
      await new Promise((resolve) => setTimeout(resolve, 5000));
      await witness.goesOn();
      for (const connection of connections) connection.close();
    });

    it('an append whose end never comes', async () => {
      const error = new Promise<ServiceError | null>((resolve) => {
        const call = raw.streams.append(resolve);
        for (const message of appendMessages(anew('unfinished'), 'any', [{}])) call.write(message);
      });
      expect(await error).toMatchObject({ code: status.DEADLINE_EXCEEDED });
    });

    it('appends whose deadline passes while they wait, each told once', async () => {
      const call = batchCall(raw);
      const deadline = timestamp.Timestamp.fromDate(new Date(Date.now() + 500));
      const ids = Array.from({ length: 100 }, () => randomUUID());
      for (const id of ids)
        call.send({ correlation: uuidText(id), begins: { stream: anew('late'), deadline }, events: [{}] });
      const answers = await call.answered(100);
      expect(new Set(answers.map((answer) => answer.getCorrelationId()?.getString()))).toEqual(new Set(ids));
      for (const answer of answers)
        expect(answer.getError()?.getDetails()?.getTypeName()).toBe('event_store.client.Timeout');
      for (const id of ids) call.send({ correlation: uuidText(id), events: [{}], final: true });
      call.send({ correlation: uuidText(), begins: { stream: anew('next') }, events: [{}], final: true });
      await call.end();
      expect(call.answers).toHaveLength(101);
    });
  });

  describe('by what is given up', () => {
    afresh();

    it('calls whose deadline has passed, or which are cancelled at once', async () => {
      const [past, stream] = [Date.now() - 1000, anew('cancelled')];
      for (let i = 0; i < 3000; i++) {
        const reading = raw.streams.read(readRequest(i % 2 === 0 ? {} : { stream, count: MAX_U64 }));
        reading.on('error', () => undefined);
        const appending = raw.streams.append(() => undefined);
        appending.on('error', () => undefined);
        appending.write(appendMessages(stream, 'any', [{}])[0]!);
        if (i % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
        reading.cancel();
        appending.cancel();
      }
      for (const call of [
        read(raw, { count: '1' }, { deadline: past }),
        append(raw, appendMessages(stream, 'any', [{}]), { deadline: past }),
      ])
        expect(await statusOf(call)).toBe(status.DEADLINE_EXCEEDED);
      expect(await refusal(collect(client.readStream(stream)))).toMatchObject({ type: 'stream-not-found' });
    });
  });

  describe('by not reading', () => {
    afresh();

    it('subscriptions over 200 MB of events, on one connection and on ten, while another reads', async () => {
      const prefix = anew('heavy');
      const data = randomBytes(MIB - 100);
      for (let i = 0; i < 200; i++) await client.appendToStream(prefix, binaryEvent({ type: 'Heavy', data }));
      const idle = Array.from({ length: 10 }, () => rawClientOf(facade));
      const calls = [...idle, ...Array<Raw>(10).fill(raw)].flatMap((one) => [
        one.streams.read(readRequest({ stream: prefix })),
        one.streams.read(readRequest({ filter: { on: 'stream', prefixes: [prefix] } })),
        one.streams.read(readRequest({ stream: prefix, count: MAX_U64 })),
      ]);
      for (const call of calls) call.on('error', () => undefined).pause();
      await new Promise((resolve) => setTimeout(resolve, 3000));
      await witness.goesOn();
      let bytes = 0;
      const reader = rawClientOf(facade);
      for await (const answer of reader.streams.read(readRequest({ stream: prefix, count: '40' })))
        bytes += (answer as streams.ReadResp).getEvent()?.getEvent()?.getData_asU8().length ?? 0;
      expect(bytes).toBe(40 * data.length);
      for (const call of calls) call.cancel();
      for (const one of [...idle, reader]) one.close();
    });

    it('answers to appends', async () => {
      const stream = anew('deaf');
      const made = await session();
      const request = made.request({ ':method': 'POST', ':path': methods[2]!, ...grpc });
      request.on('error', () => undefined).pause();
      let sent = 0;
      const message = (): Buffer => {
        const bytes = fragment({
          correlation: uuidText(),
          begins: { stream },
          events: [{}],
          final: true,
        }).serializeBinary();
        const prefix = Buffer.alloc(5);
        prefix.writeUInt32BE(bytes.length, 1);
        return Buffer.concat([prefix, bytes]);
      };
      while (sent < 60_000 && !request.writableNeedDrain) {
        for (let i = 0; i < 500; i++) request.write(message());
        sent += 500;
        await Promise.race([once(request, 'drain'), new Promise((resolve) => setTimeout(resolve, 500))]);
      }
      await witness.goesOn();
    });

    it('connections that have gone silent', async () => {
      const silent = await Promise.all(Array.from({ length: 50 }, () => socket()));
      const preface = Buffer.from('505249202a20485454502f322e300d0a0d0a534d0d0a0d0a000000040000000000', 'hex');
      for (const made of silent) {
        made.write(preface);
        made.pause();
      }
      await witness.goesOn();
    });
  });

  describe('by number', () => {
    afresh();

    it('a thousand subscriptions on one connection, and a thousand on fifty', async () => {
      const stream = anew('crowded');
      const fifty = Array.from({ length: 50 }, () => rawClientOf(facade));
      const wishes: ReadWish[] = [{ stream }, { from: 'end', filter: { on: 'stream', prefixes: [stream] } }];
      const calls = [...Array<Raw>(1000).fill(raw), ...Array.from({ length: 1000 }, (_, i) => fifty[i % 50]!)].map(
        (one, i) => one.streams.read(readRequest(wishes[i % 2]!)),
      );
      const heard = calls.map(() => 0);
      const confirmed = calls.map(() => false);
      for (const [i, call] of calls.entries()) {
        call.on('error', () => (heard[i] = -1));
        call.on('data', (answer: streams.ReadResp) => {
          if (answer.hasConfirmation()) confirmed[i] = true;
          if (answer.hasEvent()) heard[i]! += 1;
        });
      }
      await vi.waitFor(() => expect(confirmed.every(Boolean)).toBe(true), { timeout: 60_000, interval: 100 });
      // Confirmed comes before the first page is read, and those from the end begin with what is there then.
      await new Promise((resolve) => setTimeout(resolve, 1000));
      for (let i = 0; i < 5; i++) await client.appendToStream(stream, numbered(1));
      await vi.waitFor(() => expect(heard.every((count) => count === 5)).toBe(true), {
        timeout: 60_000,
        interval: 100,
      });
      for (const call of calls) call.cancel();
      for (const one of fifty) one.close();
    });

    it('five hundred connections', async () => {
      const made = await Promise.all(Array.from({ length: 500 }, () => session()));
      await witness.goesOn();
      expect(made.every(({ destroyed }) => !destroyed)).toBe(true);
    });
  });

  describe('by patterns', () => {
    afresh();

    const subjects = ['a'.repeat(200), `${'a'.repeat(200)}!`, `${'ab '.repeat(100)}#`];

    it.each([
      '(a+)+$',
      '^(a|a)*$',
      '^(([a-z])+.)+[A-Z]([a-z])+$',
      '(a|aa)+$',
      '(.*)*x',
      '(?:a?){200}a{200}',
      '((a{1,100}){1,100}){1,100}',
      '(',
      '[',
      'a{99999999}',
      '(?=a)a',
      '(a)\\1',
      '\\u{110000}',
      'x'.repeat(100_000),
      '\u0000',
      '(?<n>a)\\k<n>',
    ])('%#: refused, or answered in time', async (regex) => {
      const prefix = anew('pattern');
      for (const subject of subjects)
        await client.appendToStream(`${prefix}-${subject}`, jsonEvent({ type: subject, data: {} }));
      for (const on of ['type', 'stream'] as const) {
        const began = performance.now();
        const outcome = await read(raw, { from: 'end', backwards: true, count: '20', filter: { on, regex } }).then(
          () => 'answered',
          ({ code }: ServiceError) => code,
        );
        expect(outcome).toBeOneOf(['answered', status.INVALID_ARGUMENT]);
        expect(performance.now() - began).toBeLessThan(PATIENCE_MS);
      }
    });

    it('prefixes by the ten thousand', async () => {
      const prefixes = Array.from({ length: 10_000 }, (_, i) => `none-${i}`);
      const outcome = await read(raw, { count: '1000', filter: { on: 'type', prefixes } }).then(
        (answers) => answers.length,
        ({ code }: ServiceError) => code,
      );
      expect(outcome).toBeOneOf([0, status.INVALID_ARGUMENT, status.RESOURCE_EXHAUSTED]);
    });
  });

  describe('by numbers at their ends', () => {
    afresh();

    const stream = anew('ends');
    const extremes: U64[] = [
      '0',
      '1',
      '9007199254740991',
      '9007199254740993',
      '9223372036854775807',
      '9223372036854775808',
      MAX_U64,
    ];

    beforeAll(async () => void (await client.appendToStream(stream, numbered(3))));

    it('reads answer, or say that the argument is invalid', async () => {
      for (const from of extremes)
        for (const backwards of [false, true])
          for (const wish of [{ stream, from }, { from }]) {
            const outcome = await read(raw, { ...wish, backwards, count: '2' }).then(
              (answers) => answers.length,
              ({ code }: ServiceError) => code,
            );
            expect(outcome).toBeOneOf([0, 1, 2, status.INVALID_ARGUMENT]);
          }
      expect(await read(raw, { stream, count: MAX_U64 })).toHaveLength(3);
    });

    it('subscriptions from them wait, or say that the argument is invalid', async () => {
      for (const from of extremes)
        for (const wish of [{ stream, from }, { from }])
          expect(await statusOf(read(raw, wish, { deadline: Date.now() + 300 }))).toBeOneOf([
            status.DEADLINE_EXCEEDED,
            status.INVALID_ARGUMENT,
          ]);
      const filter: ReadWish['filter'] = { on: 'type', prefixes: ['x'], window: 0xffff_ffff, interval: 0xffff_ffff };
      expect(await statusOf(read(raw, { filter }, { deadline: Date.now() + 300 }))).toBe(status.DEADLINE_EXCEEDED);
    });

    it('expectations are not met, or invalid', async () => {
      for (const expected of extremes.slice(2)) {
        const outcome = await append(raw, appendMessages(stream, expected, [{}])).then(
          (answer) => answer.hasWrongExpectedVersion(),
          ({ code }: ServiceError) => code,
        );
        expect(outcome).toBeOneOf([true, status.INVALID_ARGUMENT]);
        const call = batchCall(raw);
        call.send({ correlation: uuidText(), begins: { stream, expected }, events: [{}], final: true });
        const [answer] = await call.answered(1);
        expect(answer?.hasError()).toBe(true);
        call.cancel();
        for (const remove of ['deleteStream', 'tombstoneStream'] as const)
          await refusal(client[remove](stream, { expectedRevision: BigInt(expected) }));
      }
      expect(await numbersIn(client, stream)).toEqual([0, 1, 2]);
    });
  });

  describe('by names', () => {
    afresh();

    const invalid: [string, Uint8Array][] = [
      ['empty', new Uint8Array()],
      ['a broken sequence', Buffer.from('c328', 'hex')],
      ['an overlong NUL', Buffer.from('c080', 'hex')],
      ['half a surrogate', Buffer.from('eda080', 'hex')],
      ['bytes that no text has', Buffer.from('fffefd', 'hex')],
    ];
    const calls: [string, (name: Uint8Array) => Promise<unknown>][] = [
      ['Append', (name) => append(raw, appendMessages(name, 'any', [{}]))],
      ['Read', (name) => read(raw, { stream: name, count: '1' })],
      ['Subscribe', (name) => read(raw, { stream: name }, { deadline: Date.now() + 5000 })],
      ['Delete', (name) => callWithBytes(raw, methods[3]!, [removal(name)])],
      ['Tombstone', (name) => callWithBytes(raw, methods[4]!, [removal(name)])],
    ];

    it.each(invalid)('%s: INVALID_ARGUMENT in every call', async (_, name) => {
      for (const [, call] of calls) expect(await statusOf(call(name))).toBe(status.INVALID_ARGUMENT);
      const batch = batchCall(raw);
      batch.send({ correlation: uuidText(), begins: { stream: name }, events: [{}], final: true });
      const [answer] = await batch.answered(1);
      expect(answer?.getError()?.getCode()).toBe(status.INVALID_ARGUMENT);
      batch.cancel();
    });

    it.each([
      ['NUL', 'a\u0000b'],
      ['a line end', 'a\r\nexception: not-leader'],
      ['of 100,000 characters', 'n'.repeat(100_000)],
      ['of 30,000 wide characters', '漢'.repeat(30_000)],
      ['dots', '../../etc/passwd'],
    ])('%s: kept as it is, or INVALID_ARGUMENT', async (_, part) => {
      const name = `${anew('odd')}-${part}`;
      const outcome = await append(raw, appendMessages(name, 'any', [{}])).then(
        () => 'kept',
        ({ code }: ServiceError) => code,
      );
      expect(outcome).toBeOneOf(['kept', status.INVALID_ARGUMENT]);
      if (outcome === 'kept') expect(await collect(client.readStream(name))).toHaveLength(1);
      const conflict = await refusal(client.tombstoneStream(name, { expectedRevision: 77n }));
      expect(conflict).toMatchObject({ type: expect.toBeOneOf(['wrong-expected-version', 'unknown']) as string });
      if (outcome !== 'kept') return;
      await client.tombstoneStream(name);
      expect(await refusal(collect(client.readStream(name)))).toMatchObject({ type: 'stream-deleted' });
    });

    it('types of events that are none', async () => {
      for (const type of ['', 'x'.repeat(5000)]) {
        const map = { type, 'content-type': 'application/json' };
        expect(await statusOf(append(raw, appendMessages(anew('typed'), 'any', [{ map }])))).toBe(
          status.INVALID_ARGUMENT,
        );
      }
    });

    it('ids of events that are none', async () => {
      for (const id of [
        '',
        'x',
        '00000000-0000-0000-0000-000000000000',
        `${randomUUID()}0`,
        randomUUID().replaceAll('-', ''),
      ]) {
        const outcome = await append(raw, appendMessages(anew('ids'), 'any', [{ id: uuidText(id) }])).then(
          () => 'taken',
          ({ code }: ServiceError) => code,
        );
        expect([id, outcome]).toEqual([
          id,
          id.length === 32 ? expect.toBeOneOf(['taken', status.INVALID_ARGUMENT]) : status.INVALID_ARGUMENT,
        ]);
      }
    });
  });

  describe('by metadata', () => {
    afresh();

    it.each<[string, string]>([
      ['{"$maxCount":-1}', '{"$maxCount":-1}'],
      ['{"$maxCount":"x"}', '{"$maxCount":"x"}'],
      ['{"$maxCount":1e400}', '{"$maxCount":1e400}'],
      ['{"$maxCount":0}', '{"$maxCount":0}'],
      ['{"$maxCount":1.5}', '{"$maxCount":1.5}'],
      ['{"$maxCount":9223372036854775808}', '{"$maxCount":9223372036854775808}'],
      ['{"$maxAge":-5}', '{"$maxAge":-5}'],
      ['{"$maxAge":"forever"}', '{"$maxAge":"forever"}'],
      ['{"$maxAge":{}}', '{"$maxAge":{}}'],
      ['{"$tb":-1}', '{"$tb":-1}'],
      ['{"$tb":"9"}', '{"$tb":"9"}'],
      ['{"$tb":null}', '{"$tb":null}'],
      ['{"$acl":7}', '{"$acl":7}'],
      ['{"$acl":[]}', '{"$acl":[]}'],
      ['{"$acl":{"$r":7,"$w":{},"$d":[1,null,{}]}}', '{"$acl":{"$r":7,"$w":{},"$d":[1,null,{}]}}'],
      ['{"$acl":"$nonsense"}', '{"$acl":"$nonsense"}'],
      ['{"__proto__":{"maxCount":1},"constructor":1}', '{"__proto__":{"maxCount":1},"constructor":1}'],
      ['{"$maxCount":1,"$maxCount":"x"}', '{"$maxCount":1,"$maxCount":"x"}'],
      ['[1,2,3]', '[1,2,3]'],
      ['null', 'null'],
      ['"text"', '"text"'],
      ['{', '{'],
      ['nothing', ''],
      ['a NUL', '\u0000'],
      ['fifty thousand brackets', '['.repeat(50_000)],
    ])('%s: refused, or kept and without effect', async (_, text) => {
      const stream = anew('described');
      await client.appendToStream(stream, numbered(3));
      const map = { type: '$metadata', 'content-type': 'application/json' };
      const outcome = await append(raw, appendMessages(`$$${stream}`, 'any', [{ map, data: Buffer.from(text) }])).then(
        () => 'kept',
        ({ code }: ServiceError) => code,
      );
      expect(outcome).toBeOneOf(['kept', status.INVALID_ARGUMENT]);
      expect(await numbersIn(client, stream)).toEqual([0, 1, 2]);
      await client.appendToStream(stream, numbered(1, 'Numbered', 3));
      expect(await numbersIn(client, stream)).toEqual([0, 1, 2, 3]);
      const follower = follow(client.subscribeToStream(stream));
      await follower.reached(4);
      await follower.stop();
      await client.setStreamMetadata(stream, { maxCount: 1 });
      expect(await numbersIn(client, stream)).toEqual([3]);
      await client.deleteStream(stream);
      await client.appendToStream(stream, numbered(1));
      expect(await collect(client.readStream(stream))).toHaveLength(1);
    });

    it('metadata of metadata, and of the whole log', async () => {
      const deep = `${'$$'.repeat(20)}${anew('deep')}`;
      expect(
        await append(raw, appendMessages(deep, 'any', [{}])).then(
          () => 'kept',
          ({ code }: ServiceError) => code,
        ),
      ).toBeOneOf(['kept', status.INVALID_ARGUMENT, status.PERMISSION_DENIED]);
      for (const name of ['$all', '$$$all'])
        await client.appendToStream(name, numbered(1)).catch((error: unknown) => expect(error).toHaveProperty('type'));
      await collect(client.readAll({ maxCount: 5, direction: 'backwards', fromPosition: END }));
    });
  });
});

function removal(name: Uint8Array, expected: RawExpectation = 'any'): Uint8Array {
  // Delete and Tombstone begin as the options of an append do: the identifier, then the expectation, by the same numbers.
  const options = appendMessages(name, expected, [])[0]!.getOptions()!;
  const request = new streams.DeleteReq();
  request.setOptions(streams.DeleteReq.Options.deserializeBinary(options.serializeBinary()));
  return request.serializeBinary();
}

/** A gRPC message that is small on the wire and large when it is unpacked. */
function gzipped(size: number): Buffer {
  const packed = gzipSync(Buffer.alloc(size));
  const prefix = Buffer.alloc(5);
  prefix[0] = 1;
  prefix.writeUInt32BE(packed.length, 1);
  return Buffer.concat([prefix, packed]);
}
