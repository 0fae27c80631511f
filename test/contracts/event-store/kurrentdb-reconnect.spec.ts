/** What becomes of appends, reads and subscriptions when the server fails under them: nothing is lost, nothing repeated. */
import { randomUUID } from 'node:crypto';
import type { EventStore, NewEvent, RecordedEvent } from '@vw/event-store';
import { openKurrentStore, START, StoreUnavailable, WrongExpectedRevision } from '@vw/event-store';
import { systemClock, systemIds, systemRandom, systemTimers } from '@vw/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AppendFate } from './scripted-cluster.js';
import { ScriptedCluster } from './scripted-cluster.js';
import { collect, events } from './suite.js';

let cluster: ScriptedCluster;
const opened: EventStore[] = [];

beforeEach(() => {
  cluster = new ScriptedCluster();
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()));
  cluster.stop();
});

async function open(location: string, patienceMs = 20_000): Promise<EventStore> {
  const store = await openKurrentStore({
    location,
    clock: systemClock,
    timers: systemTimers,
    ids: systemIds,
    random: systemRandom,
    patienceMs,
    subscriptionPatienceMs: patienceMs,
  });
  opened.push(store);
  return store;
}

/** Single events to some streams, all made without waiting. */
async function pipelined(store: EventStore, streams: number, each: number): Promise<NewEvent[][]> {
  const made = Array.from({ length: streams }, () => events(each));
  const results = await Promise.all(
    made.flatMap((ofStream, index) =>
      ofStream.map((event, revision) =>
        store.append(`w-${index}`, revision === 0 ? 'no-stream' : revision - 1, [event]),
      ),
    ),
  );
  expect(results.map(({ revision }) => revision)).toEqual(
    made.flatMap((ofStream) => ofStream.map((_, index) => index)),
  );
  return made;
}

function expectKept(made: readonly (readonly NewEvent[])[]): void {
  for (const [index, ofStream] of made.entries()) {
    const kept = cluster.events.filter(({ stream }) => stream === `w-${index}`);
    expect(kept.map(({ id }) => id)).toEqual(ofStream.map(({ id }) => id));
  }
}

describe.each([true, false])('appends, with batches %s', (batches) => {
  beforeEach(() => {
    cluster.batches = batches;
  });

  const fates: AppendFate[] = ['lost before', 'lost after', 'timed out before', 'no leader known'];
  it.each(fates.flatMap((fate) => [0, 3, 17].map((at) => ({ fate, at }))))(
    'are there once, in order, and answered when append $at is $fate',
    async ({ fate, at }) => {
      const { location } = await cluster.node();
      cluster.appendFates.push(...Array.from({ length: at }, () => 'served' as const), fate);
      const store = await open(location);
      expectKept(await pipelined(store, 3, 10));
      expect(cluster.appends).toBeGreaterThan(30);
    },
  );

  it('are there once however often the connection breaks', async () => {
    const { location } = await cluster.node();
    cluster.appendFates.push(
      ...Array.from({ length: 60 }, (_, index) =>
        index % 9 === 4 ? 'lost after' : index % 9 === 8 ? 'lost before' : 'served',
      ),
    );
    expectKept(await pipelined(await open(location), 4, 12));
  });

  it('go to the leader when another node was asked', async () => {
    await cluster.node();
    const follower = await cluster.node();
    const store = await open(follower.location);
    expectKept(await pipelined(store, 2, 5));
    expect(await collect(store.readStream('w-1'))).toHaveLength(5);
  });

  it('follow the leader when it changes, and so does who subscribes', async () => {
    const first = await cluster.node();
    const second = await cluster.node();
    const store = await open(first.location);
    const abort = new AbortController();
    const seen = take(store.subscribeAll(START, abort.signal), 20);
    const before = events(10);
    for (const [index, event] of before.entries())
      await store.append('w-0', index === 0 ? 'no-stream' : index - 1, [event]);
    cluster.leader = second;
    first.door.slam();
    const after = events(10);
    for (const [index, event] of after.entries()) await store.append('w-0', 9 + index, [event]);
    expectKept([[...before, ...after]]);
    expect((await seen).map(({ id }) => id)).toEqual([...before, ...after].map(({ id }) => id));
  });

  it('are refused for what is true, not for what an earlier append of ours had not reached', async () => {
    const { location } = await cluster.node();
    // The first is not taken, so the server refuses the second before the first is repeated.
    cluster.appendFates.push('timed out before');
    const store = await open(location);
    const [first, second] = [events(1), events(1)];
    const results = await Promise.all([store.append('w-0', 'no-stream', first), store.append('w-0', 0, second)]);
    expect(results.map(({ revision }) => revision)).toEqual([0, 1]);
    await expect(store.append('w-0', 0, events(1))).rejects.toBeInstanceOf(WrongExpectedRevision);
  });

  it('lose to another writer who came between their first try and the next', async () => {
    const { location } = await cluster.node();
    const store = await open(location);
    await store.append('w-0', 'no-stream', events(1));
    cluster.appendFates.push('served', 'overtaken');
    const refusal = await store.append('w-0', 0, events(1)).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(WrongExpectedRevision);
    expect(refusal).toMatchObject({ stream: 'w-0', expected: 0, actual: 1 });
    expect(cluster.events).toHaveLength(2);
  });

  it('are given up after a bounded time, with the outcome said to be unknown', async () => {
    const { location } = await cluster.node();
    const store = await open(location, 1500);
    cluster.appendFates.push(...Array.from({ length: 1000 }, () => 'lost before' as const));
    const refusal = await store.append('w-0', 'no-stream', events(1)).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(StoreUnavailable);
    expect((refusal as Error).message).toContain('whether it took effect is not known');
    expect(refusal).toMatchObject({ nothingAppended: false });
  });

  it('are given up with the word that they never set out, where that is so', async () => {
    const node = await cluster.node();
    const store = await open(node.location, 1500);
    await node.door.shut();
    const refusal = await store.append('w-0', 'no-stream', events(1)).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(StoreUnavailable);
    expect(refusal).toMatchObject({ nothingAppended: true });
    expect((refusal as Error).message).toContain('it was never sent');
  });

  it('find the server again that was away', async () => {
    const node = await cluster.node();
    const store = await open(node.location);
    await store.append('w-0', 'no-stream', events(1));
    await node.door.shut();
    const appended = store.append('w-0', 0, events(1));
    const read = collect(store.readStream('w-0'));
    await node.door.open();
    expect((await appended).revision).toBe(1);
    expect((await read).length).toBeGreaterThan(0);
  });
});

