/**
 * What it costs to read the embedded store: one aggregate, the whole log, and to be told of what was just committed. The whole log
 * is read beside the two things that no reader can do without: fetching the rows from SQLite, and parsing their JSON.
 *
 * Not measured: folding events into views (`replay.bench.ts`), and reading from a disk that has nothing of the file in memory.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { EventStore, NewEvent } from '@vw/event-store';
import { openEmbeddedStore, START } from '@vw/event-store';
import { systemClock, systemIds } from '@vw/runtime';
import { ownLifecycles } from './lifecycles.js';
import { median, quantile } from './median.js';
import type { BenchRow } from './row.js';
import { secondsOf } from './writers.js';

const EVENTS = 1_000_000;
const EVENTS_AN_APPEND = 100;
const ROUNDS = 5;
const AGGREGATE_EVENTS = 20;
const READS = 2000;
const DELIVERIES = 2000;

export async function bench(): Promise<BenchRow[]> {
  const folder = await mkdtemp(join(tmpdir(), 'log-reads-bench-'));
  const file = join(folder, 'log.db');
  const store = await openEmbeddedStore({ file, clock: systemClock });
  try {
    await fill(store);
    return [...(await wholeLog(store, file)), await aggregate(store), ...(await delivery(store))];
  } finally {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** A million events of the ledger's lives, in streams of twenty. */
async function fill(store: EventStore): Promise<void> {
  const lives = ownLifecycles(100_000);
  let made = 0;
  const next = (): NewEvent => {
    const { type, data, metadata } = lives[made++ % lives.length] as NewEvent;
    return { id: systemIds.next(), type, contentType: 'json', data, metadata };
  };
  for (let stream = 0; made < EVENTS;) {
    const appends: Promise<unknown>[] = [];
    for (let n = 0; n < EVENTS_AN_APPEND; n += 1, stream += 1) {
      appends.push(store.append(`life-${stream}`, 'no-stream', Array.from({ length: AGGREGATE_EVENTS }, next)));
    }
    await Promise.all(appends);
  }
}

async function wholeLog(store: EventStore, file: string): Promise<BenchRow[]> {
  const rounds: { readonly replay: number; readonly scan: number; readonly parse: number }[] = [];
  // The round before the first warms everything up and is not counted.
  for (let round = -1; round < ROUNDS; round += 1) {
    const scan = await secondsOf(async () => rawScan(file));
    const parse = parseSeconds(file);
    const replay = await secondsOf(() => readAll(store));
    if (round >= 0) rounds.push({ replay, scan, parse });
  }
  const rate = (of: 'replay' | 'scan' | 'parse') => Math.round(median(rounds.map((round) => EVENTS / round[of])));
  const what = `readAll of ${EVENTS} events of the ledger, every checksum verified; median of ${ROUNDS} rounds`;
  return [
    {
      figure: 'reading the whole log against JSON.parse',
      value: median(rounds.map(({ replay, parse }) => parse / replay)),
      aim: '>= 0.6',
      unit: 'ratio',
      detail: `${what}; JSON.parse of data and metadata of the same events alone did ${rate('parse')} events/s`,
    },
    {
      figure: 'reading the whole log against a raw SQLite scan',
      value: median(rounds.map(({ replay, scan }) => scan / replay)),
      aim: '',
      unit: 'ratio',
      detail: `${what}; one statement over the same rows and columns did ${rate('scan')} events/s`,
    },
    { figure: 'reading the whole log', value: rate('replay'), aim: '', unit: 'events/s', detail: what },
  ];
}

const EVERY_ROW = `SELECT position, name, revision, events.id, type, created, checksum, data, metadata
  FROM events CROSS JOIN streams ON streams.id = events.stream ORDER BY position`;

interface RawRow {
  readonly data: Buffer;
  readonly metadata: Buffer;
}

function rawScan(file: string): void {
  const db = new Database(file, { readonly: true });
  let seen = 0;
  for (const { data } of db.prepare<[], RawRow>(EVERY_ROW).iterate()) if (data.length > 0) seen += 1;
  db.close();
  if (seen !== EVENTS) throw new Error(`the raw scan saw ${seen} of ${EVENTS} events`);
}

/** Only the parsing is timed: the bytes are fetched beforehand, some thousands at a time. */
function parseSeconds(file: string): number {
  const db = new Database(file, { readonly: true });
  const page = db.prepare<[number], RawRow>(
    'SELECT data, metadata FROM events WHERE position > ? ORDER BY position LIMIT 5000',
  );
  let seconds = 0;
  let parsed = 0;
  while (parsed < EVENTS) {
    const rows = page.all(parsed);
    const begun = systemClock.monotonic();
    for (const { data, metadata } of rows) {
      if (JSON.parse(data.toString('utf8')) !== null && JSON.parse(metadata.toString('utf8')) !== null) parsed += 1;
    }
    seconds += (systemClock.monotonic() - begun) / 1000;
  }
  db.close();
  return seconds;
}

async function readAll(store: EventStore): Promise<void> {
  let seen = 0;
  for await (const { revision } of store.readAll(START)) if (revision >= 0) seen += 1;
  if (seen !== EVENTS) throw new Error(`read ${seen} of ${EVENTS} events`);
}

async function aggregate(store: EventStore): Promise<BenchRow> {
  const times: number[] = [];
  for (let n = 0; n < READS; n += 1) {
    // Far from one another, so that each read finds other pages than the last one did.
    const stream = `life-${(n * 7919) % (EVENTS / AGGREGATE_EVENTS)}`;
    times.push(
      await secondsOf(async () => {
        let seen = 0;
        for await (const _event of store.readStream(stream)) seen += 1;
        if (seen !== AGGREGATE_EVENTS) throw new Error(`read ${seen} events of ${stream}`);
      }),
    );
  }
  return {
    figure: `read of a stream of ${AGGREGATE_EVENTS} events`,
    value: median(times) * 1000,
    aim: '',
    unit: 'ms',
    detail: `one of ${EVENTS / AGGREGATE_EVENTS} streams in a log of ${EVENTS} events; median of ${READS}`,
  };
}

/** From the moment the writer knows that its event is durable to the moment a follower holds it; negative where the follower was first. */
async function delivery(store: EventStore): Promise<BenchRow[]> {
  const stop = new AbortController();
  const items = store.subscribeAll(await store.head(), stop.signal)[Symbol.asyncIterator]();
  await items.next();
  const committed: number[] = [];
  const delivered: number[] = [];
  const following = (async () => {
    while (delivered.length < DELIVERIES) {
      const item = await items.next();
      if (!item.done && item.value.kind === 'event') delivered.push(systemClock.monotonic());
    }
  })();
  const event = {
    type: 'WorkspaceStarted',
    contentType: 'json' as const,
    data: Buffer.from('{}'),
    metadata: Buffer.from('{}'),
  };
  for (let n = 0; n < DELIVERIES; n += 1) {
    await store.append('delivered', n === 0 ? 'no-stream' : n - 1, [{ id: systemIds.next(), ...event }]);
    committed.push(systemClock.monotonic());
  }
  await following;
  stop.abort();
  const latencies = delivered.map((at, n) => at - (committed[n] ?? Number.NaN));
  const detail = `from the answer to the writer to the follower's hands, in one process; ${DELIVERIES} events, one at a time`;
  return [
    { figure: 'subscription latency, p50', value: quantile(latencies, 0.5), aim: '', unit: 'ms', detail },
    { figure: 'subscription latency, p99', value: quantile(latencies, 0.99), aim: '', unit: 'ms', detail },
  ];
}
