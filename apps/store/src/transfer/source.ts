/** A store to read from, and only that: a file is read beside the service that writes it, a server through its client. */
import { type EventStore, openKurrentStore, openStore, readEmbeddedLog } from '@vw/event-store';
import { silentLogger, systemClock, systemIds, systemRandom, systemTimers } from '@vw/runtime';
import { Failure } from '../failures.js';
import type { Place } from '../places.js';

export type Source = Pick<EventStore, 'readAll' | 'head' | 'close'>;

const context = {
  clock: systemClock,
  timers: systemTimers,
  ids: systemIds,
  random: systemRandom,
  logger: silentLogger,
};

/** Somebody waits at a terminal; once a server was there, an absence is waited out for as long as the store does it. */
const FIRST_CONTACT_MS = 5000;

/** @throws UnknownStoreFormat, StoreUnavailable; Failure when the address is malformed */
export async function openSource(place: Place): Promise<Source> {
  return place.kind === 'file' ? readEmbeddedLog(place.file) : await openServer(place.connection);
}

/** @throws StoreUnavailable; Failure when the address is malformed */
export async function openServer(location: string): Promise<EventStore> {
  try {
    const probe = await openKurrentStore({ location, ...context, patienceMs: FIRST_CONTACT_MS });
    await probe.head().finally(() => probe.close());
    return await openStore(location, context);
  } catch (error) {
    if (error instanceof RangeError) throw new Failure('usage', error.message, { cause: error });
    throw error;
  }
}
