/** What a user of the views would notice: what they answer, when, and what they do when something is wrong. */
import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CommandId, EventMetadata, HostId, ImageDigest, WorkspaceEvent, WorkspaceId } from '@vw/domain';
import type { EventStore, NewEvent, Position, RecordedEvent } from '@vw/event-store';
import { openEmbeddedStore } from '@vw/event-store';
import type { Views } from '@vw/projections';
import {
  canonicalDigest,
  encodeEvent,
  OutOfOrder,
  openViews,
  rebuildViews,
  UndecodableEvent,
  UnknownCursor,
  ViewsInUse,
} from '@vw/projections';
import { systemClock, systemIds } from '@vw/runtime';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runProgram } from '../../support/program.js';
import { foreignStream, longLog, seeded, Site } from './lifecycles.js';
import { LogInMemory } from './log-in-memory.js';

let folder: string;
let file: string;
const closing: (() => unknown)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'views-'));
  file = join(folder, 'views.db');
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await rm(folder, { recursive: true, force: true });
});

const never = new AbortController().signal;

function siteLog(events: number, seed = 7): readonly RecordedEvent[] {
  const site = new Site({ choose: seeded(seed), workspaces: 12, oddity: 10 });
  while (site.log.length < events) site.step();
  return site.log.slice(0, events);
}

async function open(store: EventStore): Promise<Views> {
  const views = await openViews({ file, store });
  closing.push(() => views.close());
  return views;
}

/** Views that follow the store and are where it is. */
async function following(store: EventStore): Promise<Views> {
  const views = await open(store);
  const stop = new AbortController();
  const running = views.run(stop.signal);
  closing.push(async () => {
    stop.abort();
    await running;
  });
  expect(await views.waitFor(await store.head(), never)).toBe(true);
  return views;
}

async function caughtUpThenClosed(store: EventStore): Promise<void> {
  const views = await open(store);
  const stop = new AbortController();
  const running = views.run(stop.signal);
  await views.waitFor(await store.head(), never);
  stop.abort();
  await running;
  views.close();
}

const metadata: EventMetadata = {
  schemaVersion: 1,
  principal: { subject: 'CN=Ada', attributes: {}, method: 'asserted-on-loopback' },
  recordedAt: 1000,
  correlationId: 'c',
  causationId: 'c',
};
const digest = `sha256:${'0'.repeat(64)}` as ImageDigest;
const created = (id: string, name = id, expiresAt?: number): WorkspaceEvent => ({
  type: 'WorkspaceCreated',
  data: {
    workspaceId: id as WorkspaceId,
    owner: 'CN=Ada',
    description: { category: 'virtual-machine', name, requirements: {}, disks: [], network: { nics: [] } },
    expiresAt,
  },
});
const deployed = (requestId: string, hostId: string, epoch: number): WorkspaceEvent[] => [
  { type: 'WorkspaceCheckedOut', data: { holder: 'CN=Ada', epoch, leaseUntil: 9000 } },
  {
    type: 'DeployRequested',
    data: {
      requestId: requestId as CommandId,
      hostId: hostId as HostId,
      epoch,
      deadline: 5000,
      image: { name: 'i', digest, kind: 'kernel' },
      addresses: [],
    },
  },
];

/** A log with the given events, each stream's revisions counted. */
function logOf(
  ...events: readonly (readonly [stream: string, event: WorkspaceEvent, about?: Partial<EventMetadata>])[]
): LogInMemory {
  const revisions = new Map<string, number>();
  return new LogInMemory(
    events.map(([stream, event, about], index) => {
      const revision = (revisions.get(stream) ?? -1) + 1;
      revisions.set(stream, revision);
      const position = (index + 1) as Position;
      return {
        ...encodeEvent(event, { ...metadata, ...about }),
        id: systemIds.next(),
        stream,
        revision,
        position,
        created: 0,
      };
    }),
  );
}