describe('appends in batches', () => {
  it('are located when the server acknowledges them without a position', async () => {
    const { location } = await cluster.node();
    cluster.appendFates.push('served', 'forgotten position');
    const store = await open(location);
    const made = events(2);
    const first = await store.append('w-0', 'no-stream', made);
    expect(await store.append('w-0', 'no-stream', made)).toEqual(first);
  });

  it('are not told a refusal that came before an earlier append turned out to be lost', async () => {
    const { location } = await cluster.node();
    cluster.appendFates.push('timed out before, and told late');
    expectKept(await pipelined(await open(location), 1, 5));
  });

  it('end with StoreUnavailable at once when the answer is none', async () => {
    const { location } = await cluster.node();
    cluster.appendFates.push('gibberish');
    const store = await open(location);
    const refusal = await store.append('w-0', 'no-stream', events(1)).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(StoreUnavailable);
    expect((refusal as Error).message).toContain('cannot be understood');
    expect((await store.append('w-1', 'no-stream', events(1))).revision).toBe(0);
  });

  it('hold up nobody on another stream while one has no answer', async () => {
    const { location } = await cluster.node();
    const store = await open(location, 2500);
    cluster.appendFates.push('silence');
    const silent = store.append('w-0', 'no-stream', events(1)).catch((error: unknown) => error);
    expect((await store.append('w-1', 'no-stream', events(1))).revision).toBe(0);
    expect(await silent).toBeInstanceOf(StoreUnavailable);
  });
});

describe('reads', () => {
  it('go on behind the last event that arrived before the connection broke', async () => {
    const { location } = await cluster.node();
    const store = await open(location);
    const made = events(1200);
    await store.append('w-0', 'no-stream', made);
    for (const reading of [
      () => store.readStream('w-0'),
      () => store.readAll(START),
      () => store.readStream('w-0', { direction: 'backwards' }),
    ]) {
      cluster.readFates.push(
        { messages: 7, ending: 'lost' },
        { messages: 0, ending: 'lost' },
        { messages: 500, ending: 'too slow' },
      );
      const ids = (await collect(reading())).map(({ id }) => id);
      expect(new Set(ids).size).toBe(1200);
      expect(ids.toSorted()).toEqual(made.map(({ id }) => id).toSorted());
    }
  });

  it('end after a bounded time with the server away', async () => {
    const node = await cluster.node();
    const store = await open(node.location, 700);
    await node.door.shut();
    await expect(collect(store.readAll(START))).rejects.toBeInstanceOf(StoreUnavailable);
    await expect(store.head()).rejects.toThrow('tried for 0.7 s');
  });
});

