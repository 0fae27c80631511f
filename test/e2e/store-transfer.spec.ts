/** Export and import: what arrives is what left, byte for byte, whoever was killed on the way and whatever the file was made of. */
import { createHash } from 'node:crypto';
import { appendFile, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NewEvent, RecordedEvent } from '@vw/event-store';
import { openEmbeddedStore, readEmbeddedLog, START } from '@vw/event-store';
import { canonicalDigest, rebuildViews } from '@vw/projections';
import { systemClock } from '@vw/runtime';
import { describe, expect, it } from 'vitest';
import { longLog } from '../contracts/projections/lifecycles.js';
import { fillStore } from '../support/real-log.js';
import { serveStore, startVwStore, vwStore } from '../support/store-command.js';
import { temporaryFolder } from '../support/temporary.js';

/** What a site has done: the same in every run. */
const log = longLog();

const uuid = (n: number): string => `01970000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;
const bytes = (text: string): Uint8Array => Buffer.from(text, 'utf8');

async function digestOf(store: string): Promise<unknown> {
  const { code, out, err } = await vwStore('info', store, '--digest', '--json');
  expect(code, err).toBe(0);
  return (JSON.parse(out) as { digest: unknown }).digest;
}

async function viewsOf(data: string): Promise<string> {
  const file = join(data, 'test-views.sqlite');
  const store = await openEmbeddedStore({ file: join(data, 'log.sqlite'), clock: systemClock });
  await rebuildViews({ file, store }).finally(() => store.close());
  return canonicalDigest(file);
}

async function eventsIn(data: string): Promise<RecordedEvent[]> {
  const log = readEmbeddedLog(join(data, 'log.sqlite'));
  const found: RecordedEvent[] = [];
  for await (const event of log.readAll(START, { system: true })) found.push(event);
  await log.close();
  return found;
}

/** Waits until the file has so many bytes, without giving the process that writes it time to end. */
async function grown(file: string, size: number, over: Promise<unknown>): Promise<void> {
  let ended = false;
  void over.then(() => (ended = true));
  while (!ended && ((await stat(file).catch(() => undefined))?.size ?? 0) < size);
}

/** An export of one's own making: a head, these lines, and the end that belongs to them. */
function exportOf(...lines: readonly string[]): string {
  const body = ['{"format":"vw-events","version":1}', ...lines].map((line) => `${line}\n`).join('');
  const sha256 = createHash('sha256').update(body).digest('hex');
  return `${body}${JSON.stringify({ end: { events: lines.length, sha256 } })}\n`;
}

const line = (n: number, more: object = {}): string =>
  JSON.stringify({
    position: n,
    stream: 's',
    revision: n - 1,
    id: uuid(n),
    type: 'T',
    created: 1_760_000_000_000 + n,
    contentType: 'json',
    data: { n },
    ...more,
  });

describe('a log of real events', () => {
  it.each(['ndjson', 'cloudevents'])(
    'arrives with every byte, place and time, and gives the same views (%s)',
    async (format) => {
      const from = await temporaryFolder('export');
      const to = await temporaryFolder('import');
      const file = join(from, 'events');
      await fillStore(join(from, 'log.sqlite'), log);
      expect(await vwStore('export', from, '--format', format, '--to', file)).toMatchObject({ code: 0 });
      const imported = await vwStore('import', to, '--format', format, '--from', file, '--json');
      expect(imported).toMatchObject({ code: 0, err: '' });
      expect(JSON.parse(imported.out)).toMatchObject({ appended: log.length, present: 0 });

      expect(await digestOf(to)).toEqual(await digestOf(from));
      expect(await eventsIn(to)).toEqual(await eventsIn(from));
      expect(await viewsOf(to)).toBe(await viewsOf(from));
      expect((await vwStore('verify', to)).code).toBe(0);

      const again = await vwStore('import', to, '--format', format, '--from', file, '--json');
      expect(JSON.parse(again.out)).toMatchObject({ appended: 0, present: log.length });
    },
  );

  it('is exported whole by a run that continues one that was killed', async () => {
    const from = await temporaryFolder('export');
    await fillStore(join(from, 'log.sqlite'), log);
    const [whole, torn] = [join(from, 'whole'), join(from, 'torn')];
    await vwStore('export', from, '--to', whole);
    const killed = startVwStore(['export', from, '--to', torn]);
    await grown(torn, 1_000_000, killed.ended);
    await killed.kill();
    const { size } = await stat(torn);
    expect(size).toBeLessThan((await stat(whole)).size);
    // Whatever a kill leaves of a line.
    await truncate(torn, size - 7);
    expect(await vwStore('export', from, '--to', torn)).toMatchObject({ code: 3 });
    expect(await vwStore('import', join(from, 'other'), '--from', torn)).toMatchObject({
      code: 3,
      err: expect.stringContaining('is torn') as string,
    });
    const resumed = await vwStore('export', from, '--to', torn, '--resume', '--json');
    expect(resumed).toMatchObject({ code: 0 });
    expect((JSON.parse(resumed.out) as { resumed: number }).resumed).toBeGreaterThan(1000);
    expect((await readFile(torn)).equals(await readFile(whole))).toBe(true);
    // A finished one has its end taken off, and put on again after what is new.
    await vwStore('export', from, '--to', torn, '--resume');
    expect((await readFile(torn)).equals(await readFile(whole))).toBe(true);
  });

  it('is imported whole by a run that repeats one that was killed', async () => {
    const from = await temporaryFolder('export');
    const to = await temporaryFolder('import');
    await fillStore(join(from, 'log.sqlite'), log);
    const file = join(from, 'events');
    await vwStore('export', from, '--to', file);
    const killed = startVwStore(['import', to, '--from', file]);
    await grown(join(to, 'log.sqlite-wal'), 2_000_000, killed.ended);
    await killed.kill();
    const before = (await eventsIn(to)).length;
    expect(before).toBeGreaterThan(0);
    expect(before).toBeLessThan(log.length);
    const repeated = await vwStore('import', to, '--from', file, '--json');
    expect(repeated).toMatchObject({ code: 0 });
    expect(JSON.parse(repeated.out)).toMatchObject({ present: before, appended: log.length - before });
    expect(await digestOf(to)).toEqual(await digestOf(from));
  });

  it('is exported while it is served, and takes no import then', async () => {
    const data = await temporaryFolder('export');
    await fillStore(join(data, 'log.sqlite'), log.slice(0, 500));
    const served = await serveStore(data);
    try {
      const file = join(data, 'events');
      expect(await vwStore('export', data, '--to', file)).toMatchObject({ code: 0 });
      expect(await vwStore('verify', data)).toMatchObject({ code: 0 });
      const refused = await vwStore('import', data, '--from', file);
      expect(refused).toMatchObject({ code: 3, err: expect.stringMatching(/^refused: .*in use.*\n$/) as string });
    } finally {
      expect(await served.stop()).toMatchObject({ code: 0 });
    }
  });

  it('goes through a server and back', { timeout: 180_000 }, async () => {
    const [from, over, back] = [await temporaryFolder('a'), await temporaryFolder('b'), await temporaryFolder('c')];
    await fillStore(join(from, 'log.sqlite'), log.slice(0, 400));
    const file = join(from, 'events');
    await vwStore('export', from, '--to', file);
    const served = await serveStore(over);
    try {
      const server = `esdb://127.0.0.1:${served.port}?tls=false`;
      expect(await vwStore('import', server, '--from', file)).toMatchObject({ code: 0 });
      // A server gives times of its own, so the contents are what can be compared.
      const contents = ((await digestOf(from)) as { contents: string }).contents;
      expect(await digestOf(server)).toMatchObject({ contents });
      const piped = await vwStore('export', server);
      expect(piped.code).toBe(0);
      expect(await startVwStore(['import', back], { stdin: piped.out }).ended).toMatchObject({ code: 0 });
      expect(await digestOf(back)).toMatchObject({ contents });
    } finally {
      await served.stop();
    }
  });
});

