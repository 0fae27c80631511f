/**
 * The embedded store beside another event store on SQLite for the same language: Emmett's, at the same durability (WAL,
 * synchronous=FULL), on the same disk, in turn.
 *
 * Emmett is used in its quickest form: one connection kept open, its own append and read called on it. That connection takes one
 * transaction at a time, so its clients stand in a queue, as they must.
 *
 * Not measured: projections, which Emmett can update in the same transaction and this store cannot.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { EventStore } from '@vw/event-store';
import { openEmbeddedStore } from '@vw/event-store';
import { packageRoot, systemClock } from '@vw/runtime';
import { median } from './median.js';
import type { BenchRow } from './row.js';
import { eventSize, everyEvent, inTurn, secondsOf, writersOn } from './writers.js';

/** Of `bench/against/package.json`, and not of ours. */
const packageName = '@event-driven-io/emmett-sqlite';

const settings = [
  { clients: 1, each: 100 },
  { clients: 10, each: 10 },
  { clients: 64, each: 4 },
];
const AGGREGATE_EVENTS = 20;
const READS = 100;
const WARMING_SLICES = 3;
const SLICES = 15;

/** The part of Emmett's interface that is used here. */
interface Connection {
  command(sql: string): Promise<unknown>;
  querySingle(sql: string): Promise<Record<string, unknown>>;
  close(): void;
}
interface EmmettEvent {
  readonly type: string;
  readonly data: { readonly text: string };
  readonly metadata: { readonly text: string };
}
interface Emmett {
  sqliteConnection(options: { readonly fileName: string }): Connection;
  createEventStoreSchema(connection: Connection): Promise<void>;
  appendToStream(
    connection: Connection,
    stream: string,
    streamType: string,
    events: readonly EmmettEvent[],
    options: { readonly expectedStreamVersion: bigint | 'STREAM_DOES_NOT_EXIST' },
  ): Promise<{ readonly success: boolean }>;
  readStream(connection: Connection, stream: string): Promise<{ readonly events: readonly unknown[] }>;
}

export async function bench(): Promise<BenchRow[]> {
  const emmett = await installed();
  const rows: BenchRow[] = [];
  for (const { clients, each } of settings) rows.push(await appends(emmett, clients, each));
  rows.push(await reads(emmett));
  return rows;
}

async function appends(emmett: Emmett, clients: number, each: number): Promise<BenchRow> {
  return besideEachOther(emmett, async (store, connection) => {
    const ours = writersOn(store, 'own', clients);
    const heads = Array.from({ length: clients }, () => 0);
    const theirs = () =>
      secondsOf(async () => {
        for (let turn = 0; turn < each; turn += 1) {
          for (const [client, head] of heads.entries()) {
            await appendTo(emmett, connection, `own-${client}`, head, 1);
            heads[client] = head + 1;
          }
        }
      });
    const pairs = await inTurn(SLICES, WARMING_SLICES, () => ours.slice(each), theirs);
    const rate = (of: 'ours' | 'theirs') => Math.round(median(pairs.map((pair) => (clients * each) / pair[of])));
    return {
      figure: `durable append against Emmett, ${clients === 1 ? '1 client' : `${clients} clients`}`,
      value: median(pairs.map((pair) => pair.theirs / pair.ours)),
      aim: '>= 1',
      unit: 'ratio',
      detail:
        `one event at a time, each client its own stream, ${everyEvent}; ${rate('ours')} ÷ ${rate('theirs')} events/s; Emmett's ` +
        `clients in a queue on one kept connection, synchronous=FULL on both sides; median of ${SLICES} pairs of slices`,
    };
  });
}

async function reads(emmett: Emmett): Promise<BenchRow> {
  return besideEachOther(emmett, async (store, connection) => {
    await writersOn(store, 'read', 1, AGGREGATE_EVENTS).slice(1);
    await appendTo(emmett, connection, 'read-0', 0, AGGREGATE_EVENTS);
    const ours = () =>
      secondsOf(async () => {
        for (let n = 0; n < READS; n += 1) {
          let seen = 0;
          for await (const _event of store.readStream('read-0')) seen += 1;
          if (seen !== AGGREGATE_EVENTS) throw new Error(`read ${seen} events`);
        }
      });
    const theirs = () =>
      secondsOf(async () => {
        for (let n = 0; n < READS; n += 1) {
          const { events } = await emmett.readStream(connection, 'read-0');
          if (events.length !== AGGREGATE_EVENTS) throw new Error(`Emmett read ${events.length} events`);
        }
      });
    const pairs = await inTurn(SLICES, WARMING_SLICES, ours, theirs);
    const ms = (of: 'ours' | 'theirs') => ((median(pairs.map((pair) => pair[of])) * 1000) / READS).toFixed(2);
    return {
      figure: `read of a stream of ${AGGREGATE_EVENTS} events against Emmett`,
      value: median(pairs.map((pair) => pair.theirs / pair.ours)),
      aim: '>= 1',
      unit: 'ratio',
      detail: `Emmett took ${ms('theirs')} ms, this store ${ms('ours')} ms; median of ${SLICES} pairs of ${READS} reads`,
    };
  });
}

async function besideEachOther(
  emmett: Emmett,
  measure: (store: EventStore, connection: Connection) => Promise<BenchRow>,
): Promise<BenchRow> {
  const folder = await mkdtemp(join(tmpdir(), 'emmett-bench-'));
  const store = await openEmbeddedStore({ file: join(folder, 'own.db'), clock: systemClock });
  const connection = emmett.sqliteConnection({ fileName: join(folder, 'emmett.db') });
  try {
    await connection.command('PRAGMA synchronous = FULL');
    await emmett.createEventStoreSchema(connection);
    await durable(connection);
    return await measure(store, connection);
  } finally {
    connection.close();
    await store.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Less durability on the other side would make the comparison worthless, so it is asked and not assumed. */
async function durable(connection: Connection): Promise<void> {
  const { journal_mode: journal } = await connection.querySingle('PRAGMA journal_mode');
  const { synchronous } = await connection.querySingle('PRAGMA synchronous');
  if (journal !== 'wal' || synchronous !== 2)
    throw new Error(`Emmett runs with ${String(journal)}, ${String(synchronous)}`);
}

async function appendTo(
  { appendToStream }: Emmett,
  connection: Connection,
  stream: string,
  head: number,
  count: number,
): Promise<void> {
  const event = {
    type: 'WorkspaceStarted',
    data: { text: 'd'.repeat(eventSize.dataBytes) },
    metadata: { text: 'm'.repeat(eventSize.metadataBytes) },
  };
  const { success } = await appendToStream(
    connection,
    stream,
    'own',
    Array.from({ length: count }, () => event),
    {
      expectedStreamVersion: head === 0 ? 'STREAM_DOES_NOT_EXIST' : BigInt(head),
    },
  );
  if (!success) throw new Error(`Emmett refused an append to ${stream} at ${head}`);
}

/** Emmett, as `bench/against` pins it. Its SQLite is compiled where no binary fits, which takes a minute or two. */
async function installed(): Promise<Emmett> {
  const folder = join(packageRoot(), 'bench/against');
  const require = createRequire(join(folder, 'package.json'));
  try {
    return require(packageName) as Emmett;
  } catch {
    await promisify(execFile)('npm', ['ci', '--ignore-scripts=false'], { cwd: folder });
    return require(packageName) as Emmett;
  }
}
