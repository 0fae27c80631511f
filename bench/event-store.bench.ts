/**
 * What an append to the embedded store costs beside the SQLite it stands on. The two take turns in short slices, in one run on one
 * disk, and each slice is divided by its neighbour: a figure of time would say more about the machine, and about who else used it
 * just then, than about the store. Both write in a worker thread, in groups of the same size into the same tables, under the same
 * pragmas.
 *
 * Not measured: the HTTP way in, deciders and schemas.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedStore } from '@vw/event-store';
import { systemClock } from '@vw/runtime';
import { median } from './median.js';
import { openRaw } from './raw-commits.js';
import type { BenchRow } from './row.js';
import { eventSize, everyEvent, inTurn, writersOn } from './writers.js';

/** Concurrent clients, and how many appends each makes in a slice: enough that a slice takes some 100 ms. */
const settings = [
  { clients: 1, each: 400 },
  { clients: 10, each: 100 },
  { clients: 64, each: 25 },
];
const WARMING_SLICES = 10;
const SLICES = 40;

export async function bench(): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const { clients, each } of settings) rows.push(...(await against(clients, each)));
  return rows;
}

async function against(clients: number, each: number): Promise<BenchRow[]> {
  const folder = await mkdtemp(join(tmpdir(), 'event-store-bench-'));
  const raw = await openRaw({ file: join(folder, 'raw.db'), groupSize: clients, ...eventSize });
  const store = await openEmbeddedStore({ file: join(folder, 'own.db'), clock: systemClock });
  const fsyncs: number[] = [];
  const rawSlice = async () => {
    const { seconds, fsyncMs } = await raw.commit(each);
    fsyncs.push(fsyncMs);
    return seconds;
  };
  try {
    const writers = writersOn(store, 'own', clients);
    const pairs = await inTurn(SLICES, WARMING_SLICES, () => writers.slice(each), rawSlice);
    const who = clients === 1 ? '1 client' : `${clients} clients`;
    const events = clients * each;
    return [
      {
        figure: `durable append against raw SQLite, ${who}`,
        value: median(pairs.map(({ ours, theirs }) => theirs / ours)),
        aim: '>= 0.8',
        unit: 'ratio',
        detail:
          `${who}, each its own stream, one event at a time ÷ raw group commits of ${clients} rows in a worker thread; ` +
          `${everyEvent}, WAL, synchronous=FULL; median of ${SLICES} pairs of slices`,
      },
      {
        figure: `durable append, ${who}`,
        value: median(pairs.map(({ ours }) => events / ours)),
        aim: '',
        unit: 'events/s',
        detail:
          `raw SQLite did ${Math.round(median(pairs.map(({ theirs }) => events / theirs)))} events/s; one fdatasync after a plain ` +
          `write of ${clients * (eventSize.dataBytes + eventSize.metadataBytes)} bytes took ${median(fsyncs).toFixed(2)} ms`,
      },
    ];
  } finally {
    await store.close();
    await raw.close();
    await rm(folder, { recursive: true, force: true });
  }
}
