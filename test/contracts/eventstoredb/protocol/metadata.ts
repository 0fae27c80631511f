/** A stream's metadata: kept as given, and heeded where it says what is readable. */
import type { EventStoreDBClient, StreamMetadata } from '@eventstore/db-client';
import { ANY, BACKWARDS, END, NO_STREAM, WrongExpectedVersionError } from '@eventstore/db-client';
import { describe, expect, it, vi } from 'vitest';
import { anew, collect, follow, numbered, refusal, revisionsOf } from '../events.js';
import type { Bench } from './bench.js';

export function metadata(bench: Bench): void {
  const client = (): EventStoreDBClient => bench.client;
  const revisions = async (stream: string): Promise<number[]> =>
    revisionsOf(await collect(client().readStream(stream)));
  const filled = async (events: number): Promise<string> => {
    const stream = anew('described');
    await client().appendToStream(stream, numbered(events));
    return stream;
  };

  it('is absent where none was set, stream or no stream', async () => {
    const stream = await filled(1);
    expect(await client().getStreamMetadata(stream)).toEqual({ streamName: stream });
    const missing = anew('missing');
    expect(await client().getStreamMetadata(missing)).toEqual({ streamName: missing });
  });

  it('comes back as it was set, with what only its owner understands', async () => {
    const stream = await filled(1);
    const set = {
      maxCount: 10,
      maxAge: 3600,
      truncateBefore: 0,
      cacheControl: 60,
      acl: {
        readRoles: ['$admins', 'reader'],
        writeRoles: '$admins',
        deleteRoles: '$admins',
        metaReadRoles: '$all',
        metaWriteRoles: ['$admins'],
      },
      color: 'red',
      nested: { list: [1, 'two', null] },
    };
    const { nextExpectedRevision } = await client().setStreamMetadata(stream, set as unknown as StreamMetadata);
    expect(nextExpectedRevision).toBe(0n);
    const got = await client().getStreamMetadata(stream);
    expect(got).toMatchObject({ streamName: stream, metadata: set });
  });

  it('may name a default access list', async () => {
    const stream = await filled(1);
    await client().setStreamMetadata(stream, { acl: '$userStreamAcl' } as unknown as StreamMetadata);
    expect((await client().getStreamMetadata(stream)).metadata).toEqual({ acl: '$userStreamAcl' });
  });

  it('may be set before its stream is there, and makes no stream', async () => {
    const stream = anew('described');
    await client().setStreamMetadata(stream, { maxCount: 2 });
    expect(await refusal(revisions(stream))).toMatchObject({ type: 'stream-not-found' });
    const answer = await client().appendToStream(stream, numbered(4), { expectedRevision: NO_STREAM });
    expect(answer.nextExpectedRevision).toBe(3n);
    expect(await revisions(stream)).toEqual([2, 3]);
  });

  it('is a stream of its own, with revisions to expect', async () => {
    const stream = await filled(1);
    await client().setStreamMetadata(stream, { maxCount: 2 }, { expectedRevision: NO_STREAM });
    const error = await refusal(client().setStreamMetadata(stream, { maxCount: 3 }, { expectedRevision: NO_STREAM }));
    expect(error).toBeInstanceOf(WrongExpectedVersionError);
    expect(error).toMatchObject({ streamName: `$$${stream}`, expectedVersion: NO_STREAM, actualVersion: 0n });
    await client().setStreamMetadata(stream, { maxCount: 4 }, { expectedRevision: 0n });
    await client().setStreamMetadata(stream, { maxCount: 5 }, { expectedRevision: ANY });
    expect((await client().getStreamMetadata(stream)).metadata).toEqual({ maxCount: 5 });
    const last = client().readStream(`$$${stream}`, { direction: BACKWARDS, fromRevision: END, maxCount: 1 });
    const [event] = await collect(last);
    expect(event?.event).toMatchObject({
      streamId: `$$${stream}`,
      type: '$metadata',
      revision: 2n,
      data: { $maxCount: 5 },
    });
  });

  describe('says what is readable', () => {
    it('by count', async () => {
      const stream = await filled(5);
      await client().setStreamMetadata(stream, { maxCount: 2 });
      expect(await revisions(stream)).toEqual([3, 4]);
      const back = await collect(client().readStream(stream, { direction: BACKWARDS, fromRevision: END }));
      expect(revisionsOf(back)).toEqual([4, 3]);
      await client().appendToStream(stream, numbered(1), { expectedRevision: 4n });
      expect(await revisions(stream)).toEqual([4, 5]);
      await client().setStreamMetadata(stream, {});
      expect(await revisions(stream)).toEqual([0, 1, 2, 3, 4, 5]);
    });

    it('by the first revision kept', async () => {
      const stream = await filled(5);
      await client().setStreamMetadata(stream, { truncateBefore: 3 });
      expect(await revisions(stream)).toEqual([3, 4]);
      const before = client().readStream(stream, { fromRevision: 1n, maxCount: 10 });
      expect(revisionsOf(await collect(before))).toEqual([3, 4]);
      const back = client().readStream(stream, { direction: BACKWARDS, fromRevision: 3n });
      expect(revisionsOf(await collect(back))).toEqual([3]);
    });

    it('by the narrower of several', async () => {
      const stream = await filled(6);
      await client().setStreamMetadata(stream, { truncateBefore: 2, maxCount: 2 });
      expect(await revisions(stream)).toEqual([4, 5]);
      await client().setStreamMetadata(stream, { truncateBefore: 5, maxCount: 4 });
      expect(await revisions(stream)).toEqual([5]);
    });

    it('by age', async () => {
      const stream = await filled(2);
      await client().setStreamMetadata(stream, { maxAge: 1 });
      await vi.waitFor(async () => expect(await revisions(stream).catch(() => [])).toEqual([]), 10_000);
      const answer = await client().appendToStream(stream, numbered(1), { expectedRevision: 1n });
      expect(answer.nextExpectedRevision).toBe(2n);
      await client().setStreamMetadata(stream, { maxAge: 3600 });
      expect(await revisions(stream)).toEqual([0, 1, 2]);
    });

    it('to a subscriber too', async () => {
      const stream = await filled(5);
      await client().setStreamMetadata(stream, { truncateBefore: 3 });
      const follower = follow(client().subscribeToStream(stream));
      await follower.caughtUp();
      await client().appendToStream(stream, numbered(1));
      expect(revisionsOf(await follower.reached(3))).toEqual([3, 4, 5]);
      await follower.stop();
    });
  });

  it('of a tombstoned stream cannot be read', async () => {
    const stream = await filled(1);
    await client().setStreamMetadata(stream, { maxCount: 2 });
    await client().tombstoneStream(stream);
    expect(await refusal(client().getStreamMetadata(stream))).toMatchObject({ type: 'stream-deleted' });
  });
}
