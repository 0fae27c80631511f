/** A store to read from, and only that: a file is read beside the service that writes it, a server through its client. */
import { type EventStore, openStore, readEmbeddedLog } from '@vw/event-store';
import { silentLogger, systemClock, systemIds, systemRandom, systemTimers } from '@vw/runtime';
import type { Place } from '../places.js';

export type Source = Pick<EventStore, 'readAll' | 'head' | 'close'>;

/** What every opening of a store is given here. */
export const context = {
  clock: systemClock,
  timers: systemTimers,
  ids: systemIds,
  random: systemRandom,
  logger: silentLogger,
};

/** @throws UnknownStoreFormat, StoreUnavailable */
export async function openSource(place: Place): Promise<Source> {
  return place.kind === 'file' ? readEmbeddedLog(place.file) : await openStore(place.connection, context);
}