describe('queries', () => {
  test('pages go on where the last ended, though rows are added and changed between them', async () => {
    const store = logOf(...['b', 'd', 'f', 'h'].map((id) => [`workspace-${id}`, created(id)] as const));
    const views = await following(store);
    const first = views.workspaces({ limit: 2 });
    expect(first.items.map(({ state }) => state.workspaceId)).toEqual(['b', 'd']);
    const next = { id: systemIds.next(), created: 0, ...encodeEvent(created('a'), metadata) };
    store.publish([
      { ...next, stream: 'workspace-a', revision: 0, position: 5 as Position },
      { ...next, ...encodeEvent(created('e'), metadata), stream: 'workspace-e', revision: 0, position: 6 as Position },
    ]);
    await views.waitFor(6 as Position, never);
    const second = views.workspaces({ limit: 2, after: first.next });
    expect(second.items.map(({ state }) => state.workspaceId)).toEqual(['e', 'f']);
    const third = views.workspaces({ limit: 2, after: second.next });
    expect(third.items.map(({ state }) => state.workspaceId)).toEqual(['h']);
    expect(third.next).toBeUndefined();
    expect(() => views.workspaces({ limit: 2, after: 'nonsense' })).toThrow(UnknownCursor);
    expect(() => views.operations({ limit: 2, after: first.next })).toThrow(UnknownCursor);
  });

  test('workspaces and locks are found by each of their keys', async () => {
    const views = await following(
      logOf(
        ['workspace-a', created('a', 'emboss')],
        ...deployed('r1', 'h1', 1).map((event) => ['workspace-a', event] as const),
        ['workspace-b', created('b', 'blast')],
        ['workspace-c', created('c', "'; DROP TABLE workspaces; --")],
        ['workspace-c', { type: 'WorkspaceRetired', data: { reason: 'no use' } }],
      ),
    );
    const ids = (filter: object) =>
      views.workspaces({ limit: 10, ...filter }).items.map(({ state }) => state.workspaceId);
    expect(ids({})).toEqual(['a', 'b']);
    expect(ids({ definition: 'any' })).toEqual(['a', 'b', 'c']);
    expect(ids({ definition: 'retired', name: "'; DROP TABLE workspaces; --" })).toEqual(['c']);
    expect(ids({ name: 'blast' })).toEqual(['b']);
    expect(ids({ holder: 'CN=Ada' })).toEqual(['a']);
    expect(ids({ hostId: 'h1', state: 'shutdown', owner: 'CN=Ada' })).toEqual(['a']);
    expect(ids({ state: 'running' })).toEqual([]);
    expect(views.locks({ limit: 10 }).items).toEqual([
      { workspaceId: 'a', name: 'emboss', holder: 'CN=Ada', epoch: 1, leaseUntil: 9000, hostId: 'h1' },
    ]);
    expect(views.workspace('nobody')).toBeUndefined();
  });

  test('an operation is open until its outcome, and the first outcome stands', async () => {
    const outcome = { requestId: 'r1' as CommandId, hostId: 'h1' as HostId, epoch: 1 };
    const views = await following(
      logOf(
        ['workspace-a', created('a')],
        ...deployed('r1', 'h1', 1).map((event) => ['workspace-a', event] as const),
        ['workspace-b', created('b')],
        ...deployed('r2', 'h1', 1).map((event) => ['workspace-b', event] as const),
        ['workspace-b', { type: 'CancelRequested', data: { requestId: 'r2' as CommandId, reason: 'changed my mind' } }],
        [
          'workspace-a',
          { type: 'DeployFailed', data: { ...outcome, class: 'host', reason: 'disk full', guest: 'absent' } },
          { recordedAt: 4000 },
        ],
        ['workspace-a', { type: 'WorkspaceDeployed', data: { ...outcome, imageDigest: digest } }],
      ),
    );
    expect(views.operation('a', 'r1')).toMatchObject({
      kind: 'deploy',
      status: 'failed',
      outcome: 'DeployFailed',
      failure: { class: 'host', reason: 'disk full' },
      finishedAt: 4000,
    });
    expect(views.openOperations()).toMatchObject([
      { workspaceId: 'b', requestId: 'r2', cancelRequested: true, finishedAt: null },
    ]);
    expect(views.overdue(5000)).toEqual([]);
    expect(views.overdue(5001).map(({ requestId }) => requestId)).toEqual(['r2']);
    expect(views.operations({ status: 'failed', limit: 5 }).items.map(({ requestId }) => requestId)).toEqual(['r1']);
    expect(views.operations({ workspaceId: 'b', limit: 5 }).items.map(({ requestId }) => requestId)).toEqual(['r2']);
    expect(views.operation('b', 'r1')).toBeUndefined();
  });

  test('lifetimes that ended are told until they are recorded as ended', async () => {
    const views = await following(
      logOf(
        ['workspace-a', created('a', 'a', 3000)],
        ['workspace-b', created('b', 'b', 2000)],
        ['workspace-c', created('c', 'c', 1000)],
        ['workspace-c', { type: 'WorkspaceExpired', data: { expiresAt: 1000 } }],
        ['workspace-d', created('d')],
      ),
    );
    expect(views.expiring(2999).map(({ state }) => state.workspaceId)).toEqual(['b']);
    expect(views.expiring(3000).map(({ state }) => state.workspaceId)).toEqual(['b', 'a']);
  });

  test('the history points at the events, page by page', async () => {
    const log = siteLog(600);
    const views = await following(new LogInMemory(log));
    const stream = log.findLast((event) => event.stream.startsWith('workspace-') && event.revision > 10)?.stream ?? '';
    const expected = log.filter((event) => event.stream === stream);
    const id = stream.slice('workspace-'.length);
    const rows = views.history(id, { limit: 4 });
    while (rows.length < expected.length) {
      const more = views.history(id, { afterRevision: rows.at(-1)?.revision, limit: 4 });
      expect(more.length).toBeGreaterThan(0);
      rows.push(...more);
    }
    expect(rows).toEqual(expected.map(({ revision, position }) => ({ stream, revision, position })));
  });

  test('a command id is known for its first use, on whatever stream', async () => {
    const about = { commandId: 'k1' as CommandId, commandDigest: 'd'.repeat(64) };
    const views = await following(logOf(['workspace-a', created('a'), about], ['workspace-b', created('b')]));
    expect(views.commandUse('k1')).toEqual({ stream: 'workspace-a' });
    expect(views.commandUse('k2')).toBeUndefined();
  });

  test('hosts count their workspaces; images are found by name', async () => {
    const log = siteLog(800);
    const views = await following(new LogInMemory(log));
    const placed = views.workspaces({ limit: 100 }).items.filter(({ state }) => state.placement.kind !== 'none');
    expect(placed.length).toBeGreaterThan(0);
    expect(views.hosts().reduce((sum, { workspaces }) => sum + workspaces, 0)).toBe(placed.length);
    expect(views.host('host-0')?.state).toMatchObject({ kind: 'connected', capacity: { cpus: 8 } });
    expect(views.imageByName('emboss')?.state).toMatchObject({ kind: 'available', imageKind: 'disk' });
    expect(views.imageByName('nothing')).toBeUndefined();
  });
});

