/** What the embedded store promises beyond the port: about its file, its lock, its disk, and `kill -9`. */
import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { cp, mkdir, mkdtemp, open as openFile, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { EventLog, NewEvent } from '@vw/event-store';
import {
  EventCorrupted,
  openEmbeddedStore,
  START,
  StoreInUse,
  StoreUnavailable,
  UnknownStoreFormat,
} from '@vw/event-store';
import { silentLogger, systemClock } from '@vw/runtime';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Format1Event } from '../../support/format-1.js';
import { writeFormat1 } from '../../support/format-1.js';
import { runProgram } from '../../support/program.js';
import { expectAccount, until } from './account.js';
import { collect, events } from './suite.js';

const writersProgram = join(import.meta.dirname, 'durable-writers.program.ts');

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'event-store-'));
  file = join(folder, 'log.db');
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const open = (): Promise<EventLog> => openEmbeddedStore({ file, clock: systemClock });

async function withStore<T>(use: (store: EventLog) => Promise<T>): Promise<T> {
  const store = await open();
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

describe('the file of an embedded store', () => {
  it('is made with its folder, and holds everything once closed', async () => {
    file = join(folder, 'deep', 'down', 'log.db');
    await withStore((store) => store.append('w-1', 'no-stream', events(3)));
    await expect(stat(`${file}-wal`)).rejects.toMatchObject({ code: 'ENOENT' });
    await withStore(async (store) => expect(await collect(store.readAll(START))).toHaveLength(3));
  });

  it('records when the store took each event, by the clock it was given', async () => {
    const store = await openEmbeddedStore({ file, clock: { now: () => 1_234_567, monotonic: () => 0 } });
    await store.append('w-1', 'no-stream', events(1));
    const [event] = await collect(store.readAll(START));
    await store.close();
    expect(event?.created).toBe(1_234_567);
  });

  it('has no position without an event', async () => {
    await withStore(async (store) => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 40 }, (_, index) => store.append(`w-${index % 10}`, 'no-stream', events(2))),
      );
      expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(30);
      const positions = (await collect(store.readAll(START))).map(({ position }) => position);
      expect(positions).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    });
  });

  it('is refused, and left as it was, when it is no store', async () => {
    await writeFile(file, 'this is a letter, not a database, and longer than a header of a hundred bytes '.repeat(10));
    const letter = await readFile(file);
    await expect(open()).rejects.toThrow(`${file} cannot be opened: it is not an event store`);
    expect(await readFile(file)).toEqual(letter);
  });

  it('is refused when another program made it', async () => {
    new Database(file).exec('CREATE TABLE notes (text TEXT)').close();
    const before = await readFile(file);
    await expect(open()).rejects.toBeInstanceOf(UnknownStoreFormat);
    expect(await readFile(file)).toEqual(before);
  });

  it('is refused when a newer program made it, with both formats named', async () => {
    await withStore((store) => store.append('w-1', 'no-stream', events(1)));
    const db = new Database(file);
    db.pragma('user_version = 7');
    db.close();
    const refusal = await open().catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(UnknownStoreFormat);
    expect((refusal as Error).message).toContain('it has format 7, this program knows formats up to 2');
  });

  it('has its damage named: a changed byte by stream and revision, while every other event is served', async () => {
    const [needle, made] = [randomUUID(), events(5)];
    made[3] = { ...(made[3] as (typeof made)[number]), data: Buffer.from(`the needle is ${needle}`) };
    await withStore(async (store) => {
      await store.append('w-1', 'no-stream', made);
      await store.append('w-2', 'no-stream', events(1));
    });
    const bytes = await readFile(file);
    const at = bytes.indexOf(needle);
    bytes[at] = (bytes[at] ?? 0) ^ 0x01;
    await writeFile(file, bytes);
    await withStore(async (store) => {
      const refusal = await collect(store.readStream('w-1')).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(EventCorrupted);
      expect(refusal).toMatchObject({ stream: 'w-1', revision: 3, damage: 'checksum' });
      await expect(collect(store.readAll(START))).rejects.toBeInstanceOf(EventCorrupted);
      expect(await collect(store.readStream('w-1', { limit: 3 }))).toHaveLength(3);
      expect(await collect(store.readStream('w-2'))).toHaveLength(1);
    });
  });

  it('has a lost event named, by revision in its stream and by position in the log', async () => {
    await withStore((store) => store.append('w-1', 'no-stream', events(5)));
    const db = new Database(file);
    db.exec('DELETE FROM events WHERE revision = 2');
    db.close();
    await withStore(async (store) => {
      for (const direction of ['forwards', 'backwards'] as const) {
        const refusal = await collect(store.readStream('w-1', { direction })).catch((error: unknown) => error);
        expect(refusal).toMatchObject({ name: 'EventCorrupted', stream: 'w-1', revision: 2, damage: 'missing' });
      }
      await expect(collect(store.readAll(START))).rejects.toThrow('has lost the event at position 3');
    });
  });
});

