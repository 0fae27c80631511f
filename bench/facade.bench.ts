/**
 * What EventStoreDB's protocol costs over the embedded log: `vw store serve` in a process of its own, the official client in this
 * one. The processor time is the serving process's, all its threads, as the kernel counts it; the store's own part of it is what
 * this process needs to make the same appends without the protocol.
 *
 * Not measured: TLS, and a network. The rates are bounded by the client, whose protocol buffers cost more than the server does.
 */
import { readFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AppendResult, binaryEvent, EventStoreDBClient } from '@eventstore/db-client';
import { openEmbeddedStore } from '@vw/event-store';
import { systemClock, systemIds } from '@vw/runtime';
import { StoreProcess } from '../test/support/store-process.js';
import { median, quantile } from './median.js';
import type { BenchRow } from './row.js';
import { eventSize, everyEvent, secondsOf, writersOn } from './writers.js';

const CLIENTS = 64;
const ROUNDS = 7;
/** The kernel counts processor time in ticks of this length (USER_HZ is 100 on every Linux). */
const TICK_MS = 10;
const DELIVERIES = 1000;

interface Way {
  readonly name: string;
  readonly eventsAtOnce: number;
  /** Appends of each client in a round. */
  readonly each: number;
  /** The client takes BatchAppend where the server has it, and Append as soon as a call has credentials of its own. */
  readonly perCall: { readonly credentials?: { readonly username: string; readonly password: string } };
  readonly aim: string;
}

const ways: readonly Way[] = [
  { name: 'BatchAppend, 1 event', eventsAtOnce: 1, each: 60, perCall: {}, aim: '<= 0.15' },
  {
    name: 'Append, 1 event',
    eventsAtOnce: 1,
    each: 60,
    perCall: { credentials: { username: 'bench', password: 'bench' } },
    aim: '<= 0.15',
  },
  { name: 'BatchAppend, 100 events', eventsAtOnce: 100, each: 5, perCall: {}, aim: '<= 0.03' },
];

export async function bench(): Promise<BenchRow[]> {
  const folder = await mkdtemp(join(tmpdir(), 'facade-bench-'));
  const server = await StoreProcess.start(join(folder, 'served'));
  const client = EventStoreDBClient.connectionString(server.connection);
  try {
    const rows: BenchRow[] = [];
    for (const way of ways) rows.push(...(await appends(way, server, client, folder)));
    return [...rows, ...(await delivery(client))];
  } finally {
    await client.dispose();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function appends(
  way: Way,
  server: StoreProcess,
  client: EventStoreDBClient,
  folder: string,
): Promise<BenchRow[]> {
  const store = await openEmbeddedStore({ file: join(folder, `${way.name}.db`), clock: systemClock });
  const direct = writersOn(store, 'direct', CLIENTS, way.eventsAtOnce);
  const events = CLIENTS * way.each * way.eventsAtOnce;
  const [served, own, rates]: [number[], number[], number[]] = [[], [], []];
  try {
    // The round before the first warms both sides and is not counted.
    for (let round = -1; round < ROUNDS; round += 1) {
      const busyBefore = await busyMs(server);
      const seconds = await secondsOf(() => throughClient(client, way, round));
      const facadeMs = (await busyMs(server)) - busyBefore;
      const usedBefore = process.cpuUsage();
      await direct.slice(way.each);
      const { user, system } = process.cpuUsage(usedBefore);
      if (round < 0) continue;
      served.push(facadeMs / events);
      own.push((facadeMs - (user + system) / 1000) / events);
      rates.push(events / seconds);
    }
  } finally {
    await store.close();
  }
  const what = `${CLIENTS} concurrent appends of ${way.eventsAtOnce}, ${everyEvent}; median of ${ROUNDS} rounds of ${events} events`;
  return [
    {
      figure: `facade's own processor time an event, ${way.name}`,
      value: median(own),
      aim: way.aim,
      unit: 'ms',
      detail: `serving process, less the same appends made without the protocol; with them ${median(served).toFixed(3)} ms; ${what}`,
    },
    { figure: `through the facade, ${way.name}`, value: median(rates), aim: '', unit: 'events/s', detail: what },
  ];
}

async function throughClient(client: EventStoreDBClient, way: Way, round: number): Promise<void> {
  const event = () =>
    binaryEvent({
      id: systemIds.next(),
      type: 'WorkspaceStarted',
      data: new Uint8Array(eventSize.dataBytes),
      metadata: new Uint8Array(eventSize.metadataBytes),
    });
  const one = async (stream: string): Promise<void> => {
    let head: bigint | 'no_stream' = 'no_stream';
    for (let n = 0; n < way.each; n += 1) {
      const events = Array.from({ length: way.eventsAtOnce }, event);
      const answer: AppendResult = await client.appendToStream(stream, events, {
        expectedRevision: head,
        ...way.perCall,
      });
      head = answer.nextExpectedRevision;
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, n) => one(`${way.name}-${round}-${n}`)));
}

/** Processor time of the serving process so far, user and system (proc(5), fields 14 and 15 of stat). */
async function busyMs({ pid }: StoreProcess): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** From the answer to the writer to the follower's hands, both through the protocol. */
async function delivery(client: EventStoreDBClient): Promise<BenchRow[]> {
  const delivered: number[] = [];
  const committed: number[] = [];
  const subscription = client.subscribeToStream('delivered');
  const all = new Promise<void>((resolve, reject) => {
    subscription.on('error', reject);
    subscription.on('data', () => {
      if (delivered.push(systemClock.monotonic()) === DELIVERIES) resolve();
    });
  });
  for (let n = 0; n < DELIVERIES; n += 1) {
    const event = binaryEvent({ id: systemIds.next(), type: 'WorkspaceStarted', data: new Uint8Array(2) });
    await client.appendToStream('delivered', event);
    committed.push(systemClock.monotonic());
  }
  await all;
  await subscription.unsubscribe();
  const latencies = delivered.map((at, n) => at - (committed[n] ?? Number.NaN));
  const detail = `from the answer to the writer to the follower's hands, both official clients; ${DELIVERIES} events, one at a time`;
  return [
    {
      figure: 'subscription latency through the facade, p50',
      value: quantile(latencies, 0.5),
      aim: '',
      unit: 'ms',
      detail,
    },
    {
      figure: 'subscription latency through the facade, p99',
      value: quantile(latencies, 0.99),
      aim: '',
      unit: 'ms',
      detail,
    },
  ];
}