describe('following', () => {
  test('who has appended reads it after waiting for its position', async () => {
    const store = await openEmbeddedStore({ file: join(folder, 'log.db'), clock: systemClock });
    closing.push(() => store.close());
    const views = await following(store);
    for (const id of ['a', 'b', 'c']) {
      const event: NewEvent = { id: systemIds.next(), ...encodeEvent(created(id), metadata) };
      const { position } = await store.append(`workspace-${id}`, 'no-stream', [event]);
      expect(await views.waitFor(position, never)).toBe(true);
      expect(views.position()).toBe(position);
      expect(views.workspace(id)?.state).toMatchObject({ revision: 0, position });
    }
  });

  test('waiting ends without the position when the caller gives up, or the views close', async () => {
    const views = await open(new LogInMemory());
    const giveUp = new AbortController();
    const waiting = views.waitFor(1 as Position, giveUp.signal);
    giveUp.abort();
    expect(await waiting).toBe(false);
    const other = views.waitFor(1 as Position, never);
    views.close();
    expect(await other).toBe(false);
  });

  test('events of other people are left alone and counted', async () => {
    const log = siteLog(3000);
    const foreign = log.filter(({ stream }) => stream === foreignStream);
    expect(foreign.length).toBeGreaterThan(0);
    const views = await following(new LogInMemory(log));
    expect(views.foreignEvents()).toBe(foreign.length);
  });

  test.each<[string, Partial<RecordedEvent>, string]>([
    ['an unknown type', { type: 'WorkspaceTeleported' }, 'no workspace event has this type'],
    ['a newer shape', encodeEvent(created('a'), { ...metadata, schemaVersion: 2 }), 'version 2'],
    ['bytes that are no JSON', { data: Buffer.from('{') }, 'no JSON'],
  ])('%s stops the views where they are', async (_, damage, why) => {
    const good = logOf(['workspace-a', created('a')], ['workspace-b', created('b')]);
    const store = new LogInMemory(good.events.map((event, index) => (index === 1 ? { ...event, ...damage } : event)));
    const views = await openViews({ file, store, limits: { batchEvents: 1 } });
    closing.push(() => views.close());
    const failure = await views.run(never).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UndecodableEvent);
    expect(String(failure)).toContain('event 0 of stream workspace-b');
    expect(String(failure)).toContain(why);
    expect(views.position()).toBe(1);
    expect(views.workspaces({ limit: 9 }).items).toHaveLength(1);
  });

  test('an event that comes twice, or one that is left out, stops the views', async () => {
    const { events } = logOf(
      ['workspace-a', created('a')],
      ...deployed('r', 'h', 1).map((event) => ['workspace-a', event] as const),
    );
    for (const log of [
      [events[0], events[0]],
      [events[0], events[2]],
    ]) {
      const views = await open(new LogInMemory(log as RecordedEvent[]));
      await expect(views.run(never)).rejects.toThrow(OutOfOrder);
      views.close();
      await rm(file);
    }
  });
});

