/**
 * What the event store costs beside the SQLite it stands on. The two are measured in turn, several times, in one run on one
 * disk, and divided: a figure of time would say more about the machine than about the store.
 *
 * Not measured: the HTTP way in, deciders and schemas, and a disk that others use at the same time.
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { EventStore, ExpectedRevision } from '@vw/event-store';
import { openEmbeddedStore, START } from '@vw/event-store';
import { systemClock, systemIds } from '@vw/runtime';
import type { RawResult, RawWork } from './event-store.raw.js';
import type { BenchRow } from './row.js';

const CLIENTS = 64;
/** The first of them warm the code, the file and its write-ahead log, and are not timed. */
const WARMING_PER_CLIENT = 150;
const TIMED_PER_CLIENT = 250;
const EVENTS_PER_CLIENT = WARMING_PER_CLIENT + TIMED_PER_CLIENT;
const ROUNDS = 7;
const DATA_BYTES = 350;
const METADATA_BYTES = 100;

const rawEntry = new URL(`./event-store.raw${extname(new URL(import.meta.url).pathname)}`, import.meta.url);

export async function bench(): Promise<BenchRow[]> {
  const folder = await mkdtemp(join(tmpdir(), 'event-store-bench-'));
  const raw = new Worker(rawEntry);
  const appends: number[] = [];
  const baselines: number[] = [];
  const fsyncs: number[] = [];
  const replays: number[] = [];
  try {
    // The round before the first warms both sides up and is not counted.
    for (let round = -1; round < ROUNDS; round += 1) {
      const baseline = await rawRound(raw, join(folder, `raw-${round}.db`));
      const own = await ownRound(join(folder, `own-${round}.db`));
      if (round < 0) continue;
      baselines.push(baseline.eventsPerSecond);
      fsyncs.push(baseline.fsyncMs);
      appends.push(own.appendsPerSecond);
      replays.push(own.replaysPerSecond);
    }
  } finally {
    await raw.terminate();
    await rm(folder, { recursive: true, force: true });
  }
  const ratios = appends.map((value, round) => value / (baselines[round] ?? Number.NaN));
  const size = `${DATA_BYTES} + ${METADATA_BYTES} bytes, WAL, synchronous=FULL, median of ${ROUNDS} rounds`;
  return [
    {
      figure: 'durable append against raw SQLite',
      value: median(ratios),
      aim: '>= 0.8',
      unit: 'ratio',
      detail: `${CLIENTS} clients, each its own stream, one event at a time ÷ raw group commits of ${CLIENTS} rows in a worker; ${size}`,
    },
    {
      figure: 'durable append',
      value: median(appends),
      aim: '',
      unit: 'events/s',
      detail: `${CLIENTS} concurrent clients; raw SQLite did ${Math.round(median(baselines))} events/s in the same run`,
    },
    {
      figure: 'fsync control',
      value: median(fsyncs),
      aim: '',
      unit: 'ms',
      detail: `one fdatasync after a plain write of ${CLIENTS * (DATA_BYTES + METADATA_BYTES)} bytes, same disk, same run`,
    },
    {
      figure: 'replay',
      value: median(replays),
      aim: '',
      unit: 'events/s',
      detail: `readAll of ${CLIENTS * EVENTS_PER_CLIENT} events from the start, every checksum verified; ${size}`,
    },
  ];
}

async function rawRound(raw: Worker, file: string): Promise<RawResult> {
  const store = await openEmbeddedStore({ file, clock: systemClock });
  await store.close();
  const work: RawWork = {
    file,
    ids: freshIds(CLIENTS * EVENTS_PER_CLIENT),
    groups: EVENTS_PER_CLIENT,
    warmingGroups: WARMING_PER_CLIENT,
    groupSize: CLIENTS,
    dataBytes: DATA_BYTES,
    metadataBytes: METADATA_BYTES,
  };
  raw.postMessage(work, []);
  const [result] = (await once(raw, 'message')) as [RawResult];
  return result;
}

async function ownRound(file: string): Promise<{ appendsPerSecond: number; replaysPerSecond: number }> {
  const store = await openEmbeddedStore({ file, clock: systemClock });
  // Ids are the callers' affair: made beforehand on both sides, and dealt out as clients at work would draw them.
  const ids = freshIds(CLIENTS * EVENTS_PER_CLIENT);
  const hands = Array.from({ length: CLIENTS }, (_, client) => ids.filter((_id, drawn) => drawn % CLIENTS === client));
  const append = (from: number, to: number): Promise<unknown> =>
    Promise.all(hands.map((hand, client) => appendEach(store, `own-${client}`, from, hand.slice(from, to))));
  await append(0, WARMING_PER_CLIENT);
  const appended = await secondsOf(() => append(WARMING_PER_CLIENT, EVENTS_PER_CLIENT));
  const replayed = await secondsOf(() => replay(store));
  await store.close();
  return {
    appendsPerSecond: (CLIENTS * TIMED_PER_CLIENT) / appended,
    replaysPerSecond: (CLIENTS * EVENTS_PER_CLIENT) / replayed,
  };
}

async function appendEach(store: EventStore, stream: string, from: number, ids: readonly string[]): Promise<void> {
  const data = Buffer.alloc(DATA_BYTES, 'd');
  const metadata = Buffer.alloc(METADATA_BYTES, 'm');
  let expected: ExpectedRevision = from === 0 ? 'no-stream' : from - 1;
  for (const id of ids) {
    expected = (await store.append(stream, expected, [{ id, type: 'WorkspaceStarted', data, metadata }])).revision;
  }
}

function freshIds(count: number): string[] {
  return Array.from({ length: count }, () => systemIds.next());
}

async function replay(store: EventStore): Promise<void> {
  let seen = 0;
  for await (const event of store.readAll(START)) seen += event.revision >= 0 ? 1 : 0;
  if (seen !== CLIENTS * EVENTS_PER_CLIENT)
    throw new Error(`replayed ${seen} of ${CLIENTS * EVENTS_PER_CLIENT} events`);
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1000;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
