/** What the embedded store keeps beyond the port, for EventStoreDB's protocol: expectations, deletion, metadata, pages. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Direction, EventLog, Expectation, ExpectedRevision, NewEvent, Page, Position } from '@vw/event-store';
import {
  AppendTooLarge,
  EventCorrupted,
  maxAppendBytes,
  openEmbeddedStore,
  START,
  StoreUnavailable,
  StreamTombstoned,
  TOMBSTONE_REVISION,
  WrongExpectedRevision,
} from '@vw/event-store';
import type { Clock } from '@vw/runtime';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collect, events } from './suite.js';

const INT64_MAX = '9223372036854775807';

let folder: string;
let now: number;
let log: EventLog;

const clock: Clock = { now: () => now, monotonic: () => now };
const open = (): Promise<EventLog> => openEmbeddedStore({ file: join(folder, 'log.sqlite'), clock });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'event-log-'));
  now = 1_000_000;
  log = await open();
});

afterEach(async () => {
  await log.close();
  await rm(folder, { recursive: true, force: true });
});

async function reopen(): Promise<void> {
  await log.close();
  log = await open();
}

function metadata(about: object | string): NewEvent[] {
  const data = Buffer.from(typeof about === 'string' ? about : JSON.stringify(about));
  return [{ id: randomUUID(), type: '$metadata', contentType: 'json', data, metadata: Buffer.alloc(0) }];
}

const describeMetadata = (stream: string, about: object | string): Promise<unknown> =>
  log.write(`$$${stream}`, 'any', metadata(about));

async function revisions(stream: string, direction: Direction = 'forwards'): Promise<number[]> {
  return (await collect(log.readStream(stream, { direction }))).map(({ revision }) => revision);
}

async function metadataTexts(stream: string): Promise<string[]> {
  const all = await collect(log.readAll(START, { system: true }));
  return all.filter((event) => event.stream === `$$${stream}`).map(({ data }) => Buffer.from(data).toString());
}

async function expectWrong(writing: Promise<unknown>, expected: Expectation, actual: ExpectedRevision): Promise<void> {
  const refusal = await writing.catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(WrongExpectedRevision);
  expect(refusal).toMatchObject({ expected, actual });
}

function stateOf(stream: string): unknown {
  const { state, head } = log.describe(stream);
  return [state, head];
}

describe('an expectation', () => {
  it('any is right of every stream that is not tombstoned', async () => {
    expect(await log.write('s', 'any', events(2))).toEqual({ revision: 1, position: 2 });
    expect(await log.write('s', 'any', events(1))).toEqual({ revision: 2, position: 3 });
    expect(await revisions('s')).toEqual([0, 1, 2]);
  });

  it('stream-exists is right of a stream with events, or with metadata alone', async () => {
    await expectWrong(log.write('s', 'stream-exists', events(1)), 'stream-exists', 'no-stream');
    await describeMetadata('s', {});
    expect(await log.write('s', 'stream-exists', events(1))).toMatchObject({ revision: 0 });
    expect(await log.write('s', 'stream-exists', events(1))).toMatchObject({ revision: 1 });
  });

  it('of a number or of no stream holds for an append without an event, which writes nothing', async () => {
    expect(await log.write('s', 'no-stream', [])).toEqual({ revision: 'no-stream', position: 0 });
    expect(await log.write('s', 'any', [])).toEqual({ revision: 'no-stream', position: 0 });
    await log.write('other', 'any', events(4));
    await log.write('s', 'any', events(2));
    expect(await log.write('s', 1, [])).toEqual({ revision: 1, position: 6 });
    expect(await log.write('s', 'stream-exists', [])).toEqual({ revision: 1, position: 6 });
    await expectWrong(log.write('s', 0, []), 0, 1);
    await expectWrong(log.write('s', 2, []), 2, 1);
    await expectWrong(log.write('s', 'no-stream', []), 'no-stream', 1);
    expect(log.end()).toBe(6);
  });
});

describe('an append under a weak expectation', () => {
  it.each(['any', 'stream-exists'] as const)('%s, come again, gives the first answer', async (expected) => {
    await log.write('s', 'any', events(1));
    const made = events(3);
    const first = await log.write('s', expected, made);
    await log.write('s', 'any', events(2));
    expect(await log.write('s', expected, made)).toEqual(first);
    expect(await log.write('s', expected, made.slice(0, 2))).toEqual({ revision: 2, position: 3 });
    await reopen();
    expect(await log.write('s', expected, made)).toEqual(first);
    expect(log.end()).toBe(6);
  });

  it('is refused when only some of its ids are known, or one comes twice', async () => {
    const [known, other, fresh] = events(3) as [NewEvent, NewEvent, NewEvent];
    await log.write('s', 'any', [known, other]);
    await expectWrong(log.write('s', 'any', [known, fresh]), 'any', 1);
    await expectWrong(log.write('s', 'any', [fresh, known]), 'any', 1);
    await expectWrong(log.write('s', 'any', [fresh, fresh]), 'any', 1);
    expect(log.end()).toBe(2);
  });

  it('keeps its bytes checked though its revision was not known when it was sent', async () => {
    await Promise.all(Array.from({ length: 40 }, () => log.write('s', 'any', events(3))));
    expect(await revisions('s')).toEqual(Array.from({ length: 120 }, (_, revision) => revision));
  });
});

describe('what is no append', () => {
  it.each([
    ['no UUID', 's', { id: '12' }],
    ['an id in braces', 's', { id: `{${randomUUID()}}` }],
    ['an empty type', 's', { type: '' }],
    ['a type too long', 's', { type: 't'.repeat(1025) }],
    ['a type that is no text', 's', { type: 'half \ud800' }],
    ['an empty name', '', {}],
    ['a name too long', 's'.repeat(1025), {}],
    ['a name with a NUL', 's\u0000', {}],
    ['a name that is no text', 's \udc00', {}],
    ['metadata of a stream without a name', '$$', {}],
  ])('%s is a mistake of the caller', async (_, stream, change) => {
    const [event] = events(1) as [NewEvent];
    await expect(log.write(stream, 'any', [{ ...event, ...change }])).rejects.toBeInstanceOf(RangeError);
    expect(log.end()).toBe(START);
  });

  it('too much of it is told from what fits', async () => {
    const [event] = events(1) as [NewEvent];
    const large = { ...event, data: Buffer.alloc(maxAppendBytes) };
    await expect(log.write('s', 'any', [large])).rejects.toBeInstanceOf(AppendTooLarge);
  });

  it('takes ids in any case, and gives them back in lower case', async () => {
    const id = randomUUID();
    const [event] = events(1) as [NewEvent];
    const first = await log.append('s', 'no-stream', [{ ...event, id: id.toUpperCase() }]);
    expect(await log.append('s', 'no-stream', [{ ...event, id }])).toEqual(first);
    expect((await collect(log.readStream('s'))).map((stored) => stored.id)).toEqual([id]);
  });
});

describe('content types', () => {
  it('come back as they were given', async () => {
    const [one, two] = events(2) as [NewEvent, NewEvent];
    await log.write('s', 'any', [one, { ...two, contentType: 'binary' }]);
    expect((await collect(log.readStream('s'))).map(({ contentType }) => contentType)).toEqual(['json', 'binary']);
  });
});

describe('a stream deleted softly', () => {
  beforeEach(async () => {
    await log.write('s', 'any', events(3));
  });

  it('reads as an empty one, while the whole log keeps its events', async () => {
    const position = await log.remove('s', 2, 'delete');
    expect(position).toBe(4);
    expect(await revisions('s')).toEqual([]);
    expect(await revisions('s', 'backwards')).toEqual([]);
    expect(stateOf('s')).toEqual(['deleted', 2]);
    expect(await collect(log.readAll(START))).toHaveLength(3);
    expect(await metadataTexts('s')).toEqual([`{"$tb":${INT64_MAX}}`]);
    await reopen();
    expect(stateOf('s')).toEqual(['deleted', 2]);
    expect(await revisions('s')).toEqual([]);
  });

  it('keeps the rest of its metadata, to the letter', async () => {
    await describeMetadata('s', `{"$tb": 1, "$maxCount": 7, "theirs": {"big": ${INT64_MAX}, "exact": 1.0}}`);
    await log.remove('s', 'any', 'delete');
    expect((await metadataTexts('s')).at(-1)).toBe(
      `{"$tb":${INT64_MAX},"$maxCount":7,"theirs":{"big":${INT64_MAX},"exact":1.0}}`,
    );
    expect(log.describe('s').metadata).toMatchObject({ maxCount: 7 });
  });

  it('is no stream to those who expect none, and does not exist to those who expect one', async () => {
    await log.remove('s', 'any', 'delete');
    await expectWrong(log.write('s', 'stream-exists', events(1)), 'stream-exists', 2);
    await expectWrong(log.write('s', 1, events(1)), 1, 2);
    await expectWrong(log.remove('s', 'stream-exists', 'delete'), 'stream-exists', 2);
    expect((await log.write('s', 'no-stream', events(2))).revision).toBe(4);
    expect(await revisions('s')).toEqual([3, 4]);
    expect(await revisions('s', 'backwards')).toEqual([4, 3]);
  });

  it.each([2, 'any', 'no-stream'] as const)('goes on after its head on an append that expects %s', async (expected) => {
    await log.remove('s', 'any', 'delete');
    const made = events(2);
    const result = await log.write('s', expected, made);
    expect(result).toEqual({ revision: 4, position: 6 });
    expect(stateOf('s')).toEqual(['live', 4]);
    expect(await metadataTexts('s')).toEqual([`{"$tb":${INT64_MAX}}`, '{"$tb":3}']);
    expect(await log.write('s', expected, made)).toEqual(result);
    await reopen();
    expect(await log.write('s', expected, made)).toEqual(result);
    expect(await revisions('s')).toEqual([3, 4]);
    expect((await log.append('s', 4, events(1))).revision).toBe(5);
  });

  it('goes on too when its metadata is written', async () => {
    await log.remove('s', 'any', 'delete');
    expect(await revisions('$$s')).toEqual([0]);
    await describeMetadata('s', { $maxCount: 5 });
    expect(await metadataTexts('s')).toEqual([`{"$tb":${INT64_MAX}}`, '{"$maxCount":5}', '{"$maxCount":5,"$tb":3}']);
    expect(stateOf('s')).toEqual(['live', 2]);
    expect(await revisions('s')).toEqual([]);
    expect(await revisions('$$s')).toEqual([2]);
    await describeMetadata('s', { $tb: 1 });
    expect(await revisions('s')).toEqual([1, 2]);
  });

  it('may be deleted again, and not be deleted where it is absent or elsewhere', async () => {
    await log.remove('s', 2, 'delete');
    expect(await log.remove('s', 2, 'delete')).toBe(5);
    expect(await log.remove('s', 'no-stream', 'delete')).toBe(6);
    await expectWrong(log.remove('s', 1, 'delete'), 1, 2);
    for (const expected of ['any', 'no-stream', 'stream-exists'] as const) {
      await expectWrong(log.remove('absent', expected, 'delete'), expected, 'no-stream');
    }
    await log.write('other', 'any', events(1));
    await expectWrong(log.remove('other', 'no-stream', 'delete'), 'no-stream', 0);
    await expectWrong(log.remove('other', 1, 'delete'), 1, 0);
  });
});

describe('a stream deleted for ever', () => {
  it('takes nothing and gives nothing, nor does its metadata, while the whole log keeps its events', async () => {
    await log.write('s', 'any', events(2));
    await describeMetadata('s', { $maxCount: 1 });
    expect(await log.remove('s', 1, 'tombstone')).toBe(4);
    for (const again of [false, true]) {
      if (again) await reopen();
      for (const stream of ['s', '$$s']) {
        await expect(collect(log.readStream(stream))).rejects.toBeInstanceOf(StreamTombstoned);
        await expect(log.write(stream, 'any', events(1))).rejects.toBeInstanceOf(StreamTombstoned);
        await expect(log.remove(stream, 'any', 'delete')).rejects.toBeInstanceOf(StreamTombstoned);
        await expect(log.remove(stream, 'any', 'tombstone')).rejects.toBeInstanceOf(StreamTombstoned);
        expect(() => log.pageOfStream(stream, 0, 'forwards', 1)).toThrow(StreamTombstoned);
        expect(log.describe(stream).state).toBe('tombstoned');
      }
      await expect(log.append('s', 1, events(1))).rejects.toBeInstanceOf(StreamTombstoned);
      expect(log.describe('s').head).toBe(1);
    }
    expect(await collect(log.readAll(START))).toHaveLength(2);
    const [, , , tombstone] = await collect(log.readAll(START, { system: true }));
    expect(tombstone).toMatchObject({ stream: 's', type: '$streamDeleted', revision: TOMBSTONE_REVISION, position: 4 });
  });

  it('may never have been written, or have been deleted softly', async () => {
    await log.remove('absent', 'no-stream', 'tombstone');
    expect(stateOf('absent')).toEqual(['tombstoned', 'no-stream']);
    await log.write('s', 'any', events(1));
    await log.remove('s', 'any', 'delete');
    await log.remove('s', 'no-stream', 'tombstone');
    expect(stateOf('s')).toEqual(['tombstoned', 0]);
    await expectWrong(log.remove('never', 0, 'tombstone'), 0, 'no-stream');
    await expectWrong(log.remove('never', 'stream-exists', 'tombstone'), 'stream-exists', 'no-stream');
  });
});

describe('metadata', () => {
  it('is described as the store heeds it, and as nothing where it is malformed', async () => {
    await log.write('s', 'any', events(1));
    const cases: [object | string, object][] = [
      [
        { $maxCount: 3, $maxAge: 60, $tb: 2, custom: true },
        { maxCount: 3, maxAgeSeconds: 60, truncateBefore: 2 },
      ],
      [{ $acl: { $r: 'ops', $w: ['a', 'b'], $d: 7 } }, { acl: { $r: ['ops'], $w: ['a', 'b'] } }],
      [{ $maxCount: -1, $maxAge: 'long', $tb: 1.5, $acl: [] }, {}],
      ['no JSON', {}],
      ['[]', {}],
      [{ $maxCount: 0, $maxAge: 0, $tb: 0 }, { truncateBefore: 0 }],
    ];
    for (const [written, described] of cases) {
      await describeMetadata('s', written);
      expect(log.describe('s')).toEqual({ state: 'live', head: 0, metadata: described });
    }
    const binary = metadata({ $tb: 9 }).map((event) => ({ ...event, contentType: 'binary' as const }));
    await log.write('$$s', 'any', binary);
    expect(log.describe('s').metadata).toEqual({});
  });

  it('truncates, by revision, count and age, whatever was described before', async () => {
    await log.write('s', 'any', events(10));
    expect(stateOf('s')).toEqual(['live', 9]);
    await describeMetadata('s', { $tb: 4 });
    expect(await revisions('s')).toEqual([4, 5, 6, 7, 8, 9]);
    await describeMetadata('s', { $maxCount: 3 });
    expect(await revisions('s')).toEqual([7, 8, 9]);
    expect(await revisions('s', 'backwards')).toEqual([9, 8, 7]);
    await log.append('s', 9, events(1));
    expect(await revisions('s')).toEqual([8, 9, 10]);
    await describeMetadata('s', { $maxCount: 3, $tb: 10 });
    expect(await revisions('s')).toEqual([10]);
    now += 10_000;
    await log.append('s', 10, events(1));
    await describeMetadata('s', { $maxAge: 5 });
    expect(await revisions('s')).toEqual([11]);
    now += 5_001;
    expect(await revisions('s')).toEqual([]);
    expect(await collect(log.readAll(START))).toHaveLength(12);
    await reopen();
    await describeMetadata('s', {});
    expect(await revisions('s')).toHaveLength(12);
  });

  it('is kept in a stream of which the newest event is in view', async () => {
    await describeMetadata('s', { one: 1 });
    await describeMetadata('s', { two: 2 });
    expect(await revisions('$$s')).toEqual([1]);
    expect(log.describe('$$s')).toEqual({ state: 'live', head: 1, metadata: { maxCount: 1 } });
    expect(stateOf('s')).toEqual(['absent', 'no-stream']);
  });
});

describe('metadata that is not what was stored', () => {
  const damaged = { stream: '$$s', revision: 0, damage: 'checksum' };

  beforeEach(async () => {
    await log.write('s', 'no-stream', events(2));
    await describeMetadata('s', { $maxCount: 5, note: 'kept' });
    await log.close();
    const db = new Database(join(folder, 'log.sqlite'));
    const { changes } = db
      .prepare(`UPDATE events SET data = ? WHERE type = '$metadata'`)
      .run(Buffer.from('{"$maxCount":1}'));
    db.close();
    expect(changes).toBe(1);
    log = await open();
  });

  it('decides nothing and is not written anew, while others are served', async () => {
    const beside = log.write('other', 'no-stream', events(1));
    await expect(log.remove('s', 'any', 'delete')).rejects.toMatchObject(damaged);
    await expect(log.write('s', 1, events(1))).rejects.toMatchObject(damaged);
    await expect(log.write('s', 'any', events(1))).rejects.toBeInstanceOf(EventCorrupted);
    expect((await beside).revision).toBe(0);
    expect(log.end()).toBe(4);
  });

  it('is mended by metadata', async () => {
    await describeMetadata('s', { $maxCount: 3 });
    expect(log.describe('s')).toEqual({ state: 'live', head: 1, metadata: { maxCount: 3 } });
    expect((await log.write('s', 1, events(1))).revision).toBe(2);
  });
});

describe('streams of the store’s own', () => {
  it('are left out of the whole log, its head and its subscriptions unless asked for', async () => {
    await log.write('s', 'any', events(2));
    await describeMetadata('s', {});
    await log.write('$settings', 'any', events(1));
    await log.write('t', 'any', events(1));
    await log.remove('s', 'any', 'tombstone');
    await log.remove('t', 'any', 'delete');
    const seen = await collect(log.readAll(START));
    expect(seen.map(({ position }) => position)).toEqual([1, 2, 5]);
    expect(await collect(log.readAll(START, { limit: 3 }))).toEqual(seen);
    expect(await collect(log.readAll(2 as Position, { limit: 1 }))).toEqual(seen.slice(2));
    expect((await collect(log.readAll(START, { system: true }))).map(({ position }) => position)).toEqual([
      1, 2, 3, 4, 5, 6, 7,
    ]);
    expect([await log.head(), log.end()]).toEqual([5, 7]);
    expect(await log.head()).toBe(5);
    const abort = new AbortController();
    const followed: unknown[] = [];
    for await (const item of log.subscribeAll(START, abort.signal)) {
      if (item.kind === 'caught-up') abort.abort();
      else followed.push(item.event);
    }
    expect(followed).toEqual(seen);
    await reopen();
    expect([await log.head(), log.end()]).toEqual([5, 7]);
    await log.write('t', 'any', events(1));
    expect([await log.head(), log.end()]).toEqual([8, 9]);
  });
});

describe('a page of the whole log', () => {
  const positions = ({ events: page }: Page): number[] => [...page].map(({ position }) => position);

  beforeEach(async () => {
    for (let written = 0; written < 20; written += 1) await log.write(`s-${written % 4}`, 'any', events(1));
  });

  it('goes in both directions, beyond the position given, and says whether it is the last', () => {
    const first = log.pageOfAll(START, 'forwards', 8);
    expect(positions(first)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(first).toMatchObject({ considered: 8, last: { position: 8, revision: 1 }, end: false });
    const rest = log.pageOfAll(8 as Position, 'forwards', 100);
    expect(positions(rest)).toHaveLength(12);
    expect(rest).toMatchObject({ considered: 12, last: { position: 20 }, end: true });
    expect(log.pageOfAll(20 as Position, 'forwards', 5)).toMatchObject({ considered: 0, last: undefined, end: true });
    const back = log.pageOfAll(Number.MAX_SAFE_INTEGER as Position, 'backwards', 4);
    expect(positions(back)).toEqual([20, 19, 18, 17]);
    expect(back).toMatchObject({ considered: 4, last: { position: 17 }, end: false });
    expect(positions(log.pageOfAll(3 as Position, 'backwards', 4))).toEqual([2, 1]);
    expect(log.pageOfAll(3 as Position, 'backwards', 2).end).toBe(true);
    expect(log.pageOfAll(1 as Position, 'backwards', 2)).toMatchObject({ considered: 0, end: true });
  });

  it('holds what the filter takes, and how far it looked', () => {
    const one = log.pageOfAll(START, 'forwards', 3, { matches: ({ stream }) => stream === 's-1' });
    expect(positions(one)).toEqual([2, 6, 10]);
    expect(one).toMatchObject({ considered: 10, last: { position: 10 }, end: false });
    const two = log.pageOfAll(10 as Position, 'forwards', 3, {
      matches: ({ stream }) => stream === 's-1' || stream === 's-2',
    });
    expect(positions(two)).toEqual([11, 14, 15]);
    const none = log.pageOfAll(START, 'forwards', 3, { matches: () => false });
    expect(positions(none)).toEqual([]);
    expect(none).toMatchObject({ considered: 20, last: { position: 20 }, end: true });
    const few = log.pageOfAll(START, 'forwards', 3, { matches: ({ stream }) => stream === 's-1', most: 8 });
    expect(positions(few)).toEqual([2, 6]);
    expect(few).toMatchObject({ considered: 8, last: { position: 8 }, end: false });
    const back = log.pageOfAll(16 as Position, 'backwards', 2, {
      matches: ({ type, stream }) => type !== '' && stream === 's-0',
    });
    expect(positions(back)).toEqual([13, 9]);
    expect(back).toMatchObject({ considered: 7, last: { position: 9 }, end: false });
  });

  it('is bounded by events and by bytes, filter or not, and the pages together are the log', async () => {
    const large = events(6).map((event) => ({ ...event, data: Buffer.alloc(400_000) }));
    for (const event of large) await log.write('large', 'any', [event]);
    for (let left = 3000; left > 0; left -= 500) await log.write('small', 'any', events(500));
    for (const sieve of [undefined, { matches: () => true }]) {
      const all: number[] = [];
      let bytes = 0;
      for (let beyond = START; ;) {
        const page = log.pageOfAll(beyond, 'forwards', 10_000, sieve);
        const read = [...page.events];
        bytes = Math.max(
          bytes,
          read.reduce((sum, { data }) => sum + data.length, 0),
        );
        all.push(...read.map(({ position }) => position));
        if (page.end || !page.last) break;
        beyond = page.last.position;
      }
      expect(all).toEqual(Array.from({ length: 3026 }, (_, index) => index + 1));
      expect(bytes).toBeLessThan(1024 * 1024 + 400_001);
    }
  });
});

describe('a page of a stream', () => {
  it('goes in both directions from the revision given, within what is readable', async () => {
    await log.write('s', 'any', events(10));
    await describeMetadata('s', { $tb: 3 });
    const page = (from: number, direction: Direction, limit: number): unknown => {
      const { events: read, considered, last, end } = log.pageOfStream('s', from, direction, limit);
      return [[...read].map(({ revision }) => revision), considered, last?.revision, end];
    };
    expect(page(0, 'forwards', 4)).toEqual([[3, 4, 5, 6], 4, 6, false]);
    expect(page(7, 'forwards', 3)).toEqual([[7, 8, 9], 3, 9, true]);
    expect(page(10, 'forwards', 3)).toEqual([[], 0, undefined, true]);
    expect(page(99, 'backwards', 2)).toEqual([[9, 8], 2, 8, false]);
    expect(page(5, 'backwards', 9)).toEqual([[5, 4, 3], 3, 3, true]);
    expect(page(2, 'backwards', 9)).toEqual([[], 0, undefined, true]);
    expect(log.pageOfStream('absent', 0, 'forwards', 9)).toMatchObject({ considered: 0, end: true });
  });
});

describe('waiting for the log', () => {
  it('ends when it reaches beyond the position, when the signal aborts, and when it is closed', async () => {
    const never = new AbortController().signal;
    const waiting = log.beyond(START, never);
    await log.write('$own', 'any', events(1));
    await waiting;
    const abort = new AbortController();
    const aborted = log.beyond(1 as Position, abort.signal);
    abort.abort();
    await aborted;
    const closed = log.beyond(1 as Position, never);
    expect(log.describe('$own').state).toBe('live');
    await Promise.all([log.close(), expect(closed).rejects.toBeInstanceOf(StoreUnavailable)]);
    expect(() => log.describe('$own')).toThrow(StoreUnavailable);
    expect(() => log.end()).toThrow(StoreUnavailable);
  });
});