describe('the file', () => {
  test('views go on from where they were left', async () => {
    const log = siteLog(500);
    await caughtUpThenClosed(new LogInMemory(log.slice(0, 300)));
    const views = await open(new LogInMemory(log));
    expect(views.position()).toBe(300);
  });

  test.each<[string, () => Promise<unknown>]>([
    ['is no database', () => writeFile(file, 'once upon a time '.repeat(1000))],
    ['is cut short', () => truncate(file, 5000)],
    ['is empty', () => truncate(file, 0)],
  ])('a file that %s is made anew', async (_, harm) => {
    const store = new LogInMemory(siteLog(500));
    await caughtUpThenClosed(store);
    await harm();
    // A cut-off file may open; then reading it tells, and the next opening starts over.
    await caughtUpThenClosed(store).catch(() => caughtUpThenClosed(store));
    const before = canonicalDigest(file);
    await rebuildViews({ file, store });
    expect(before).toBe(canonicalDigest(file));
  });

  test('views of another log are made anew', async () => {
    await caughtUpThenClosed(new LogInMemory(siteLog(500, 1)));
    const other = siteLog(400, 2);
    const views = await following(new LogInMemory(other));
    expect(views.position()).toBe(400);
    expect(views.workspaces({ definition: 'any', limit: 1000 }).items).toHaveLength(
      other.filter(({ type }) => type === 'WorkspaceCreated').length,
    );
  });

  test('views of a log that was replaced by another with the same streams are made anew', async () => {
    await caughtUpThenClosed(logOf(['workspace-a', created('a', 'old')]));
    const views = await following(logOf(['workspace-a', created('a', 'new')]));
    expect(views.workspace('a')?.state.description.name).toBe('new');
  });

  test('views of a log that was moved to a store with other positions are made anew', async () => {
    const log = siteLog(300, 1);
    await caughtUpThenClosed(new LogInMemory(log));
    const moved = log.map((event) => ({ ...event, position: (event.position * 1000) as Position }));
    const views = await following(new LogInMemory(moved));
    expect(views.position()).toBe(300_000);
    const once = views.workspaces({ definition: 'any', limit: 1000 }).items;
    expect(once).toHaveLength(log.filter(({ type }) => type === 'WorkspaceCreated').length);
    const revisions = (id: string) => views.history(id, { limit: 1000 }).map(({ revision }) => revision);
    for (const { workspaceId } of once.map(({ state }) => state))
      expect(revisions(workspaceId)).toEqual([...revisions(workspaceId).keys()]);
  });

  test('a batch that cannot be written leaves no trace, and is folded again', async () => {
    const log = siteLog(400);
    const store = new LogInMemory(log.slice(0, 200));
    await caughtUpThenClosed(store);
    const before = canonicalDigest(file);
    const views = await open(store);
    // The last table written refuses: what the batch wrote into the others must go again.
    views.withTables((db) =>
      db.exec(`CREATE TRIGGER full BEFORE INSERT ON commands BEGIN SELECT RAISE(ABORT, 'disk full'); END`),
    );
    store.publish(log.slice(200));
    await expect(views.run(never)).rejects.toThrow('disk full');
    expect(views.position()).toBe(200);
    expect(canonicalDigest(views)).toBe(before);
    views.withTables((db) => db.exec('DROP TRIGGER full'));
    const stop = new AbortController();
    const running = views.run(stop.signal);
    await views.waitFor(400 as Position, never);
    stop.abort();
    await running;
    const rebuilt = join(folder, 'rebuilt.db');
    await rebuildViews({ file: rebuilt, store });
    expect(canonicalDigest(views)).toBe(canonicalDigest(rebuilt));
  });

  test('only one at a time has the file, and a rebuild waits for nobody', async () => {
    const store = new LogInMemory(siteLog(100));
    await following(store);
    await expect(openViews({ file, store })).rejects.toThrow(ViewsInUse);
    await expect(rebuildViews({ file, store })).rejects.toThrow(ViewsInUse);
  });

  test('a killed process leaves the view of an earlier position, whole', async () => {
    const program = runProgram(join(import.meta.dirname, 'killed-follower.ts'), file);
    closing.push(() => program.kill());
    await program.printed(30);
    await program.kill();
    const log = longLog();
    const views = await open(new LogInMemory(log));
    expect(views.position()).toBeGreaterThanOrEqual(Number(program.lines.at(-2)));
    const left = log.slice(0, views.position());
    views.close();
    const rebuilt = join(folder, 'rebuilt.db');
    await rebuildViews({ file: rebuilt, store: new LogInMemory(left) });
    expect(canonicalDigest(file)).toBe(canonicalDigest(rebuilt));
  });

  test('a rebuild that is given up leaves the live views and nothing else', async () => {
    const store = new LogInMemory(siteLog(500));
    await caughtUpThenClosed(store);
    const before = canonicalDigest(file);
    const signal = AbortSignal.abort(new Error('no time'));
    await expect(rebuildViews({ file, store, signal })).rejects.toThrow('no time');
    expect(canonicalDigest(file)).toBe(before);
    expect(await readdir(folder)).toEqual(['views.db']);
  });
});
