/** A store that holds what a site has done, put there as the ledger would have: each event at its own time. */
import type { RecordedEvent } from '@vw/event-store';
import { openEmbeddedStore } from '@vw/event-store';

/** Appends the events in their order, each at the time it bears. They must begin at the beginning of their streams. */
export async function fillStore(file: string, events: readonly RecordedEvent[]): Promise<void> {
  let now = 0;
  const store = await openEmbeddedStore({ file, clock: { now: () => now, monotonic: () => now } });
  try {
    const waiting: Promise<unknown>[] = [];
    for (const event of events) {
      now = event.created;
      waiting.push(store.append(event.stream, event.revision === 0 ? 'no-stream' : event.revision - 1, [event]));
    }
    await Promise.all(waiting);
  } finally {
    await store.close();
  }
}
