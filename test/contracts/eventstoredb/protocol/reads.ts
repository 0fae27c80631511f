/** Reading streams and the whole log: where reads begin, where they end, and what they leave out. */
import type { EventStoreDBClient, ReadAllOptions, ReadStreamOptions } from '@eventstore/db-client';
import { BACKWARDS, binaryEvent, END, START, StreamNotFoundError } from '@eventstore/db-client';
import { beforeAll, describe, expect, it } from 'vitest';
import { anew, collect, numbered, numbersOf, refusal, revisionsOf } from '../events.js';
import { clientOf } from '../server.js';
import type { Bench } from './bench.js';

export function reads(bench: Bench): void {
  const client = (): EventStoreDBClient => bench.client;

  describe('a stream', () => {
    const stream = anew('ten');
    const read = async (options: ReadStreamOptions): Promise<number[]> =>
      revisionsOf(await collect(client().readStream(stream, options)));

    beforeAll(async () => void (await client().appendToStream(stream, numbered(10))));

    it.each<[string, ReadStreamOptions, number[]]>([
      ['all of it, forwards', {}, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
      ['all of it, backwards', { direction: BACKWARDS, fromRevision: END }, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]],
      ['from a revision on, and that one too', { fromRevision: 7n }, [7, 8, 9]],
      ['from a revision back, and that one too', { direction: BACKWARDS, fromRevision: 2n }, [2, 1, 0]],
      ['at most so many', { fromRevision: START, maxCount: 3 }, [0, 1, 2]],
      ['at most so many, backwards', { direction: BACKWARDS, fromRevision: 8n, maxCount: 2n }, [8, 7]],
      ['its last event', { direction: BACKWARDS, fromRevision: END, maxCount: 1 }, [9]],
      ['its first, backwards from 0', { direction: BACKWARDS, fromRevision: 0n }, [0]],
      ['backwards from the start: the first', { direction: BACKWARDS, fromRevision: START }, [0]],
      ['backwards from beyond its end: all of it', { direction: BACKWARDS, fromRevision: 20n, maxCount: 2 }, [9, 8]],
      ['beyond its end: nothing', { fromRevision: 10n }, []],
      ['far beyond its end: nothing', { fromRevision: 2n ** 62n }, []],
      ['more than there is', { fromRevision: 8n, maxCount: 1000 }, [8, 9]],
    ])('%s', async (_, options, revisions) => {
      expect(await read(options)).toEqual(revisions);
    });

    it('that is missing, is told by an error with its name', async () => {
      const missing = anew('größe');
      for (const options of [{}, { direction: BACKWARDS, fromRevision: END } as const, { fromRevision: 5n }]) {
        const error = await refusal(collect(client().readStream(missing, options)));
        expect(error).toBeInstanceOf(StreamNotFoundError);
        expect(error).toMatchObject({ streamName: missing });
      }
    });

    it('of thousands of events is read whole, in order, in both directions', async () => {
      const long = anew('long');
      for (let from = 0; from < 3000; from += 500) await client().appendToStream(long, numbered(500, 'Numbered', from));
      const numbers = Array.from({ length: 3000 }, (_, i) => i);
      expect(numbersOf(await collect(client().readStream(long)))).toEqual(numbers);
      const back = await collect(client().readStream(long, { direction: BACKWARDS, fromRevision: END }));
      expect(numbersOf(back)).toEqual(numbers.toReversed());
    });

    it('can be left in the middle', async () => {
      const seen: number[] = [];
      // A client of its own: dispose waits for ever for a stream that nobody reads to its end.
      const own = clientOf(bench.server);
      for await (const { event } of own.readStream(stream)) {
        seen.push(Number(event?.revision));
        if (seen.length === 4) break;
      }
      expect(seen).toEqual([0, 1, 2, 3]);
      const cancelled = own.readStream(stream);
      await cancelled.cancel();
      expect(await read({ maxCount: 1 })).toEqual([0]);
    });
  });

  describe('the whole log', () => {
    const streams = [anew('all'), anew('all'), anew('all')] as const;
    /** Every event of this test, in order, with its position. */
    let all: { stream: string; position: { commit: bigint; prepare: bigint } }[];
    const read = async (options: ReadAllOptions): Promise<{ stream?: string; position?: object }[]> =>
      (await collect(client().readAll(options))).map(({ event }) => ({
        stream: event?.streamId,
        position: event?.position,
      }));

    beforeAll(async () => {
      all = [];
      for (const stream of streams) {
        const { position } = await client().appendToStream(stream, numbered(1));
        if (position) all.push({ stream, position });
      }
    });

    it('begins with the first event of all, which has no later one before it', async () => {
      const events = await collect(client().readAll({ maxCount: 5 }));
      const commits = events.map(({ event }) => event?.position.commit ?? 0n);
      expect(events.length).toBeGreaterThanOrEqual(3);
      expect(commits).toEqual(commits.toSorted((a, b) => Number(a - b)));
    });

    it('forwards from a position: that event first', async () => {
      expect(await read({ fromPosition: all[0]!.position, maxCount: 3 })).toEqual(all);
      expect(await read({ fromPosition: all[1]!.position, maxCount: 2 })).toEqual(all.slice(1));
    });

    it('backwards from a position: the event before it first', async () => {
      const options = { direction: BACKWARDS, fromPosition: all[2]!.position, maxCount: 2 } as const;
      expect(await read(options)).toEqual([all[1], all[0]]);
    });

    it('backwards from the end: the last event first', async () => {
      const last = await client().appendToStream(streams[0], numbered(1));
      const [end] = await read({ direction: BACKWARDS, fromPosition: END, maxCount: 1 });
      expect(end).toEqual({ stream: streams[0], position: last.position });
    });

    it('forwards from the end and backwards from the start: nothing', async () => {
      expect(await read({ fromPosition: END })).toEqual([]);
      expect(await read({ direction: BACKWARDS, fromPosition: START })).toEqual([]);
    });

    it('holds the events of system streams as well', async () => {
      const stream = anew('described');
      const { position } = await client().setStreamMetadata(stream, { maxCount: 3 });
      expect(await read({ fromPosition: position, maxCount: 1 })).toEqual([{ stream: `$$${stream}`, position }]);
    });

    it('ends at the end', async () => {
      const events = await read({ fromPosition: all[0]!.position });
      expect(events.slice(0, 3)).toEqual(all);
    });
  });

  describe('a link', () => {
    const [target, links] = [anew('target'), anew('links')];
    const link = (to: string) => binaryEvent({ type: '$>', data: Buffer.from(to), metadata: { $causedBy: 'a test' } });

    beforeAll(async () => {
      await client().appendToStream(target, numbered(2));
      await client().appendToStream(links, [link(`1@${target}`), link(`7@${target}`), link(`0@${anew('missing')}`)]);
    });

    it('is resolved when asked for, and stays beside what it points at', async () => {
      const read = await collect(client().readStream(links, { resolveLinkTos: true }));
      expect(read[0]?.event).toMatchObject({ streamId: target, revision: 1n, data: { number: 1 } });
      expect(read[0]?.link).toMatchObject({ streamId: links, revision: 0n, type: '$>' });
    });

    it('that points at nothing comes without an event', async () => {
      const read = await collect(client().readStream(links, { resolveLinkTos: true, fromRevision: 1n }));
      expect(read.map(({ event }) => event)).toEqual([undefined, undefined]);
      expect(read.map(({ link }) => link?.revision)).toEqual([1n, 2n]);
    });

    it('is an event like any other when not', async () => {
      const read = await collect(client().readStream(links));
      expect(read.map(({ link }) => link)).toEqual([undefined, undefined, undefined]);
      expect(read[0]?.event).toMatchObject({ streamId: links, type: '$>', revision: 0n });
    });

    it('is resolved in a read of the whole log as well', async () => {
      const at = (await collect(client().readStream(links)))[0]?.event?.position;
      const [read] = await collect(client().readAll({ fromPosition: at!, maxCount: 1, resolveLinkTos: true }));
      expect(read?.event).toMatchObject({ streamId: target, revision: 1n });
      expect(read?.link).toMatchObject({ streamId: links, position: at });
    });
  });
}