describe('an event of any bytes', () => {
  it.each(['ndjson', 'cloudevents'])('comes back as it was (%s)', async (format) => {
    const [from, to] = [await temporaryFolder('a'), await temporaryFolder('b')];
    const payloads: readonly (readonly ['json' | 'binary', Uint8Array, Uint8Array])[] = [
      ['json', new Uint8Array(), new Uint8Array()],
      ['json', bytes('{"a":1}'), bytes('{"b":2}')],
      ['json', bytes('{ "a": 1 }'), bytes('{"b":2.0}')],
      ['json', bytes('null'), bytes('null')],
      ['json', bytes('"text"'), bytes('plain text')],
      ['json', bytes('{"b":1,"a":2,"2":3,"1":4}'), bytes('{"a":1,"a":2}')],
      ['json', bytes('{"__proto__":{"x":1}}'), bytes('12345678901234567890')],
      ['json', bytes('not JSON'), bytes('with \u0000 and \u0085')],
      ['json', bytes('\ufeff{}'), bytes('\ufeff')],
      ['json', bytes('"\u2028\\ud800"'), bytes('line\nbreak')],
      ['binary', bytes('{"a":1}'), bytes('{}')],
      ['binary', Uint8Array.from({ length: 256 }, (_, at) => at), Uint8Array.of(0xff, 0xfe)],
      ['binary', Buffer.alloc(1024 * 1024, 0xa5), new Uint8Array()],
      ['json', bytes('['.repeat(50_000) + ']'.repeat(50_000)), new Uint8Array()],
    ];
    const events: RecordedEvent[] = payloads.map(([contentType, data, metadata], at) => ({
      ...({ id: uuid(at), type: 'Töne / 音 "x"', contentType, data, metadata } satisfies NewEvent),
      stream: `any thing/${at % 2}-ü`,
      revision: Math.floor(at / 2),
      position: (at + 1) as RecordedEvent['position'],
      created: at * 1_000_003,
    }));
    await fillStore(join(from, 'log.sqlite'), events);
    const exported = await vwStore('export', from, '--format', format);
    expect(exported.code, exported.err).toBe(0);
    expect(await startVwStore(['import', to, '--format', format], { stdin: exported.out }).ended).toMatchObject({
      code: 0,
    });
    expect(await eventsIn(to)).toEqual(await eventsIn(from));
  });

  it('takes its stream’s metadata along, and a stream deleted and brought back', async () => {
    const [from, to] = [await temporaryFolder('a'), await temporaryFolder('b')];
    const store = await openEmbeddedStore({ file: join(from, 'log.sqlite'), clock: systemClock });
    const event = (n: number): NewEvent => ({
      ...{ id: uuid(n), type: 'T', contentType: 'json', data: bytes('{}'), metadata: new Uint8Array() },
    });
    await store.append('s', 'no-stream', [event(1), event(2)]);
    await store.write('$$s', 'any', [{ ...event(3), type: '$metadata', data: bytes('{"$maxCount":5,"owner":"ann"}') }]);
    await store.remove('s', 1, 'delete');
    await store.write('s', 'any', [event(4), event(5)]);
    await store.append('gone', 'no-stream', [event(6)]);
    await store.remove('gone', 0, 'tombstone');
    await store.write('$settings', 'any', [event(7)]);
    await store.close();
    const file = join(from, 'events');
    const exported = await vwStore('export', from, '--to', file);
    expect(exported.err).toContain('1 stream deleted for ever');
    expect(exported.err).toContain("1 event of the store's own streams");
    expect(await vwStore('import', to, '--from', file)).toMatchObject({ code: 0 });
    expect(await digestOf(to)).toEqual(await digestOf(from));
    expect(await vwStore('verify', to)).toMatchObject({ code: 0 });
    expect(await vwStore('verify', from)).toMatchObject({ code: 0 });
    expect(JSON.parse((await vwStore('import', to, '--from', file, '--json')).out)).toMatchObject({ appended: 0 });
  });
});

