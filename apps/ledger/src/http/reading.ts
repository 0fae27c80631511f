/** What the controllers share: the ledger, and waiting for a position so that a caller reads its own writes. */
import type { Ledger } from '../ledger.js';
import { problem } from './problem.js';

export const LEDGER = Symbol('LEDGER');

/** How long a read waits for the views to reach the position that it asked for. */
const waitMs = 5000;

/** Resolves when the views show the position. @throws ProblemException 504 when they do not in time */
export async function seen(ledger: Ledger, after: number | undefined): Promise<void> {
  const { views, timers } = ledger.ports;
  if (after === undefined || views.position() >= after) return;
  const over = new AbortController();
  void timers.sleep(waitMs, over.signal).then(() => over.abort());
  const reached = await views.waitFor(after as never, over.signal);
  over.abort();
  if (!reached) {
    const detail = `The views are at position ${views.position()} and did not reach ${after} within ${waitMs} ms`;
    throw problem(504, 'VIEW_BEHIND', detail, { asked: { after }, found: { position: views.position() } });
  }
}
