/**
 * What the facade does beyond what every server does alike, or otherwise than EventStoreDB 23.10 does, each with its reason;
 * and its process: how it starts, ends, and comes back.
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EventStoreDBClient } from '@eventstore/db-client';
import {
  binaryEvent,
  END,
  MaxAppendSizeExceededError,
  persistentSubscriptionToAllSettingsFromDefaults,
  persistentSubscriptionToStreamSettingsFromDefaults,
  START,
  STREAM_EXISTS,
  UnsupportedError,
} from '@eventstore/db-client';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anew, collect, follow, numbered, numbersIn, refusal, revisionsOf } from './events.js';
import { type FacadeProcess, startFacade } from './facade-process.js';
import {
  appendMessages,
  append,
  batchCall,
  callWithBytes,
  type Raw,
  rawClientOf,
  read,
  supportedMethods,
  uuidStructured,
  uuidText,
} from './raw.js';
import { clientOf } from './server.js';

describe('vw store serve, beside what is common', () => {
  let facade: FacadeProcess;
  let client: EventStoreDBClient;
  let raw: Raw;

  beforeAll(async () => {
    facade = await startFacade();
    client = clientOf(facade);
    raw = rawClientOf(facade);
  });

  afterAll(async () => {
    raw.close();
    await client.dispose();
    await facade.stop();
  });

  describe('leaves competing consumers, projections and users to others', () => {
    it('and says so: UnsupportedError where the client asks first, else UNIMPLEMENTED', async () => {
      const toAll = client.createPersistentSubscriptionToAll(
        'group',
        persistentSubscriptionToAllSettingsFromDefaults(),
      );
      expect(await refusal(toAll)).toBeInstanceOf(UnsupportedError);
      const settings = persistentSubscriptionToStreamSettingsFromDefaults();
      const toStream = client.createPersistentSubscriptionToStream(anew('s'), 'group', settings);
      expect(await refusal(toStream)).toMatchObject({ code: status.UNIMPLEMENTED });
      expect(await refusal(client.createProjection('p', 'fromAll()'))).toMatchObject({ code: status.UNIMPLEMENTED });
    });

    it('lists as served what is served, and nothing else', async () => {
      const listed = (await supportedMethods(raw)).getMethodsList().map((method) => method.toObject());
      const paths = listed.map(({ serviceName, methodName }) => `${serviceName}/${methodName}`.toLowerCase());
      expect(paths.toSorted()).toEqual([
        'event_store.client.gossip.gossip/read',
        'event_store.client.server_features.serverfeatures/getsupportedmethods',
        'event_store.client.streams.streams/append',
        'event_store.client.streams.streams/batchappend',
        'event_store.client.streams.streams/delete',
        'event_store.client.streams.streams/read',
        'event_store.client.streams.streams/tombstone',
      ]);
      const others = [
        '/event_store.client.persistent_subscriptions.PersistentSubscriptions/Create',
        '/event_store.client.projections.Projections/Create',
        '/event_store.client.users.Users/Details',
        '/event_store.client.operations.Operations/Shutdown',
        '/event_store.client.monitoring.Monitoring/Stats',
      ];
      for (const path of others)
        expect(await refusal(callWithBytes(raw, path, [new Uint8Array()]))).toMatchObject({
          code: status.UNIMPLEMENTED,
        });
    });
  });

  it('gives ids as two numbers to a reader that does not say how (EventStoreDB 23.10 never answers it)', async () => {
    const [stream, id] = [anew('ids'), randomUUID()];
    await append(raw, appendMessages(stream, 'any', [{ id: uuidText(id) }]));
    const [answer] = await read(raw, { stream, count: '1', uuids: 'unsaid' });
    expect(answer?.getEvent()?.getEvent()?.getId()?.toObject()).toEqual(uuidStructured(id).toObject());
  });

  it('reads nothing forwards from the end of a stream (EventStoreDB 23.10 answers UNKNOWN)', async () => {
    const stream = anew('end');
    await client.appendToStream(stream, numbered(2));
    expect(await collect(client.readStream(stream, { fromRevision: END }))).toEqual([]);
  });

  it('reads nothing when asked for none (EventStoreDB 23.10 never answers it)', async () => {
    const stream = anew('none');
    await client.appendToStream(stream, numbered(2));
    expect(await read(raw, { stream, count: '0' })).toEqual([]);
    expect(await read(raw, { count: '0' })).toEqual([]);
  });

  it("counts an event's metadata against the largest append, as data (EventStoreDB 23.10 forgets to)", async () => {
    const half = new Uint8Array(512 * 1024);
    await client.appendToStream(anew('size'), binaryEvent({ type: 'A', data: half, metadata: half }));
    const larger = binaryEvent({ type: 'A', data: half, metadata: new Uint8Array(512 * 1024 + 1) });
    expect(await refusal(client.appendToStream(anew('size'), larger))).toBeInstanceOf(MaxAppendSizeExceededError);
  });

  it("keeps a deleted stream's metadata, and with it its access list (EventStoreDB 23.10 forgets it)", async () => {
    const stream = anew('doomed');
    await client.appendToStream(stream, numbered(2));
    await client.setStreamMetadata(stream, { maxCount: 7, acl: { readRoles: ['reader'] } });
    await client.deleteStream(stream);
    await client.appendToStream(stream, numbered(1));
    const { metadata } = await client.getStreamMetadata(stream);
    expect(metadata).toMatchObject({ maxCount: 7, acl: { readRoles: ['reader'] }, truncateBefore: 2 });
  });

  it('refuses one who expects a deleted stream to exist', async () => {
    const stream = anew('doomed');
    await client.appendToStream(stream, numbered(2));
    await client.deleteStream(stream);
    await refusal(client.appendToStream(stream, numbered(1), { expectedRevision: STREAM_EXISTS }));
    expect(await refusal(collect(client.readStream(stream)))).toMatchObject({ type: 'stream-not-found' });
  });

  it('ends a BatchAppend when the client has said all and has its answers (EventStoreDB 23.10 leaves it open)', async () => {
    const call = batchCall(raw);
    const stream = anew('batch');
    call.send({ correlation: uuidText(), begins: { stream: anew('unfinished') }, events: [{}] });
    for (let i = 0; i < 20; i++) call.send({ correlation: uuidText(), begins: { stream }, events: [{}], final: true });
    await call.end();
    expect(call.answers).toHaveLength(20);
    expect(await collect(client.readStream(stream))).toHaveLength(20);
  });

  it('keeps every subscriber, however far behind it is (EventStoreDB 23.10 drops one that is slow)', async () => {
    const stream = anew('slow');
    await client.appendToStream(stream, numbered(1));
    const subscription = client.subscribeToStream(stream);
    subscription.pause();
    for (let from = 1; from < 5000; from += 500) await client.appendToStream(stream, numbered(500, 'Numbered', from));
    const follower = follow(subscription);
    subscription.resume();
    expect(revisionsOf(await follower.reached(5001))).toEqual(Array.from({ length: 5001 }, (_, i) => i));
    await follower.stop();
  });
});

describe('the process of vw store serve', () => {
  let data: string;

  beforeAll(async () => void (data = await mkdtemp(join(tmpdir(), 'vw-facade-'))));
  afterAll(() => rm(data, { recursive: true, force: true }));

  it('ends on SIGTERM within seconds, whoever is still connected, and has everything when it is back', async () => {
    const stream = anew('kept');
    const first = await startFacade({ data });
    const client = clientOf(first);
    const followers = [
      follow(client.subscribeToAll({ fromPosition: START })),
      follow(client.subscribeToStream(stream)),
    ];
    await client.appendToStream(stream, numbered(100));
    await followers[1]!.reached(100);
    const began = Date.now();
    expect(await first.terminate()).toBe(0);
    expect(Date.now() - began).toBeLessThan(10_000);
    for (const follower of followers) expect(await follower.failed).toMatchObject({ type: 'unavailable' });

    const second = await startFacade({ data });
    const again = clientOf(second);
    expect(await numbersIn(again, stream)).toHaveLength(100);
    await again.dispose();
    await second.terminate();
  });

  it('has every append that was answered after kill -9, and takes the others again', async () => {
    const stream = anew('killed');
    const first = await startFacade({ data });
    const writer = clientOf(first);
    const events = numbered(2000);
    const answered = new Set<number>();
    const writing = events.map(async (event, number) => {
      await writer.appendToStream(`${stream}-${number % 10}`, event);
      answered.add(number);
    });
    const settled = Promise.allSettled(writing);
    await Promise.race(writing.slice(500, 520));
    await first.kill();
    await settled;
    expect(answered.size).toBeGreaterThan(0);

    const second = await startFacade({ data });
    const client = clientOf(second);
    const kept = async (): Promise<number[]> => {
      const streams = Array.from({ length: 10 }, (_, i) => numbersIn(client, `${stream}-${i}`).catch(() => []));
      return (await Promise.all(streams)).flat();
    };
    expect(new Set(await kept())).toEqual(new Set([...(await kept()), ...answered]));
    await Promise.all(events.map((event, number) => client.appendToStream(`${stream}-${number % 10}`, event)));
    expect((await kept()).toSorted((a, b) => a - b)).toEqual(events.map((_, number) => number));
    await client.dispose();
    await second.terminate();
  });

  it('is not reached from outside without TLS and users', async () => {
    const error = await refusal(startFacade({ data, listen: '0.0.0.0:0' }));
    expect(String(error)).toMatch(/--tls-cert/);
  });
});
