/**
 * What every event store must keep: the promises at the head of the port, each put to the test from outside. An adapter's
 * spec is one call of this.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import type { AppendResult, EventStore, ExpectedRevision, NewEvent, Position, RecordedEvent } from '@vw/event-store';
import {
  AppendTooLarge,
  appendBytes,
  maxAppendBytes,
  START,
  StoreUnavailable,
  WrongExpectedRevision,
} from '@vw/event-store';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

export interface OpenedStore {
  readonly store: EventStore;
  /** Closes the store and opens it again over the same events. */
  reopen(): Promise<EventStore>;
  /** Closes whatever is open and removes what it kept. */
  dispose(): Promise<void>;
}

export function eventStoreContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`event store: ${name}`, () => {
    let opened: OpenedStore;
    let store: EventStore;

    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });

    afterEach(() => opened.dispose());

    describe('append', () => {
      it('answers with the revision and position of the last event', async () => {
        const first = await store.append('w-1', 'no-stream', events(3));
        const second = await store.append('w-1', 2, events(1));
        expect(first.revision).toBe(2);
        expect(second.revision).toBe(3);
        expect(second.position).toBeGreaterThan(first.position);
        expect(await store.head()).toBe(second.position);
        const last = (await collect(store.readStream('w-1'))).at(-1);
        expect(last).toMatchObject({ stream: 'w-1', revision: 3, position: second.position });
      });

      it('is refused at any other revision than the one expected, and then writes nothing', async () => {
        await store.append('w-1', 'no-stream', events(2));
        const head = await store.head();
        await expectWrong(store.append('w-1', 'no-stream', events(1)), 'w-1', 'no-stream', 1);
        await expectWrong(store.append('w-1', 0, events(1)), 'w-1', 0, 1);
        await expectWrong(store.append('w-1', 2, events(1)), 'w-1', 2, 1);
        await expectWrong(store.append('w-2', 0, events(1)), 'w-2', 0, 'no-stream');
        expect(await store.head()).toBe(head);
        expect(await collect(store.readStream('w-2'))).toEqual([]);
      });

      it('lets one of several racing writers win, and tells each of the others', async () => {
        await store.append('w-1', 'no-stream', events(1));
        const racing = await Promise.allSettled(Array.from({ length: 16 }, () => store.append('w-1', 0, events(2))));
        expect(racing.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        for (const outcome of racing)
          if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(WrongExpectedRevision);
        expect(await collect(store.readStream('w-1'))).toHaveLength(3);
      });

      it('decides each of many concurrent appends alone', async () => {
        const outcomes = await Promise.allSettled(
          Array.from({ length: 64 }, (_, index) =>
            store.append(`w-${index}`, index % 4 === 3 ? 7 : 'no-stream', events(2)),
          ),
        );
        expect(outcomes.map(({ status }) => status)).toEqual(
          Array.from({ length: 64 }, (_, index) => (index % 4 === 3 ? 'rejected' : 'fulfilled')),
        );
        expect(await collect(store.readAll(START))).toHaveLength(96);
      });

      it('takes appends to one stream that were made without waiting, in the order they were made', async () => {
        const made = events(50);
        const results = await Promise.all(
          made.map((event, index) => store.append('w-1', index === 0 ? 'no-stream' : index - 1, [event])),
        );
        expect(results.map(({ revision }) => revision)).toEqual(made.map((_, index) => index));
        expect((await collect(store.readStream('w-1'))).map(({ id }) => id)).toEqual(made.map(({ id }) => id));
      });

      it('refuses an append without an event, and what is no revision, as mistakes of the caller', async () => {
        await expect(store.append('w-1', 'no-stream', [])).rejects.toBeInstanceOf(RangeError);
        await expect(store.append('w-1', -1, events(1))).rejects.toBeInstanceOf(RangeError);
        await expect(store.append('w-1', 0.5, events(1))).rejects.toBeInstanceOf(RangeError);
        expect(await store.head()).toBe(START);
      });
    });

    describe('append again with the same ids', () => {
      it('gives the first answer and writes nothing, also when the stream has gone on', async () => {
        const [created, rest] = [events(1), events(3)];
        const first = await store.append('w-1', 'no-stream', created);
        const second = await store.append('w-1', 0, rest);
        const last = await store.append('w-1', 3, events(1));
        expect(await store.append('w-1', 'no-stream', created)).toEqual(first);
        expect(await store.append('w-1', 0, rest)).toEqual(second);
        expect(await store.append('w-1', 'no-stream', [...created, ...rest])).toEqual(second);
        expect(await store.head()).toBe(last.position);
      });

      it('gives both the same answer when the two arrive together', async () => {
        const made = events(2);
        const [one, other] = await Promise.all([
          store.append('w-1', 'no-stream', made),
          store.append('w-1', 'no-stream', made),
        ]);
        expect(other).toEqual(one);
        expect(await collect(store.readStream('w-1'))).toHaveLength(2);
      });

      it('is a wrong revision when the ids match only in part', async () => {
        const made = events(3);
        await store.append('w-1', 'no-stream', made);
        const [fresh] = events(1) as [NewEvent];
        const [first, second, third] = made as [NewEvent, NewEvent, NewEvent];
        await expectWrong(store.append('w-1', 'no-stream', [first, fresh]), 'w-1', 'no-stream', 2);
        await expectWrong(store.append('w-1', 'no-stream', [fresh, second]), 'w-1', 'no-stream', 2);
        await expectWrong(store.append('w-1', 'no-stream', [...made, fresh]), 'w-1', 'no-stream', 2);
        await expectWrong(store.append('w-1', 0, [third, second]), 'w-1', 0, 2);
        expect(await collect(store.readStream('w-1'))).toHaveLength(3);
      });

      it('is no repetition in another stream', async () => {
        const made = events(1);
        await store.append('w-1', 'no-stream', made);
        expect((await store.append('w-2', 'no-stream', made)).revision).toBe(0);
        expect(await collect(store.readAll(START))).toHaveLength(2);
      });
    });

    describe('bytes', () => {
      it('come back as they were given, whatever they are', async () => {
        const every = Uint8Array.from({ length: 256 }, (_, value) => value);
        const made: NewEvent[] = [
          { id: randomUUID(), type: 'Every', contentType: 'binary', data: every, metadata: every.toReversed() },
          {
            id: randomUUID(),
            type: 'Empty',
            contentType: 'binary',
            data: new Uint8Array(0),
            metadata: new Uint8Array(0),
          },
          {
            id: randomUUID(),
            type: 'DataOnly',
            contentType: 'binary',
            data: randomBytes(3000),
            metadata: new Uint8Array(0),
          },
          {
            id: randomUUID(),
            type: 'Zürich → 北京',
            contentType: 'binary',
            data: new Uint8Array(0),
            metadata: randomBytes(100),
          },
          // A view into the middle of a larger buffer.
          {
            id: randomUUID(),
            type: 'View',
            contentType: 'binary',
            data: every.subarray(10, 20),
            metadata: every.subarray(250),
          },
        ];
        await store.append('wörld', 'no-stream', made);
        const stored = await collect(store.readStream('wörld'));
        expect(stored.map(plain)).toEqual(made.map(plain));
      });

      it('are those of the moment of the call, whatever the caller does with its buffer next', async () => {
        const data = Buffer.from('before');
        const appended = store.append('w-1', 'no-stream', [
          { id: randomUUID(), type: 'T', contentType: 'binary', data, metadata: Buffer.alloc(0) },
        ]);
        data.fill('x');
        await appended;
        const [event] = await collect(store.readStream('w-1'));
        expect(Buffer.from(event?.data ?? []).toString()).toBe('before');
      });

      it('may be as many as the store promises, and not one more', async () => {
        const rest = { id: randomUUID(), type: 'Rest', contentType: 'binary', metadata: randomBytes(10) } as const;
        const [first] = events(1) as [NewEvent];
        const left = maxAppendBytes - appendBytes([first, { ...rest, data: new Uint8Array(0) }]);
        const largest = [first, { ...rest, data: randomBytes(left) }];
        await store.append('w-1', 'no-stream', largest);
        expect((await collect(store.readStream('w-1'))).map(plain)).toEqual(largest.map(plain));

        const larger = [...events(1), { ...rest, id: randomUUID(), data: randomBytes(left + 1) }];
        const refusal = await store.append('w-1', 1, larger).catch((error: unknown) => error);
        expect(refusal).toBeInstanceOf(AppendTooLarge);
        expect(refusal).toMatchObject({ stream: 'w-1', sizeBytes: maxAppendBytes + 1, limitBytes: maxAppendBytes });
        expect(await collect(store.readStream('w-1'))).toHaveLength(2);
      });
    });

    describe('reading a stream', () => {
      it('finds nothing in one that nobody has written', async () => {
        expect(await collect(store.readStream('nobody'))).toEqual([]);
        expect(await collect(store.readStream('nobody', { direction: 'backwards' }))).toEqual([]);
      });

      it('goes forwards and backwards, from a revision, up to a limit, across any number of pages', async () => {
        const count = 1300;
        await store.append('noise', 'no-stream', events(5));
        await store.append('w-1', 'no-stream', events(count));
        const revisions = async (options: Parameters<EventStore['readStream']>[1]): Promise<number[]> =>
          (await collect(store.readStream('w-1', options))).map(({ revision }) => revision);
        const all = Array.from({ length: count }, (_, revision) => revision);
        expect(await revisions({})).toEqual(all);
        expect(await revisions({ direction: 'backwards' })).toEqual(all.toReversed());
        expect(await revisions({ from: 1298 })).toEqual([1298, 1299]);
        expect(await revisions({ from: 1300 })).toEqual([]);
        expect(await revisions({ from: 2, direction: 'backwards' })).toEqual([2, 1, 0]);
        expect(await revisions({ from: 9999, direction: 'backwards', limit: 1 })).toEqual([1299]);
        expect(await revisions({ from: 100, limit: 600 })).toEqual(all.slice(100, 700));
        expect(await revisions({ limit: 512 })).toEqual(all.slice(0, 512));
        expect(await revisions({ limit: 0 })).toEqual([]);
      });
    });

    describe('reading the whole log', () => {
      it('goes in the order of the appends, after the position given, up to the limit', async () => {
        const results: AppendResult[] = [];
        for (let index = 0; index < 6; index += 1) {
          results.push(await store.append(`w-${index % 3}`, index < 3 ? 'no-stream' : 0, events(1)));
        }
        const all = await collect(store.readAll(START));
        expect(all.map(({ stream, revision }) => [stream, revision])).toEqual([
          ['w-0', 0],
          ['w-1', 0],
          ['w-2', 0],
          ['w-0', 1],
          ['w-1', 1],
          ['w-2', 1],
        ]);
        expect(all.map(({ position }) => position)).toEqual(results.map(({ position }) => position));
        const after = results[2]?.position as Position;
        expect(await collect(store.readAll(after))).toEqual(all.slice(3));
        expect(await collect(store.readAll(after, { limit: 2 }))).toEqual(all.slice(3, 5));
        expect(await collect(store.readAll(after, { limit: 0 }))).toEqual([]);
        expect(await collect(store.readAll(await store.head()))).toEqual([]);
      });

      it('gives every event however large they are together', async () => {
        const made = events(9).map((event) => ({ ...event, data: randomBytes(500_000) }));
        for (const [index, event] of made.entries())
          await store.append('w-1', index === 0 ? 'no-stream' : index - 1, [event]);
        expect((await collect(store.readAll(START))).map(plain)).toEqual(made.map(plain));
        expect((await collect(store.readStream('w-1'))).map(plain)).toEqual(made.map(plain));
        const backwards = await collect(store.readStream('w-1', { direction: 'backwards' }));
        expect(backwards.map(plain)).toEqual(made.toReversed().map(plain));
      });

      it('leaves the event loop free between pages', async () => {
        await store.append('w-1', 'no-stream', events(3000));
        let turns = 0;
        const counting = setInterval(() => (turns += 1), 0);
        for await (const event of store.readAll(START)) if (event.revision === 2999) break;
        clearInterval(counting);
        expect(turns).toBeGreaterThan(0);
      });
    });

    describe('a subscription', () => {
      it(
        'misses nothing, repeats nothing and keeps the order while 32 writers append 10,000 events',
        { timeout: 120_000 },
        async () => {
          const [writers, each] = [32, 312];
          const total = 16 + writers * each;
          await store.append('before', 'no-stream', events(16));
          const abort = new AbortController();
          const early = follow(store, START, total, abort);
          const work = Promise.all(Array.from({ length: writers }, (_, writer) => write(store, `w-${writer}`, each)));
          await waitForHead(store, 2000);
          const late = follow(store, START, total, abort);
          await work;
          const [seenEarly, seenLate] = await Promise.all([early, late]);
          const log = await collect(store.readAll(START));
          expect(log).toHaveLength(total);
          expect(seenEarly.map(address)).toEqual(log.map(address));
          expect(seenLate.map(address)).toEqual(log.map(address));
          for (let index = 1; index < log.length; index += 1) {
            expect((log[index] as RecordedEvent).position).toBeGreaterThan((log[index - 1] as RecordedEvent).position);
          }
          const next = new Map<string, number>();
          for (const { stream, revision } of log) {
            expect(revision).toBe(next.get(stream) ?? 0);
            next.set(stream, revision + 1);
          }
        },
      );

      it('says each time that the live end is reached, and where', async () => {
        const abort = new AbortController();
        const items = store.subscribeAll(START, abort.signal)[Symbol.asyncIterator]();
        expect(await items.next()).toEqual({ done: false, value: { kind: 'caught-up', position: START } });
        const waiting = items.next();
        const { position } = await store.append('w-1', 'no-stream', events(1));
        expect((await waiting).value).toMatchObject({ kind: 'event', event: { stream: 'w-1', revision: 0, position } });
        expect((await items.next()).value).toEqual({ kind: 'caught-up', position });
        abort.abort();
        expect((await items.next()).done).toBe(true);
      });

      it('begins after the position given', async () => {
        const { position } = await store.append('w-1', 'no-stream', events(4));
        await store.append('w-1', 3, events(2));
        const abort = new AbortController();
        const seen = await follow(store, position, 2, abort);
        expect(seen.map(({ revision }) => revision)).toEqual([4, 5]);
      });

      it('ends when its signal aborts: while it waits, while it is read, and before it began', async () => {
        await store.append('w-1', 'no-stream', events(20));
        const abort = new AbortController();
        const waiting = store.subscribeAll(await store.head(), abort.signal)[Symbol.asyncIterator]();
        await waiting.next();
        const end = waiting.next();
        abort.abort();
        expect((await end).done).toBe(true);

        const halfway = new AbortController();
        let seen = 0;
        for await (const _ of store.subscribeAll(START, halfway.signal)) {
          seen += 1;
          if (seen === 5) halfway.abort();
        }
        expect(seen).toBe(5);

        for await (const item of store.subscribeAll(START, AbortSignal.abort()))
          expect.unreachable(`read ${item.kind}`);
      });

      it('lets a slow reader take its time while the log goes on', async () => {
        const abort = new AbortController();
        const items = store.subscribeAll(START, abort.signal)[Symbol.asyncIterator]();
        await items.next();
        await write(store, 'w-1', 1500);
        const seen: number[] = [];
        for (let item = await items.next(); !item.done && item.value.kind === 'event'; item = await items.next()) {
          seen.push(item.value.event.revision);
        }
        abort.abort();
        expect(seen).toEqual(Array.from({ length: 1500 }, (_, revision) => revision));
      });
    });

    describe('closing', () => {
      it('finishes what was taken, takes nothing more, and may be asked twice', async () => {
        const taken = Promise.all(
          Array.from({ length: 10 }, (_, index) => store.append(`w-${index}`, 'no-stream', events(1))),
        );
        const abort = new AbortController();
        const following = follow(store, START, 99, abort);
        await Promise.all([store.close(), store.close(), expect(following).rejects.toBeInstanceOf(StoreUnavailable)]);
        await store.close();
        expect(await taken).toHaveLength(10);
        await expect(store.append('w-1', 0, events(1))).rejects.toBeInstanceOf(StoreUnavailable);
        await expect(collect(store.readAll(START))).rejects.toBeInstanceOf(StoreUnavailable);
        await expect(collect(store.readStream('w-1'))).rejects.toBeInstanceOf(StoreUnavailable);
        await expect(store.head()).rejects.toBeInstanceOf(StoreUnavailable);
        const again = await opened.reopen();
        expect(await collect(again.readAll(START))).toHaveLength(10);
      });

      it('loses nothing that a new opening does not find', async () => {
        const made = events(700);
        const first = await store.append('w-1', 'no-stream', made);
        await store.append('w-2', 'no-stream', events(1));
        const before = await collect(store.readAll(START));
        const again = await opened.reopen();
        expect(await collect(again.readAll(START))).toEqual(before);
        expect(await again.head()).toBe(before.at(-1)?.position);
        expect(await again.append('w-1', 'no-stream', made)).toEqual(first);
        expect((await again.append('w-1', 699, events(1))).revision).toBe(700);
      });
    });
  });
}

