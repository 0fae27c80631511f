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
import type { EventStore } from '@vw/event-store';
import { openEmbeddedStore, START } from '@vw/event-store';
import { systemClock, systemIds } from '@vw/runtime';
import type { RawResult, RawWork } from './event-store.raw.js';
import type { BenchRow } from './row.js';

const CLIENTS = 64;
const EVENTS_PER_CLIENT = 250;
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
  const appended = await secondsOf(() =>
    Promise.all(hands.map((hand, client) => appendAll(store, `own-${client}`, hand))),
  );
  const replayed = await secondsOf(() => replay(store));
  await store.close();
  const events = CLIENTS * EVENTS_PER_CLIENT;
  return { appendsPerSecond: events / appended, replaysPerSecond: events / replayed };
}

async function appendAll(store: EventStore, stream: string, ids: readonly string[]): Promise<void> {
  const data = Buffer.alloc(DATA_BYTES, 'd');
  const metadata = Buffer.alloc(METADATA_BYTES, 'm');
  for (const [revision, id] of ids.entries()) {
    const event = { id, type: 'WorkspaceStarted', data, metadata };
    await store.append(stream, revision === 0 ? 'no-stream' : revision - 1, [event]);
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