describe.each([true, false])('a subscription, told when it has caught up: %s', (saysCaughtUp) => {
  beforeEach(() => {
    cluster.saysCaughtUp = saysCaughtUp;
  });

  it('loses and repeats nothing however often it breaks, while events are appended', async () => {
    const node = await cluster.node();
    const store = await open(node.location);
    const made = events(60);
    await store.append('w-0', 'no-stream', made.slice(0, 20));
    for (const messages of [0, 1, 2, 5, 12, 1, 3]) {
      cluster.subscriptionFates.push(
        { messages, ending: 'lost' },
        { messages, ending: 'too slow' },
        { messages, ending: 'ended' },
      );
    }
    const seen = take(store.subscribeAll(START, new AbortController().signal), 60);
    for (const [index, event] of made.slice(20).entries()) {
      await store.append('w-0', 19 + index, [event]);
      if (index % 10 === 9) node.door.slam();
    }
    expect((await seen).map(({ id }) => id)).toEqual(made.map(({ id }) => id));
  });

  it('says that it has caught up at the end, after it broke too, and again after each event', async () => {
    const node = await cluster.node();
    const store = await open(node.location);
    const { position } = await store.append('w-0', 'no-stream', events(3));
    const abort = new AbortController();
    const items = store.subscribeAll(START, abort.signal)[Symbol.asyncIterator]();
    for (let index = 0; index < 3; index += 1) expect((await items.next()).value).toMatchObject({ kind: 'event' });
    expect((await items.next()).value).toEqual({ kind: 'caught-up', position });
    const next = items.next();
    node.door.slam();
    const later = await store.append('w-0', 2, events(1));
    expect((await next).value).toMatchObject({ kind: 'event', event: { revision: 3 } });
    expect((await items.next()).value).toEqual({ kind: 'caught-up', position: later.position });
    expect(cluster.subscribedAfter).toEqual([START, position]);
    abort.abort();
    expect((await items.next()).done).toBe(true);
  });

  it('goes on behind the last checkpoint, over what it was not to see', async () => {
    const node = await cluster.node();
    const store = await open(node.location);
    const { position } = await store.append('w-0', 'no-stream', events(1));
    await store.append('$own', 'no-stream', events(50));
    const items = store.subscribeAll(START, new AbortController().signal)[Symbol.asyncIterator]();
    expect((await items.next()).value).toMatchObject({ kind: 'event' });
    expect((await items.next()).value).toEqual({ kind: 'caught-up', position });
    const next = items.next();
    node.door.slam();
    await store.append('w-0', 0, events(1));
    expect((await next).value).toMatchObject({ event: { stream: 'w-0', revision: 1 } });
    expect(cluster.subscribedAfter.at(-1)).toBe(5100);
    await items.return?.();
  });
});

describe('a subscription', () => {
  it('gives no event twice that the server does', async () => {
    const node = await cluster.node();
    cluster.repeatsTheLast = true;
    const store = await open(node.location);
    const made = events(30);
    await store.append('w-0', 'no-stream', made);
    cluster.subscriptionFates.push({ messages: 9, ending: 'lost' }, { messages: 5, ending: 'too slow' });
    const seen = await take(store.subscribeAll(START, new AbortController().signal), 30);
    expect(seen.map(({ id }) => id)).toEqual(made.map(({ id }) => id));
  });

  it('ends with StoreUnavailable when its server stays away', async () => {
    const node = await cluster.node();
    const store = await open(node.location, 700);
    const items = store.subscribeAll(START, new AbortController().signal)[Symbol.asyncIterator]();
    expect((await items.next()).value).toEqual({ kind: 'caught-up', position: START });
    const next = items.next();
    await node.door.shut();
    await expect(next).rejects.toBeInstanceOf(StoreUnavailable);
  });

  it('holds little of what its consumer does not take', async () => {
    const node = await cluster.node();
    const store = await open(node.location);
    const items = store.subscribeAll(START, new AbortController().signal)[Symbol.asyncIterator]();
    await items.next();
    const large = events(400).map((event) => ({ ...event, id: randomUUID(), data: Buffer.alloc(100_000) }));
    for (const [index, event] of large.entries())
      await store.append('w-0', index === 0 ? 'no-stream' : index - 1, [event]);
    expect(node.door.bytesOut()).toBeLessThan(20_000_000);
    let seen = 0;
    for (let item = await items.next(); !item.done && seen < 400;) {
      if (item.value.kind === 'event') seen += 1;
      if (seen < 400) item = await items.next();
    }
    expect(seen).toBe(400);
    await items.return?.();
  });
});

async function take(
  items: AsyncIterable<{ kind: string; event?: RecordedEvent }>,
  count: number,
): Promise<RecordedEvent[]> {
  const seen: RecordedEvent[] = [];
  for await (const { event } of items) {
    if (event) seen.push(event);
    if (seen.length === count) break;
  }
  return seen;
}
