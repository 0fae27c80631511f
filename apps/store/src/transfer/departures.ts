/**
 * Which events of a store leave it, and what stays behind and why. A stream whose beginning the source no longer has (a server has
 * scavenged it) could not be appended elsewhere under its own revisions, so it stays behind whole.
 */
import type { RecordedEvent } from '@vw/event-store';
import { Failure } from '../failures.js';
import { isCarriedStream, isTombstone } from './carried.js';

export interface StayedBehind {
  readonly tombstones: number;
  /** Events of streams that are the store's own. */
  readonly systemEvents: number;
  readonly beheadedStreams: number;
  readonly beheadedEvents: number;
}

export class Departures {
  readonly #wholeLog: boolean;
  readonly #next: Map<string, number>;
  readonly #beheaded = new Set<string>();
  #tombstones = 0;
  #systemEvents = 0;
  #beheadedEvents = 0;

  /**
   * @param wholeLog the reading began before the first event, so that a stream that begins later than 0 has lost something
   * @param next by stream, the revision that comes next, of streams that have left in part already
   */
  constructor(wholeLog: boolean, next: ReadonlyMap<string, number> = new Map()) {
    this.#wholeLog = wholeLog;
    this.#next = new Map(next);
  }

  get stayedBehind(): StayedBehind {
    return {
      tombstones: this.#tombstones,
      systemEvents: this.#systemEvents,
      beheadedStreams: this.#beheaded.size,
      beheadedEvents: this.#beheadedEvents,
    };
  }

  /** How many streams have left, whole or in part. */
  get streams(): number {
    return this.#next.size;
  }

  /** Whether the event leaves. Each event is asked about once, in order. @throws Failure when the source has a gap */
  leaves(event: RecordedEvent): boolean {
    const { stream, revision } = event;
    if (!isCarriedStream(stream)) {
      this.#systemEvents += 1;
      return false;
    }
    if (isTombstone(event)) {
      this.#tombstones += 1;
      return false;
    }
    const expected = this.#next.get(stream) ?? (this.#wholeLog ? 0 : revision);
    if (revision !== expected) {
      if (this.#next.has(stream)) {
        throw new Failure('damaged', `stream ${stream} has event ${revision} where event ${expected} should be`);
      }
      this.#beheaded.add(stream);
      this.#beheadedEvents += 1;
      return false;
    }
    this.#next.set(stream, revision + 1);
    return true;
  }
}
