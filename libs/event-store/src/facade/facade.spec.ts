import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import client from '@eventstore/db-client';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { collect, servedFacade } from '../../../../test/support/served-facade.js';
import { shared, streamIdentifier, streams } from '../protocol/index.js';

const { EventStoreDBClient, jsonEvent, START } = client;
const event = () => jsonEvent({ type: 'Happened', data: { n: 1 } });

const openssl = (...words: string[]) => promisify(execFile)('openssl', words);

/** A certificate of this machine's own, good for a day. */
async function certificate() {
  const folder = mkdtempSync(join(tmpdir(), 'facade-tls-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const made = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  await openssl('req', ...made, ...subject, '-keyout', key, '-out', cert);
  return { path: cert, tls: { certificate: readFileSync(cert), key: readFileSync(key) } };
}

describe('the facade', () => {
  it('is what the official client makes of it: appends, reads, metadata, deletes', async () => {
    const { db } = await servedFacade();
    const first = await db.appendToStream('a-1', [event(), event()], { expectedRevision: 'no_stream' });
    expect(first).toMatchObject({ success: true, nextExpectedRevision: 1n });
    await db.setStreamMetadata('a-1', { maxCount: 1, acl: { writeRoles: ['ada'] } });
    expect((await db.getStreamMetadata('a-1')).metadata).toMatchObject({ maxCount: 1 });
    expect((await collect(db.readStream('a-1'))).map(({ event }) => event?.revision)).toEqual([1n]);
    await expect(db.appendToStream('a-1', event(), { expectedRevision: 5n })).rejects.toMatchObject({
      type: 'wrong-expected-version',
      expectedVersion: 5n,
      actualVersion: 1n,
    });
    await db.deleteStream('a-1', { expectedRevision: 1n });
    await expect(collect(db.readStream('a-1'))).rejects.toMatchObject({ type: 'stream-not-found' });
    await db.tombstoneStream('a-1');
    await expect(collect(db.readStream('a-1'))).rejects.toMatchObject({ type: 'stream-deleted', streamName: 'a-1' });
    await expect(db.appendToStream('a-1', event())).rejects.toMatchObject({ type: 'stream-deleted' });
    const named = { credentials: { username: 'a', password: 'b' } };
    await expect(db.appendToStream('a-1', event(), named)).rejects.toMatchObject({ type: 'stream-deleted' });
    expect((await db.appendToStream('b-1', event(), named)).success).toBe(true);
  });

  it('offers what it serves and nothing else, so that the rest is UNIMPLEMENTED', async () => {
    const { db } = await servedFacade();
    const settings = client.persistentSubscriptionToStreamSettingsFromDefaults();
    await expect(db.createPersistentSubscriptionToStream('a-1', 'group', settings)).rejects.toMatchObject({
      code: status.UNIMPLEMENTED,
    });
    await expect(db.createPersistentSubscriptionToAll('group', settings as never)).rejects.toMatchObject({
      type: 'unsupported',
    });
    await expect(db.listProjections()).rejects.toMatchObject({ code: status.UNIMPLEMENTED });
  });

  it('is found by gossip, at the address by which it was asked', async () => {
    const { facade } = await servedFacade({ host: '127.0.0.1' });
    const found = EventStoreDBClient.connectionString(`esdb+discover://localhost:${facade.port}?tls=false`);
    onTestFinished(() => found.dispose());
    expect((await found.appendToStream('a-1', event())).success).toBe(true);
  });

  it('serves TLS, and tells users apart on it', async () => {
    const { path, tls } = await certificate();
    const { facade } = await servedFacade({
      tls,
      users: [
        { name: 'root', password: 'p@ss' },
        { name: 'ada', password: 'p' },
      ],
    });
    const as = (who: string) => {
      const db = EventStoreDBClient.connectionString(
        `esdb://${who}localhost:${facade.port}?tls=true&tlsCAFile=${path}`,
      );
      onTestFinished(() => db.dispose());
      return db;
    };
    expect((await as('ada:p@').appendToStream('a-1', event())).success).toBe(true);
    expect(await collect(as('root:p%40ss@').readAll())).toHaveLength(1);
    await expect(collect(as('ada:p@').readAll())).rejects.toMatchObject({ type: 'access-denied' });
    await expect(as('ada:wrong@').appendToStream('a-1', event())).rejects.toMatchObject({ type: 'access-denied' });
  });

  it('refuses to serve others than this machine in the open, in one sentence', async () => {
    await expect(servedFacade({ host: '0.0.0.0' })).rejects.toThrow(
      /^the event store may listen on 0\.0\.0\.0 only with .*$/,
    );
  });

  it('says when its port is taken', async () => {
    const { facade } = await servedFacade();
    await expect(servedFacade({ port: facade.port })).rejects.toThrow(String(facade.port));
  });

  it('sends everybody away when it closes, keeps what was appended, and ends soon', async () => {
    const { facade, db, log, raw } = await servedFacade();
    await db.appendToStream('a-1', event());
    const unfinished = new Promise<ServiceError | null>((resolve) => {
      const options = new streams.AppendReq.Options();
      options.setStreamIdentifier(streamIdentifier('a-2')).setAny(new shared.Empty());
      raw.append(resolve).write(new streams.AppendReq().setOptions(options));
    });
    const options = new streams.ReadReq.Options();
    const empty = new shared.Empty();
    options.setAll(new streams.ReadReq.Options.AllOptions().setStart(empty)).setNoFilter(empty);
    options.setSubscription(new streams.ReadReq.Options.SubscriptionOptions());
    const follower = raw.read(new streams.ReadReq().setOptions(options));
    const refusal = new Promise((resolve) => follower.on('error', resolve));
    await new Promise((resolve) => follower.on('data', resolve));
    const idle = db.subscribeToAll({ fromPosition: START });
    const dropped = new Promise((resolve) => idle.on('error', resolve));
    await new Promise((resolve) => idle.on('data', resolve));
    const started = performance.now();
    await Promise.all([facade.close(), facade.close()]);
    expect(performance.now() - started).toBeLessThan(4_000);
    expect(await refusal).toMatchObject({ code: status.UNAVAILABLE });
    expect(await unfinished).toMatchObject({ code: status.UNAVAILABLE, details: 'the server is shutting down' });
    expect(await dropped).toMatchObject({ type: 'unavailable' });
    expect(await collect(log.readStream('a-1'))).toHaveLength(1);
    await expect(db.appendToStream('a-1', event())).rejects.toMatchObject({ code: status.UNAVAILABLE });
  });

  it('answers what it has taken when it closes in the middle', async () => {
    const { facade, db, log } = await servedFacade();
    await db.appendToStream('a-1', event());
    const outcomes = Promise.allSettled(Array.from({ length: 200 }, () => db.appendToStream('a-1', event())));
    await vi.waitFor(async () => expect(log.end()).toBeGreaterThan(20), { interval: 1 });
    await facade.close();
    const done = (await outcomes).filter(({ status }) => status === 'fulfilled').length;
    expect((await collect(log.readStream('a-1'))).length).toBeGreaterThanOrEqual(done + 1);
  });
});