describe('a stream that an append brings back', () => {
  it('keeps the metadata that the store writes of it by itself, under an id of its own', async () => {
    const [from, to] = [await temporaryFolder('a'), await temporaryFolder('b')];
    const store = await openEmbeddedStore({ file: join(from, 'log.sqlite'), clock: systemClock });
    const event = (n: number): NewEvent => ({
      ...{ id: uuid(n), type: 'T', contentType: 'json', data: bytes('{}'), metadata: new Uint8Array() },
    });
    await store.append('s', 'no-stream', [event(1)]);
    await store.remove('s', 0, 'delete');
    await store.append('s', 'no-stream', [event(2)]);
    await store.append('t', 'no-stream', [event(3)]);
    await store.close();
    const [own] = (await eventsIn(from)).filter(({ stream, revision }) => stream === '$$s' && revision === 1);
    const exported = await vwStore('export', from, '--format', 'cloudevents');
    // As another kind of server would have it: a fresh id each time.
    const file = exported.out.replace(own!.id, uuid(77));
    const argv = ['import', to, '--format', 'cloudevents', '--json'];
    const imported = await startVwStore(argv, { stdin: file }).ended;
    expect(JSON.parse(imported.out)).toMatchObject({ appended: 4, writtenByStore: 1 });
    expect((await eventsIn(to)).map(({ stream, revision }) => [stream, revision])).toEqual(
      (await eventsIn(from)).map(({ stream, revision }) => [stream, revision]),
    );
  });
});

