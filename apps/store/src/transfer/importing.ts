/**
 * An export on its way into a store, through the port only.
 *
 *  1. What the store has from an import before is stepped over by reading both side by side, which is as fast as reading.
 *  2. Neighbouring events of one stream go in one append. Where the port keeps the order of calls, as the embedded store does, and
 *     nothing but these events is in it, many appends wait together; everywhere else each waits for the one before, so that
 *     the order of the whole log is the file's.
 *  3. Ids prove nothing about bytes: what turns out to be there already is read back and compared.
 */
import type { EventStore, ExpectedRevision, RecordedEvent } from '@vw/event-store';
import { appendBytes, maxAppendBytes, START, StreamTombstoned, WrongExpectedRevision } from '@vw/event-store';
import { canonicalJson, type Clock } from '@vw/runtime';
import { Failure } from '../failures.js';
import { isCarried, isMetadataStream, isSame } from './carried.js';
import type { ReadLine } from './reading.js';

/** Appends that wait together, at most: enough for the store's group commits, and little to lose. */
const WINDOW_APPENDS = 512;
const WINDOW_BYTES = 8 * 1024 * 1024;

/** Tells the store that the time is when the event that it is just taking was taken the first time. */
export class RecordedClock implements Clock {
  at = 0;

  constructor(private readonly clock: Clock) {}

  now(): number {
    return this.at;
  }

  monotonic(): number {
    return this.clock.monotonic();
  }
}

export interface ImportTarget {
  readonly store: EventStore;
  /** The clock that the store was opened with, where the store asks one as it takes an append. */
  readonly clock: RecordedClock | undefined;
  /** The store takes appends in the order of the calls, so that a call need not wait for the one before. */
  readonly keepsOrder: boolean;
}

/** Neighbours in the file, of one stream and, where the store keeps times, of one time. */
interface Group {
  readonly stream: string;
  readonly created: number;
  readonly line: number;
  readonly events: RecordedEvent[];
  bytes: number;
}

interface Waiting {
  readonly bytes: number;
  readonly settled: Promise<void>;
}

export interface ImportCounts {
  /** By this run. */
  readonly appended: number;
  /** In the store before. */
  readonly present: number;
  /** Metadata that the store wrote by itself, under ids of its own, where an append brought a deleted stream back. */
  readonly writtenByStore: number;
}

export class Importer {
  readonly #target: ImportTarget;
  readonly #counts = { appended: 0, present: 0, writtenByStore: 0 };
  /** Whether the store has nothing but the beginning of this file. */
  #pure = true;
  #group: Group | undefined;
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  /** Appends that met something in their way. */
  #disputed: Group[] = [];
  #failure: unknown;

  constructor(target: ImportTarget) {
    this.#target = target;
  }

  get counts(): ImportCounts {
    return this.#counts;
  }

