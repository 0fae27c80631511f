/**
 * Where a read is, and what lies beyond. A reader that is slow keeps a cursor and nothing else: pages are read again from
 * where he is, and a page that was left half way costs only its reading.
 */
import { StreamTombstoned } from '../errors.js';
import type { Direction, EventLog, Matches, Page } from '../log.js';
import type { Position } from '../port.js';
import { END } from '../protocol/index.js';

export interface Cursor {
  /** Whether anything may lie beyond; quick, so that a thousand subscribers can ask at every append. @throws StreamTombstoned */
  more(): boolean;
  /** At most `limit` events; with a filter, at most `considered` are looked at for them. */
  page(limit: number, considered?: number): Page;
  /** The next page begins beyond this event. */
  pass(event: { readonly position: Position; readonly revision: number }): void;
  /** All of the page was passed, so also whatever it did not show. */
  passAll(page: Page): void;
}

export class StreamCursor implements Cursor {
  /** The last revision written when the page was read. */
  private head = -1;

  /** `next`: the first revision wanted, inclusive; END is beyond the last. */
  constructor(
    private readonly log: EventLog,
    private readonly stream: string,
    private readonly direction: Direction,
    private next: number,
  ) {
    if (next !== END) return;
    const head = this.look();
    this.next = direction === 'backwards' ? head : head + 1;
  }

  more(): boolean {
    const head = this.look();
    return this.direction === 'forwards' ? this.next <= head : this.next >= 0 && head >= 0;
  }

  page(limit: number): Page {
    this.head = this.look();
    return this.log.pageOfStream(this.stream, Math.min(this.next, this.head), this.direction, limit);
  }

  pass({ revision }: { readonly revision: number }): void {
    this.next = this.direction === 'forwards' ? revision + 1 : revision - 1;
  }

  passAll(page: Page): void {
    if (page.last) this.pass(page.last);
    if (page.end) this.next = this.direction === 'forwards' ? Math.max(this.next, this.head + 1) : -1;
  }

  private look(): number {
    const { state, head } = this.log.describe(this.stream);
    if (state === 'tombstoned') throw new StreamTombstoned(this.stream);
    return typeof head === 'number' ? head : -1;
  }
}

export class AllCursor implements Cursor {
  private end: Position;

  /** `beyond`: the place that the next page begins after; END is the end, in both directions. */
  constructor(
    private readonly log: EventLog,
    private readonly direction: Direction,
    private beyond: Position,
    private readonly matches: Matches | undefined,
  ) {
    this.end = log.end();
    if (direction === 'forwards' && beyond > this.end) this.beyond = this.end;
    if (direction === 'backwards' && beyond > this.end) this.beyond = (this.end + 1) as Position;
  }

  more(): boolean {
    return this.direction === 'forwards' ? this.log.end() > this.beyond : this.beyond > 0;
  }

  page(limit: number, considered = Infinity): Page {
    this.end = this.log.end();
    const sieve = this.matches && { matches: this.matches, most: considered };
    return this.log.pageOfAll(this.beyond, this.direction, limit, sieve);
  }

  pass({ position }: { readonly position: Position }): void {
    this.beyond = position;
  }

  passAll(page: Page): void {
    if (page.last) this.pass(page.last);
    if (!page.end) return;
    this.beyond = this.direction === 'forwards' ? (Math.max(this.beyond, this.end) as Position) : (0 as Position);
  }
}