/** So many events that differ in id and bytes. */
export function events(count: number): NewEvent[] {
  return Array.from({ length: count }, (_, index) => ({
    id: randomUUID(),
    type: 'WorkspaceRefined',
    contentType: 'json',
    data: Buffer.from(JSON.stringify({ index, filler: 'x'.repeat(index % 40) })),
    metadata: Buffer.from('{}'),
  }));
}

export async function collect(reading: AsyncIterable<RecordedEvent>): Promise<RecordedEvent[]> {
  const all: RecordedEvent[] = [];
  for await (const event of reading) all.push(event);
  return all;
}

async function write(store: EventStore, stream: string, count: number): Promise<void> {
  for (let revision = 0; revision < count; revision += 1) {
    await store.append(stream, revision === 0 ? 'no-stream' : revision - 1, events(1));
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

async function waitForHead(store: EventStore, events: number): Promise<void> {
  const abort = new AbortController();
  await follow(store, START, events, abort);
}

function address({ position, stream, revision, id }: RecordedEvent): string {
  return `${position} ${stream} ${revision} ${id}`;
}

function plain({ id, type, data, metadata }: NewEvent): { id: string; type: string; data: string; metadata: string } {
  return { id, type, data: Buffer.from(data).toString('base64'), metadata: Buffer.from(metadata).toString('base64') };
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