  /**
   * Takes every line. When it throws, nothing is under way any more, and `counts` says what was done until then.
   * @throws Failure when the store has something else; failures of the store
   */
  async take(lines: AsyncIterable<ReadLine>): Promise<void> {
    const there = carriedIn(this.#target.store);
    try {
      let beside = await there.next();
      for await (const line of lines) {
        if (this.#failure !== undefined) break;
        if (!beside.done && isSame(beside.value, line.event)) {
          this.#counts.present += 1;
          beside = await there.next();
          continue;
        }
        if (!beside.done) {
          this.#pure = false;
          beside = await there.return();
        }
        await this.#add(line);
      }
      if (this.#failure === undefined) await this.#send();
      await this.#settle();
    } finally {
      await there.return();
      await Promise.all(this.#waiting.map(({ settled }) => settled));
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #add({ event, line }: ReadLine): Promise<void> {
    const bytes = appendBytes([event]);
    const group = this.#group;
    if (
      group &&
      group.stream === event.stream &&
      (group.created === event.created || !this.#target.clock) &&
      group.bytes + bytes <= maxAppendBytes
    ) {
      group.events.push(event);
      group.bytes += bytes;
      return;
    }
    await this.#send();
    this.#group = { stream: event.stream, created: event.created, line, events: [event], bytes };
  }

  async #send(): Promise<void> {
    const group = this.#group;
    this.#group = undefined;
    if (!group || this.#failure !== undefined) return;
    if (!this.#pure) return await this.#reconcile(group);
    const settled = this.#append(group, group.events).then(
      () => void (this.#counts.appended += group.events.length),
      (error: unknown) => {
        if (error instanceof WrongExpectedRevision) this.#disputed.push(group);
        else this.#failure ??= refusalOf(error, group);
      },
    );
    this.#waiting.push({ bytes: group.bytes, settled });
    this.#waitingBytes += group.bytes;
    const [appends, bytes] = this.#target.keepsOrder ? [WINDOW_APPENDS, WINDOW_BYTES] : [0, 0];
    while (this.#waiting.length > appends || this.#waitingBytes > bytes) {
      const oldest = this.#waiting.shift();
      if (!oldest) break;
      this.#waitingBytes -= oldest.bytes;
      await oldest.settled;
    }
    if (this.#disputed.length > 0) await this.#settle();
  }

  /** Waits for every append, and looks into those that met something. */
  async #settle(): Promise<void> {
    for (const { settled } of this.#waiting.splice(0)) await settled;
    this.#waitingBytes = 0;
    const disputed = this.#disputed;
    this.#disputed = [];
    for (const group of disputed) if (this.#failure === undefined) await this.#reconcile(group);
  }

  /** Steps over the events of the group that the store has, and appends the others. */
  async #reconcile(group: Group): Promise<void> {
    try {
      const first = group.events[0]?.revision ?? 0;
      const there = new Map<number, RecordedEvent>();
      const { stream, events } = group;
      for await (const event of this.#target.store.readStream(stream, { from: first, limit: events.length })) {
        there.set(event.revision, event);
      }
      const missing: RecordedEvent[] = [];
      for (const event of events) {
        const found = there.get(event.revision);
        if (!found) missing.push(event);
        else if (isSame(found, event)) this.#counts.present += 1;
        else if (isSameMetadata(found, event)) this.#counts.writtenByStore += 1;
        else throw new Failure('refused', `event ${event.revision} of stream ${stream} is another one in this store`);
      }
      if (missing.length === 0) return;
      await this.#append(group, missing);
      this.#counts.appended += missing.length;
    } catch (error) {
      this.#failure ??= refusalOf(error, group);
    }
  }

  async #append({ stream, created }: Group, events: readonly RecordedEvent[]): Promise<void> {
    const { store, clock } = this.#target;
    const before = (events[0]?.revision ?? 0) - 1;
    const expected: ExpectedRevision = before < 0 ? 'no-stream' : before;
    if (clock) clock.at = created;
    await store.append(stream, expected, events);
  }
}

async function* carriedIn(store: EventStore): AsyncGenerator<RecordedEvent, void, undefined> {
  for await (const event of store.readAll(START, { system: true })) if (isCarried(event)) yield event;
}

/** Whether both say the same of a stream, whatever their ids and however each wrote it. */
function isSameMetadata(one: RecordedEvent, other: RecordedEvent): boolean {
  return isMetadataStream(one.stream) && one.type === other.type && meaning(one) === meaning(other);
}

function meaning({ data }: RecordedEvent): string {
  const text = Buffer.from(data).toString('utf8');
  try {
    return canonicalJson(JSON.parse(text));
  } catch {
    return text;
  }
}

/** What the store said to an append, in terms of the file. */
function refusalOf(error: unknown, { line, stream, events }: Group): unknown {
  const where = `line ${line}: `;
  if (error instanceof WrongExpectedRevision) {
    // The store keeps ids unique in a stream, and not every store does.
    if (error.actual === error.expected) return new Failure('refused', where + error.message, { cause: error });
    const has = error.actual === 'no-stream' ? 'has no such stream' : `has the stream up to revision ${error.actual}`;
    const why = `event ${events[0]?.revision} of stream ${stream} does not fit: this store ${has}`;
    return new Failure('refused', where + why, { cause: error });
  }
  if (error instanceof Failure || error instanceof StreamTombstoned || error instanceof RangeError) {
    return new Failure('refused', where + error.message, { cause: error });
  }
  return error;
}
