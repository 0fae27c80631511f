/**
 * What the event store costs beside the SQLite it stands on. The two take turns in short slices, in one run on one disk, and each
 * slice is divided by its neighbour: a figure of time would say more about the machine, and about who else used it just then, than
 * about the store. Both write in a worker thread, in groups of the same size into the same tables, under the same pragmas.
 *
 * Not measured: the HTTP way in, deciders and schemas.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EventStore, ExpectedRevision } from '@vw/event-store';
import { openEmbeddedStore, START } from '@vw/event-store';
import { systemClock, systemIds } from '@vw/runtime';
import { openRaw } from './raw-commits.js';
import type { RawResult } from './raw-commits.worker.js';
import { median } from './median.js';
import type { BenchRow } from './row.js';

const CLIENTS = 64;
const EVENTS_PER_CLIENT_AND_SLICE = 25;
const SLICE_EVENTS = CLIENTS * EVENTS_PER_CLIENT_AND_SLICE;
/** The first slices warm code, files and write-ahead logs, and are not counted. */
const WARMING_SLICES = 10;
const SLICES = 40;
const REPLAYS = 5;
const DATA_BYTES = 350;
const METADATA_BYTES = 100;

export async function bench(): Promise<BenchRow[]> {
  const folder = await mkdtemp(join(tmpdir(), 'event-store-bench-'));
  const size = { dataBytes: DATA_BYTES, metadataBytes: METADATA_BYTES };
  const raw = await openRaw({ file: join(folder, 'raw.db'), groupSize: CLIENTS, ...size });
  const store = await openEmbeddedStore({ file: join(folder, 'own.db'), clock: systemClock });
  try {
    const slices: { readonly raw: RawResult; readonly ownSeconds: number }[] = [];
    while (slices.length < WARMING_SLICES + SLICES) {
      // Who comes second finds a busier disk: they change places.
      if (slices.length % 2 === 0) {
        const first = await raw.commit(EVENTS_PER_CLIENT_AND_SLICE);
        slices.push({ raw: first, ownSeconds: await ownSlice(store, slices.length) });
      } else {
        const ownSeconds = await ownSlice(store, slices.length);
        slices.push({ raw: await raw.commit(EVENTS_PER_CLIENT_AND_SLICE), ownSeconds });
      }
    }
    const counted = slices.slice(WARMING_SLICES);
    const replaySeconds: number[] = [];
    while (replaySeconds.length < REPLAYS)
      replaySeconds.push(await secondsOf(() => replay(store, slices.length * SLICE_EVENTS)));
    return rows({
      ratios: counted.map(({ ownSeconds, raw: { seconds } }) => seconds / ownSeconds),
      appends: counted.map(({ ownSeconds }) => SLICE_EVENTS / ownSeconds),
      baselines: counted.map(({ raw: { seconds } }) => SLICE_EVENTS / seconds),
      fsyncs: counted.map(({ raw: { fsyncMs } }) => fsyncMs),
      replays: replaySeconds.map((seconds) => (slices.length * SLICE_EVENTS) / seconds),
    });
  } finally {
    await store.close();
    await raw.close();
    await rm(folder, { recursive: true, force: true });
  }
}

interface Measured {
  /** Of each slice's two rates. */
  readonly ratios: readonly number[];
  /** Events per second in each slice. */
  readonly appends: readonly number[];
  readonly baselines: readonly number[];
  readonly replays: readonly number[];
  readonly fsyncs: readonly number[];
}

function rows({ ratios, appends, baselines, fsyncs, replays }: Measured): BenchRow[] {
  const bytes = `${DATA_BYTES} + ${METADATA_BYTES} bytes an event, WAL, synchronous=FULL`;
  return [
    {
      figure: 'durable append against raw SQLite',
      value: median(ratios),
      aim: '>= 0.8',
      unit: 'ratio',
      detail:
        `${CLIENTS} clients, each its own stream, one event at a time ÷ raw group commits of ${CLIENTS} rows in a worker thread; ` +
        `${bytes}; median of ${SLICES} pairs of slices`,
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
      detail: `readAll of ${(WARMING_SLICES + SLICES) * SLICE_EVENTS} events, every checksum verified; ${bytes}; median of ${REPLAYS}`,
    },
  ];
}

async function ownSlice(store: EventStore, slice: number): Promise<number> {
  // Ids are the callers' affair: made beforehand on both sides, and dealt out as clients at work would draw them.
  const ids = freshIds();
  const hands = Array.from({ length: CLIENTS }, (_, client) => ids.filter((_id, drawn) => drawn % CLIENTS === client));
  const head = slice * EVENTS_PER_CLIENT_AND_SLICE - 1;
  return secondsOf(() => Promise.all(hands.map((hand, client) => appendEach(store, `own-${client}`, head, hand))));
}

async function appendEach(store: EventStore, stream: string, head: number, ids: readonly string[]): Promise<void> {
  const data = Buffer.alloc(DATA_BYTES, 'd');
  const metadata = Buffer.alloc(METADATA_BYTES, 'm');
  let expected: ExpectedRevision = head < 0 ? 'no-stream' : head;
  for (const id of ids) {
    const { revision } = await store.append(stream, expected, [
      { id, type: 'WorkspaceStarted', contentType: 'json', data, metadata },
    ]);
    expected = revision;
  }
}

function freshIds(): string[] {
  return Array.from({ length: SLICE_EVENTS }, () => systemIds.next());
}

async function replay(store: EventStore, expected: number): Promise<void> {
  let seen = 0;
  for await (const { revision } of store.readAll(START)) if (revision >= 0) seen += 1;
  if (seen !== expected) throw new Error(`replayed ${seen} of ${expected} events`);
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const begun = systemClock.monotonic();
  await work();
  return (systemClock.monotonic() - begun) / 1000;
}
