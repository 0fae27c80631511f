/**
 * What every event store must keep: the promises at the head of the port, each put to the test from outside. An adapter's
 * spec is one call of this.
 *
 * A store may be a server that others have used before: every test has streams of its own, and counts from where the log ended when
 * the test began.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type {
  AppendResult,
  EventStore,
  ExpectedRevision,
  NewEvent,
  Position,
  RecordedEvent,
  SubscriptionItem,
} from '@vw/event-store';
import {
  appendBytes,
  AppendTooLarge,
  maxAppendBytes,
  START,
  StoreUnavailable,
  StreamTombstoned,
  TOMBSTONE_TYPE,
  WrongExpectedRevision,
} from '@vw/event-store';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Program } from '../../support/program.js';
import { runProgram } from '../../support/program.js';
import { expectAccount, until } from './account.js';
import { collect, events } from './events.js';

export { collect, events };

export interface OpenedStore {
  readonly store: EventStore;
  /** What `openStore` opens it by, also from another process. */
  readonly location: string;
  readonly administration: Administration;
  /** Closes the store and opens it again over the same events. */
  reopen(): Promise<EventStore>;
  /**
   * Kills the process that keeps the store while `writers` appends, and starts it again where that is another one. A server that is
   * not the test's to kill has every connection to it broken instead.
   */
  crash(writers: Program): Promise<void>;
  /** Closes whatever is open and removes what it kept. */
  dispose(): Promise<void>;
}

/** What operators do to a stream, and the port cannot. */
export interface Administration {
  /** Softly: an append brings the stream back. */
  delete(stream: string): Promise<void>;
  /** For ever. */
  tombstone(stream: string): Promise<void>;
  /** Events before the revision, or all but the last so many, are no longer readable. */
  setMetadata(stream: string, metadata: { $tb?: number; $maxCount?: number }): Promise<void>;
}

/** Writes to one store until somebody kills it; says what it tries and what is acknowledged. */
const writersProgram = join(import.meta.dirname, 'durable-writers.program.ts');

/** A name of a stream that no other test, run or user has. */
export function anew(label = 'w'): string {
  return `${label}-${randomUUID()}`;
}

