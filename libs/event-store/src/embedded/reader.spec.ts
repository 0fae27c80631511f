import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EventCorrupted, StoreUnavailable } from '../errors.js';
import type { Page } from '../log.js';
import type { NewEvent, Position, RecordedEvent } from '../port.js';
import { START } from '../port.js';
import { APPEND, Batch, NO_STREAM } from './batch.js';
import { openLog } from './format.js';
import { LogWriter } from './log-writer.js';
import { LogReader } from './reader.js';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'log-reader-'));
  file = join(folder, 'log.sqlite');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The same bytes each time: three streams in turn, events of many sizes, of which some share a page of the file and some need several. */
function writeLog(count: number): void {
  const { db } = openLog(file);
  const writer = new LogWriter(db);
  const heads = [NO_STREAM, NO_STREAM, NO_STREAM];
  const batch = new Batch();
  for (let made = 0; made < count; made += 1) {
    const stream = made % heads.length;
    const head = heads[stream] as number;
    batch.add(APPEND, `workspace-${stream}`, head, 1_700_000_000_000 + made, [event(made)]);
    heads[stream] = head + 1;
  }
  const answers = writer.commit([batch.pack()]);
  expect(answers.at(-2)).toBe(count);
  db.close();
}

function event(made: number): NewEvent {
  const data =
    made % 13 === 12 ? Buffer.alloc(6000, made) : Buffer.from(JSON.stringify({ made, filler: 'x'.repeat(made * 3) }));
  const id = `00000000-0000-4000-8000-${String(made).padStart(12, '0')}`;
  const contentType = made % 5 === 4 ? 'binary' : 'json';
  return { id, type: `Type${made % 4}`, contentType, data, metadata: Buffer.from(`{"by":${made}}`) };
}

interface Served {
  readonly events: readonly RecordedEvent[];
  readonly refusal: unknown;
}

/** Whatever pages give until the last, or until one throws. */
function serve(pages: (after: Page['last']) => Page): Served {
  const events: RecordedEvent[] = [];
  try {
    for (let after: Page['last']; ;) {
      const page = pages(after);
      for (const recorded of page.events) events.push(recorded);
      if (page.end || !page.last) return { events, refusal: undefined };
      after = page.last;
    }
  } catch (refusal) {
    return { events, refusal };
  }
}

function wholeLog(reader: LogReader, limit: number): Served {
  return serve((after) => reader.pageOfAll(after?.position ?? START, 'forwards', limit));
}

function wholeLogBackwards(reader: LogReader, end: number): Served {
  return serve((after) => reader.pageOfAll(after?.position ?? ((end + 1) as Position), 'backwards', 7));
}

function wholeStream(reader: LogReader, stream: string, last: number): Served {
  const bounds = { first: 0, last, notBefore: 0 };
  return serve((after) => reader.pageOfStream(stream, after ? after.revision + 1 : 0, 'forwards', 5, bounds));
}

function hasEnd(reader: LogReader): boolean {
  try {
    reader.end();
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(StoreUnavailable);
    return false;
  }
}

/** Nothing but the truth was served, and either all of it or up to an event that is named. */
function expectTruth({ events, refusal }: Served, truth: readonly RecordedEvent[], flip: string): void {
  if (!events.every((event, index) => isDeepStrictEqual(event, truth[index]))) {
    expect(events, flip).toEqual(truth.slice(0, events.length));
  }
  const next = truth[events.length];
  if (next === undefined) {
    expect(refusal, flip).toBeUndefined();
  } else {
    expect(refusal, flip).toBeInstanceOf(EventCorrupted);
    expect(refusal, flip).toMatchObject({ stream: next.stream, revision: next.revision });
  }
}

describe('a flipped bit', () => {
  it(
    'anywhere in the rows of the events is found and named, and what comes before it is served',
    { timeout: 120_000 },
    () => {
      const count = 60;
      writeLog(count);
      const db = new Database(file, { readonly: true });
      const pages = db
        .prepare(`SELECT pageno FROM dbstat WHERE name = 'events' AND pagetype <> 'internal'`)
        .pluck()
        .all() as number[];
      const pageSize = db.pragma('page_size', { simple: true }) as number;
      db.close();
      const whole = new LogReader(file);
      const { events: truth } = wholeLog(whole, 512);
      whole.close();
      expect(truth).toHaveLength(count);
      const bytes = readFileSync(file);
      let [named, unopened] = [0, 0];
      for (const page of pages) {
        for (let offset = page % 23; offset < pageSize; offset += 23) {
          const at = (page - 1) * pageSize + offset;
          const mask = 1 << ((offset + page) % 8);
          const flip = `page ${page}, byte ${offset}, mask ${mask}`;
          overwrite(at, (bytes[at] as number) ^ mask);
          const reader = new LogReader(file);
          if (hasEnd(reader)) {
            const all = wholeLog(reader, 512);
            expectTruth(all, truth, flip);
            expectTruth(wholeLogBackwards(reader, count), truth.toReversed(), flip);
            for (const stream of ['workspace-0', 'workspace-1', 'workspace-2']) {
              const own = truth.filter((recorded) => recorded.stream === stream);
              expectTruth(wholeStream(reader, stream, own.length - 1), own, flip);
            }
            if (all.refusal !== undefined) named += 1;
          } else {
            unopened += 1;
          }
          reader.close();
          overwrite(at, bytes[at] as number);
        }
      }
      expect(named).toBeGreaterThan(1000);
      // The header of the last page: where the log ends cannot be known then, and no store opens.
      expect(unopened).toBeLessThan(5);
    },
  );

  function overwrite(at: number, byte: number): void {
    const descriptor = openSync(file, 'r+');
    writeSync(descriptor, Uint8Array.of(byte), 0, 1, at);
    closeSync(descriptor);
  }
});
