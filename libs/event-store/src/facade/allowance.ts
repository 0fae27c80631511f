/**
 * What clients may leave unfinished: events of appends whose last word has not come. They are held in memory for a client
 * that has promised nothing, so each connection has a measure of its own, which its calls share, and all connections have one
 * together: whoever opens many of them gets no more.
 */
import { appendBytes } from '../port.js';
import type { NewEvent } from '../port.js';
import { exhausted } from './refusals.js';

export interface Measure {
  /** On one connection. */
  readonly appends: number;
  readonly bytes: number;
  /** On all connections together. */
  readonly overallBytes: number;
}

/** However far off its deadline is, a client that has begun an append finishes it within this time. */
export const PATIENCE_MS = 10_000;

/** Beside its own bytes: what an event costs here while it waits. */
const EVENT_OVERHEAD_BYTES = 256;

/** What events cost while they wait; the limit of an append counts less, and nothing at all for an event of 0 bytes. */
export function heldBytesOf(events: readonly NewEvent[]): number {
  return events.reduce((sum, { type }) => sum + 2 * type.length + EVENT_OVERHEAD_BYTES, appendBytes(events));
}

export class Allowance {
  private appends = 0;
  private bytes = 0;
  /** Calls of the connection that are open. */
  calls = 0;

  constructor(
    private readonly most: Measure,
    private readonly overall: { bytes: number },
  ) {}

  /** Takes so much more; `appends` is 1 with the first of an append. @throws Refusal, and then takes nothing */
  take(appends: 0 | 1, bytes: number): void {
    if (this.appends + appends > this.most.appends || this.bytes + bytes > this.most.bytes) {
      throw exhausted('too much is unfinished on this connection: finish some appends before you begin more');
    }
    if (this.overall.bytes + bytes > this.most.overallBytes) {
      throw exhausted('too much is unfinished on this server: try again later, with each append in one message');
    }
    this.appends += appends;
    this.bytes += bytes;
    this.overall.bytes += bytes;
  }

  /** All that one append has taken. */
  giveBack(bytes: number): void {
    this.appends -= 1;
    this.bytes -= bytes;
    this.overall.bytes -= bytes;
  }
}

/** The allowances of the connections that have a call open, each by the peer's address and port. */
export class Allowances {
  private readonly byPeer = new Map<string, Allowance>();
  private readonly overall = { bytes: 0 };

  constructor(private readonly most: Measure) {}

  enter(peer: string): Allowance {
    const allowance = this.byPeer.get(peer) ?? new Allowance(this.most, this.overall);
    allowance.calls += 1;
    this.byPeer.set(peer, allowance);
    return allowance;
  }

  leave(peer: string): void {
    const allowance = this.byPeer.get(peer);
    if (!allowance) return;
    allowance.calls -= 1;
    if (allowance.calls === 0) this.byPeer.delete(peer);
  }
}
