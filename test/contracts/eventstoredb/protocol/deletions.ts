/** The two ways a stream can go: softly, to come back with its next event, or for ever. */
import type { EventStoreDBClient } from '@eventstore/db-client';
import { ANY, END, NO_STREAM, StreamDeletedError, StreamNotFoundError } from '@eventstore/db-client';
import { WrongExpectedVersionError } from '@eventstore/db-client';
import { describe, expect, it } from 'vitest';
import { anew, collect, follow, numbered, numbersIn, refusal, revisionsOf } from '../events.js';
import type { Bench } from './bench.js';

/** The revision of a tombstone, int64.max: no stream ever gets there. */
const TOMBSTONE = 2n ** 63n - 1n;

export function deletions(bench: Bench): void {
  const client = (): EventStoreDBClient => bench.client;
  const filled = async (events = 3): Promise<string> => {
    const stream = anew('doomed');
    await client().appendToStream(stream, numbered(events));
    return stream;
  };
  const read = (stream: string) => collect(client().readStream(stream));

  describe('a deleted stream', () => {
    it('is not found any more, at whatever expectation it was deleted', async () => {
      for (const expectedRevision of [ANY, 2n] as const) {
        const stream = await filled();
        const { position } = await client().deleteStream(stream, { expectedRevision });
        expect(position?.commit).toBeGreaterThan(0n);
        expect(await refusal(read(stream))).toBeInstanceOf(StreamNotFoundError);
      }
    });

    it('is kept when the expectation is wrong, and the caller is told both sides', async () => {
      const stream = await filled();
      const error = await refusal(client().deleteStream(stream, { expectedRevision: 1n }));
      expect(error).toBeInstanceOf(WrongExpectedVersionError);
      expect(error).toMatchObject({ streamName: stream, expectedVersion: 1n, actualVersion: 2n });
      expect(await numbersIn(client(), stream)).toEqual([0, 1, 2]);
    });

    it('comes back with its next event, at the revision after its last, and without what was before', async () => {
      for (const expectedRevision of [ANY, NO_STREAM, 2n] as const) {
        const stream = await filled();
        await client().deleteStream(stream);
        const answer = await client().appendToStream(stream, numbered(2), { expectedRevision });
        expect(answer.nextExpectedRevision).toBe(4n);
        expect(revisionsOf(await read(stream))).toEqual([3, 4]);
      }
    });

    it('can be deleted again after it has come back', async () => {
      const stream = await filled();
      await client().deleteStream(stream);
      await client().appendToStream(stream, numbered(1));
      await client().deleteStream(stream, { expectedRevision: 3n });
      expect(await refusal(read(stream))).toBeInstanceOf(StreamNotFoundError);
    });

    it('stays in the whole log', async () => {
      const stream = anew('doomed');
      const { position } = await client().appendToStream(stream, numbered(1));
      await client().deleteStream(stream);
      const [first] = await collect(client().readAll({ fromPosition: position!, maxCount: 1 }));
      expect(first?.event).toMatchObject({ streamId: stream, position });
    });

    it('leads a subscriber on to what comes after', async () => {
      const stream = await filled();
      const follower = follow(client().subscribeToStream(stream));
      await follower.reached(3);
      await client().deleteStream(stream);
      await client().appendToStream(stream, numbered(1, 'Back', 100));
      expect(revisionsOf(await follower.reached(4))).toEqual([0, 1, 2, 3]);
      await follower.stop();
    });
  });

  describe('a tombstoned stream', () => {
    const tombstoned = async (): Promise<string> => {
      const stream = await filled();
      await client().tombstoneStream(stream);
      return stream;
    };

    it('can be neither read nor written, deleted nor followed, by anyone again', async () => {
      const stream = await tombstoned();
      const attempts = [
        () => read(stream),
        () => collect(client().readStream(stream, { direction: 'backwards', fromRevision: END })),
        () => client().appendToStream(stream, numbered(1)),
        () => client().appendToStream(stream, numbered(1), { expectedRevision: NO_STREAM }),
        () =>
          client().appendToStream(stream, numbered(1), { credentials: { username: 'admin', password: 'changeit' } }),
        () => client().deleteStream(stream),
        () => client().tombstoneStream(stream),
      ];
      for (const attempt of attempts) {
        const error = await refusal(attempt());
        expect(error).toBeInstanceOf(StreamDeletedError);
        expect(error).toMatchObject({ streamName: stream });
      }
      const subscription = client().subscribeToStream(stream);
      expect(await follow(subscription).failed).toBeInstanceOf(StreamDeletedError);
    });

    it('ends what follows it', async () => {
      const stream = await filled();
      const follower = follow(client().subscribeToStream(stream));
      await follower.caughtUp();
      await client().tombstoneStream(stream);
      expect(await follower.failed).toMatchObject({ type: 'stream-deleted', streamName: stream });
      // The tombstone itself may be the last thing it hears.
      expect(revisionsOf(follower.events.slice(0, 3))).toEqual([0, 1, 2]);
    });

    it('is one at the expected revision only, and the caller is told both sides', async () => {
      const stream = await filled();
      const error = await refusal(client().tombstoneStream(stream, { expectedRevision: 0n }));
      expect(error).toBeInstanceOf(WrongExpectedVersionError);
      expect(error).toMatchObject({ streamName: stream, expectedVersion: 0n, actualVersion: 2n });
      expect(await numbersIn(client(), stream)).toEqual([0, 1, 2]);
      await client().tombstoneStream(stream, { expectedRevision: 2n });
      expect(await refusal(read(stream))).toBeInstanceOf(StreamDeletedError);
    });

    it('need not have been there before', async () => {
      const stream = anew('never');
      await client().tombstoneStream(stream, { expectedRevision: NO_STREAM });
      expect(await refusal(client().appendToStream(stream, numbered(1)))).toBeInstanceOf(StreamDeletedError);
    });

    it('may have been deleted softly before', async () => {
      const stream = await filled();
      await client().deleteStream(stream);
      await client().tombstoneStream(stream);
      expect(await refusal(read(stream))).toBeInstanceOf(StreamDeletedError);
    });

    it('leaves its tombstone in the whole log', async () => {
      const stream = await filled();
      const { position } = await client().tombstoneStream(stream);
      const [tombstone] = await collect(client().readAll({ fromPosition: position!, maxCount: 1 }));
      expect(tombstone?.event).toMatchObject({
        streamId: stream,
        type: '$streamDeleted',
        revision: TOMBSTONE,
        position,
      });
    });
  });
}