describe('the lock of an embedded store', () => {
  it('refuses a second opening at once, under any name of the file, until the first is closed', async () => {
    const store = await open();
    const refusal = await open().catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(StoreInUse);
    expect(refusal).toMatchObject({ path: file });
    const alias = join(folder, 'alias.db');
    await symlink(file, alias);
    await expect(openEmbeddedStore({ file: alias, clock: systemClock })).rejects.toBeInstanceOf(StoreInUse);
    // The refused ones have harmed nothing, least of all the lock.
    await expect(open()).rejects.toBeInstanceOf(StoreInUse);
    await store.append('w-1', 'no-stream', events(1));
    await store.close();
    await (await open()).close();
  });

  it('is held against other processes, and gone with the one that is killed', async () => {
    const other = runProgram(writersProgram, file, '0');
    await other.printed(100);
    await expect(open()).rejects.toBeInstanceOf(StoreInUse);
    await other.kill();
    await (await open()).close();
  });
});

describe('the disk of an embedded store', () => {
  it('may be full: nothing is acknowledged then, and the store works again when there is space', async () => {
    const program = runProgram(writersProgram, file, '0');
    await program.printed(1);
    const pid = program.lines[0]?.split(' ')[1] ?? '';
    await until(program, (lines) => lines.filter((line) => line.startsWith('ok ')).length > 500);
    // A limit on the size of files stands for the disk: the write beyond it fails as it does on a full one. It lies below
    // what the write-ahead log has already reached.
    await limitFileSize(pid, '262144');
    await until(program, (lines) => lines.includes('no run-0-writer-0 StoreUnavailable'));
    const full = program.lines.length;
    await until(program, (lines) => lines.length > full + 500);
    expect(program.lines.slice(full).filter((line) => line.startsWith('ok '))).toEqual([]);
    await limitFileSize(pid, 'unlimited');
    await until(program, (lines) => lines.slice(full).filter((line) => line.startsWith('ok ')).length > 200);
    await program.kill();
    expect(new Set(program.lines.filter((line) => line.startsWith('no ')).map((line) => line.split(' ')[2]))).toEqual(
      new Set(['StoreUnavailable']),
    );
    await withStore((store) => expectWhole(store, [program.lines]));
  });

  it('may be written by nobody while another holds it: that is told, and passes', async () => {
    await withStore(async (store) => {
      await store.append('w-1', 'no-stream', events(1));
      const intruder = new Database(file);
      intruder.exec('BEGIN IMMEDIATE');
      const [one] = [events(1)];
      const refusal = await store.append('w-1', 0, one).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(StoreUnavailable);
      expect(refusal).toMatchObject({ cause: { code: 'SQLITE_BUSY' } });
      intruder.close();
      expect((await store.append('w-1', 0, one)).revision).toBe(1);
    });
  });

  it('may be no folder at all', async () => {
    await writeFile(join(folder, 'in-the-way'), '');
    const refusal = openEmbeddedStore({ file: join(folder, 'in-the-way', 'log.db'), clock: systemClock });
    await expect(refusal).rejects.toBeInstanceOf(StoreUnavailable);
    await expect(refusal).rejects.toThrow(/cannot be used: E/);
  });
});

describe('a file of format 1', () => {
  const streams = ['workspace-1', 'wörkspace-2', 'host-3'];

  function format1(count: number): Format1Event[] {
    return Array.from({ length: count }, (_, made) => ({
      stream: streams[made % streams.length] as string,
      revision: Math.floor(made / streams.length),
      id: randomUUID(),
      type: 'WorkspaceRefined',
      created: 1000 + made,
      data: dataOf(made),
      metadata: Buffer.from('{}'),
    }));
  }

  const dataOf = (made: number): Buffer => Buffer.from(JSON.stringify({ made }));

  it('is migrated when it is opened, once, and what was damaged before is found as before', async () => {
    writeFormat1(file, format1(60), 50);
    const lines: string[] = [];
    const logger = { ...silentLogger, info: (_fields: object, message: string) => void lines.push(message) };
    const store = await openEmbeddedStore({ file, clock: systemClock, logger });
    expect(lines.filter((line) => line.includes('migrated'))).toHaveLength(1);
    const log = await collect(store.readAll(START, { limit: 49 }));
    expect(log.map(({ data }) => Buffer.from(data).toString())).toEqual(log.map((_, made) => dataOf(made).toString()));
    expect(log.every(({ contentType }) => contentType === 'json')).toBe(true);
    const refusal = await collect(store.readAll(START)).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ name: 'EventCorrupted', stream: 'wörkspace-2', revision: 16, damage: 'checksum' });
    expect(await collect(store.readStream('workspace-1'))).toHaveLength(20);
    const repeated = { ...(log[0] as NewEvent), id: (log[0] as NewEvent).id.toUpperCase() };
    expect(await store.append('workspace-1', 'no-stream', [repeated])).toEqual({ revision: 0, position: 1 });
    expect(await store.append('workspace-1', 19, events(1))).toEqual({ revision: 20, position: 61 });
    await store.close();
    const again = await openEmbeddedStore({ file, clock: systemClock, logger });
    expect(lines.filter((line) => line.includes('migrated'))).toHaveLength(1);
    expect(await collect(again.readStream('workspace-1'))).toHaveLength(21);
    await again.close();
  });

  it('survives a kill -9 in the middle of its migration', { timeout: 120_000 }, async () => {
    const count = 100_000;
    writeFormat1(file, format1(count));
    const program = runProgram(writersProgram, file, '0');
    await appeared(`${file}-wal`);
    await program.kill();
    expect(program.lines, 'the migration was over before the kill').toEqual([]);
    const between = new Database(file);
    expect(between.pragma('user_version', { simple: true })).toBe(1);
    between.close();
    await withStore(async (store) => {
      let read = 0;
      for await (const { position } of store.readAll(START)) expect(position).toBe((read += 1));
      expect(read).toBe(count);
    });
  });
});

