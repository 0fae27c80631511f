/** One name for any store: the path of a file that this process keeps, or the connection string of a server. */
import type { Clock, Ids, Logger, Random, Timers } from '@vw/runtime';
import { openEmbeddedStore } from './embedded/index.js';
import { KURRENTDB_SCHEMES, openKurrentStore } from './kurrentdb/index.js';
import type { EventStore } from './port.js';

export interface StoreContext {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly ids: Ids;
  readonly random: Random;
  readonly logger: Logger;
}

type Opener = (location: string, context: StoreContext) => Promise<EventStore>;

/** Who opens which scheme; what has none of them is a path. */
const openers: ReadonlyMap<string, Opener> = new Map(
  KURRENTDB_SCHEMES.map((scheme) => [scheme, (location, context) => openKurrentStore({ location, ...context })]),
);

/**
 * @param location the path of an embedded store's file, or `esdb://…`, `esdb+discover://…`
 * @throws RangeError when it has a scheme that nobody opens, or is malformed
 * @throws StoreInUse, UnknownStoreFormat, StoreUnavailable as the store that it names
 */
export async function openStore(location: string, context: StoreContext): Promise<EventStore> {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(location)?.[1]?.toLowerCase();
  if (scheme === undefined) return openEmbeddedStore({ file: location, ...context });
  const open = openers.get(scheme);
  if (!open)
    throw new RangeError(`no event store answers to ${scheme}://; known are ${[...openers.keys()].join(', ')}`);
  return open(location, context);
}