export function eventStoreContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`event store: ${name}`, () => {
    let opened: OpenedStore;
    let store: EventStore;
    /** Where the log ended when the test began. */
    let start: Position;
    let one: string;
    let other: string;

    beforeEach(async () => {
      opened = await open();
      store = opened.store;
      start = await store.head();
      [one, other] = [anew(), anew()];
    });

    afterEach(() => opened.dispose());

    const added = (): Promise<RecordedEvent[]> => collect(store.readAll(start));
    const ofStream = (stream: string, options?: Parameters<EventStore['readStream']>[1]): Promise<RecordedEvent[]> =>
      collect(store.readStream(stream, options));
    const revisions = async (stream: string, options?: Parameters<EventStore['readStream']>[1]): Promise<number[]> =>
      (await ofStream(stream, options)).map(({ revision }) => revision);

    describe('append', () => {
      it('answers with the revision and position of the last event', async () => {
        const first = await store.append(one, 'no-stream', events(3));
        const second = await store.append(one, 2, events(1));
        expect(first.revision).toBe(2);
        expect(second.revision).toBe(3);
        expect(second.position).toBeGreaterThan(first.position);
        expect(await store.head()).toBe(second.position);
        const stored = await ofStream(one);
        expect(stored.at(2)?.position).toBe(first.position);
        expect(stored.at(3)).toMatchObject({ stream: one, revision: 3, position: second.position });
      });

      it('is refused at any other revision than the one expected, and then writes nothing', async () => {
        await store.append(one, 'no-stream', events(2));
        const head = await store.head();
        await expectWrong(store.append(one, 'no-stream', events(1)), one, 'no-stream', 1);
        await expectWrong(store.append(one, 0, events(1)), one, 0, 1);
        await expectWrong(store.append(one, 2, events(1)), one, 2, 1);
        await expectWrong(store.append(other, 0, events(1)), other, 0, 'no-stream');
        expect(await store.head()).toBe(head);
        expect(await ofStream(other)).toEqual([]);
      });

      it('lets one of several racing writers win, and tells each of the others', async () => {
        await store.append(one, 'no-stream', events(1));
        const racing = await Promise.allSettled(Array.from({ length: 16 }, () => store.append(one, 0, events(2))));
        expect(racing.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        for (const outcome of racing)
          if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(WrongExpectedRevision);
        expect(await ofStream(one)).toHaveLength(3);
      });

      it('lets racing writers that read and try again all come through, one after the other', async () => {
        const writers = 8;
        await Promise.all(Array.from({ length: writers }, () => appendAtLast(store, one, 5)));
        const stored = await ofStream(one);
        expect(stored.map(({ revision }) => revision)).toEqual(
          Array.from({ length: writers * 5 }, (_, index) => index),
        );
        expect(new Set(stored.map(({ id }) => id)).size).toBe(writers * 5);
      });

      it('decides each of many concurrent appends alone', async () => {
        const names = Array.from({ length: 64 }, () => anew());
        const outcomes = await Promise.allSettled(
          names.map((stream, index) => store.append(stream, index % 4 === 3 ? 7 : 'no-stream', events(2))),
        );
        expect(outcomes.map(({ status }) => status)).toEqual(
          Array.from({ length: 64 }, (_, index) => (index % 4 === 3 ? 'rejected' : 'fulfilled')),
        );
        expect(await added()).toHaveLength(96);
      });

      it('takes appends to one stream that were made without waiting, in the order they were made', async () => {
        const made = events(50);
        const results = await Promise.all(
          made.map((event, index) => store.append(one, index === 0 ? 'no-stream' : index - 1, [event])),
        );
        expect(results.map(({ revision }) => revision)).toEqual(made.map((_, index) => index));
        expect((await ofStream(one)).map(({ id }) => id)).toEqual(made.map(({ id }) => id));
      });

      it('takes thousands of small events at once, whole or not at all', async () => {
        // Their types alone are more than a gRPC server takes in one message unless it is told to.
        const many = (): NewEvent[] => events(6000).map((event) => ({ ...event, type: 'T'.repeat(900) }));
        const made = many();
        expect((await store.append(one, 'no-stream', made)).revision).toBe(5999);
        await expectWrong(store.append(one, 'no-stream', many()), one, 'no-stream', 5999);
        expect((await ofStream(one)).map(({ id }) => id)).toEqual(made.map(({ id }) => id));
      });

      it('refuses what can only be a mistake of the caller', async () => {
        const [event] = events(1) as [NewEvent];
        for (const mistaken of [
          store.append(one, 'no-stream', []),
          store.append(one, -1, [event]),
          store.append(one, 0.5, [event]),
          store.append(one, Number.NaN, [event]),
          store.append('', 'no-stream', [event]),
          store.append(one, 'no-stream', [{ ...event, id: 'no uuid' }]),
          store.append(one, 'no-stream', [{ ...event, type: '' }]),
          store.append(one, 'no-stream', [{ ...event, type: 'T'.repeat(1025) }]),
        ]) {
          await expect(mistaken).rejects.toBeInstanceOf(RangeError);
        }
        expect(await store.head()).toBe(start);
      });
    });

    describe('append again with the same ids', () => {
      it('gives the first answer and writes nothing, also when the stream has gone on', async () => {
        const [created, rest] = [events(1), events(3)];
        const first = await store.append(one, 'no-stream', created);
        const second = await store.append(one, 0, rest);
        const last = await store.append(one, 3, events(1));
        expect(await store.append(one, 'no-stream', created)).toEqual(first);
        expect(await store.append(one, 0, rest)).toEqual(second);
        expect(await store.append(one, 'no-stream', [...created, ...rest])).toEqual(second);
        expect(await store.head()).toBe(last.position);
      });

      it('gives both the same answer when the two arrive together', async () => {
        const made = events(2);
        const [mine, yours] = await Promise.all([
          store.append(one, 'no-stream', made),
          store.append(one, 'no-stream', made),
        ]);
        expect(yours).toEqual(mine);
        expect(await ofStream(one)).toHaveLength(2);
      });

      it('is a wrong revision when the ids match only in part', async () => {
        const made = events(3);
        await store.append(one, 'no-stream', made);
        const [fresh] = events(1) as [NewEvent];
        const [first, second, third] = made as [NewEvent, NewEvent, NewEvent];
        await expectWrong(store.append(one, 'no-stream', [first, fresh]), one, 'no-stream', 2);
        await expectWrong(store.append(one, 'no-stream', [fresh, second]), one, 'no-stream', 2);
        await expectWrong(store.append(one, 'no-stream', [...made, fresh]), one, 'no-stream', 2);
        await expectWrong(store.append(one, 0, [third, second]), one, 0, 2);
        expect(await ofStream(one)).toHaveLength(3);
      });

      it('is a wrong revision when one append has the same id twice', async () => {
        const [twice] = events(1) as [NewEvent];
        await expectWrong(store.append(one, 'no-stream', [twice, twice]), one, 'no-stream', 'no-stream');
        expect((await store.append(one, 'no-stream', [twice])).revision).toBe(0);
      });

      it('is no repetition in another stream', async () => {
        const made = events(1);
        await store.append(one, 'no-stream', made);
        expect((await store.append(other, 'no-stream', made)).revision).toBe(0);
        expect(await added()).toHaveLength(2);
      });
    });

    describe('ids', () => {
      it('may be UUIDs of any version, in any case, and come back in lower case', async () => {
        const ids = [
          randomUUID(),
          randomUUID().toUpperCase(),
          'C232AB00-9414-11EC-B3C8-9F6BDECED846', // version 1
          '919108f7-52d1-4320-9bac-f847db4148a8', // 4
          '5df41881-3aed-3515-88a7-2f4a814cf09e', // 3
          '2ed6657d-e927-568b-95e1-2665a8aea6a2', // 5
          '017f22e2-79b0-7cc3-98c4-dc0c0c07398f', // 7
          '320C3d4d-cc00-875b-8eC9-32d5f69181c0', // 8
          'ffffffff-ffff-ffff-ffff-ffffffffffff',
          '80000000-0000-0000-8000-000000000000',
          '7fffffff-ffff-ffff-7fff-ffffffffffff',
        ];
        const made = ids.map((id) => ({ ...(events(1)[0] as NewEvent), id }));
        const first = await store.append(one, 'no-stream', made);
        expect((await ofStream(one)).map(({ id }) => id)).toEqual(ids.map((id) => id.toLowerCase()));
        const flipped = made.map((event) => ({
          ...event,
          id: event.id === event.id.toLowerCase() ? event.id.toUpperCase() : event.id.toLowerCase(),
        }));
        expect(await store.append(one, 'no-stream', flipped)).toEqual(first);
      });

      it.each([
        '',
        'x',
        '{919108f7-52d1-4320-9bac-f847db4148a8}',
        '919108f752d143209bacf847db4148a8',
        '919108g7-52d1-4320-9bac-f847db4148a8',
      ])('are not "%s"', async (id) => {
        await expect(store.append(one, 'no-stream', [{ ...(events(1)[0] as NewEvent), id }])).rejects.toBeInstanceOf(
          RangeError,
        );
      });
    });

    describe.each(['json', 'binary'] as const)('the bytes of %s events', (contentType) => {
      const make = (type: string, data: Uint8Array, metadata: Uint8Array): NewEvent => ({
        id: randomUUID(),
        type,
        contentType,
        data,
        metadata,
      });

      it('come back as they were given, whatever they are', async () => {
        const every = Uint8Array.from({ length: 256 }, (_, value) => value);
        const nothing = new Uint8Array(0);
        const made = [
          make('Every', every, every.toReversed()),
          make('Empty', nothing, nothing),
          make('DataOnly', randomBytes(3000), nothing),
          make('Zürich → 北京', nothing, randomBytes(100)),
          // What a parser and a printer of JSON would not leave as it is.
          make(
            'Written',
            Buffer.from('{ "b":1.0,"a":1e3,"a":"\\u00fc", "n":12345678901234567890 }\n'),
            Buffer.from(' {} '),
          ),
          // A view into the middle of a larger buffer.
          make('View', every.subarray(10, 20), every.subarray(250)),
        ];
        const stream = anew('wörld 北京');
        await store.append(stream, 'no-stream', made);
        expect((await ofStream(stream)).map(plain)).toEqual(made.map(plain));
        expect((await added()).map(plain)).toEqual(made.map(plain));
      });

      it('are those of the moment of the call, whatever the caller does with its buffer next', async () => {
        const data = Buffer.from('before');
        const appended = store.append(one, 'no-stream', [make('T', data, Buffer.alloc(0))]);
        data.fill('x');
        await appended;
        const [event] = await ofStream(one);
        expect(Buffer.from(event?.data ?? []).toString()).toBe('before');
      });

      it('may be as many as the store promises, and not one more', async () => {
        const [small] = events(1) as [NewEvent];
        const rest = make('Rest', new Uint8Array(0), randomBytes(10));
        const left = maxAppendBytes - appendBytes([small, rest]);
        const largest = [small, { ...rest, data: randomBytes(left) }];
        await store.append(one, 'no-stream', largest);
        expect((await ofStream(one)).map(plain)).toEqual(largest.map(plain));

        const larger = [...events(1), { ...rest, id: randomUUID(), data: randomBytes(left + 1) }];
        const refusal = await store.append(one, 1, larger).catch((error: unknown) => error);
        expect(refusal).toBeInstanceOf(AppendTooLarge);
        expect(refusal).toMatchObject({ stream: one, sizeBytes: maxAppendBytes + 1, limitBytes: maxAppendBytes });
        expect(await ofStream(one)).toHaveLength(2);
      });
    });

    describe('reading a stream', () => {
      it('finds nothing in one that nobody has written', async () => {
        expect(await ofStream(one)).toEqual([]);
        expect(await ofStream(one, { from: 5 })).toEqual([]);
        expect(await ofStream(one, { direction: 'backwards' })).toEqual([]);
      });

      it('goes forwards and backwards, from a revision, up to a limit, across any number of pages', async () => {
        const count = 1300;
        await store.append(other, 'no-stream', events(5));
        await store.append(one, 'no-stream', events(count));
        const all = Array.from({ length: count }, (_, revision) => revision);
        expect(await revisions(one)).toEqual(all);
        expect(await revisions(one, { direction: 'backwards' })).toEqual(all.toReversed());
        expect(await revisions(one, { from: 1298 })).toEqual([1298, 1299]);
        expect(await revisions(one, { from: 1300 })).toEqual([]);
        expect(await revisions(one, { from: 2, direction: 'backwards' })).toEqual([2, 1, 0]);
        expect(await revisions(one, { from: 9999, direction: 'backwards', limit: 1 })).toEqual([1299]);
        expect(await revisions(one, { from: 100, limit: 600 })).toEqual(all.slice(100, 700));
        expect(await revisions(one, { limit: 512 })).toEqual(all.slice(0, 512));
        expect(await revisions(one, { limit: 0 })).toEqual([]);
      });
    });

    describe('reading the whole log', () => {
      it('goes in the order of the appends, after the position given, up to the limit', async () => {
        const names = [anew(), anew(), anew()] as const;
        const results: AppendResult[] = [];
        for (let index = 0; index < 6; index += 1) {
          const stream = names[index % 3] as string;
          results.push(await store.append(stream, index < 3 ? 'no-stream' : 0, events(1)));
        }
        const all = await added();
        expect(all.map(({ stream, revision }) => [stream, revision])).toEqual([
          ...names.map((stream) => [stream, 0]),
          ...names.map((stream) => [stream, 1]),
        ]);
        expect(all.map(({ position }) => position)).toEqual(results.map(({ position }) => position));
        const after = results[2]?.position as Position;
        expect(await collect(store.readAll(after))).toEqual(all.slice(3));
        expect(await collect(store.readAll(after, { limit: 2 }))).toEqual(all.slice(3, 5));
        expect(await collect(store.readAll(after, { limit: 0 }))).toEqual([]);
        expect(await collect(store.readAll(await store.head()))).toEqual([]);
      });

      it('begins with the first event of all when it begins at START', async () => {
        await store.append(one, 'no-stream', events(3));
        const [first, second] = await collect(store.readAll(START, { limit: 2 }));
        expect(first?.position).toBeGreaterThan(START);
        expect(await collect(store.readAll(first?.position as Position, { limit: 1 }))).toEqual([second]);
      });

      it('gives every event however large they are together', async () => {
        const made = events(9).map((event) => ({ ...event, data: randomBytes(500_000) }));
        for (const [index, event] of made.entries())
          await store.append(one, index === 0 ? 'no-stream' : index - 1, [event]);
        expect((await added()).map(plain)).toEqual(made.map(plain));
        expect((await ofStream(one)).map(plain)).toEqual(made.map(plain));
        expect((await ofStream(one, { direction: 'backwards' })).map(plain)).toEqual(made.toReversed().map(plain));
      });

      it('leaves the event loop free between pages', async () => {
        await store.append(one, 'no-stream', events(3000));
        let turns = 0;
        const counting = setInterval(() => (turns += 1), 0);
        for await (const event of store.readAll(start)) if (event.revision === 2999) break;
        clearInterval(counting);
        expect(turns).toBeGreaterThan(0);
      });

      it('shows a reader no event behind one it has seen, while many write', async () => {
        const names = Array.from({ length: 16 }, () => anew());
        let writing = true;
        const work = Promise.all(names.map((stream) => write(store, stream, 40))).finally(() => (writing = false));
        const seen: RecordedEvent[] = [];
        const readOn = async (): Promise<void> => {
          for await (const event of store.readAll(seen.at(-1)?.position ?? start)) seen.push(event);
        };
        for (; writing; await setImmediate()) await readOn();
        await work;
        await readOn();
        expect(seen.map(address)).toEqual((await added()).map(address));
        expect(seen).toHaveLength(16 * 40);
        expectNoGaps(seen);
      });
    });

    describe('a deleted stream', () => {
      it('reads as an empty one, and goes on behind what it was when somebody appends', async () => {
        await store.append(one, 'no-stream', events(3));
        await opened.administration.delete(one);
        expect(await ofStream(one)).toEqual([]);
        expect(await ofStream(one, { direction: 'backwards' })).toEqual([]);
        await expectWrong(store.append(one, 0, events(1)), one, 0, 2);
        expect((await store.append(one, 'no-stream', events(2))).revision).toBe(4);
        expect(await revisions(one)).toEqual([3, 4]);
        expect(await revisions(one, { direction: 'backwards' })).toEqual([4, 3]);
        expect((await store.append(one, 4, events(1))).revision).toBe(5);
        expect((await added()).map(({ revision }) => revision)).toEqual([0, 1, 2, 3, 4, 5]);
      });

      it('may also be gone on with by who knows its last revision', async () => {
        await store.append(one, 'no-stream', events(3));
        await opened.administration.delete(one);
        expect((await store.append(one, 2, events(1))).revision).toBe(3);
        expect(await revisions(one)).toEqual([3]);
      });
    });

    describe('a tombstoned stream', () => {
      it('is neither read nor written any more, and the whole log keeps its events', async () => {
        const { position } = await store.append(one, 'no-stream', events(3));
        await opened.administration.tombstone(one);
        for (const direction of ['forwards', 'backwards'] as const) {
          const refusal = await ofStream(one, { direction }).catch((error: unknown) => error);
          expect(refusal).toBeInstanceOf(StreamTombstoned);
          expect(refusal).toMatchObject({ stream: one });
        }
        for (const expected of ['no-stream', 2, 3] as const) {
          await expect(store.append(one, expected, events(1))).rejects.toBeInstanceOf(StreamTombstoned);
        }
        expect(await store.head()).toBe(position);
        expect((await added()).map(({ stream, revision }) => [stream, revision])).toEqual([
          [one, 0],
          [one, 1],
          [one, 2],
        ]);
      });

      it('has an event that says so, for who asks for all', async () => {
        await store.append(one, 'no-stream', events(1));
        await opened.administration.tombstone(one);
        const { position } = await store.append(other, 'no-stream', events(1));
        const all = await collect(store.readAll(start, { system: true }));
        expect(all.filter(({ stream }) => stream === one).map(({ type }) => type)).toEqual([
          'WorkspaceRefined',
          TOMBSTONE_TYPE,
        ]);
        const seen = await follow(store, start, 2, new AbortController());
        expect(seen.map(({ stream }) => stream)).toEqual([one, other]);
        expect(seen.at(-1)?.position).toBe(position);
      });

      it('may be one that was never written', async () => {
        await opened.administration.tombstone(one);
        await expect(ofStream(one)).rejects.toBeInstanceOf(StreamTombstoned);
        expect(await store.head()).toBe(start);
      });
    });

    describe('a truncated stream', () => {
      it('begins later than 0, and the whole log keeps what it no longer shows', async () => {
        const made = events(6);
        await store.append(one, 'no-stream', made);
        await opened.administration.setMetadata(one, { $tb: 4 });
        expect(await revisions(one)).toEqual([4, 5]);
        expect(await revisions(one, { from: 2, limit: 1 })).toEqual([4]);
        expect(await revisions(one, { direction: 'backwards' })).toEqual([5, 4]);
        expect(await revisions(one, { direction: 'backwards', from: 3 })).toEqual([]);
        await expectWrong(store.append(one, 3, events(1)), one, 3, 5);
        expect((await store.append(one, 5, events(1))).revision).toBe(6);
        expect(await revisions(one)).toEqual([4, 5, 6]);
        expect(await added()).toHaveLength(7);
        // What it no longer shows, it still knows.
        expect((await store.append(one, 'no-stream', made.slice(0, 2))).revision).toBe(1);
        expect(await added()).toHaveLength(7);
      });

      it('may be told to show its last events only', async () => {
        await store.append(one, 'no-stream', events(600));
        await opened.administration.setMetadata(one, { $maxCount: 2 });
        expect(await revisions(one)).toEqual([598, 599]);
        await store.append(one, 599, events(3));
        expect(await revisions(one)).toEqual([601, 602]);
        expect(await revisions(one, { direction: 'backwards' })).toEqual([602, 601]);
      });
    });

    describe('streams of the store itself', () => {
      it('can be read by name, and are left out of the whole log unless asked for', async () => {
        await opened.administration.setMetadata(one, { $maxCount: 7 });
        const { position } = await store.append(one, 'no-stream', events(1));
        const [metadata] = await ofStream(`$$${one}`);
        expect(metadata).toMatchObject({ stream: `$$${one}`, revision: 0, type: '$metadata', contentType: 'json' });
        expect(JSON.parse(Buffer.from(metadata?.data ?? []).toString())).toEqual({ $maxCount: 7 });

        expect((await added()).map(({ stream }) => stream)).toEqual([one]);
        const all = await collect(store.readAll(start, { system: true }));
        expect(all.map(({ stream }) => stream)).toEqual(expect.arrayContaining([`$$${one}`, one]));
        expect(all.find(({ stream }) => stream === `$$${one}`)).toEqual(metadata);

        await opened.administration.setMetadata(one, { $maxCount: 8 });
        expect(await store.head()).toBe(position);
        const items = store.subscribeAll(start, new AbortController().signal)[Symbol.asyncIterator]();
        expect((await items.next()).value).toMatchObject({ kind: 'event', event: { stream: one } });
        const caughtUp = (await items.next()).value as SubscriptionItem;
        if (caughtUp.kind !== 'caught-up') throw new Error('an event of the store itself was given');
        // A store may say that it has come further than the last event it gave, over its own.
        expect(caughtUp.position).toBeGreaterThanOrEqual(position);
        expect(await collect(store.readAll(caughtUp.position))).toEqual([]);
        await items.return?.();
      });

      it('do not end a reading: what lies behind many of them is found', async () => {
        const streams = Array.from({ length: 12 }, () => anew());
        for (const stream of streams) {
          await store.append(stream, 'no-stream', events(1));
          for (let count = 1; count <= 50; count += 1)
            await opened.administration.setMetadata(stream, { $maxCount: count });
        }
        expect((await added()).map(({ stream }) => stream)).toEqual(streams);
        expect(await store.head()).toBe((await added()).at(-1)?.position);
        const seen = await follow(store, start, 12, new AbortController());
        expect(seen.map(({ stream }) => stream)).toEqual(streams);
      });
    });

    describe('a subscription', () => {
      it(
        'misses nothing, repeats nothing and keeps the order while 32 writers append 10,000 events',
        { timeout: 180_000 },
        async () => {
          const [writers, each] = [32, 312];
          const total = 16 + writers * each;
          await store.append(one, 'no-stream', events(16));
          const abort = new AbortController();
          const early = follow(store, start, total, abort);
          const work = Promise.all(Array.from({ length: writers }, () => write(store, anew(), each)));
          await follow(store, start, 2000, abort);
          const late = follow(store, start, total, abort);
          await work;
          const [seenEarly, seenLate] = await Promise.all([early, late]);
          const log = await added();
          expect(log).toHaveLength(total);
          expect(seenEarly.map(address)).toEqual(log.map(address));
          expect(seenLate.map(address)).toEqual(log.map(address));
          expectNoGaps(log);
        },
      );

      it('says each time that the live end is reached, and where', async () => {
        const abort = new AbortController();
        const items = store.subscribeAll(start, abort.signal)[Symbol.asyncIterator]();
        expect(await items.next()).toEqual({ done: false, value: { kind: 'caught-up', position: start } });
        const waiting = items.next();
        const { position } = await store.append(one, 'no-stream', events(1));
        expect((await waiting).value).toMatchObject({ kind: 'event', event: { stream: one, revision: 0, position } });
        expect((await items.next()).value).toEqual({ kind: 'caught-up', position });
        abort.abort();
        expect((await items.next()).done).toBe(true);
      });

      it('begins after the position given', async () => {
        const { position } = await store.append(one, 'no-stream', events(4));
        await store.append(one, 3, events(2));
        const seen = await follow(store, position, 2, new AbortController());
        expect(seen.map(({ revision }) => revision)).toEqual([4, 5]);
      });

      it('gives the events that a reading gives', async () => {
        await store.append(one, 'no-stream', events(40));
        expect(await follow(store, start, 40, new AbortController())).toEqual(await added());
      });

      it('ends when its signal aborts: while it waits, while it is read, and before it began', async () => {
        await store.append(one, 'no-stream', events(20));
        const abort = new AbortController();
        const waiting = store.subscribeAll(await store.head(), abort.signal)[Symbol.asyncIterator]();
        await waiting.next();
        const end = waiting.next();
        abort.abort();
        expect((await end).done).toBe(true);

        const halfway = new AbortController();
        let seen = 0;
        for await (const _ of store.subscribeAll(start, halfway.signal)) {
          seen += 1;
          if (seen === 5) halfway.abort();
        }
        expect(seen).toBe(5);

        for await (const item of store.subscribeAll(start, AbortSignal.abort()))
          expect.unreachable(`read ${item.kind}`);
      });

      it('lets a slow reader take its time while the log goes on', async () => {
        const abort = new AbortController();
        const items = store.subscribeAll(start, abort.signal)[Symbol.asyncIterator]();
        await items.next();
        await write(store, one, 1500);
        const seen: number[] = [];
        for (let item = await items.next(); !item.done && item.value.kind === 'event'; item = await items.next()) {
          seen.push(item.value.event.revision);
        }
        abort.abort();
        expect(seen).toEqual(Array.from({ length: 1500 }, (_, revision) => revision));
      });
    });

    describe('a crash in mid-append', () => {
      it(
        'loses nothing acknowledged, repeats nothing, and lets what had no answer be settled by the same append again',
        { timeout: 180_000 },
        async () => {
          await store.close();
          const accounts: (readonly string[])[] = [];
          for (const run of [randomUUID(), randomUUID()]) {
            const writers = runProgram(writersProgram, opened.location, run);
            await until(writers, (lines) => lines.filter((line) => line.startsWith('ok ')).length > 400);
            await opened.crash(writers);
            await writers.kill();
            accounts.push(writers.lines);
          }
          store = await opened.reopen();
          await expectAccount(store, await added(), accounts);
        },
      );
    });

    describe('closing', () => {
      it('finishes what was taken, takes nothing more, and may be asked twice', async () => {
        const names = Array.from({ length: 10 }, () => anew());
        const taken = Promise.all(names.map((stream) => store.append(stream, 'no-stream', events(1))));
        const following = follow(store, start, 99, new AbortController());
        await Promise.all([store.close(), store.close(), expect(following).rejects.toBeInstanceOf(StoreUnavailable)]);
        await store.close();
        expect(await taken).toHaveLength(10);
        await expect(store.append(one, 0, events(1))).rejects.toBeInstanceOf(StoreUnavailable);
        await expect(collect(store.readAll(START))).rejects.toBeInstanceOf(StoreUnavailable);
        await expect(collect(store.readStream(one))).rejects.toBeInstanceOf(StoreUnavailable);
        await expect(store.head()).rejects.toBeInstanceOf(StoreUnavailable);
        const again = await opened.reopen();
        expect(await collect(again.readAll(start))).toHaveLength(10);
      });

      it('loses nothing that a new opening does not find', async () => {
        const made = events(700);
        const first = await store.append(one, 'no-stream', made);
        await store.append(other, 'no-stream', events(1));
        const before = await added();
        store = await opened.reopen();
        expect(await added()).toEqual(before);
        expect(await store.head()).toBe(before.at(-1)?.position);
        expect(await store.append(one, 'no-stream', made)).toEqual(first);
        expect((await store.append(one, 699, events(1))).revision).toBe(700);
      });
    });
  });
}

