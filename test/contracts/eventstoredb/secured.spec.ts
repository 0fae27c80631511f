/** The facade with TLS and users: who is let in, and what access lists let each of them do. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Credentials } from '@eventstore/db-client';
import { AccessDeniedError, END, EventStoreDBClient, jsonEvent, START } from '@eventstore/db-client';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Certificates, issueCertificates } from './certificates.js';
import { anew, collect, follow, numbered, numbersIn, refusal } from './events.js';
import { type FacadeProcess, startFacade } from './facade-process.js';
import { append, appendMessages, rawClientOf, read } from './raw.js';
import { clientOf, withUser } from './server.js';
import { eventStoreDbProtocol } from './suite.js';

const admin: Credentials = { username: 'admin', password: 'changeit' };
const alice: Credentials = { username: 'alice', password: 'pass:word with ü and @' };
const bob: Credentials = { username: 'bob', password: 'b' };

describe('vw store serve with TLS and users', () => {
  let folder: string;
  let certificates: Certificates;
  let facade: FacadeProcess;
  const made: EventStoreDBClient[] = [];

  const secured = (): Promise<FacadeProcess> =>
    startFacade({
      tls: certificates,
      users: [admin, alice, bob].map(({ username, password }) => `${username}:${password}`),
    });
  const connect = (connectionString: string): EventStoreDBClient => {
    const client = EventStoreDBClient.connectionString(connectionString);
    made.push(client);
    return client;
  };
  const as = ({ username, password }: Credentials): EventStoreDBClient =>
    connect(withUser(facade.connectionString, username, password));

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vw-secured-'));
    certificates = await issueCertificates(folder);
    facade = await secured();
  });

  afterAll(async () => {
    await Promise.all(made.map((client) => client.dispose()));
    await facade.stop();
    await rm(folder, { recursive: true, force: true });
  });

  eventStoreDbProtocol('vw store serve with TLS and users', async () => {
    const own = await secured();
    return { ...own, connectionString: withUser(own.connectionString, admin.username, admin.password) };
  });

  describe('lets in', () => {
    it('a user by the connection string', async () => {
      for (const user of [admin, alice, bob]) {
        const stream = anew('mine');
        await as(user).appendToStream(stream, numbered(1));
        expect(await numbersIn(as(user), stream)).toEqual([0]);
      }
    });

    it('a user by the credentials of a call, whoever the connection is', async () => {
      const [stream, nobody] = [anew('mine'), connect(facade.connectionString)];
      await nobody.appendToStream(stream, numbered(1), { credentials: alice });
      expect(await collect(nobody.readStream(stream, { credentials: alice }))).toHaveLength(1);
      await nobody.setStreamMetadata(stream, { maxCount: 2 }, { credentials: admin });
      expect(await collect(as(alice).readStream(stream, { credentials: admin }))).toHaveLength(1);
    });

    it('one who comes by gossip, several nodes named', async () => {
      const twice = facade.connectionString.replace(/127\.0\.0\.1:(\d+)/, 'localhost:$1,127.0.0.1:$1');
      const stream = anew('mine');
      const client = connect(withUser(twice, admin.username, admin.password));
      await client.appendToStream(stream, numbered(1));
      expect(await numbersIn(client, stream)).toEqual([0]);
    });
  });

  describe('turns away', () => {
    const stream = anew('guarded');

    beforeAll(async () => void (await as(admin).appendToStream(stream, numbered(1))));

    it.each<[string, Credentials | undefined]>([
      ['a wrong password', { ...alice, password: 'guess' }],
      ['a longer password', { ...bob, password: 'bb' }],
      ['an unknown user', { username: 'eve', password: 'b' }],
      ['an empty password', { ...bob, password: '' }],
      ['nobody at all', undefined],
    ])('%s, at every call', async (_, credentials) => {
      const client = connect(facade.connectionString);
      const call = credentials && { credentials };
      const attempts = [
        () => client.appendToStream(stream, numbered(1), call),
        () => collect(client.readStream(stream, call)),
        () => collect(client.readAll({ ...call, maxCount: 1 })),
        () => client.deleteStream(stream, call),
        () => client.tombstoneStream(stream, call),
        () => client.setStreamMetadata(stream, {}, call),
        () => follow(client.subscribeToStream(stream, call)).failed.then((error) => Promise.reject(error)),
        () => follow(client.subscribeToAll(call)).failed.then((error) => Promise.reject(error)),
      ];
      for (const attempt of attempts) expect(await refusal(attempt())).toBeInstanceOf(AccessDeniedError);
      expect(await numbersIn(as(admin), stream)).toEqual([0]);
    });

    it('words that are no credentials', async () => {
      for (const word of ['Basic', 'Basic ====', 'Basic !', `Bearer ${'x'.repeat(100)}`, 'Basic YQ==', '']) {
        const raw = rawClientOf(facade);
        raw.endpoint.metadata.set('authorization', word);
        expect(await refusal(read(raw, { stream, count: '1' }))).toMatchObject({
          code: expect.toBeOneOf([status.UNAUTHENTICATED, status.PERMISSION_DENIED]) as number,
        });
        expect(await refusal(append(raw, appendMessages(stream, 'any', [{}])))).toMatchObject({
          code: expect.toBeOneOf([status.UNAUTHENTICATED, status.PERMISSION_DENIED]) as number,
        });
        raw.close();
      }
    });

    it('whoever does not speak TLS, or does not trust it', async () => {
      const plain = connect(facade.connectionString.replace(/\?.*/, '?tls=false'));
      expect(await refusal(plain.appendToStream(stream, numbered(1)))).toMatchObject({ code: status.UNAVAILABLE });
      const distrustful = connect(facade.connectionString.replace(/\?.*/, '?tls=true'));
      expect(await refusal(distrustful.appendToStream(stream, numbered(1)))).toMatchObject({
        code: status.UNAVAILABLE,
      });
    });
  });

  describe('heeds the access list of a stream', () => {
    const guarded = async (acl: object): Promise<string> => {
      const stream = anew('guarded');
      await as(admin).appendToStream(stream, numbered(1));
      await as(admin).setStreamMetadata(stream, { acl });
      return stream;
    };

    it('for reading', async () => {
      const stream = await guarded({ readRoles: ['alice', '$ops'] });
      expect(await numbersIn(as(alice), stream)).toEqual([0]);
      expect(await refusal(numbersIn(as(bob), stream))).toBeInstanceOf(AccessDeniedError);
      expect(await follow(as(bob).subscribeToStream(stream)).failed).toBeInstanceOf(AccessDeniedError);
      expect(await numbersIn(as(admin), stream)).toEqual([0]);
    });

    it('for writing, in both calls', async () => {
      const stream = await guarded({ writeRoles: 'alice' });
      await as(alice).appendToStream(stream, numbered(1, 'Numbered', 1));
      await as(admin).appendToStream(stream, numbered(1, 'Numbered', 2), { credentials: alice });
      expect(await refusal(as(bob).appendToStream(stream, numbered(1)))).toBeInstanceOf(AccessDeniedError);
      const byAppend = as(alice).appendToStream(stream, numbered(1), { credentials: bob });
      expect(await refusal(byAppend)).toBeInstanceOf(AccessDeniedError);
      expect(await numbersIn(as(bob), stream)).toEqual([0, 1, 2]);
    });

    it('for deleting', async () => {
      const stream = await guarded({ deleteRoles: ['alice'] });
      expect(await refusal(as(bob).deleteStream(stream))).toBeInstanceOf(AccessDeniedError);
      expect(await refusal(as(bob).tombstoneStream(stream))).toBeInstanceOf(AccessDeniedError);
      await as(alice).deleteStream(stream);
      await as(alice).appendToStream(stream, numbered(1));
      // The list has outlived the deletion.
      expect(await refusal(as(bob).deleteStream(stream))).toBeInstanceOf(AccessDeniedError);
    });

    it('for metadata, however it is written', async () => {
      const stream = await guarded({ metaReadRoles: 'alice', metaWriteRoles: '$admins' });
      expect((await as(alice).getStreamMetadata(stream)).metadata).toMatchObject({ acl: { metaReadRoles: 'alice' } });
      expect(await refusal(as(bob).getStreamMetadata(stream))).toBeInstanceOf(AccessDeniedError);
      expect(await refusal(as(alice).setStreamMetadata(stream, {}))).toBeInstanceOf(AccessDeniedError);
      const byHand = jsonEvent({ type: '$metadata', data: {} });
      expect(await refusal(as(alice).appendToStream(`$$${stream}`, byHand))).toBeInstanceOf(AccessDeniedError);
      expect(await refusal(as(alice).deleteStream(`$$${stream}`))).toBeInstanceOf(AccessDeniedError);
    });

    it('which may change while a batch of appends is under way', async () => {
      const stream = anew('guarded');
      const writer = as(bob);
      await writer.appendToStream(stream, numbered(1));
      await as(admin).setStreamMetadata(stream, { acl: { writeRoles: ['alice'] } });
      expect(await refusal(writer.appendToStream(stream, numbered(1)))).toBeInstanceOf(AccessDeniedError);
      // The one call that carries all of them goes on.
      await writer.appendToStream(anew('mine'), numbered(1));
    });

    it('and without one keeps system streams and the whole log to administrators', async () => {
      const stream = anew('$system');
      expect(await refusal(as(bob).appendToStream(stream, numbered(1)))).toBeInstanceOf(AccessDeniedError);
      await as(admin).appendToStream(stream, numbered(1));
      expect(await refusal(numbersIn(as(bob), stream))).toBeInstanceOf(AccessDeniedError);
      expect(await refusal(collect(as(bob).readAll({ maxCount: 1 })))).toBeInstanceOf(AccessDeniedError);
      expect(await follow(as(bob).subscribeToAll({ fromPosition: START })).failed).toBeInstanceOf(AccessDeniedError);
      expect(await collect(as(admin).readAll({ maxCount: 1, fromPosition: START }))).toHaveLength(1);
    });

    it('to a link, and not past it: what it points at must be readable too', async () => {
      const secret = await guarded({ readRoles: '$admins' });
      const links = anew('links');
      const link = { id: numbered(1)[0]!.id, type: '$>', contentType: 'application/octet-stream' } as const;
      await as(bob).appendToStream(links, { ...link, data: Buffer.from(`0@${secret}`), metadata: undefined });
      const [resolved] = await collect(as(bob).readStream(links, { resolveLinkTos: true }));
      expect(resolved?.event?.streamId).not.toBe(secret);
      expect((await collect(as(admin).readStream(links, { resolveLinkTos: true })))[0]?.event?.streamId).toBe(secret);
    });
  });

  it('says in its version and in gossip what clients ask before they have credentials', async () => {
    const client = clientOf(facade);
    made.push(client);
    const attempt = client.appendToStream(anew('mine'), numbered(1));
    expect(await refusal(attempt)).toBeInstanceOf(AccessDeniedError);
    expect(await refusal(collect(client.readAll({ fromPosition: END })))).toBeInstanceOf(AccessDeniedError);
  });
});
