import { status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import client from '@eventstore/db-client';
import { systemClock, systemIds } from '@vw/runtime';
import { describe, expect, it, vi } from 'vitest';
import { changed, collect, servedFacade } from '../../../../test/support/served-facade.js';
import type { ServedFacade } from '../../../../test/support/served-facade.js';
import { EventCorrupted } from '../errors.js';
import type { EventLog } from '../log.js';
import type { NewEvent } from '../port.js';
import { shared, streamIdentifier, streams, uuidOf } from '../protocol/index.js';

const { jsonEvent, START, streamNameFilter, eventTypeFilter } = client;
const { ReadReq } = streams;
const { Options } = ReadReq;
type Answer = streams.ReadResp;

const events = (count: number, bytes = 2): NewEvent[] =>
  Array.from({ length: count }, () => ({
    id: systemIds.next(),
    type: 'Happened',
    contentType: 'binary',
    data: new Uint8Array(bytes),
    metadata: new Uint8Array(),
  }));

const yes = () => new shared.Empty();

/** A read of $all from its start to its end, changed as the test wants. */
function request(change: (options: InstanceType<typeof Options>) => unknown = () => undefined): streams.ReadReq {
  const options = new Options();
  options.setAll(new Options.AllOptions().setStart(yes()));
  options.setCount('18446744073709551615');
  options.setNoFilter(yes());
  options.setUuidOption(new Options.UUIDOption().setString(yes()));
  change(options);
  return new ReadReq().setOptions(options);
}

const ofStream = (
  name: string,
  place: (o: streams.ReadReq.Options.StreamOptions) => unknown = (o) => o.setStart(yes()),
) => {
  const stream = new Options.StreamOptions();
  stream.setStreamIdentifier(streamIdentifier(name));
  place(stream);
  return stream;
};

const subscribed = (options: InstanceType<typeof Options>) =>
  options.setSubscription(new Options.SubscriptionOptions());

function filtered(options: InstanceType<typeof Options>, window: number, multiplier: number, regex = '^b-') {
  const filter = new Options.FilterOptions();
  filter.setStreamIdentifier(new Options.FilterOptions.Expression().setRegex(regex));
  filter.setMax(window);
  filter.setCheckpointintervalmultiplier(multiplier);
  return options.setFilter(filter);
}

/** Reads until the server ends it; what came, and the refusal if there was one. */
function read({ raw }: ServedFacade, wanted: streams.ReadReq): Promise<{ answers: Answer[]; refusal?: ServiceError }> {
  return new Promise((resolve) => {
    const answers: Answer[] = [];
    raw
      .read(wanted)
      .on('data', (answer: Answer) => answers.push(answer))
      .on('error', (refusal: ServiceError) => resolve({ answers, refusal }))
      .on('end', () => resolve({ answers }));
  });
}

function follow({ raw }: ServedFacade, wanted: streams.ReadReq) {
  const answers: Answer[] = [];
  let refusal: ServiceError | undefined;
  const call = raw.read(wanted);
  call.on('data', (answer: Answer) => answers.push(answer)).on('error', (error: ServiceError) => (refusal = error));
  return {
    call,
    answers,
    refusal: () => refusal,
    kinds: () => answers.map((answer) => answer.getContentCase()),
    until: (test: () => boolean) => vi.waitFor(() => expect(test()).toBe(true), 10_000),
  };
}

const Kind = streams.ReadResp.ContentCase;
const revisions = (answers: readonly Answer[]) =>
  answers.flatMap((answer) => answer.getEvent()?.getEvent()?.getStreamRevision() ?? []);

describe('Read', () => {
  it.each([
    ['no options', () => new ReadReq(), 'options'],
    ['neither stream nor $all', () => request((o) => o.clearAll()), 'stream'],
    ['no count', () => request((o) => o.clearCount()), 'count'],
    ['no place in $all', () => request((o) => o.setAll(new Options.AllOptions())), 'position'],
    ['no place in the stream', () => request((o) => o.setStream(ofStream('a', () => undefined))), 'revision'],
    ['no name', () => request((o) => o.setStream(ofStream(''))), 'stream_identifier'],
    ['a subscription backwards', () => request((o) => subscribed(o).setReadDirection(1)), 'read_direction'],
    ['a filter of a stream', () => request((o) => filtered(o.setStream(ofStream('a')), 1, 1)), 'filter'],
    ['a filter of nothing', () => request((o) => o.setFilter(new Options.FilterOptions())), 'filter'],
    ['a window of nothing', () => request((o) => filtered(o, 0, 1)), 'filter.max'],
    ['an interval of nothing', () => request((o) => filtered(subscribed(o), 1, 0)), 'checkpointIntervalMultiplier'],
    [
      'a pattern that looks around',
      () => request((o) => filtered(o, 1, 1, '^(?!b)')),
      'filter.stream_identifier.regex',
    ],
    [
      'a place beyond int64',
      () => request((o) => o.setStream(ofStream('a', (s) => s.setRevision('18446744073709551614')))),
      'revision',
    ],
    [
      'a commit before its prepare',
      () =>
        request((o) => o.setAll(new Options.AllOptions().setPosition(new Options.Position().setPreparePosition('1')))),
      'position',
    ],
  ])('is refused with %s, by the name of the field', async (_, wanted, field) => {
    const { refusal } = await read(await servedFacade(), wanted());
    expect(refusal).toMatchObject({ code: status.INVALID_ARGUMENT, details: expect.stringContaining(field) });
  });

  it('gives ids in the form that was asked for', async () => {
    const here = await servedFacade();
    const [event] = events(1);
    await here.log.write('a-1', 'any', [event!]);
    const { answers } = await read(
      here,
      request((o) => o.setUuidOption(new Options.UUIDOption().setStructured(yes()))),
    );
    const id = answers[0]?.getEvent()?.getEvent()?.getId();
    expect(id?.hasStructured()).toBe(true);
    expect(uuidOf(id)).toBe(event!.id);
  });

  it.each([
    ['from revision 3', (o: streams.ReadReq.Options.StreamOptions) => o.setRevision('3'), 0, ['3', '4', '5']],
    ['from beyond the end', (o: streams.ReadReq.Options.StreamOptions) => o.setRevision('77'), 0, []],
    ['from the end', (o: streams.ReadReq.Options.StreamOptions) => o.setEnd(yes()), 0, []],
    ['backwards from revision 2', (o: streams.ReadReq.Options.StreamOptions) => o.setRevision('2'), 1, ['2', '1', '0']],
    [
      'backwards from beyond the end',
      (o: streams.ReadReq.Options.StreamOptions) => o.setRevision('9223372036854775807'),
      1,
      ['5', '4', '3', '2', '1', '0'],
    ],
    [
      'backwards from uint64.max',
      (o: streams.ReadReq.Options.StreamOptions) => o.setRevision('18446744073709551615'),
      1,
      ['5', '4', '3', '2', '1', '0'],
    ],
    ['backwards from the start', (o: streams.ReadReq.Options.StreamOptions) => o.setStart(yes()), 1, ['0']],
  ])('of a stream %s', async (_, place, direction, expected) => {
    const here = await servedFacade();
    await here.log.write('a-1', 'any', events(6));
    const { answers, refusal } = await read(
      here,
      request((o) => o.setStream(ofStream('a-1', place)).setReadDirection(direction)),
    );
    expect(refusal).toBeUndefined();
    expect(revisions(answers)).toEqual(expected);
  });

  it('of $all begins at a position forwards, before it backwards, and ends where its count does', async () => {
    const here = await servedFacade();
    await here.log.write('a-1', 'any', events(6));
    const positions = (await collect(here.log.readAll(0 as never))).map(({ position }) => String(position));
    const from = (position: string) =>
      new Options.AllOptions().setPosition(
        new Options.Position().setCommitPosition(position).setPreparePosition(position),
      );
    const onwards = await read(
      here,
      request((o) => o.setAll(from(positions[4]!))),
    );
    expect(revisions(onwards.answers)).toEqual(['4', '5']);
    const back = await read(
      here,
      request((o) => o.setAll(from(positions[4]!)).setReadDirection(1).setCount('2')),
    );
    expect(revisions(back.answers)).toEqual(['3', '2']);
    const end = await read(
      here,
      request((o) => o.setAll(new Options.AllOptions().setEnd(yes())).setReadDirection(1).setCount('1')),
    );
    expect(revisions(end.answers)).toEqual(['5']);
    const none = await read(
      here,
      request((o) => o.setCount('0')),
    );
    expect(none.answers).toEqual([]);
  });

  it('says that a stream is not there, also when it was deleted, and refuses one that was tombstoned', async () => {
    const here = await servedFacade();
    await here.log.write('a-1', 'any', events(1));
    await here.log.remove('a-1', 'any', 'delete');
    for (const name of ['a-1', 'b-1']) {
      const { answers } = await read(
        here,
        request((o) => o.setStream(ofStream(name))),
      );
      expect(answers.map((answer) => answer.getContentCase())).toEqual([Kind.STREAM_NOT_FOUND]);
    }
    await here.log.remove('a-1', 'any', 'tombstone');
    const { refusal } = await read(
      here,
      request((o) => o.setStream(ofStream('a-1'))),
    );
    expect(refusal?.code).toBe(status.FAILED_PRECONDITION);
    expect(refusal?.metadata.getMap()).toMatchObject({ exception: 'stream-deleted', 'stream-name': 'a-1' });
  });

  it('tells the first and last revision to readers who understand it, and to no other', async () => {
    const here = await servedFacade();
    await here.log.write('a-1', 'any', events(5));
    await here.db.setStreamMetadata('a-1', { truncateBefore: 3 });
    const wanted = (from: string, compatibility?: number) =>
      request((o) => {
        o.setStream(ofStream('a-1', (s) => s.setRevision(from)));
        if (compatibility) o.setControlOption(new Options.ControlOption().setCompatibility(compatibility));
      });
    const bounds = ({ answers }: { answers: Answer[] }) => [
      answers.find((answer) => answer.hasFirstStreamPosition())?.getFirstStreamPosition(),
      revisions(answers),
      answers.find((answer) => answer.hasLastStreamPosition())?.getLastStreamPosition(),
    ];
    expect(bounds(await read(here, wanted('0', 1)))).toEqual(['3', ['3', '4'], '4']);
    expect(bounds(await read(here, wanted('3', 1)))).toEqual([undefined, ['3', '4'], '4']);
    expect(bounds(await read(here, wanted('9', 1)))).toEqual(['5', [], '4']);
    expect(bounds(await read(here, wanted('0')))).toEqual([undefined, ['3', '4'], undefined]);
  });

  it('begins a stream with an age after what is too old', async () => {
    let now = 1_000_000_000;
    const clock = { monotonic: () => systemClock.monotonic(), now: () => now };
    const here = await servedFacade({ clock });
    await here.log.write('a-1', 'any', events(300));
    now += 20_000;
    await here.log.write('a-1', 'any', events(2));
    await here.db.setStreamMetadata('a-1', { maxAge: 10 });
    const { answers } = await read(
      here,
      request((o) => o.setStream(ofStream('a-1')).setControlOption(new Options.ControlOption().setCompatibility(1))),
    );
    const [first] = answers;
    expect(first?.getFirstStreamPosition()).toBe('300');
    expect(revisions(answers)).toEqual(['300', '301']);
  });

  it('follows links when asked, and shows where they lead', async () => {
    const here = await servedFacade();
    await here.log.write('a-1', 'any', events(2));
    const link = (data: string) => ({ ...events(1)[0]!, type: '$>', data: Buffer.from(data) });
    await here.log.write('links', 'any', [link('1@a-1'), link('7@a-1'), link('nonsense'), ...events(1)]);
    const { answers } = await read(
      here,
      request((o) => o.setStream(ofStream('links')).setResolveLinks(true)),
    );
    const shown = answers.map((answer) => [
      answer.getEvent()?.getEvent()?.getStreamRevision(),
      answer.getEvent()?.getLink()?.getStreamRevision(),
    ]);
    expect(shown).toEqual([
      ['1', '0'],
      [undefined, '1'],
      ['2', undefined],
      ['3', undefined],
    ]);
    const plain = await read(
      here,
      request((o) => o.setStream(ofStream('links'))),
    );
    expect(plain.answers.map((answer) => answer.getEvent()?.hasLink())).toEqual([false, false, false, false]);
  });

  it('names a corrupted event, after those before it', async () => {
    const damaged = (log: EventLog): EventLog =>
      changed(log, {
        pageOfStream(...wanted) {
          const page = log.pageOfStream(...wanted);
          const events = (function* () {
            yield* [...page.events].slice(0, 2);
            throw new EventCorrupted('a-1', 2, 'checksum');
          })();
          return { ...page, events };
        },
      });
    const here = await servedFacade({}, damaged);
    await here.log.write('a-1', 'any', events(4));
    const { answers, refusal } = await read(
      here,
      request((o) => o.setStream(ofStream('a-1'))),
    );
    expect(revisions(answers)).toEqual(['0', '1']);
    expect(refusal).toMatchObject({
      code: status.DATA_LOSS,
      details: expect.stringContaining('event 2 of stream a-1'),
    });
  });

  it('holds little for a reader that does not read, and loses nothing for it', async () => {
    let read = 0;
    const counted = (log: EventLog): EventLog =>
      changed(log, {
        pageOfAll(...wanted) {
          const page = log.pageOfAll(...wanted);
          const events = (function* () {
            for (const event of page.events) {
              read += event.data.length;
              yield event;
            }
          })();
          return { ...page, events };
        },
      });
    const here = await servedFacade({}, counted);
    for (let n = 0; n < 20; n += 1) await here.log.write('a-1', 'any', events(20, 50_000));
    const got: Answer[] = [];
    const call = here.raw.read(request());
    call.on('data', (answer: Answer) => {
      got.push(answer);
      if (got.length === 1) call.pause();
    });
    const quiet = async () => {
      for (let before = -1; before !== read || before === 0;) {
        before = read;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    };
    await quiet();
    expect(read).toBeLessThan(3_000_000);
    call.resume();
    await new Promise((resolve) => call.on('end', resolve));
    expect(revisions(got)).toEqual(Array.from({ length: 400 }, (_, n) => String(n)));
  }, 30_000);
});

describe('a subscription', () => {
  it('is confirmed, gives what is beyond its start, says once that it has caught up, and goes on', async () => {
    const here = await servedFacade();
    await here.log.write('a-1', 'any', events(3));
    const { answers, kinds, until, call } = follow(
      here,
      request((o) => subscribed(o.setStream(ofStream('a-1', (s) => s.setRevision('1'))))),
    );
    await until(() => kinds().includes(Kind.CAUGHT_UP));
    expect(kinds()).toEqual([Kind.CONFIRMATION, Kind.EVENT, Kind.CAUGHT_UP]);
    expect(answers[0]?.getConfirmation()?.getSubscriptionId()).toMatch(/^[0-9a-f-]{36}$/);
    await here.log.write('b-1', 'any', events(3));
    await here.log.write('a-1', 'any', events(2));
    await until(() => revisions(answers).length === 3);
    expect(revisions(answers)).toEqual(['2', '3', '4']);
    expect(kinds().filter((kind) => kind === Kind.CAUGHT_UP)).toHaveLength(1);
    call.cancel();
  });

  it('waits for a stream that is not there, and from the end for what comes', async () => {
    const here = await servedFacade();
    await here.log.write('a-1', 'any', events(3));
    const absent = follow(
      here,
      request((o) => subscribed(o.setStream(ofStream('b-1')))),
    );
    const fromEnd = follow(
      here,
      request((o) => subscribed(o.setStream(ofStream('a-1', (s) => s.setEnd(yes()))))),
    );
    const ofAll = follow(
      here,
      request((o) => subscribed(o.setAll(new Options.AllOptions().setEnd(yes())))),
    );
    for (const each of [absent, fromEnd, ofAll]) await each.until(() => each.kinds().includes(Kind.CAUGHT_UP));
    await here.log.write('a-1', 'any', events(1));
    await here.log.write('b-1', 'any', events(1));
    await absent.until(() => revisions(absent.answers).join() === '0');
    await fromEnd.until(() => revisions(fromEnd.answers).join() === '3');
    await ofAll.until(() => revisions(ofAll.answers).join() === '3,0');
    for (const each of [absent, fromEnd, ofAll]) each.call.cancel();
  });

  it('misses and repeats nothing while others write', async () => {
    const here = await servedFacade();
    const writing = (async () => {
      for (let n = 0; n < 150; n += 1) await here.log.write('a-1', 'any', events(1 + (n % 7), 200));
    })();
    const followers = [
      follow(
        here,
        request((o) => subscribed(o.setStream(ofStream('a-1')))),
      ),
      follow(
        here,
        request((o) => subscribed(o)),
      ),
      follow(
        here,
        request((o) => filtered(subscribed(o), 8, 1, '^a-')),
      ),
    ];
    await writing;
    const { head } = here.log.describe('a-1');
    const all = Array.from({ length: (head as number) + 1 }, (_, n) => String(n));
    for (const each of followers) await each.until(() => revisions(each.answers).length >= all.length);
    for (const each of followers) expect(revisions(each.answers)).toEqual(all);
    for (const each of followers) each.call.cancel();
  }, 30_000);

  it('ends as deleted when its stream is tombstoned, and goes on when it is only deleted', async () => {
    const here = await servedFacade();
    await here.log.write('a-1', 'any', events(2));
    const { answers, until, refusal, kinds } = follow(
      here,
      request((o) => subscribed(o.setStream(ofStream('a-1')))),
    );
    await until(() => kinds().includes(Kind.CAUGHT_UP));
    await here.log.remove('a-1', 'any', 'delete');
    await here.log.write('a-1', 'any', events(1));
    await until(() => revisions(answers).join() === '0,1,2');
    await here.log.remove('a-1', 'any', 'tombstone');
    await until(() => refusal() !== undefined);
    expect(refusal()?.metadata.getMap()).toMatchObject({ exception: 'stream-deleted', 'stream-name': 'a-1' });
  });

  it('with a filter is told checkpoints, none of them ahead of an event', async () => {
    const here = await servedFacade();
    for (let n = 0; n < 50; n += 1) await here.log.write(n % 10 === 9 ? 'b-1' : 'a-1', 'any', events(4));
    const { answers, until, call } = follow(
      here,
      request((o) => filtered(subscribed(o), 8, 2)),
    );
    await until(() => revisions(answers).length === 20);
    await here.log.write('a-1', 'any', events(40));
    await until(() => Number(answers.at(-1)?.getCheckpoint()?.getCommitPosition()) === here.log.end());
    const places = answers.flatMap(
      (answer) => answer.getEvent()?.getCommitPosition() ?? answer.getCheckpoint()?.getCommitPosition() ?? [],
    );
    expect(places.map(Number)).toEqual(places.map(Number).toSorted((a, b) => a - b));
    expect(answers.filter((answer) => answer.hasCheckpoint()).length).toBeGreaterThan(2);
    call.cancel();
  });

  it('is told one checkpoint for each interval of events considered, however many of them come at once', async () => {
    const here = await servedFacade();
    await here.log.write('a-1', 'any', events(100));
    const { answers, until, kinds, call } = follow(
      here,
      request((o) => filtered(subscribed(o), 8, 2)),
    );
    const checkpoints = () =>
      answers.flatMap((answer) => answer.getCheckpoint()?.getCommitPosition() ?? []).map(Number);
    await until(() => kinds().includes(Kind.CAUGHT_UP));
    expect(checkpoints()).toEqual([16, 32, 48, 64, 80, 96]);
    await here.log.write('a-1', 'any', events(40));
    await until(() => checkpoints().at(-1) === 128);
    expect(checkpoints().slice(6)).toEqual([112, 128]);
    call.cancel();
  });

  it('filters as the official client asks: prefixes and patterns, of streams and types', async () => {
    const { db } = await servedFacade();
    await db.appendToStream('a-1', [jsonEvent({ type: 'Begun', data: {} }), jsonEvent({ type: 'Ended', data: {} })]);
    await db.appendToStream('b-1', [jsonEvent({ type: 'Begun', data: {} })]);
    const seen = async (filter: Parameters<typeof db.subscribeToAll>[0], count: number) =>
      (await collect(db.subscribeToAll({ fromPosition: START, ...filter }), count)).map(
        ({ event }) => `${event?.streamId} ${event?.type}`,
      );
    expect(await seen({ filter: streamNameFilter({ prefixes: ['b-', 'c-'] }) }, 1)).toEqual(['b-1 Begun']);
    expect(await seen({ filter: streamNameFilter({ regex: '^a-\\d$' }) }, 2)).toEqual(['a-1 Begun', 'a-1 Ended']);
    expect(await seen({ filter: eventTypeFilter({ prefixes: ['Be'] }) }, 2)).toEqual(['a-1 Begun', 'b-1 Begun']);
    expect(await seen({ filter: eventTypeFilter({ regex: 'ed$' }) }, 1)).toEqual(['a-1 Ended']);
  });

  it('is one of a thousand, and each hears of every event', async () => {
    const here = await servedFacade();
    const followers = Array.from({ length: 1_000 }, (_, n) =>
      follow(
        here,
        request((o) => (n % 2 ? subscribed(o) : subscribed(o.setStream(ofStream(`s-${n % 20}`))))),
      ),
    );
    for (const each of followers) await each.until(() => each.kinds().includes(Kind.CAUGHT_UP));
    for (let n = 0; n < 20; n += 1) await here.log.write(`s-${n}`, 'any', events(1));
    for (const [n, each] of followers.entries()) {
      await each.until(() => revisions(each.answers).length === (n % 2 ? 20 : 1));
    }
    for (const each of followers) each.call.cancel();
  }, 60_000);
});