/** Appends so many events, one after the other. */
async function write(store: EventStore, stream: string, count: number): Promise<void> {
  for (let revision = 0; revision < count; revision += 1) {
    await store.append(stream, revision === 0 ? 'no-stream' : revision - 1, events(1));
  }
}

/** Appends so many events to a stream that others append to: reads, tries, and reads again. */
async function appendAtLast(store: EventStore, stream: string, count: number): Promise<void> {
  for (let left = count; left > 0;) {
    const [last] = await collect(store.readStream(stream, { direction: 'backwards', limit: 1 }));
    try {
      await store.append(stream, last?.revision ?? 'no-stream', events(1));
      left -= 1;
    } catch (error) {
      expect(error).toBeInstanceOf(WrongExpectedRevision);
    }
  }
}

/** The first `count` events a subscription yields. */
async function follow(
  store: EventStore,
  after: Position,
  count: number,
  abort: AbortController,
): Promise<RecordedEvent[]> {
  const seen: RecordedEvent[] = [];
  for await (const item of store.subscribeAll(after, abort.signal)) {
    if (item.kind === 'event') seen.push(item.event);
    if (seen.length === count) break;
  }
  return seen;
}

/** Positions rise; each stream of those that begin here has 0, 1, 2, … */
function expectNoGaps(log: readonly RecordedEvent[]): void {
  const next = new Map<string, number>();
  let last = -1;
  for (const { stream, revision, position } of log) {
    expect(position).toBeGreaterThan(last);
    expect(revision).toBe(next.get(stream) ?? 0);
    next.set(stream, revision + 1);
    last = position;
  }
}

function address({ position, stream, revision, id }: RecordedEvent): string {
  return `${position} ${stream} ${revision} ${id}`;
}

type Plain = Record<'id' | 'type' | 'contentType' | 'data' | 'metadata', string>;

function plain({ id, type, contentType, data, metadata }: NewEvent): Plain {
  return {
    id,
    type,
    contentType,
    data: Buffer.from(data).toString('base64'),
    metadata: Buffer.from(metadata).toString('base64'),
  };
}

async function expectWrong(
  append: Promise<AppendResult>,
  stream: string,
  expected: ExpectedRevision,
  actual: ExpectedRevision,
): Promise<void> {
  const refusal = await append.catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(WrongExpectedRevision);
  expect(refusal).toMatchObject({ stream, expected, actual });
}
