/** A log of made-up lives, the same in every run: what a site with so many workspaces alive at a time would have written. */
import type { RecordedEvent } from '@vw/event-store';
import { foreignStream, seeded, Site } from '../test/contracts/projections/lifecycles.js';

export const workspacesAlive = 200;

export function lifecycles(events: number): readonly RecordedEvent[] {
  const site = new Site({ choose: seeded(1), workspaces: workspacesAlive, oddity: 2 });
  while (site.log.length < events) site.step();
  return site.log.slice(0, events);
}

/** The same without the events that are none of the ledger's, which need not be JSON. */
export function ownLifecycles(events: number): readonly RecordedEvent[] {
  return lifecycles(events).filter(({ stream }) => stream !== foreignStream);
}