describe('the tail of the write-ahead log', () => {
  it(
    'may be torn or garbled anywhere: what was acknowledged before that place is there, and nothing else but the rest of the truth',
    { timeout: 120_000 },
    async () => {
      const [taken, durable] = [join(folder, 'taken'), [] as number[]];
      const truth = await withStore(async (store) => {
        for (let made = 0; made < 60; made += 1) {
          const [event] = events(1).map((one) => ({ ...one, data: randomBytes(made % 9 === 8 ? 9000 : 300) }));
          await store.write(`w-${made % 4}`, 'any', event ? [event] : []);
          durable.push((await stat(`${file}-wal`)).size);
        }
        await mkdir(taken);
        // As a power cut finds them: the store is open, and nothing has been folded into the file.
        for (const part of ['', '-wal']) await cp(`${file}${part}`, join(taken, `log.db${part}`));
        return collect(store.readAll(START));
      });
      const size = durable.at(-1) as number;
      const places = Array.from({ length: 30 }, (_, index) => Math.floor((size * (index + 0.5)) / 30) + index);
      for (const [index, place] of places.entries()) {
        const damaged = join(folder, `damaged-${index}`);
        await cp(taken, damaged, { recursive: true });
        await damage(
          join(damaged, 'log.db-wal'),
          place,
          (['torn', 'flipped', 'garbled'] as const)[index % 3] ?? 'torn',
        );
        const store = await openEmbeddedStore({ file: join(damaged, 'log.db'), clock: systemClock });
        const left = await collect(store.readAll(START));
        expect(left).toEqual(truth.slice(0, left.length));
        expect(left.length).toBeGreaterThanOrEqual(durable.filter((end) => end <= place).length);
        expect(left.length).toBeLessThan(truth.length);
        for (const stream of ['w-0', 'w-1', 'w-2', 'w-3']) {
          expect(await collect(store.readStream(stream))).toEqual(left.filter((event) => event.stream === stream));
        }
        const { position } = await store.write('w-0', 'any', events(1));
        expect(position).toBe(left.length + 1);
        await store.close();
      }
    },
  );

  async function damage(path: string, place: number, how: 'torn' | 'flipped' | 'garbled'): Promise<void> {
    const handle = await openFile(path, 'r+');
    const rest = (await handle.stat()).size - place;
    if (how === 'torn') await handle.truncate(place);
    if (how === 'garbled') await handle.write(randomBytes(rest), 0, rest, place);
    if (how === 'flipped') {
      const byte = Buffer.alloc(1);
      await handle.read(byte, 0, 1, place);
      byte[0] = (byte[0] ?? 0) ^ 0x10;
      await handle.write(byte, 0, 1, place);
    }
    await handle.close();
  }
});

describe('kill -9', () => {
  it(
    'loses nothing acknowledged, leaves no gap, and a retry with the same ids makes no duplicate',
    { timeout: 180_000 },
    async () => {
      const accounts: (readonly string[])[] = [];
      for (const run of ['1', '2', '3', '4', '5']) {
        const program = runProgram(writersProgram, file, run);
        await until(program, (lines) => lines.filter((line) => line.startsWith('ok ')).length > 400);
        await program.kill();
        accounts.push(program.lines);
        await withStore((store) => expectWhole(store, accounts));
      }
      expect(accounts.flat().filter((line) => line.startsWith('no '))).toEqual([]);
    },
  );
});

/** Holds the log against what the writers said; and no position is without its event. */
async function expectWhole(store: EventLog, accounts: readonly (readonly string[])[]): Promise<void> {
  const log = await collect(store.readAll(START));
  expect(log.map(({ position }) => position)).toEqual(log.map((_, index) => index + 1));
  await expectAccount(store, log, accounts);
}

async function appeared(path: string): Promise<void> {
  while (!(await stat(path).catch(() => undefined))) await nextTurn();
}

/** Sets the soft limit only, so that it can be raised again without privileges. */
async function limitFileSize(pid: string, bytes: string): Promise<void> {
  await promisify(execFile)('prlimit', ['--pid', pid, `--fsize=${bytes}:`]);
}