describe('a file that does not belong', () => {
  const refusals: readonly (readonly [what: string, file: string, says: RegExp])[] = [
    ['nothing', '', /nothing in it/],
    ['no JSON', 'hello\n', /line 1 is not JSON/],
    ['CloudEvents, unsaid', '{"specversion":"1.0"}\n', /line 1 is a CloudEvent: say --format cloudevents/],
    ['another format', '{"format":"other","version":1}\n', /line 1 is not the head/],
    ['a later version', '{"format":"vw-events","version":2}\n', /line 1 says version 2/],
    ['a position twice', exportOf(line(1), line(2, { position: 1 })), /line 3 has position 1, after position 1/],
    ['a gap', exportOf(line(1), line(2), line(4)), /line 4 has revision 3 of stream s, where 2 comes next/],
    ['no id', exportOf(line(1, { id: 'x' })), /line 2 has the id "x"/],
    ['no revision', exportOf(line(1, { revision: -1 })), /line 2 has no revision/],
    ['no stream', exportOf(line(1, { stream: '' })), /line 2 has no stream/],
    ['an unknown member', exportOf(line(1, { extra: 1 })), /line 2 has the member "extra"/],
    ['data twice', exportOf(line(1, { dataBase64: 'AA==' })), /line 2 has its data twice/],
    ['no base64', exportOf(line(1, { metadataBase64: 'A' })), /line 2 has a metadataBase64/],
    ['a system stream', exportOf(line(1, { stream: '$users' })), /line 2 is of the stream \$users/],
    ['too large an event', exportOf(line(1, { data: 'x'.repeat(1024 * 1024) })), /line 2 has an event of \d+ bytes/],
    ['too long a line', exportOf(line(1, { data: 'x'.repeat(5 * 1024 * 1024) })), /line 2 is longer than/],
    [
      'bytes that are no text',
      `${exportOf().slice(0, 35)}\u{fffd}\n`.replace('\u{fffd}', '\u0000'),
      /line 2 is not JSON/,
    ],
    ['a depth without end', exportOf('['.repeat(3_000_000)), /line 2 is n/],
    ['lines after the end', `${exportOf(line(1))}${line(2)}\n`, /line 4 comes after the end/],
    [
      'a changed byte',
      exportOf(line(1), line(2)).replace('"n":2', '"n":3'),
      /line 4 says that the lines before it are not/,
    ],
    ['a line too few', exportOf(line(1), line(2)).replace(`${line(2)}\n`, ''), /line 3 ends 2 events, and 1 are there/],
  ];

  it.each(refusals)('is refused at its line, with nothing done: %s', async (_what, text, says) => {
    const data = await temporaryFolder('import');
    const file = join(data, 'events');
    await writeFile(file, text);
    const refused = await vwStore('import', join(data, 'store'), '--from', file);
    expect(refused).toMatchObject({ code: 3, out: '', err: expect.stringMatching(says) as string });
    expect(refused.err.trimEnd()).not.toContain('\n');
    await expect(stat(join(data, 'store'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('is refused where the store has another event, and says what was done', async () => {
    const data = await temporaryFolder('import');
    const file = join(data, 'events');
    await writeFile(file, exportOf(line(1), line(2)));
    expect(await vwStore('import', data, '--from', file)).toMatchObject({ code: 0 });
    await writeFile(file, exportOf(line(1), line(2, { data: { n: 'other' } }), line(3, { stream: 'u', revision: 0 })));
    const refused = await vwStore('import', data, '--from', file);
    expect(refused.code).toBe(3);
    expect(refused.err).toMatch(/line 3: event 1 of stream s is another one in this store; nothing was imported/);
    await writeFile(file, exportOf(line(1, { stream: 'x' }), line(2, { stream: 'x', id: uuid(1) })));
    expect((await vwStore('import', data, '--from', file)).err).toMatch(
      /line 3: .* repeats an event id; 1 event had been imported before/,
    );
    await writeFile(file, exportOf(line(1, { stream: 'v' }), line(2, { stream: 'w', revision: 7 })));
    const gap = await vwStore('import', data, '--from', file);
    expect(gap.err).toMatch(
      /line 3: event 7 of stream w does not fit: .*has no such stream; 1 event had been imported before/,
    );
  });

  it('is merged where the store has others, and repeated without harm', async () => {
    const data = await temporaryFolder('import');
    const file = join(data, 'events');
    await writeFile(file, exportOf(line(1, { stream: 'mine' })));
    await vwStore('import', data, '--from', file);
    await writeFile(file, exportOf(line(1), line(2), line(3)));
    expect(await vwStore('import', data, '--from', file)).toMatchObject({ code: 0 });
    const repeated = await vwStore('import', data, '--from', file, '--json');
    expect(JSON.parse(repeated.out)).toMatchObject({ appended: 0, present: 3, head: 4 });
  });

  it('never takes the place of the log that it is made of', async () => {
    const data = await temporaryFolder('export');
    const file = join(data, 'log.sqlite');
    await fillStore(file, log.slice(0, 50));
    const digest = await digestOf(data);
    expect(await vwStore('export', data, '--to', file, '--overwrite')).toMatchObject({
      code: 3,
      err: expect.stringContaining('is a database and no export') as string,
    });
    expect(await digestOf(data)).toEqual(digest);
  });

  it('is not continued by an export of another store', async () => {
    const data = await temporaryFolder('import');
    const file = join(data, 'events');
    await fillStore(join(data, 'log.sqlite'), log.slice(0, 50));
    await writeFile(file, exportOf(line(1), line(2)));
    const before = await readFile(file);
    const refused = await vwStore('export', data, '--to', file, '--resume');
    expect(refused).toMatchObject({
      code: 3,
      err: expect.stringContaining('was not exported from this store') as string,
    });
    expect((await readFile(file)).equals(before)).toBe(true);
    await appendFile(file, 'rubbish\n');
    expect(await vwStore('export', data, '--to', file, '--resume')).toMatchObject({ code: 3 });
  });
});
