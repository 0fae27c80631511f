/**
 * What one connection may leave unfinished: fragments of appends whose last one has not come. They are held in memory for a
 * client that has promised nothing, so each connection has its own measure, and its calls share it.
 */
import { appendBytes } from '../port.js';
import type { NewEvent } from '../port.js';
import { exhausted } from './refusals.js';

const UNFINISHED_APPENDS = 256;
const UNFINISHED_BYTES = 16 * 1024 * 1024;

/** However little its events carry, an append has no more of them than this holds. */
const HELD_PER_APPEND_BYTES = 16 * 1024 * 1024;

/** Beside its own bytes: what an event costs here while it waits. */
const EVENT_OVERHEAD_BYTES = 256;

/** What events cost while they wait; the limit of an append counts less, and nothing at all for an event of 0 bytes. */
export function heldBytesOf(events: readonly NewEvent[]): number {
  return events.reduce((sum, { type }) => sum + 2 * type.length + EVENT_OVERHEAD_BYTES, appendBytes(events));
}

/** @throws Refusal when one append holds more than any may */
export function requireHoldable(bytes: number): void {
  if (bytes > HELD_PER_APPEND_BYTES) throw exhausted('the append has more events than one append may have here');
}

export class Allowance {
  private appends = 0;
  private bytes = 0;
  /** Calls of the connection that are open. */
  calls = 0;

  /** Takes so much more, or nothing. `appends` is 1 with an append's first fragment. */
  take(appends: 0 | 1, bytes: number): boolean {
    if (this.appends + appends > UNFINISHED_APPENDS || this.bytes + bytes > UNFINISHED_BYTES) return false;
    this.appends += appends;
    this.bytes += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.appends -= 1;
    this.bytes -= bytes;
  }
}

/** The allowances of the connections that have a call open, each by the peer's address and port. */
export class Allowances {
  private readonly byPeer = new Map<string, Allowance>();

  enter(peer: string): Allowance {
    const allowance = this.byPeer.get(peer) ?? new Allowance();
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
