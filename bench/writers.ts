/** Clients at work on a store: each its own stream, one event at a time, the next when the last is durable. */
import type { EventStore, ExpectedRevision } from '@vw/event-store';
import { systemClock, systemIds } from '@vw/runtime';

/** The sizes of every event that the benchmarks append, in bytes: what a lifecycle event of the ledger comes to. */
export const eventSize = { dataBytes: 350, metadataBytes: 100 };

export const everyEvent = `${eventSize.dataBytes} + ${eventSize.metadataBytes} bytes an event`;

const data = Buffer.alloc(eventSize.dataBytes, 'd');
const metadata = Buffer.alloc(eventSize.metadataBytes, 'm');

export interface Writers {
  /** Seconds that all of them took for so many appends each. */
  slice(each: number): Promise<number>;
}

/**
 * @param name the streams' names begin with it
 * @param eventsAtOnce how many events each append has
 */
export function writersOn(store: EventStore, name: string, clients: number, eventsAtOnce = 1): Writers {
  const heads: ExpectedRevision[] = Array.from({ length: clients }, () => 'no-stream');
  const appendEach = async (client: number, ids: readonly string[]): Promise<void> => {
    for (let next = 0; next < ids.length; next += eventsAtOnce) {
      const events = ids
        .slice(next, next + eventsAtOnce)
        .map((id) => ({ id, type: 'WorkspaceStarted', contentType: 'binary' as const, data, metadata }));
      const expected = heads[client] ?? 'no-stream';
      heads[client] = (await store.append(`${name}-${client}`, expected, events)).revision;
    }
  };
  return {
    async slice(each) {
      // Ids are the callers' affair: made beforehand, and dealt out as clients at work would draw them.
      const ids = Array.from({ length: clients * each * eventsAtOnce }, () => systemIds.next());
      const hands = heads.map((_head, client) => ids.filter((_id, drawn) => drawn % clients === client));
      return secondsOf(() => Promise.all(hands.map((hand, client) => appendEach(client, hand))));
    },
  };
}

export async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const begun = systemClock.monotonic();
  await work();
  return (systemClock.monotonic() - begun) / 1000;
}

export interface Pair {
  readonly ours: number;
  readonly theirs: number;
}

/**
 * The two sides in turn, slice by slice, in changing order, for whoever comes second finds a busier disk. The first slices warm
 * code, files and write-ahead logs, and are not among the pairs.
 */
export async function inTurn(
  slices: number,
  warming: number,
  ours: () => Promise<number>,
  theirs: () => Promise<number>,
): Promise<Pair[]> {
  const pairs: Pair[] = [];
  while (pairs.length < warming + slices) {
    if (pairs.length % 2 === 0) {
      const first = await theirs();
      pairs.push({ ours: await ours(), theirs: first });
    } else {
      const first = await ours();
      pairs.push({ ours: first, theirs: await theirs() });
    }
  }
  return pairs.slice(warming);
}
