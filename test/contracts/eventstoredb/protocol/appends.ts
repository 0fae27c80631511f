/** What an append promises, in both calls that the client makes of it. */
import { randomUUID } from 'node:crypto';
import type { AppendToStreamOptions, EventStoreDBClient } from '@eventstore/db-client';
import {
  ANY,
  binaryEvent,
  jsonEvent,
  MaxAppendSizeExceededError,
  NO_STREAM,
  STREAM_EXISTS,
  WrongExpectedVersionError,
} from '@eventstore/db-client';
import { describe, expect, it } from 'vitest';
import { anew, collect, numbered, numbersIn, refusal } from '../events.js';
import { clientOf } from '../server.js';
import type { Bench } from './bench.js';

const maxAppend = 1024 * 1024;

/** The client appends by Append when it is given credentials with the call, and by BatchAppend when it is not. */
const calls: readonly [string, Pick<AppendToStreamOptions, 'credentials'>][] = [
  ['BatchAppend', {}],
  ['Append', { credentials: { username: 'admin', password: 'changeit' } }],
];

export function appends(bench: Bench): void {
  describe.each(calls)('by %s', (_, call) => {
    const client = (): EventStoreDBClient => bench.client;

    it('answers with the revision and the position of the last event', async () => {
      const stream = anew('append');
      const first = await client().appendToStream(stream, numbered(1), { ...call, expectedRevision: NO_STREAM });
      const second = await client().appendToStream(stream, numbered(3), { ...call, expectedRevision: 0n });
      const third = await client().appendToStream(stream, numbered(1), { ...call, expectedRevision: STREAM_EXISTS });
      const fourth = await client().appendToStream(stream, numbered(1), { ...call, expectedRevision: ANY });
      const results = [first, second, third, fourth];
      expect(results.map(({ success }) => success)).toEqual([true, true, true, true]);
      expect(results.map(({ nextExpectedRevision }) => nextExpectedRevision)).toEqual([0n, 3n, 4n, 5n]);
      const commits = results.map(({ position }) => position?.commit ?? -1n);
      expect(commits).toEqual(commits.toSorted((a, b) => Number(a - b)));
      expect(new Set(commits).size).toBe(4);
      const events = await collect(client().readStream(stream));
      expect(events.map(({ event }) => event?.position).filter((_, i) => [0, 4, 5].includes(i))).toEqual([
        first.position,
        third.position,
        fourth.position,
      ]);
    });

    it('tells a writer with a wrong expectation the stream, what it expected, and what is so', async () => {
      const [stream, missing] = [anew('conflict'), anew('missing')];
      await client().appendToStream(stream, numbered(2), call);
      const wrong = [
        [stream, NO_STREAM, 1n],
        [stream, 0n, 1n],
        [stream, 7n, 1n],
        [missing, 0n, NO_STREAM],
        [missing, STREAM_EXISTS, NO_STREAM],
      ] as const;
      for (const [streamName, expectedVersion, actualVersion] of wrong) {
        const options = { ...call, expectedRevision: expectedVersion };
        const error = await refusal(client().appendToStream(streamName, numbered(1), options));
        expect(error).toBeInstanceOf(WrongExpectedVersionError);
        expect(error).toMatchObject({ streamName, expectedVersion, actualVersion });
      }
      expect(await numbersIn(client(), stream)).toEqual([0, 1]);
    });

    it('lets one of many writers that expect the same win', async () => {
      const stream = anew('race');
      await client().appendToStream(stream, numbered(1), call);
      const racing = await Promise.allSettled(
        Array.from({ length: 16 }, (_, writer) =>
          client().appendToStream(stream, numbered(2, 'Racing', writer * 10), { ...call, expectedRevision: 0n }),
        ),
      );
      expect(racing.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const outcome of racing)
        if (outcome.status === 'rejected')
          expect(outcome.reason).toMatchObject({ type: 'wrong-expected-version', actualVersion: 2n });
      const winner = racing.findIndex(({ status }) => status === 'fulfilled');
      expect(await numbersIn(client(), stream)).toEqual([0, winner * 10, winner * 10 + 1]);
    });

    it('says a conflict by its answer when the client was told not to throw', async () => {
      const stream = anew('conflict');
      const gentle = clientOf(bench.server, { throwOnAppendFailure: 'false' });
      await gentle.appendToStream(stream, numbered(3), call);
      const answer = await gentle.appendToStream(stream, numbered(1), { ...call, expectedRevision: NO_STREAM });
      // The revision in it is of no use: after BatchAppend the client makes one of a boolean.
      expect(answer).toMatchObject({ success: false, position: undefined });
      await gentle.dispose();
    });

    it('is idempotent by event id: the same again gives the first answer and writes nothing', async () => {
      const expectations = [ANY, NO_STREAM, -1] as const;
      for (const expectation of expectations) {
        const stream = anew('again');
        const created = numbered(2);
        const expectedRevision = expectation === -1 ? 0n : expectation;
        if (expectation === -1) await client().appendToStream(stream, numbered(1, 'First', 99), call);
        const first = await client().appendToStream(stream, created, { ...call, expectedRevision });
        const again = await client().appendToStream(stream, created, { ...call, expectedRevision });
        expect(again).toMatchObject({ success: true, nextExpectedRevision: first.nextExpectedRevision });
        expect(await numbersIn(client(), stream)).toEqual(expectation === -1 ? [99, 0, 1] : [0, 1]);
      }
    });

    it('is idempotent after other events have come behind', async () => {
      const stream = anew('again');
      const created = numbered(2);
      const first = await client().appendToStream(stream, created, { ...call, expectedRevision: NO_STREAM });
      await client().appendToStream(stream, numbered(1, 'Later', 2), { ...call, expectedRevision: 1n });
      const again = await client().appendToStream(stream, created, { ...call, expectedRevision: NO_STREAM });
      expect(again.nextExpectedRevision).toBe(first.nextExpectedRevision);
      expect(await numbersIn(client(), stream)).toEqual([0, 1, 2]);
    });

    it('is refused when its ids are known only in part', async () => {
      const stream = anew('again');
      const created = numbered(1);
      await client().appendToStream(stream, created, { ...call, expectedRevision: NO_STREAM });
      const more = client().appendToStream(stream, [...created, ...numbered(1)], {
        ...call,
        expectedRevision: NO_STREAM,
      });
      expect(await refusal(more)).toBeInstanceOf(WrongExpectedVersionError);
      expect(await numbersIn(client(), stream)).toEqual([0]);
    });

    it('takes an id for a new one when another stream has it', async () => {
      const shared = numbered(1);
      const [one, other] = [anew('again'), anew('again')];
      await client().appendToStream(one, shared, call);
      const answer = await client().appendToStream(other, shared, { ...call, expectedRevision: NO_STREAM });
      expect(answer.nextExpectedRevision).toBe(0n);
      expect(await numbersIn(client(), other)).toEqual([0]);
    });

    it('keeps JSON and binary events as they were given', async () => {
      const stream = anew('content');
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
      const before = Date.now();
      const given = [
        jsonEvent({ type: 'Json', data: { text: 'é 漢 🦆 \u0000', list: [1, null, true] } }),
        jsonEvent({ type: 'Json', data: { a: 1 }, metadata: { $correlationId: 'c-1', by: 'me' } }),
        jsonEvent({ type: 'Json', data: { a: 2 }, metadata: bytes }),
        binaryEvent({ type: 'Binary', data: bytes }),
        binaryEvent({ type: 'Binary', data: bytes.slice(0, 3), metadata: { by: 'you' } }),
        binaryEvent({ type: 'Binary', data: new Uint8Array() }),
      ];
      await client().appendToStream(stream, given, call);
      const read = await collect(client().readStream(stream));
      expect(read).toHaveLength(given.length);
      for (const [revision, event] of given.entries()) {
        expect(read[revision]?.link).toBeUndefined();
        expect(read[revision]?.event).toEqual({
          streamId: stream,
          revision: BigInt(revision),
          id: event.id,
          type: event.type,
          data: event.data,
          metadata: event.metadata,
          isJson: event.contentType === 'application/json',
          created: expect.any(Date) as Date,
          position: expect.objectContaining({ commit: expect.any(BigInt) as bigint }) as object,
        });
      }
      const created = read[0]?.event?.created.getTime() ?? 0;
      expect(created).toBeGreaterThanOrEqual(before - 1);
      expect(created).toBeLessThanOrEqual(Date.now() + 1);
    });

    it('takes names and types of any script', async () => {
      const stream = anew('größe/漢字 🦆@#?&%20');
      await client().appendToStream(stream, jsonEvent({ type: 'Ereignis Größe 🦆', data: {} }), call);
      const [read] = await collect(client().readStream(stream));
      expect(read?.event).toMatchObject({ streamId: stream, type: 'Ereignis Größe 🦆' });
    });

    it('takes ids in upper case for the same as in lower case', async () => {
      const stream = anew('ids');
      const id = randomUUID();
      await client().appendToStream(stream, jsonEvent({ id: id.toUpperCase(), type: 'A', data: {} }), call);
      await client().appendToStream(stream, jsonEvent({ id, type: 'A', data: {} }), {
        ...call,
        expectedRevision: NO_STREAM,
      });
      const read = await collect(client().readStream(stream));
      expect(read.map(({ event }) => event?.id.toLowerCase())).toEqual([id]);
    });

    it('takes 1 MiB and refuses more, with the limit told and nothing written', async () => {
      const [stream, larger] = [anew('size'), anew('size')];
      const type = 'Large';
      const fits = binaryEvent({
        type,
        data: new Uint8Array(maxAppend - 2 * type.length - 10),
        metadata: new Uint8Array(10),
      });
      await client().appendToStream(stream, fits, call);
      expect((await collect(client().readStream(stream)))[0]?.event?.data).toHaveLength(fits.data.length);
      const tooLarge = binaryEvent({ type, data: new Uint8Array(maxAppend + 1) });
      const error = await refusal(client().appendToStream(larger, tooLarge, call));
      expect(error).toBeInstanceOf(MaxAppendSizeExceededError);
      expect(error).toMatchObject({ maxAppendSize: maxAppend });
      const thrice = Array.from({ length: 3 }, () => binaryEvent({ type, data: new Uint8Array(maxAppend / 2) }));
      expect(await refusal(client().appendToStream(larger, thrice, call))).toMatchObject({ maxAppendSize: maxAppend });
      expect(await refusal(collect(client().readStream(larger)))).toMatchObject({ type: 'stream-not-found' });
    });

    it('answers each of many that were sent without waiting', async () => {
      const stream = anew('many');
      const streams = Array.from({ length: 200 }, (_, i) => `${stream}-${i % 20}`);
      const results = await Promise.all(streams.map((name) => client().appendToStream(name, numbered(2), call)));
      for (const name of new Set(streams)) {
        const revisions = results.filter((_, i) => streams[i] === name).map(({ nextExpectedRevision: r }) => Number(r));
        expect(revisions.toSorted((a, b) => a - b)).toEqual([1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
      }
    });
  });

  it('is all or nothing however many messages it is sent in', async () => {
    const [stream, conflicting] = [anew('fragments'), anew('fragments')];
    const options = { batchAppendSize: 500, expectedRevision: NO_STREAM } as const;
    const answer = await bench.client.appendToStream(stream, numbered(100), options);
    expect(answer.nextExpectedRevision).toBe(99n);
    expect(await numbersIn(bench.client, stream)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    await bench.client.appendToStream(conflicting, numbered(1));
    const late = bench.client.appendToStream(conflicting, numbered(100), options);
    expect(await refusal(late)).toBeInstanceOf(WrongExpectedVersionError);
    expect(await numbersIn(bench.client, conflicting)).toEqual([0]);
  });

  it("goes to a system stream too: streams whose names begin with '$'", async () => {
    const stream = anew('$mine');
    await bench.client.appendToStream(stream, numbered(2));
    expect(await numbersIn(bench.client, stream)).toEqual([0, 1]);
  });
}
