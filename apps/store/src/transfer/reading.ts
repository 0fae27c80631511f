/**
 * The events of an export, read from its bytes and held to what must be true of every export: whole lines, rising positions, streams
 * without a gap, and at the end the count and the digest that the end tells.
 */
import { createHash } from 'node:crypto';
import type { RecordedEvent } from '@vw/event-store';
import { type Members, Misshapen } from './fields.js';
import type { Format } from './format.js';
import { isCarried } from './carried.js';
import { BadLine, type Line, linesOf, objectIn } from './lines.js';

export interface ReadLine {
  readonly event: RecordedEvent;
  readonly line: number;
  /** Bytes from the beginning to the end of this line. */
  readonly end: number;
}

export class ExportReader {
  readonly #format: Format;
  /** By stream, the revision that must come next; a stream may begin anywhere, for the file may be the later part of a log. */
  readonly #next = new Map<string, number>();
  #position = 0;
  #hash = createHash('sha256');
  #events = 0;
  #end: Line | undefined;
  #wholeBytes = 0;

  constructor(format: Format) {
    this.#format = format;
  }

  /** How many events were read. */
  get events(): number {
    return this.#events;
  }

  /** Whether the line was read that ends an export; without it, the export was interrupted, or its format has none. */
  get ended(): boolean {
    return this.#end !== undefined;
  }

  /** Where the last whole line before the end of the export ends: where more can be added. */
  get wholeBytes(): number {
    return this.#wholeBytes;
  }

  /** The revision that comes next in each stream that was read. */
  get nextRevisions(): ReadonlyMap<string, number> {
    return this.#next;
  }

  /** The digest of every byte up to `wholeBytes`, still open. */
  hash(): ReturnType<typeof createHash> {
    return this.#hash.copy();
  }

  /**
   * @param torn what to do with a last line that lacks its newline
   * @throws BadLine at the first line that does not belong
   */
  async *read(chunks: AsyncIterable<Uint8Array>, torn: 'refuse' | 'leave'): AsyncGenerator<ReadLine, void, undefined> {
    for await (const line of linesOf(chunks)) {
      if (!line.whole) {
        if (torn === 'leave') return;
        throw new BadLine(line.number, 'is torn: the export was interrupted there, and --resume continues it');
      }
      const read = this.#readLine(line);
      if (read) yield read;
    }
  }

  #readLine(line: Line): ReadLine | undefined {
    if (this.#end) throw new BadLine(line.number, `comes after the end of the export`);
    try {
      const members = objectIn(line);
      if (line.number === 1 && this.#format.head !== undefined) {
        this.#format.judgeHead(members);
        this.#passed(line);
        return undefined;
      }
      const end = this.#format.endIn(members);
      if (end) {
        this.#judgeEnd(end);
        this.#end = line;
        return undefined;
      }
      const event = this.#judge(members);
      this.#passed(line);
      this.#events += 1;
      return { event, line: line.number, end: line.end };
    } catch (cause) {
      if (cause instanceof Misshapen) throw new BadLine(line.number, cause.message, { cause });
      if (cause instanceof RangeError) throw new BadLine(line.number, 'is nested too deep', { cause });
      throw cause;
    }
  }

  #judge(members: Members): RecordedEvent {
    const event = this.#format.decode(members);
    if (!isCarried(event)) throw new Misshapen(`is of the stream ${event.stream}, which belongs to the store itself`);
    if (event.position <= this.#position) {
      throw new Misshapen(`has position ${event.position}, after position ${this.#position}`);
    }
    const expected = this.#next.get(event.stream) ?? event.revision;
    if (event.revision !== expected) {
      throw new Misshapen(`has revision ${event.revision} of stream ${event.stream}, where ${expected} comes next`);
    }
    this.#next.set(event.stream, event.revision + 1);
    this.#position = event.position;
    return event;
  }

  #judgeEnd({ events, sha256 }: { readonly events: number; readonly sha256: string }): void {
    if (events !== this.#events) throw new Misshapen(`ends ${events} events, and ${this.#events} are there`);
    if (sha256 !== this.#hash.copy().digest('hex'))
      throw new Misshapen('says that the lines before it are not as they were written');
  }

  #passed(line: Line): void {
    this.#hash.update(line.bytes).update('\n');
    this.#wholeBytes = line.end;
  }
}
