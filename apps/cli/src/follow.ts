/**
 * The ledger's events without a gap: each once, in the order of their positions, across broken connections.
 *
 * Following begins at a known position even when none is asked for, so that events recorded during an early break are not missed.
 */
import type { EventView } from '@vw/contracts';
import type { Client, Query } from './client.js';
import { exitCodes, Failure } from './failures.js';
import { sleep, stopwatch } from './time.js';

const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 5_000;
/** A ledger that stays away so long will not come back by being asked more often. */
const GIVE_UP_AFTER_MS = 60_000;

/** @throws UnreachableFailure at once when the ledger cannot be reached to begin with, later when it stays away. */
export async function* follow(
  client: Client,
  query: Query,
  after: number | undefined,
  interrupted: AbortSignal,
): AsyncGenerator<EventView> {
  const { position: head } = await client.page('v1/workspaces', { limit: 1 });
  let position = after ?? head;
  let away: (() => number) | undefined;
  let retryMs = FIRST_RETRY_MS;
  for (;;) {
    try {
      const events = await client.events(query, position);
      away = undefined;
      for await (const event of events) {
        retryMs = FIRST_RETRY_MS;
        // The end of one connection and the beginning of the next may overlap.
        if (event.position <= position) continue;
        position = event.position;
        yield event;
      }
    } catch (failure) {
      away ??= stopwatch();
      const passing = failure instanceof Failure && failure.exitCode === exitCodes.unreachable;
      if (!passing || away() > GIVE_UP_AFTER_MS) throw failure;
    }
    await sleep(retryMs, interrupted);
    retryMs = Math.min(2 * retryMs, LONGEST_RETRY_MS);
  }
}
