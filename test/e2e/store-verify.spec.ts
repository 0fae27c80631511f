/** What `vw store verify` finds: everything that a file can have wrong, by the event's name, and nothing in a file that is right. */
import { copyFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { NewEvent, RecordedEvent } from '@vw/event-store';
import { openEmbeddedStore, readEmbeddedLog, START, UnknownStoreFormat, verifyLogFile } from '@vw/event-store';
import { systemClock } from '@vw/runtime';
import Database from 'better-sqlite3';
import { beforeAll, afterAll, describe, expect, it } from 'vitest';
import { Site, seeded } from '../contracts/projections/lifecycles.js';
import { writeFormat1 } from '../support/format-1.js';
import { fillStore } from '../support/real-log.js';
import { serveStore, startVwStore, vwStore } from '../support/store-command.js';
import { temporaryFolder } from '../support/temporary.js';

/** 300 events of a site, a stream with metadata, and one deleted for ever. */
let sound: string;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vw-verify-'));
  sound = join(folder, 'log.sqlite');
  const site = new Site({ choose: seeded(7), workspaces: 10, oddity: 5 });
  while (site.log.length < 300) site.step();
  await fillStore(sound, site.log);
  const store = await openEmbeddedStore({ file: sound, clock: systemClock });
  const own: NewEvent = {
    ...{ id: '01970000-0000-7000-8000-00000000abcd', type: '$metadata', contentType: 'json' },
    ...{ data: Buffer.from('{"$maxCount":5}'), metadata: new Uint8Array() },
  };
  await store.write('$$gone', 'any', [own]);
  await store.remove('gone', 'any', 'tombstone');
  await store.close();
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const PAGE_BYTES = 4096;

/** The stream that has the most events. */
const busy = '(SELECT stream FROM events GROUP BY stream ORDER BY count(*) DESC, stream LIMIT 1)';

const now = (): number => systemClock.now();

/** A copy of the sound file, with something done to it that no program of ours does. */
async function damaged(sql: string): Promise<string> {
  const file = join(await temporaryFolder('verify'), 'log.sqlite');
  await copyFile(sound, file);
  const db = new Database(file);
  db.pragma('foreign_keys = OFF');
  db.exec(sql);
  db.close();
  return file;
}

/** The same, by somebody who knows how the checksums are made: what they cannot show must be seen in another way. */
async function forged(sql: string): Promise<string> {
  const file = await damaged(sql);
  const db = new Database(file);
  const rows = db.prepare(
    'SELECT position, name, revision, events.id, type, created, data, metadata, binary FROM events JOIN streams ON streams.id = stream',
  );
  const update = db.prepare('UPDATE events SET checksum = ? WHERE position = ?');
  for (const row of rows.all() as ForgedRow[]) {
    const { position, name, revision, id, type, created, data, metadata, binary } = row;
    const head = [name, revision, created, id, type, data.length, ...(binary === 1 ? ['binary'] : [])].join('\u0000');
    const place = Buffer.alloc(8);
    place.writeDoubleBE(position);
    update.run(crc32(place, crc32(metadata, crc32(data, crc32(head)))), position);
  }
  db.close();
  return file;
}

interface ForgedRow {
  readonly position: number;
  readonly name: string;
  readonly revision: number;
  readonly id: string;
  readonly type: string;
  readonly created: number;
  readonly data: Buffer;
  readonly metadata: Buffer;
  readonly binary: number;
}

async function eventAt(position: number): Promise<{ stream: string; revision: number }> {
  for await (const { stream, revision } of readEmbeddedLog(sound).readAll((position - 1) as RecordedEvent['position'], {
    system: true,
  })) {
    return { stream, revision };
  }
  throw new Error(`there is no event at position ${position}`);
}

describe('verify', () => {
  it('finds nothing wrong in a sound file, and says how much it looked at', async () => {
    expect(await verifyLogFile(sound, { now: now() })).toMatchObject({
      counts: {},
      findings: [],
      format: 2,
      emptyStreams: 0,
    });
    const { code, out } = await vwStore('verify', sound);
    expect(code).toBe(0);
    expect(out).toMatch(/^found +nothing wrong$/m);
  });

  it.each([
    ['data', `UPDATE events SET data = CAST(data || 'x' AS BLOB) WHERE position = 100`, 'checksum'],
    ['metadata', `UPDATE events SET metadata = CAST('{}' AS BLOB) WHERE position = 100`, 'checksum'],
    ['type', `UPDATE events SET type = type || 's' WHERE position = 100`, 'checksum'],
    ['id', `UPDATE events SET id = replace(id, '-7', '-6') WHERE position = 100`, 'checksum'],
    ['created', `UPDATE events SET created = created + 1 WHERE position = 100`, 'checksum'],
    ['checksum', `UPDATE events SET checksum = checksum + 1 WHERE position = 100`, 'checksum'],
    ['content type', `UPDATE events SET binary = 1 - binary WHERE position = 100`, 'checksum'],
    ['content type to none', `UPDATE events SET binary = 7 WHERE position = 100`, 'content-type'],
    ['an id that is none', `UPDATE events SET id = 'x' WHERE position = 100`, 'id'],
    ['a time to come', `UPDATE events SET created = 99999999999999 WHERE position = 100`, 'time'],
    ['a type of nothing', `UPDATE events SET type = '' WHERE position = 100`, 'type'],
    ['no such stream', `UPDATE events SET stream = 9999 WHERE position = 100`, 'no-stream'],
  ])('names the event whose %s was changed', async (_what, sql, fault) => {
    const { stream, revision } = await eventAt(100);
    const { findings } = await verifyLogFile(await damaged(sql), { now: now() });
    const named = { position: 100, revision, ...(fault !== 'no-stream' && { stream }) };
    expect(findings).toContainEqual(expect.objectContaining({ fault, ...named }));
  });

  it('names an event that was renumbered, moved, or put into another stream', async () => {
    const { stream, revision } = await eventAt(100);
    const renumbered = await verifyLogFile(await damaged(`UPDATE events SET revision = 5000 WHERE position = 100`), {
      now: now(),
    });
    expect(renumbered.findings).toContainEqual(expect.objectContaining({ fault: 'checksum', stream, revision: 5000 }));
    expect(renumbered.counts.revision).toBeGreaterThan(0);
    const moved = await verifyLogFile(await damaged(`UPDATE events SET position = 9000 WHERE position = 100`), {
      now: now(),
    });
    expect(moved.findings).toContainEqual(
      expect.objectContaining({ fault: 'checksum', stream, revision, position: 9000 }),
    );
    expect(moved.findings).toContainEqual(expect.objectContaining({ fault: 'missing', position: 100 }));
    const far = await verifyLogFile(await damaged(`UPDATE events SET position = 1 << 52 WHERE position = 100`), {
      now: now(),
    });
    expect(far.counts.missing).toBe(2 ** 52 - far.events);
    const sql = `UPDATE events SET stream = (SELECT id FROM streams WHERE name LIKE 'host-%' LIMIT 1), revision = 5000 WHERE position = 100`;
    expect((await verifyLogFile(await damaged(sql), { now: now() })).counts).toMatchObject({ checksum: 1 });
  });

  it('names every event of a stream whose name was changed', async () => {
    const { stream } = await eventAt(100);
    const verification = await verifyLogFile(
      await damaged(`UPDATE streams SET name = 'forged' WHERE name = '${stream}'`),
      { now: now() },
    );
    expect(verification.findings.every((finding) => finding.stream === 'forged')).toBe(true);
    expect(verification.counts.checksum).toBeGreaterThan(1);
  });

  it('finds an event that was taken out, and two that changed places', async () => {
    const { stream, revision } = await eventAt(100);
    const { findings } = await verifyLogFile(await damaged('DELETE FROM events WHERE position = 100'), { now: now() });
    expect(findings).toContainEqual(expect.objectContaining({ fault: 'missing', position: 100 }));
    expect(findings).toContainEqual(expect.objectContaining({ fault: 'revision', stream, revision: revision + 1 }));
    const swapped = await damaged(`
      UPDATE events SET position = 9999 WHERE position = 100; UPDATE events SET position = 100 WHERE position = 101;
      UPDATE events SET position = 101 WHERE position = 9999`);
    expect((await verifyLogFile(swapped, { now: now() })).counts).toMatchObject({ checksum: 2 });
  });

  it.each([
    ['no fault', '', undefined],
    [
      'events of a stream in another order',
      `UPDATE events SET revision = -1 WHERE stream = ${busy} AND revision = 0; UPDATE events SET revision = 0 WHERE stream = ${busy} AND revision = 1;
       UPDATE events SET revision = 1 WHERE stream = ${busy} AND revision = -1`,
      'order',
    ],
    [
      'an id twice',
      `DROP INDEX events_by_id; CREATE INDEX events_by_id ON events (id, stream);
       UPDATE events SET id = (SELECT id FROM events WHERE stream = ${busy} AND revision = 0) WHERE stream = ${busy} AND revision = 1`,
      'repeated-id',
    ],
    ['a revision left out', `UPDATE events SET revision = 7000 WHERE stream = ${busy} AND revision = 1`, 'revision'],
    ['metadata that is none', `UPDATE events SET data = CAST('[]' AS BLOB) WHERE type = '$metadata'`, 'metadata'],
    ['a tombstone that is none', `UPDATE events SET type = 'T' WHERE type = '$streamDeleted'`, 'tombstone'],
    ['an index that is gone', 'DROP INDEX events_by_stream', 'pages'],
  ])('finds, under checksums that fit, %s', async (_what, sql, fault) => {
    const { counts } = await verifyLogFile(await forged(sql), { now: now() });
    expect(Object.keys(counts)).toEqual(fault === undefined ? [] : expect.arrayContaining([fault]));
    expect(counts.checksum).toBeUndefined();
  });

  it('counts all and lists the first, and ends with 1', async () => {
    const file = await damaged(`UPDATE events SET created = created + 1 WHERE position <= 50`);
    const { code, out, err } = await vwStore('verify', file, '--most', '3', '--json');
    expect(code).toBe(1);
    const told = JSON.parse(out) as { ok: boolean; counts: object; findings: unknown[] };
    expect(told).toMatchObject({ ok: false, counts: { checksum: 50 } });
    expect(told.findings).toHaveLength(3);
    expect(JSON.parse(err)).toMatchObject({ reason: 'DAMAGED' });
    const plain = await vwStore('verify', file);
    const { stream, revision } = await eventAt(1);
    expect(plain.out).toContain(`checksum: event ${revision} of stream ${stream} (position 1) is not what was stored`);
  });

  it('finds a flipped byte wherever it lies, or it lies where nothing is told', { timeout: 120_000 }, async () => {
    const file = join(await temporaryFolder('verify'), 'log.sqlite');
    const bytes = await readFile(sound);
    const events = await readable(sound);
    const choose = seeded(42);
    let found = 0;
    for (let time = 0; time < 300; time += 1) {
      const at = choose(bytes.length);
      const broken = Buffer.from(bytes);
      broken[at] = broken[at]! ^ (1 << choose(8));
      await writeFile(file, broken);
      const verification = await verifyLogFile(file, { now: now() }).catch((error: unknown) => {
        expect(error).toBeInstanceOf(UnknownStoreFormat);
      });
      if (!verification || Object.keys(verification.counts).length > 0) found += 1;
      else expect(await readable(file), `byte ${at} was flipped, and nobody noticed`).toBe(events);
    }
    expect(found).toBeGreaterThan(200);
  });

  it('steps over pages that cannot be read, and names what was in them', async () => {
    const file = join(await temporaryFolder('verify'), 'log.sqlite');
    await copyFile(sound, file);
    const bytes = await readFile(file);
    const leaf = leafOfEvents(bytes);
    // In its header: nothing of the page can be read any more.
    bytes.fill(0xff, leaf, leaf + 8);
    await writeFile(file, bytes);
    const { counts, findings } = await verifyLogFile(file, { now: now(), mostOfEach: 1000 });
    expect(counts.pages).toBeGreaterThan(0);
    const named = findings.filter(
      ({ fault, stream, revision }) => fault === 'unreadable' && stream !== undefined && revision !== undefined,
    );
    expect(named.length).toBeGreaterThan(0);
    expect(named.length).toBe(counts.unreadable);
  });

  it('has SQLite look at what no walk of its own comes by', async () => {
    const file = join(await temporaryFolder('verify'), 'log.sqlite');
    const bytes = await readFile(sound);
    // The index of stream names, a leaf, is made to say that it has nothing in it.
    const names = pageOf('sqlite_autoindex_streams_1');
    expect(bytes[names]).toBe(0x0a);
    bytes.writeUInt16BE(0, names + 3);
    await writeFile(file, bytes);
    expect(Object.keys((await verifyLogFile(file, { now: now() })).counts)).toEqual(['pages']);
  });

  it('knows the format before this one too, so that a file can be looked at and copied before it is migrated', async () => {
    const data = await temporaryFolder('verify');
    writeFormat1(join(data, 'log.sqlite'), [
      {
        ...{
          stream: 's',
          revision: 0,
          id: '01970000-0000-7000-8000-000000000001',
          type: 'T',
          created: 1_760_000_000_000,
        },
        ...{ data: Buffer.from('{"a":1}'), metadata: Buffer.from('{}') },
      },
    ]);
    const before = await readFile(join(data, 'log.sqlite'));
    expect(await vwStore('verify', data)).toMatchObject({ code: 0 });
    expect(await vwStore('export', data)).toMatchObject({
      code: 0,
      out: expect.stringContaining('"data":{"a":1}') as string,
    });
    const copy = join(data, 'copy.sqlite');
    expect(JSON.parse((await vwStore('backup', data, '--to', copy, '--json')).out)).toMatchObject({ events: 1 });
    expect(JSON.parse((await vwStore('info', copy, '--json')).out)).toMatchObject({ format: 1, plausible: true });
    expect((await readFile(join(data, 'log.sqlite'))).equals(before)).toBe(true);
    // Whatever opens it to write migrates it, and then it is as whole as before.
    await (await serveStore(data)).stop();
    expect(JSON.parse((await vwStore('verify', data, '--json')).out)).toMatchObject({ ok: true, format: 2, events: 1 });
  });

  it('refuses what is no log in one sentence', async () => {
    const folder = await temporaryFolder('verify');
    await writeFile(join(folder, 'log.sqlite'), 'x'.repeat(10_000));
    const { code, out, err } = await vwStore('verify', folder);
    expect({ code, out, err }).toEqual({
      code: 3,
      out: '',
      err: `refused: ${join(folder, 'log.sqlite')} cannot be opened: it is not an event store\n`,
    });
    expect(await vwStore('verify', join(folder, 'nowhere'))).toMatchObject({
      code: 4,
      err: expect.stringMatching(/^not found: .*\n$/) as string,
    });
    expect(await vwStore('verify', 'esdb://h:1')).toMatchObject({ code: 2 });
  });
});

/** Every event as it reads, or nothing where they cannot be read. */
async function readable(file: string): Promise<string> {
  const log = readEmbeddedLog(file);
  const lines: string[] = [];
  for await (const event of log.readAll(START, { system: true })) lines.push(JSON.stringify(event));
  await log.close();
  return lines.join('\n');
}

/** Where the root page of a table or an index of the sound file begins. */
function pageOf(name: string): number {
  const db = new Database(sound, { readonly: true });
  const root = db.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').pluck().get(name) as number;
  db.close();
  return (root - 1) * PAGE_BYTES;
}

/** Where a leaf of the table of events begins (SQLite's file format, §1.6: an interior page names its children in its cells). */
function leafOfEvents(bytes: Buffer): number {
  const root = pageOf('events');
  expect(bytes[root]).toBe(0x05);
  const secondCell = bytes.readUInt16BE(root + 14);
  return (bytes.readUInt32BE(root + secondCell) - 1) * PAGE_BYTES;
}

describe('backup', () => {
  it(
    'is taken while the store is written, and restored by putting that one file in place',
    { timeout: 120_000 },
    async () => {
      const data = await temporaryFolder('backup');
      const backup = join(await temporaryFolder('backup'), 'copy.sqlite');
      const site = new Site({ choose: seeded(3), workspaces: 10, oddity: 5 });
      while (site.log.length < 4000) site.step();
      await fillStore(join(data, 'log.sqlite'), site.log);
      const store = await openEmbeddedStore({ file: join(data, 'log.sqlite'), clock: systemClock });
      let writing = true;
      const writer = (async () => {
        for (let n = 0; writing; n += 1) {
          const id = `01970000-0000-7000-9000-${n.toString(16).padStart(12, '0')}`;
          const event: NewEvent = {
            id,
            type: 'T',
            contentType: 'json',
            data: Buffer.from('{}'),
            metadata: new Uint8Array(),
          };
          await store.append('busy', n === 0 ? 'no-stream' : n - 1, [event]);
        }
      })();
      const taken = await vwStore('backup', data, '--to', backup, '--json');
      writing = false;
      await writer;
      await store.close();
      expect(taken).toMatchObject({ code: 0, err: '' });
      const { events } = JSON.parse(taken.out) as { events: number };
      expect(events).toBeGreaterThanOrEqual(4000);

      const restored = await temporaryFolder('backup');
      await copyFile(backup, join(restored, 'log.sqlite'));
      expect(await vwStore('verify', restored)).toMatchObject({ code: 0 });
      const original = (await readable(join(data, 'log.sqlite'))).split('\n').slice(0, events);
      expect((await readable(join(restored, 'log.sqlite'))).split('\n')).toEqual(original);
      const served = await serveStore(restored);
      expect(await served.stop()).toMatchObject({ code: 0 });

      expect(await vwStore('backup', data, '--to', backup)).toMatchObject({
        code: 3,
        err: `refused: ${backup} is there already: --overwrite replaces it\n`,
      });
      expect(await vwStore('backup', data, '--to', backup, '--overwrite')).toMatchObject({ code: 0 });
    },
  );

  it('never takes the place of a log that somebody holds, the one that is copied included', async () => {
    const data = await temporaryFolder('backup');
    const log = join(data, 'log.sqlite');
    const served = await serveStore(data);
    expect(await vwStore('backup', data, '--to', log, '--overwrite')).toMatchObject({
      code: 3,
      err: `refused: ${log}-wal belongs to another log: stop what uses that log, and move both away\n`,
    });
    expect(await served.stop()).toMatchObject({ code: 0 });
  });

  it('that was killed leaves nothing by the name of a backup, and nothing in the way of the next', async () => {
    const data = await temporaryFolder('backup');
    const folder = await temporaryFolder('backup');
    const site = new Site({ choose: seeded(3), workspaces: 10, oddity: 5 });
    while (site.log.length < 20_000) site.step();
    await fillStore(join(data, 'log.sqlite'), site.log);
    const to = join(folder, 'copy.sqlite');
    const killed = startVwStore(['backup', data, '--to', to]);
    let over = false;
    void killed.ended.then(() => (over = true));
    while (!over && !(await stat(`${to}.unfinished`).catch(() => undefined))?.size);
    await killed.kill();
    expect((await killed.ended).code).toBe('SIGKILL');
    await expect(stat(to)).rejects.toMatchObject({ code: 'ENOENT' });
    await stat(`${to}.unfinished`);
    expect(await vwStore('backup', data, '--to', to)).toMatchObject({ code: 0 });
    await expect(stat(`${to}.unfinished`)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await vwStore('verify', to)).toMatchObject({ code: 0 });
  });

  it('of a damaged log is not kept', async () => {
    const file = await damaged('UPDATE events SET created = created + 1 WHERE position = 100');
    const to = join(await temporaryFolder('backup'), 'copy.sqlite');
    const { stream, revision } = await eventAt(100);
    const refused = await vwStore('backup', file, '--to', to);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain(`checksum: event ${revision} of stream ${stream}`);
    await expect(stat(to)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(stat(`${to}.unfinished`)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('says in one sentence that there is no place for it', async () => {
    const to = join(await temporaryFolder('backup'), 'nowhere', 'copy.sqlite');
    const refused = await vwStore('backup', sound, '--to', to);
    expect([3, 4, 5]).toContain(refused.code);
    expect(refused.err).toMatch(/^[a-z ]+: [^\n]*\n$/);
  });
});
