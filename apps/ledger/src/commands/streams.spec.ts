/** Many writers of one stream in one process: each decides once, and none waits for a stream that is not its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EventMetadata, WorkspaceId } from '@vw/domain';
import { type EventStore, openEmbeddedStore, StoreUnavailable } from '@vw/event-store';
import { systemClock } from '@vw/runtime';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Streams } from './streams.js';

const id = 'w1' as WorkspaceId;
const expired = [{ type: 'WorkspaceExpired', data: { expiresAt: 0 } }];

let folder: string;
let store: EventStore;
let streams: Streams;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vw-streams-'));
  store = await openEmbeddedStore({ file: join(folder, 'log.sqlite'), clock: systemClock });
  streams = new Streams(store);
});

afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

it('decides once for each of fifty at once', async () => {
  let attempts = 0;
  const one = async (cause: string) => {
    attempts += 1;
    let revision = -1;
    for await (const event of store.readStream(`workspace-${id}`)) revision = event.revision;
    return streams.append(`workspace-${id}`, revision, expired, metadata, [cause]);
  };
  const done = await Promise.all(
    Array.from({ length: 50 }, (_, n) => streams.settle(`workspace-${id}`, () => one(String(n)))),
  );
  expect(attempts).toBe(50);
  expect(done.map(({ revision }) => revision).toSorted((a, b) => a - b)).toEqual([...done.keys()]);
});

it('goes on after an attempt that failed, and beside one that waits', async () => {
  let letGo: (text: string) => void = () => undefined;
  const waiting = streams.settle('workspace-w1', () => new Promise<string>((resolve) => (letGo = resolve)));
  const failing = streams.settle('workspace-w2', () => Promise.reject(new Error('no')));
  const following = streams.settle('workspace-w2', () => Promise.resolve('after it'));
  await expect(failing).rejects.toThrow('no');
  expect(await following).toBe('after it');
  letGo('at last');
  expect(await waiting).toBe('at last');
});

it('tells those who wait behind one that waited in vain for the store, and lets the next one try', async () => {
  let giveUp: (error: Error) => void = () => undefined;
  let attempts = 0;
  const waiting = streams.settle('workspace-w1', () => new Promise<string>((_, reject) => (giveUp = reject)));
  const behind = Array.from({ length: 3 }, () => streams.settle('workspace-w1', async () => (attempts += 1)));
  const elsewhere = streams.settle('workspace-w2', () => Promise.resolve('not behind it'));
  expect(await elsewhere).toBe('not behind it');
  giveUp(new StoreUnavailable('the store is away'));
  for (const each of await Promise.allSettled([waiting, ...behind])) expect(each.status).toBe('rejected');
  expect(attempts).toBe(0);
  expect(await streams.settle('workspace-w1', () => Promise.resolve('it is back'))).toBe('it is back');
});

it('sees of a workspace what others have appended since it was last read', async () => {
  const others = new Streams(store);
  for (let revision = -1; revision < 3; revision += 1) {
    expect((await streams.workspace(id)).state.revision).toBe(revision);
    await others.append(`workspace-${id}`, revision, expired, metadata, [String(revision)]);
  }
  const { state, history } = await streams.workspace(id);
  expect(state).toEqual((await new Streams(store).workspace(id)).state);
  expect(history.map(({ revision }) => revision)).toEqual([0, 1, 2, 3]);
});

const metadata: EventMetadata = {
  schemaVersion: 1,
  principal: { subject: 'CN=alice', attributes: {}, method: 'asserted-on-loopback' },
  recordedAt: 0,
  correlationId: 'c',
  causationId: 'c',
};
