/** Catch-up subscriptions: every event once and in order, from where it was asked, through the hand-over to live. */
import type { AllStreamSubscription, EventStoreDBClient, Filter, Position, ResolvedEvent } from '@eventstore/db-client';
import {
  END,
  eventTypeFilter,
  excludeSystemEvents,
  jsonEvent,
  START,
  streamNameFilter,
  TimeoutError,
} from '@eventstore/db-client';
import { describe, expect, it, vi } from 'vitest';
import { anew, collect, follow, numbered, numbersIn, numbersOf, revisionsOf } from '../events.js';
import { clientOf } from '../server.js';
import type { Bench } from './bench.js';

export function subscriptions(bench: Bench): void {
  const client = (): EventStoreDBClient => bench.client;

  describe('to a stream', () => {
    it('from the start: what there is, then what comes', async () => {
      const stream = anew('followed');
      await client().appendToStream(stream, numbered(3));
      const subscription = client().subscribeToStream(stream, { fromRevision: START });
      const confirmed = vi.fn();
      subscription.on('confirmation', confirmed);
      const follower = follow(subscription);
      await follower.caughtUp();
      expect(confirmed).toHaveBeenCalledOnce();
      expect(subscription.id).toMatch(/^[0-9a-f-]{36}$/);
      await client().appendToStream(stream, numbered(3, 'Numbered', 3));
      expect(numbersOf(await follower.reached(6))).toEqual([0, 1, 2, 3, 4, 5]);
      await follower.stop();
    });

    it('from the end: only what comes', async () => {
      const stream = anew('followed');
      await client().appendToStream(stream, numbered(3));
      const follower = follow(client().subscribeToStream(stream, { fromRevision: END }));
      await follower.caughtUp();
      await client().appendToStream(stream, numbered(2, 'Numbered', 3));
      expect(numbersOf(await follower.reached(2))).toEqual([3, 4]);
      await follower.stop();
    });

    it('from a revision: what comes after it', async () => {
      const stream = anew('followed');
      await client().appendToStream(stream, numbered(5));
      const follower = follow(client().subscribeToStream(stream, { fromRevision: 2n }));
      await follower.caughtUp();
      await client().appendToStream(stream, numbered(1, 'Numbered', 5));
      expect(revisionsOf(await follower.reached(3))).toEqual([3, 4, 5]);
      await follower.stop();
    });

    it('that is not there yet: waits for it', async () => {
      const stream = anew('followed');
      const follower = follow(client().subscribeToStream(stream));
      await client().appendToStream(stream, numbered(2));
      expect(numbersOf(await follower.reached(2))).toEqual([0, 1]);
      await follower.stop();
    });

    it('with links resolved', async () => {
      const [target, links] = [anew('target'), anew('links')];
      await client().appendToStream(target, numbered(1));
      const follower = follow(client().subscribeToStream(links, { resolveLinkTos: true }));
      const link = { type: '$>', data: Buffer.from(`0@${target}`), contentType: 'application/octet-stream' } as const;
      await client().appendToStream(links, { ...link, id: numbered(1)[0]!.id, metadata: undefined });
      const [first] = await follower.reached(1);
      expect(first).toMatchObject({ event: { streamId: target, revision: 0n }, link: { streamId: links, type: '$>' } });
      await follower.stop();
    });

    it('gives each of several subscribers all of it', async () => {
      const stream = anew('followed');
      await client().appendToStream(stream, numbered(10));
      const followers = Array.from({ length: 5 }, () => follow(client().subscribeToStream(stream)));
      await client().appendToStream(stream, numbered(10, 'Numbered', 10));
      for (const follower of followers) {
        expect(numbersOf(await follower.reached(20))).toEqual(Array.from({ length: 20 }, (_, i) => i));
        await follower.stop();
      }
    });

    it('ends with unsubscribe, and gives nothing after it', async () => {
      const stream = anew('followed');
      const follower = follow(client().subscribeToStream(stream));
      await client().appendToStream(stream, numbered(1));
      await follower.reached(1);
      await follower.stop();
      await follower.ended;
      await client().appendToStream(stream, numbered(1));
      expect(await numbersIn(client(), stream)).toHaveLength(2);
      expect(follower.events).toHaveLength(1);
    });

    it('may be an iterator', async () => {
      const stream = anew('followed');
      await client().appendToStream(stream, numbered(3));
      const seen: number[] = [];
      // A client of its own: dispose waits for ever for a stream that nobody reads to its end.
      for await (const { event } of clientOf(bench.server).subscribeToStream(stream)) {
        seen.push(Number(event?.revision));
        if (seen.length === 3) break;
      }
      expect(seen).toEqual([0, 1, 2]);
    });
  });

  describe('to the whole log', () => {
    const ours = (events: readonly ResolvedEvent[], stream: string): ResolvedEvent[] =>
      events.filter(({ event }) => event?.streamId === stream);

    it('from a position: what comes after it', async () => {
      const stream = anew('followed');
      const first = await client().appendToStream(stream, numbered(1));
      await client().appendToStream(stream, numbered(2, 'Numbered', 1));
      const follower = follow(client().subscribeToAll({ fromPosition: first.position! }));
      await follower.caughtUp();
      await client().appendToStream(stream, numbered(1, 'Numbered', 3));
      await vi.waitFor(() => expect(ours(follower.events, stream)).toHaveLength(3), 10_000);
      expect(numbersOf(ours(follower.events, stream))).toEqual([1, 2, 3]);
      await follower.stop();
    });

    it('from the end: only what comes', async () => {
      const stream = anew('followed');
      await client().appendToStream(stream, numbered(1));
      const follower = follow(client().subscribeToAll({ fromPosition: END }));
      await follower.caughtUp();
      await client().appendToStream(stream, numbered(2, 'Numbered', 1));
      await vi.waitFor(() => expect(ours(follower.events, stream)).toHaveLength(2), 10_000);
      expect(numbersOf(ours(follower.events, stream))).toEqual([1, 2]);
      await follower.stop();
    });

    it('from the start: as the whole log is read', async () => {
      await client().appendToStream(anew('followed'), numbered(3));
      const read = await collect(client().readAll({ maxCount: 50 }));
      const follower = follow(client().subscribeToAll({ fromPosition: START }));
      const followed = await follower.reached(read.length);
      expect(followed.slice(0, read.length).map(({ event }) => event?.id)).toEqual(read.map(({ event }) => event?.id));
      await follower.stop();
    });

    it('hands over from catching up to live without a gap or a repetition while 10,000 events are appended', async () => {
      const prefix = anew('load');
      const { position } = await client().appendToStream(`${prefix}-0`, numbered(1, prefix, -1));
      const subscriber = clientOf(bench.server);
      let next = 0;
      const writer = async (): Promise<void> => {
        while (next < 10_000) {
          const number = next++;
          await client().appendToStream(`${prefix}-${number % 7}`, numbered(1, prefix, number));
        }
      };
      const writing = Promise.all(Array.from({ length: 64 }, writer));
      const followed: Promise<string[]>[] = [];
      for (const begin of [500, 2000, 5000])
        for (const filter of [streamNameFilter({ prefixes: [prefix] }), undefined]) {
          await vi.waitFor(() => expect(next).toBeGreaterThan(begin), { timeout: 90_000, interval: 2 });
          followed.push(
            idsOf(prefix, 10_000, (from) => subscriber.subscribeToAll({ fromPosition: from ?? position!, filter })),
          );
        }
      await writing;
      const written = await collect(client().readAll({ fromPosition: position! }));
      const ids = written.filter(({ event }) => event?.type === prefix).map(({ event }) => event!.id);
      expect(ids.slice(1)).toHaveLength(10_000);
      for (const seen of await Promise.all(followed)) expect(seen).toEqual(ids.slice(1));
    }, 180_000);
  });

  describe('with a filter', () => {
    const mixed = async (label: string): Promise<{ from: Position; label: string }> => {
      const { position } = await client().appendToStream(
        `${label}-a`,
        jsonEvent({ type: 'Begin', data: { number: -1 } }),
      );
      for (let number = 0; number < 6; number++) {
        const type = `${label}-${number % 2 === 0 ? 'Even' : 'Odd'}`;
        await client().appendToStream(`${label}-${number < 3 ? 'a' : 'b'}`, numbered(1, type, number));
      }
      await client().setStreamMetadata(`${label}-a`, { color: 'red' });
      return { from: position!, label };
    };

    it.each<[string, (label: string) => Filter, number[]]>([
      ['types by prefix', (label) => eventTypeFilter({ prefixes: [`${label}-Ev`] }), [0, 2, 4, 6]],
      [
        'types by several prefixes',
        (label) => eventTypeFilter({ prefixes: [`${label}-Ev`, `${label}-Od`] }),
        [0, 1, 2, 3, 4, 5, 6],
      ],
      ['types by pattern', (label) => eventTypeFilter({ regex: `^${label}-(Odd|None)$` }), [1, 3, 5]],
      ['streams by prefix', (label) => streamNameFilter({ prefixes: [`${label}-b`] }), [3, 4, 5, 6]],
      ['streams by pattern', (label) => streamNameFilter({ regex: `^${label}-[a]$` }), [0, 1, 2]],
      [
        'with a search window',
        (label) => streamNameFilter({ prefixes: [`${label}-b`], maxSearchWindow: 2 }),
        [3, 4, 5, 6],
      ],
    ])('%s', async (_, filterOf, numbers) => {
      const { from, label } = await mixed(anew('mixed'));
      const follower = follow(client().subscribeToAll({ fromPosition: from, filter: filterOf(label) }));
      await follower.caughtUp();
      await client().appendToStream(`${label}-b`, numbered(1, `${label}-Even`, 6));
      expect(numbersOf(await follower.reached(numbers.length))).toEqual(numbers);
      await follower.stop();
    });

    it('leaves out system events', async () => {
      const { from, label } = await mixed(anew('mixed'));
      const follower = follow(client().subscribeToAll({ fromPosition: from, filter: excludeSystemEvents() }));
      await client().setStreamMetadata(`${label}-b`, { color: 'blue' });
      await client().appendToStream(`${label}-b`, numbered(1, 'Last', 6));
      const events = await follower.reached(7);
      expect(numbersOf(events.filter(({ event }) => event?.streamId.startsWith(label)))).toEqual([0, 1, 2, 3, 4, 5, 6]);
      expect(events.filter(({ event }) => event?.type.startsWith('$'))).toEqual([]);
      await follower.stop();
    });

    it('tells of checkpoints, from each of which it can be begun again', async () => {
      const prefix = anew('sparse');
      const { position } = await client().appendToStream(`${prefix}-begin`, numbered(1));
      const checkpoints: Position[] = [];
      const filter = streamNameFilter({
        prefixes: [`${prefix}-rare`],
        checkpointInterval: 1,
        maxSearchWindow: 10,
        checkpointReached: (_, checkpoint) => void checkpoints.push(checkpoint),
      });
      for (let i = 0; i < 10; i++) await client().appendToStream(`${prefix}-often`, numbered(20));
      const follower = follow(client().subscribeToAll({ fromPosition: position!, filter }));
      await follower.caughtUp();
      for (let i = 0; i < 10; i++) {
        await client().appendToStream(`${prefix}-often`, numbered(20));
        await client().appendToStream(`${prefix}-rare`, numbered(1, 'Rare', i));
      }
      await follower.reached(10);
      await vi.waitFor(() => expect(checkpoints.length).toBeGreaterThan(5), 10_000);
      const commits = checkpoints.map(({ commit }) => commit);
      expect(commits).toEqual(commits.toSorted((a, b) => Number(a - b)));
      for (const checkpoint of [checkpoints[0]!, checkpoints.at(-1)!]) {
        const rest = follow(
          client().subscribeToAll({ fromPosition: checkpoint, filter: { ...filter, checkpointReached: undefined } }),
        );
        await rest.caughtUp();
        const after = follower.events.filter(({ event }) => event!.position!.commit > checkpoint.commit);
        expect(numbersOf(await rest.reached(after.length))).toEqual(numbersOf(after));
        await rest.stop();
      }
      await follower.stop();
    });
  });

  it('are ended by dispose, which leaves the client usable', async () => {
    const stream = anew('followed');
    const own = clientOf(bench.server);
    await own.appendToStream(stream, numbered(1));
    const followers = [follow(own.subscribeToStream(stream)), follow(own.subscribeToAll({ fromPosition: END }))];
    await Promise.all(followers.map((follower) => follower.caughtUp()));
    await own.dispose();
    await Promise.all(followers.map((follower) => follower.ended));
    await own.appendToStream(stream, numbered(1));
    expect(await numbersIn(own, stream)).toEqual([0, 0]);
    await own.dispose();
  });
}

/**
 * The ids of the first so many events of a type. EventStoreDB drops a subscriber that cannot keep up (ABORTED, "Consumer too
 * slow"); it goes on from the last event that it has seen, as the documentation tells it to.
 */
async function idsOf(
  type: string,
  count: number,
  subscribe: (from?: Position) => AllStreamSubscription,
): Promise<string[]> {
  const ids: string[] = [];
  let from: Position | undefined;
  while (ids.length < count)
    try {
      for await (const { event } of subscribe(from)) {
        from = event?.position;
        if (event?.type === type) ids.push(event.id);
        if (ids.length === count) break;
      }
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
    }
  return ids;
}
