/** The door of the KurrentDB adapter: connects, or says in which way it cannot. */
import type { Clock, Ids, Logger, Random, Timers } from '@vw/runtime';
import { silentLogger } from '@vw/runtime';
import type { EventStore } from '../port.js';
import { connectionTo } from './connection.js';
import { parseLocation, SCHEMES } from './location.js';
import { KurrentStore } from './store.js';

export { SCHEMES as KURRENTDB_SCHEMES };

export interface KurrentStoreOptions {
  /** `esdb://…` or `esdb+discover://…`, as for EventStoreDB's official clients. */
  readonly location: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly ids: Ids;
  readonly random: Random;
  readonly logger?: Logger;
  /** How long an append or a read goes on trying through a broken connection; 30 s unless told. */
  readonly patienceMs?: number;
  /** How long a subscription that has lost its server goes on trying; ten minutes unless told. */
  readonly subscriptionPatienceMs?: number;
}

const PATIENCE_MS = 30_000;
const SUBSCRIPTION_PATIENCE_MS = 600_000;

/**
 * Connects to a KurrentDB (EventStoreDB) server or cluster, version 21.10 or later, and asks it once for the end of the log.
 * @throws RangeError when the location is malformed, or names a file that cannot be read
 * @throws StoreUnavailable when the server cannot be reached, or denies access; the message says what to do
 */
export async function openKurrentStore(options: KurrentStoreOptions): Promise<EventStore> {
  const { clock, timers, ids, random, logger = silentLogger } = options;
  const { patienceMs = PATIENCE_MS, subscriptionPatienceMs = SUBSCRIPTION_PATIENCE_MS } = options;
  const location = parseLocation(options.location);
  const means = { clock, timers, random };
  const connection = await connectionTo(location, means);
  const store = new KurrentStore({ connection, means, ids, logger, patienceMs, subscriptionPatienceMs });
  const hosts = location.hosts.map(({ address, port }) => `${address}:${port}`);
  if (location.credentials && !location.tls) logger.warn({ hosts }, 'without TLS, name and password are not sent');
  try {
    logger.info({ hosts, head: await store.head() }, 'event store connected');
    return store;
  } catch (cause) {
    await store.close();
    throw cause;
  }
}
